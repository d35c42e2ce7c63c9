//! `GET /api/v1/jobs/{id}`: a job with its calls, and its history where callspool itself keeps it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use callspool_domain::JobId;
use callspool_store::CallFilter;
use serde::Serialize;
use utoipa::ToSchema;

use crate::web::access::Listener;
use crate::web::params::{Params, Segments};
use crate::web::refusal::{Problem, Refusal};
use crate::web::site::Site;

/// So many of a job's calls are shown with it.
const CALLS: u32 = 200;

/// A job.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Job {
    job_id: String,
    /// Its record in the job records, where they have ids of their own.
    record_id: Option<String>,
    /// The history in callspool's own job records; null where they are kept elsewhere.
    job_history: Option<String>,
    /// The URL field there: the latest recording.
    url: Option<String>,
    /// The sids of its calls, newest first.
    calls: Vec<String>,
}

/// One job
#[utoipa::path(
    get, path = "/api/v1/jobs/{job}", operation_id = "show_job", tag = "jobs",
    params(("job" = String, Path, description = "its id, percent-encoded")),
    responses((status = 200, body = Job), (status = 404, body = Problem))
)]
pub(super) async fn show(
    State(site): State<Arc<Site>>,
    _listener: Listener,
    Segments(job): Segments<String>,
    params: Params,
) -> Result<Json<Job>, Refusal> {
    params.finish()?;
    let unknown = || Refusal::not_found("no such job is known");
    let id = JobId::parse(&job).map_err(|_| unknown())?;
    let store = &site.app.store;
    let row = store.job(&id).await?;
    let calls = store.list_calls(CallFilter { job: Some(id.clone()) }, None, CALLS).await?;
    if row.is_none() && calls.is_empty() {
        return Err(unknown());
    }
    let (record_id, history, url) = row.map_or((None, None, None), |row| (row.record_id, Some(row.history), row.url));
    let calls = calls.into_iter().map(|call| call.sid.into()).collect();
    Ok(Json(Job { job_id: id.into(), record_id, job_history: history.filter(|text| !text.is_empty()), url, calls }))
}
