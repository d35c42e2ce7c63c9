//! `GET /api/v1/recordings`: the recordings, newest first.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use callspool_domain::recording::Status;
use callspool_store::RecordingFilter;
use serde::Serialize;
use utoipa::ToSchema;

use super::cursor::{read_recording_cursor, write_recording_cursor};
use super::shapes::Recording;
use crate::web::access::Listener;
use crate::web::params::Params;
use crate::web::refusal::{Problem, Refusal};
use crate::web::site::Site;

/// A page of recordings.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RecordingPage {
    /// Newest first.
    recordings: Vec<Recording>,
    /// What to give as `after` for the page behind this one; null on the last.
    next: Option<String>,
}

/// Recordings, newest first
///
/// Later pages stay the same whatever is announced meanwhile.
#[utoipa::path(
    get, path = "/api/v1/recordings", operation_id = "list_recordings", tag = "recordings",
    params(
        ("status" = Option<String>, Query, description = "announced, archived, sealed, absent, failed, missing or expired"),
        ("call_sid" = Option<String>, Query, description = "of this call"),
        ("job_id" = Option<String>, Query, description = "of this job"),
        ("account_sid" = Option<String>, Query, description = "of this account"),
        ("provider_status" = Option<String>, Query, description = "the provider's word"),
        ("since" = Option<String>, Query, description = "announced at or after, e.g. 2024-03-15 or 2024-03-15T14:30:22Z"),
        ("until" = Option<String>, Query, description = "announced before"),
        ("after" = Option<String>, Query, description = "the next of the page before"),
        ("limit" = Option<u32>, Query, description = "1 to 200, 50 unless given"),
    ),
    responses((status = 200, body = RecordingPage), (status = 400, body = Problem), (status = 401, body = Problem))
)]
pub(super) async fn list(
    State(site): State<Arc<Site>>,
    _listener: Listener,
    mut params: Params,
) -> Result<Json<RecordingPage>, Refusal> {
    let filter = RecordingFilter {
        status: params.word(
            "status",
            Status::parse,
            "announced, archived, sealed, absent, failed, missing or expired",
        )?,
        provider_status: params.text("provider_status")?,
        call: params.parsed("call_sid")?,
        job: params.parsed("job_id")?,
        account: params.parsed("account_sid")?,
        since: params.moment("since")?,
        until: params.moment("until")?,
    };
    let after = params.text("after")?.map(|text| read_recording_cursor(&text)).transpose()?;
    let limit = params.limit()?;
    params.finish()?;
    let mut rows = site.app.store.list_recordings(filter, after, limit + 1).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(write_recording_cursor);
    let recordings = rows.into_iter().map(|row| Recording::new(&site.app, row)).collect();
    Ok(Json(RecordingPage { recordings, next }))
}
