//! `/calls/{call}/recording/{recording}` and `…/play`: the best copy there is, by redirect or through us, with ranges.
//!
//! The archive's copy comes first; before there is one, and while the archive is out, the provider's.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use callspool_domain::recording::Status;
use callspool_store::RecordingRow;
use http::{HeaderMap, Method, StatusCode};

use super::archive_copy::{self, Outcome};
use super::listening::{Audience, Listening, Manner, Way};
use super::provider_copy;
use crate::links;
use crate::web::access::Listener;
use crate::web::dossier::awaited_step;
use crate::web::params::{Params, Segments, recording_sid, unknown_recording};
use crate::web::refusal::Refusal;
use crate::web::site::Site;

pub(crate) async fn download(
    State(site): State<Arc<Site>>,
    Listener(actor): Listener,
    method: Method,
    headers: HeaderMap,
    Segments((call, recording)): Segments<(String, String)>,
    params: Params,
) -> Result<Response, Refusal> {
    let row = recording_of(&site, &call, &recording).await?;
    let (manner, audience) = (Manner::Download, Audience::Actor(actor));
    serve(&site, &row, &Listening { method, headers, way: way(params)?, manner, audience }).await
}

pub(crate) async fn play(
    State(site): State<Arc<Site>>,
    Listener(actor): Listener,
    method: Method,
    headers: HeaderMap,
    Segments((call, recording)): Segments<(String, String)>,
    params: Params,
) -> Result<Response, Refusal> {
    let row = recording_of(&site, &call, &recording).await?;
    let (manner, audience) = (Manner::Play, Audience::Actor(actor));
    serve(&site, &row, &Listening { method, headers, way: way(params)?, manner, audience }).await
}

async fn recording_of(site: &Site, call: &str, recording: &str) -> Result<RecordingRow, Refusal> {
    let row = site.app.store.recording(&recording_sid(recording)?).await?;
    row.filter(|row| row.call.as_str() == call).ok_or_else(unknown_recording)
}

fn way(mut params: Params) -> Result<Way, Refusal> {
    let read = |text: &str| match text {
        "1" => Some(Way::Through),
        "0" => Some(Way::Redirect),
        _ => None,
    };
    let way = params.word("proxy", read, "0 or 1")?;
    params.finish()?;
    Ok(way.unwrap_or(Way::Redirect))
}

/// Sends the best copy there is.
pub(crate) async fn serve(site: &Site, row: &RecordingRow, listening: &Listening) -> Result<Response, Refusal> {
    let mut failure = None;
    if let Some(archive) = links::verified_copy(row) {
        match archive_copy::serve(site, row, archive, listening).await? {
            Outcome::Answered(response) => return Ok(response),
            Outcome::Gone => tracing::error!(recording_sid = %row.sid, key = archive.object_key, "archive_object_gone"),
            Outcome::Failed(reason) => failure = Some(reason),
        }
    }
    if links::is_at_provider(&site.app, row) {
        return provider_copy::serve(site, row, listening).await;
    }
    match failure {
        Some(failure) => Err(Refusal::service_failed(&failure)),
        None => Err(not_available(site, row).await),
    }
}

/// Says that there is nothing to play, and why.
pub(crate) async fn not_available(site: &Site, row: &RecordingRow) -> Refusal {
    let because = row.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
    let text = match row.status {
        Status::Absent => format!("the provider says that no recording was made{because}"),
        Status::Failed => format!("this recording failed{because}"),
        Status::Missing => format!("no copy of this recording can be found{because}"),
        Status::Expired => "this recording was kept for its time and is deleted".to_owned(),
        Status::Archived => "the archived copy is not at its place; an operator must look".to_owned(),
        Status::Sealed => return sealed(row),
        Status::Announced => on_its_way(site, row).await,
    };
    let see = format!("/recordings/{}", row.sid);
    Refusal::new(StatusCode::NOT_FOUND, "not_available_yet", text).see(see).retry_after(5)
}

/// It is there, and nobody here can open it.
fn sealed(row: &RecordingRow) -> Refusal {
    let because = row.reason.as_deref().unwrap_or("encrypted");
    let text = format!(
        "this recording is sealed: it is {because}. It is kept in the archive as Twilio encrypted it, and can be played \
         once an operator has set TWILIO_RECORDING_KEYS"
    );
    Refusal::new(StatusCode::NOT_FOUND, "recording_sealed", text).see(format!("/recordings/{}", row.sid))
}

async fn on_its_way(site: &Site, row: &RecordingRow) -> String {
    let step = awaited_step(&site.app, row).await.ok().flatten();
    match step.map(|step| (step.code, step.due_at)) {
        None => format!("the provider has not finished this recording yet (it says {})", row.provider_status.as_str()),
        Some((None, _)) => "this recording is on its way; try again in a moment".to_owned(),
        Some((Some(code), due_at)) => {
            format!("this recording is on its way, held up by {code}; it is tried again at {} UTC", due_at.history())
        }
    }
}
