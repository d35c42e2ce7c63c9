//! `/api/v1/recordings/{id}`: everything known about one recording; run its failed steps again; a fresh link to it.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use callspool_domain::Timestamp;
use callspool_domain::line::permanent_link;
use callspool_domain::recording::EncryptionDetails;
use callspool_store::RetryWhat;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::shapes::{Event, Recording, Step};
use crate::links::{self, LONGEST_LIFE};
use crate::web::access::{Listener, Operator};
use crate::web::audio::fresh_link;
use crate::web::dossier::Dossier;
use crate::web::params::{Params, Segments, recording_sid, unknown_recording};
use crate::web::refusal::{Problem, Refusal};
use crate::web::site::Site;

/// Everything known about one recording.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RecordingDetail {
    #[serde(flatten)]
    recording: Recording,
    /// The provider's error code.
    error_code: Option<i64>,
    /// Encrypted by the provider with a key of the customer's.
    encrypted: bool,
    /// What opens it besides the private key: `public_key_sid`, `encrypted_cek`, `iv`, as the provider said.
    #[schema(value_type = Option<Object>)]
    encryption: Option<EncryptionDetails>,
    /// Where its bytes are.
    copies: Vec<Copy>,
    /// What was measured: format, sample rate, length, each channel's levels, and the waveform.
    #[schema(value_type = Option<Object>)]
    audio: Option<Value>,
    /// Its line in the job's history.
    line: Option<Line>,
    release: Release,
    /// Every step on it, its call and its job.
    steps: Vec<Step>,
    /// Its last events, oldest first.
    events: Vec<Event>,
}

/// One place where a recording's bytes are, or were.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Copy {
    /// `provider`, `archive`, or `sealed`: in the archive, as the provider encrypted it.
    place: &'static str,
    /// `allocated`, `present`, `verified` or `gone`.
    state: &'static str,
    /// Its key in the archive.
    key: Option<String>,
    bytes: Option<u64>,
    sha256: Option<String>,
    /// When it was read back and found whole.
    verified_at: Option<String>,
    /// When a person accepted doubtful audio.
    accepted_at: Option<String>,
    /// When it was deleted, or found deleted.
    gone_at: Option<String>,
}

/// A line in a job's history.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Line {
    /// `owed` or `confirmed`.
    state: &'static str,
    /// As it stands in callspool's own job records.
    text: Option<String>,
}

/// Whether the provider's copy may be deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Release {
    /// True where it would be released now.
    open: bool,
    /// Why it would not.
    reasons: Vec<String>,
    /// When the delay is over.
    due_at: Option<String>,
}

/// Everything known about one recording
#[utoipa::path(
    get, path = "/api/v1/recordings/{recording}", operation_id = "show_recording", tag = "recordings",
    params(("recording" = String, Path, description = "its RecordingSid")),
    responses((status = 200, body = RecordingDetail), (status = 404, body = Problem))
)]
pub(super) async fn show(
    State(site): State<Arc<Site>>,
    _listener: Listener,
    Segments(recording): Segments<String>,
    params: Params,
) -> Result<Json<RecordingDetail>, Refusal> {
    params.finish()?;
    let dossier = Dossier::gather(&site.app, &recording_sid(&recording)?).await?.ok_or_else(unknown_recording)?;
    Ok(Json(detail(&site, dossier)))
}

fn detail(site: &Site, dossier: Dossier) -> RecordingDetail {
    let Dossier { row, steps, events, closed, opens_at, line } = dossier;
    let audio = row.archive.as_ref().and_then(|archive| archive.audio.as_ref());
    RecordingDetail {
        error_code: row.error_code,
        encrypted: row.encrypted,
        encryption: row.encryption.clone(),
        copies: copies(site, &row),
        audio: audio.and_then(|audio| serde_json::to_value(audio).ok()),
        line: row.line.map(|state| Line { state: state.as_str(), text: line }),
        release: Release {
            open: closed.is_empty(),
            reasons: closed.iter().map(ToString::to_string).collect(),
            due_at: opens_at.map(Timestamp::rfc3339),
        },
        steps: steps.into_iter().map(Step::from).collect(),
        events: events.into_iter().map(Event::from).collect(),
        recording: Recording::new(&site.app, row),
    }
}

fn copies(site: &Site, row: &callspool_store::RecordingRow) -> Vec<Copy> {
    let at_provider = links::is_kept_by_provider(&site.app, row);
    let provider = (at_provider || row.provider_gone_at.is_some()).then(|| Copy {
        place: "provider",
        state: if at_provider { "present" } else { "gone" },
        key: None,
        bytes: None,
        sha256: None,
        verified_at: None,
        accepted_at: None,
        gone_at: row.provider_gone_at.map(Timestamp::rfc3339),
    });
    let archive = row.archive.as_ref().map(|archive| Copy {
        place: "archive",
        state: archive.state.as_str(),
        key: Some(archive.object_key.clone()),
        bytes: archive.bytes,
        sha256: archive.sha256.clone(),
        verified_at: archive.verified_at.map(Timestamp::rfc3339),
        accepted_at: archive.accepted_at.map(Timestamp::rfc3339),
        gone_at: None,
    });
    let sealed = row.sealed.as_ref().map(|sealed| Copy {
        place: "sealed",
        state: sealed.state.as_str(),
        key: Some(sealed.object_key.clone()),
        bytes: sealed.bytes,
        sha256: sealed.sha256.clone(),
        verified_at: sealed.verified_at.map(Timestamp::rfc3339),
        accepted_at: None,
        gone_at: None,
    });
    provider.into_iter().chain(archive).chain(sealed).collect()
}

/// How many steps are due now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Retried {
    steps: u64,
}

/// Run a recording's failed steps now
///
/// Steps that are parked, given up, or waiting after an error are due at once. Needs the role operator.
#[utoipa::path(
    post, path = "/api/v1/recordings/{recording}/retry", operation_id = "retry_recording", tag = "recordings",
    params(("recording" = String, Path, description = "its RecordingSid")),
    responses((status = 200, body = Retried), (status = 403, body = Problem), (status = 404, body = Problem))
)]
pub(super) async fn retry(
    State(site): State<Arc<Site>>,
    Operator(actor): Operator,
    Segments(recording): Segments<String>,
    params: Params,
) -> Result<Json<Retried>, Refusal> {
    params.finish()?;
    let store = &site.app.store;
    let row = store.recording(&recording_sid(&recording)?).await?.ok_or_else(unknown_recording)?;
    let steps = store.retry(RetryWhat::Recording(row.sid.clone()), site.app.clock.now()).await?;
    tracing::info!(recording_sid = %row.sid, actor = actor.name, steps, "retry_asked");
    Ok(Json(Retried { steps }))
}

/// Links to a recording.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Links {
    /// The permanent link; asks for sign-in.
    url: String,
    /// Plays without sign-in until it expires; null where there is nothing to play yet.
    signed_url: Option<String>,
    expires_at: Option<String>,
}

/// A fresh link
///
/// Whoever has the signed URL can listen until it expires.
#[utoipa::path(
    post, path = "/api/v1/recordings/{recording}/url", operation_id = "link_recording", tag = "recordings",
    params(
        ("recording" = String, Path, description = "its RecordingSid"),
        ("ttl_seconds" = Option<u64>, Query, description = "its life, at most 604800; RECORDING_LINK_TTL unless given"),
    ),
    responses((status = 200, body = Links), (status = 400, body = Problem), (status = 404, body = Problem))
)]
pub(super) async fn url(
    State(site): State<Arc<Site>>,
    Listener(actor): Listener,
    Segments(recording): Segments<String>,
    mut params: Params,
) -> Result<Json<Links>, Refusal> {
    let app = &site.app;
    let life = params.parsed("ttl_seconds")?.map_or(app.config.recording.link_ttl, Duration::from_secs);
    if life.is_zero() || life > LONGEST_LIFE {
        return Err(Refusal::malformed("ttl_seconds must be from 1 to 604800"));
    }
    params.finish()?;
    let row = app.store.recording(&recording_sid(&recording)?).await?.ok_or_else(unknown_recording)?;
    let (signed_url, expires_at) = fresh_link(&site, &row, life, actor).await?.unzip();
    let url = permanent_link(&app.config.server.app_url, &row.sid);
    Ok(Json(Links { url, signed_url, expires_at: expires_at.map(Timestamp::rfc3339) }))
}
