//! `/r/{recording}`: the link in the job's record. It never changes; where it leads is found when it is followed.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use callspool_store::RecordingRow;
use http::{HeaderMap, Method, StatusCode, header};

use super::archive_copy;
use super::listening::{Audience, Listening, Manner, Way, set_text};
use super::play;
use super::signed::Signature;
use crate::links;
use crate::web::access;
use crate::web::params::{Params, Segments, recording_sid, unknown_recording};
use crate::web::refusal::Refusal;
use crate::web::site::Site;

pub(crate) async fn follow(
    State(site): State<Arc<Site>>,
    method: Method,
    headers: HeaderMap,
    Segments(recording): Segments<String>,
    mut params: Params,
) -> Result<Response, Refusal> {
    let signature = Signature::take(&mut params)?;
    let listening =
        |audience, headers| Listening { method, headers, way: Way::Redirect, manner: Manner::Play, audience };
    if let Some(signature) = signature {
        let recording = recording_sid(&recording)?;
        signature.check(&site, &recording).await?;
        let row = site.app.store.recording(&recording).await?.ok_or_else(unknown_recording)?;
        return play::serve(&site, &row, &listening(Audience::SignedLink, headers)).await;
    }
    let actor = access::identify(&site, &headers).await?;
    let row = site.app.store.recording(&recording_sid(&recording)?).await?.ok_or_else(unknown_recording)?;
    lead(&site, &row, &listening(Audience::Actor(actor), headers)).await
}

/// Leads to the store where it can sign, else to where the bytes come through us.
async fn lead(site: &Site, row: &RecordingRow, listening: &Listening) -> Result<Response, Refusal> {
    if let Some(archive) = links::verified_copy(row) {
        if let Some(response) = archive_copy::redirect(site, row, archive, listening).await? {
            return Ok(response);
        }
    } else if !links::is_at_provider(&site.app, row) {
        return Err(play::not_available(site, row).await);
    }
    let mut response = StatusCode::FOUND.into_response();
    let path = format!("/calls/{}/recording/{}/play", row.call, row.sid);
    set_text(&mut response, header::LOCATION, &site.href(&path));
    set_text(&mut response, header::CACHE_CONTROL, "no-store");
    Ok(response)
}
