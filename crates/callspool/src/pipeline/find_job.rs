//! The find-job step: the job of a call that came without one is looked for by the call's sid.
//!
//! No match is not a failure: the step waits for the next moment of its schedule, and after 7 days for a person. A call is found by its own sid or its
//! parent's.

use std::time::Duration;

use callspool_clients::records::{CallJob, Found};
use callspool_domain::failure::Code;
use callspool_domain::step::no_match;
use callspool_domain::{CallSid, StepFailure, Subject};
use callspool_store::Claimed;
use futures::future::join_all;
use tokio::time::timeout;

use super::{Stop, fenced};
use crate::lifecycle::App;
use crate::records::JobRecords;

/// How long the provider may take to tell the parents of a batch of calls.
const PARENTS: Duration = Duration::from_secs(3);

/// Looks for the jobs of up to ten calls by one request; one result a step, in their order.
pub(super) async fn run_batch(app: &App, steps: &[Claimed]) -> Vec<Result<(), Stop>> {
    let found = match look_up(app, steps).await {
        Ok(found) => found,
        Err(failure) => return steps.iter().map(|_| Err(Stop::Failed(failure.clone()))).collect(),
    };
    let mut results = Vec::with_capacity(steps.len());
    for step in steps {
        let answer = found.iter().find(|(call, _)| call.as_str() == step.subject.id());
        results.push(match answer {
            Some((call, found)) => tie(app, step, call, found).await,
            None => Err(missed(app, step).into()),
        });
    }
    results
}

async fn look_up(app: &App, steps: &[Claimed]) -> Result<Vec<(CallSid, Found<CallJob>)>, StepFailure> {
    let JobRecords::Airtable(airtable) = &app.records else {
        // The plan asks for look-ups only where there is a table to look in; a configuration changed since.
        return Ok(Vec::new());
    };
    let calls: Vec<CallSid> = steps
        .iter()
        .filter_map(|step| match &step.subject {
            Subject::Call(call) => Some(call.clone()),
            _ => None,
        })
        .collect();
    learn_parents(app, &calls).await.map_err(store_failure)?;
    airtable.find_by_calls(&app.store.calls_for_find_job(&calls).await.map_err(store_failure)?).await
}

/// A customer may have noted the parent call's sid instead of the leg's. Nobody tells it with the recording, so the
/// provider is asked; where it does not answer now, the look-up goes on without, and asks again at its next moment.
async fn learn_parents(app: &App, calls: &[CallSid]) -> callspool_store::Result<()> {
    let all = join_all(calls.iter().map(|call| learn_parent(app, call)));
    // Other jobs' lines wait behind this batch: the provider's trouble must not become theirs.
    timeout(PARENTS, all).await.unwrap_or_default().into_iter().collect()
}

async fn learn_parent(app: &App, call: &CallSid) -> callspool_store::Result<()> {
    let Some(row) = app.store.call(call).await?.filter(|row| row.parent.is_none()) else { return Ok(()) };
    let Some(account) = row.account.as_ref().and_then(|sid| app.account(sid)) else { return Ok(()) };
    match account.client.parent_call(call).await {
        Ok(Some(parent)) => app.store.note_parent(call, &parent).await?,
        Ok(None) => {}
        Err(failure) => {
            tracing::debug!(call_sid = %call, code = failure.code.as_str(), detail = failure.detail, "parent_unknown");
        }
    }
    Ok(())
}

fn store_failure(error: callspool_store::Error) -> StepFailure {
    StepFailure::new(Code::StoreUnavailable, error.to_string())
}

async fn tie(app: &App, step: &Claimed, call: &CallSid, found: &Found<CallJob>) -> Result<(), Stop> {
    let CallJob { record, job } = match found {
        Found::One(job) => job,
        Found::None => return Err(missed(app, step).into()),
        Found::Many(n) => {
            let detail = format!("{n} records name the call {call}; tie it by PUT /api/v1/calls/{call}");
            return Err(StepFailure::new(Code::JobAmbiguous, detail).into());
        }
    };
    tracing::info!(call_sid = %call, job_id = job.as_str(), record_id = %record, "job_found");
    fenced(app.store.finish_job_found(&step.lease, call, job, app.clock.now()).await?)
}

fn missed(app: &App, step: &Claimed) -> StepFailure {
    let now = app.clock.now();
    let detail = format!("no record names the {}; it is looked up again, or tie it by PUT", step.subject);
    no_match(detail, step.first_miss_at.unwrap_or(now), now)
}
