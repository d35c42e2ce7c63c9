//! `GET /api/v1/queue`: what waits, runs and is parked, which services are out, and the steps in trouble.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use callspool_domain::Timestamp;
use callspool_store::{QueueCount, ServiceState};
use serde::Serialize;
use utoipa::ToSchema;

use super::shapes::Step;
use crate::web::access::Listener;
use crate::web::params::Params;
use crate::web::refusal::Refusal;
use crate::web::site::Site;

/// So many steps in trouble are shown.
const TROUBLED: u32 = 100;

/// The queue.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Queue {
    /// Steps that are alike, counted.
    counts: Vec<Count>,
    /// Services that were out at least once.
    services: Vec<Service>,
    /// Steps that are parked or wait after a failure, parked ones first.
    troubled: Vec<Step>,
}

/// How many steps are alike.
#[derive(Debug, Serialize, ToSchema)]
struct Count {
    /// `transfer`, `api` or `records`.
    lane: &'static str,
    /// `archive`, `find-job`, `link` or `release`.
    step: &'static str,
    /// `waiting`, `running` or `parked`.
    state: &'static str,
    /// Their last failure.
    code: Option<&'static str>,
    steps: u64,
    /// When the first of them is or was due.
    oldest_due: String,
}

/// A service outside.
#[derive(Debug, Serialize, ToSchema)]
struct Service {
    /// `provider`, `archive` or `records`.
    service: &'static str,
    /// Since when it has been out; null while it works.
    down_since: Option<String>,
    /// How it failed last.
    code: &'static str,
    detail: String,
}

impl From<QueueCount> for Count {
    fn from(count: QueueCount) -> Self {
        Self {
            lane: count.lane.as_str(),
            step: count.name.as_str(),
            state: count.state.as_str(),
            code: count.code.map(|code| code.as_str()),
            steps: count.steps,
            oldest_due: count.oldest_due.rfc3339(),
        }
    }
}

impl From<ServiceState> for Service {
    fn from(state: ServiceState) -> Self {
        Self {
            service: state.service.as_str(),
            down_since: state.down_since.map(Timestamp::rfc3339),
            code: state.code.as_str(),
            detail: state.detail,
        }
    }
}

/// The queue
#[utoipa::path(get, path = "/api/v1/queue", operation_id = "show_queue", tag = "operation", responses((status = 200, body = Queue)))]
pub(super) async fn show(
    State(site): State<Arc<Site>>,
    _listener: Listener,
    params: Params,
) -> Result<Json<Queue>, Refusal> {
    params.finish()?;
    let store = &site.app.store;
    Ok(Json(Queue {
        counts: store.queue().await?.into_iter().map(Count::from).collect(),
        services: store.services().await?.into_iter().map(Service::from).collect(),
        troubled: store.troubled_steps(TROUBLED).await?.into_iter().map(Step::from).collect(),
    }))
}
