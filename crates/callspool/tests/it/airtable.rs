//! Job records in Airtable: exactly one line a recording, in the record of its job, whatever happens on the way.

mod faults;
mod limits;
mod lines;
mod look_up;
mod record_by_record;

use std::time::Duration;

use callspool_domain::{Code, JobId, StepName, StepState, Subject};
use callspool_sandbox::twilio::PlacedCall;
use callspool_store::StepRow;

use crate::harness::World;

/// Longer than the back-off of a first failure, and over before any call is planned again: planning holds the steps of its
/// calls for a moment, and a batch is made of those it finds free.
const OUTAGE_OVER: Duration = Duration::from_secs(10);

/// The permanent link of a call's recording.
fn link(world: &World, placed: &PlacedCall) -> String {
    world.url(&format!("/r/{}", placed.recording_sid))
}

/// The line of a recording that was archived before the clock was turned.
fn line(world: &World, placed: &PlacedCall) -> String {
    format!("---- | 2024-03-15 14:30:22 | Event: Recording | Source: IVR | URL: {}", link(world, placed))
}

/// A job's id in a callback's query.
fn query(job: &str) -> String {
    form_urlencoded::Serializer::new("?".to_owned()).append_pair("job", job).finish()
}

async fn link_step(world: &World, job: &str) -> StepRow {
    world.step(StepName::Link, Subject::Job(JobId::parse(job).expect("job id"))).await
}

async fn find_job_step(world: &World, placed: &PlacedCall) -> StepRow {
    world.step(StepName::FindJob, Subject::Call(placed.call_sid.clone())).await
}

/// Whether a step is parked, and with which code.
fn parked(step: &StepRow) -> Option<Code> {
    step.code.filter(|_| step.state == StepState::Parked)
}
