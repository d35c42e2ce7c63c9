//! `/api/v1/calls`: the calls, one call with its recordings, and the tie of a call to its job.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use bytes::Bytes;
use callspool_domain::{CallSid, JobId};
use callspool_store::{CallFilter, CallRow, RecordingFilter, TiedBy};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::cursor::{read_call_cursor, write_call_cursor};
use super::shapes::Recording;
use crate::web::access::{Listener, Operator};
use crate::web::params::{Params, Segments};
use crate::web::refusal::{Problem, Refusal};
use crate::web::site::Site;

/// So many of one call's recordings are shown with it.
const RECORDINGS: u32 = 200;

/// A call.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Call {
    call_sid: String,
    account_sid: Option<String>,
    /// The call it is a leg of.
    parent_call_sid: Option<String>,
    job_id: Option<String>,
    /// Who said so: `put`, `callback` or `look_up`.
    tied_by: Option<&'static str>,
    source: String,
    duration_seconds: Option<u64>,
    /// When it became known.
    created_at: String,
    /// The provider's word for its state.
    provider_status: Option<String>,
    /// `inbound`, `outbound-api` or `outbound-dial`.
    direction: Option<String>,
    /// Who called.
    from: Option<String>,
    /// Who was called.
    to: Option<String>,
}

impl From<CallRow> for Call {
    fn from(row: CallRow) -> Self {
        let tied_by = row.tied_by.map(|by| match by {
            TiedBy::Put => "put",
            TiedBy::Callback => "callback",
            TiedBy::LookUp => "look_up",
        });
        Self {
            call_sid: row.sid.to_string(),
            account_sid: row.account.map(String::from),
            parent_call_sid: row.parent.map(String::from),
            job_id: row.job.map(String::from),
            tied_by,
            source: row.source.as_str().to_owned(),
            duration_seconds: row.duration_seconds,
            created_at: row.created_at.rfc3339(),
            provider_status: row.status,
            direction: row.direction,
            from: row.from,
            to: row.to,
        }
    }
}

/// A page of calls.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CallPage {
    /// Newest first.
    calls: Vec<Call>,
    /// What to give as `after` for the page behind this one; null on the last.
    next: Option<String>,
}

/// A call with its recordings.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CallDetail {
    #[serde(flatten)]
    call: Call,
    /// Newest first.
    recordings: Vec<Recording>,
}

/// Calls, newest first
#[utoipa::path(
    get, path = "/api/v1/calls", operation_id = "list_calls", tag = "calls",
    params(
        ("job_id" = Option<String>, Query, description = "of this job"),
        ("after" = Option<String>, Query, description = "the next of the page before"),
        ("limit" = Option<u32>, Query, description = "1 to 200, 50 unless given"),
    ),
    responses((status = 200, body = CallPage), (status = 400, body = Problem))
)]
pub(super) async fn list(
    State(site): State<Arc<Site>>,
    _listener: Listener,
    mut params: Params,
) -> Result<Json<CallPage>, Refusal> {
    let filter = CallFilter { job: params.parsed("job_id")? };
    let after = params.text("after")?.map(|text| read_call_cursor(&text)).transpose()?;
    let limit = params.limit()?;
    params.finish()?;
    let mut rows = site.app.store.list_calls(filter, after, limit + 1).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(write_call_cursor);
    Ok(Json(CallPage { calls: rows.into_iter().map(Call::from).collect(), next }))
}

/// One call with its recordings
#[utoipa::path(
    get, path = "/api/v1/calls/{call}", operation_id = "show_call", tag = "calls",
    params(("call" = String, Path, description = "its CallSid")),
    responses((status = 200, body = CallDetail), (status = 404, body = Problem))
)]
pub(super) async fn show(
    State(site): State<Arc<Site>>,
    _listener: Listener,
    Segments(call): Segments<String>,
    params: Params,
) -> Result<Json<CallDetail>, Refusal> {
    params.finish()?;
    let unknown = || Refusal::not_found("no such call is known");
    let sid = CallSid::parse(&call).map_err(|_| unknown())?;
    let store = &site.app.store;
    let call = store.call(&sid).await?.ok_or_else(unknown)?;
    let filter = RecordingFilter { call: Some(sid), ..RecordingFilter::default() };
    let recordings = store.list_recordings(filter, None, RECORDINGS).await?;
    let recordings = recordings.into_iter().map(|row| Recording::new(&site.app, row)).collect();
    Ok(Json(CallDetail { call: call.into(), recordings }))
}

/// The tie of a call to a job.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tie {
    /// The call.
    #[serde(skip_serializing_if = "Option::is_none")]
    call_sid: Option<String>,
    /// The job's id as the customer's system knows it: any text of 1 to 512 bytes.
    #[schema(example = "JOB456")]
    job_id: String,
}

/// Tie a call to a job
///
/// At any time, before or after the recording; the same again changes nothing. Where lines about its recordings stand
/// in another job, that job is told where they went. Needs the role operator.
#[utoipa::path(
    put, path = "/api/v1/calls/{call}", operation_id = "tie_call", tag = "calls",
    params(("call" = String, Path, description = "its CallSid; it need not be known yet")),
    request_body = Tie,
    responses(
        (status = 200, body = Tie), (status = 400, body = Problem), (status = 403, body = Problem)
    )
)]
pub(super) async fn tie(
    State(site): State<Arc<Site>>,
    Operator(actor): Operator,
    Segments(call): Segments<String>,
    params: Params,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Json<Tie>, Refusal> {
    params.finish()?;
    let call = CallSid::parse(&call).map_err(|rule| Refusal::malformed(format!("call: {rule}")))?;
    let job = read_job(&body.map_err(|rejection| unreadable(&rejection))?)?;
    site.app.store.tie_call(&call, &job, TiedBy::Put, site.app.clock.now()).await?;
    tracing::info!(call_sid = %call, job_id = job.as_str(), actor = actor.name, "call_tied");
    Ok(Json(Tie { call_sid: Some(call.into()), job_id: job.into() }))
}

fn unreadable(rejection: &axum::extract::rejection::BytesRejection) -> Refusal {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body is larger than 64 KiB")
        }
        _ => Refusal::malformed("the body could not be read"),
    }
}

/// Reads `{"job_id": …}`, and names the field that is wrong.
fn read_job(body: &[u8]) -> Result<JobId, Refusal> {
    let body: Value = serde_json::from_slice(body).map_err(|_| Refusal::malformed("the body is not JSON"))?;
    let fields = body.as_object().ok_or_else(|| Refusal::malformed("the body must be an object with job_id"))?;
    if let Some(unknown) = fields.keys().find(|name| *name != "job_id") {
        let shown: String = unknown.chars().filter(|c| !c.is_control()).take(40).collect();
        return Err(Refusal::malformed(format!("{shown} is no field of this body; job_id is")));
    }
    let job = fields.get("job_id").ok_or_else(|| Refusal::malformed("job_id is missing"))?;
    let job = job.as_str().ok_or_else(|| Refusal::malformed("job_id must be a text"))?;
    JobId::parse(job).map_err(|rule| Refusal::malformed(rule.to_string()))
}

#[cfg(test)]
mod tests {
    use super::read_job;

    #[test]
    fn the_wrong_field_is_named() {
        let message = |body: &str| read_job(body.as_bytes()).expect_err(body).message;
        assert_eq!(message("{}"), "job_id is missing");
        assert_eq!(message(r#"{"job_id": 5}"#), "job_id must be a text");
        assert_eq!(message(r#"{"job_id": "J", "jobs": 1}"#), "jobs is no field of this body; job_id is");
        assert_eq!(message("[]"), "the body must be an object with job_id");
        assert_eq!(message("job=1"), "the body is not JSON");
        assert!(message(r#"{"job_id": " "}"#).starts_with("job_id must be 1 to 512 bytes"));
        assert!(message("{\"job_id\": \"a\\u0000\"}").starts_with("job_id must be"));
        assert_eq!(read_job(br#"{"job_id": "JOB/456 \"x\""}"#).expect("job").as_str(), "JOB/456 \"x\"");
    }
}
