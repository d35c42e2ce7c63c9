//! `GET /api/v1/stats` (also `/api/stats`): totals that cost nothing to read.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use callspool_domain::recording::Status;
use serde::Serialize;
use utoipa::ToSchema;

use super::shapes::seconds;
use crate::web::access::Listener;
use crate::web::params::Params;
use crate::web::refusal::Refusal;
use crate::web::site::Site;

/// Totals since the ledger was made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Totals {
    /// How many recordings there are of each status.
    recordings: BTreeMap<&'static str, u64>,
    /// Bytes in the archive.
    archived_bytes: u64,
    /// Seconds of audio in the archive.
    archived_seconds: f64,
    /// Provider copies deleted through the gate.
    released: u64,
    /// History lines read back from their job.
    lines_confirmed: u64,
    /// Failures of steps by code.
    failures: BTreeMap<String, u64>,
}

/// Totals
#[utoipa::path(get, path = "/api/v1/stats", operation_id = "show_stats", tag = "operation", responses((status = 200, body = Totals)))]
pub(super) async fn show(
    State(site): State<Arc<Site>>,
    _listener: Listener,
    params: Params,
) -> Result<Json<Totals>, Refusal> {
    params.finish()?;
    let stats = site.app.store.stats().await?;
    let count = |status: &Status| (status.as_str(), stats.recordings.get(status).copied().unwrap_or(0));
    Ok(Json(Totals {
        recordings: Status::ALL.iter().map(count).collect(),
        archived_bytes: stats.archived_bytes,
        archived_seconds: seconds(stats.archived_ms),
        released: stats.released,
        lines_confirmed: stats.lines_confirmed,
        failures: stats.failures,
    }))
}
