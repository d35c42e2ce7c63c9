//! The plan: what should happen next to a call and everything under it, as a pure function of what is stored.
//!
//! It looks at the level, not the edge: it runs inside every transaction that adds a fact, and again by a sweep, so a lost
//! wake-up, a crash between two commits or a changed policy repairs itself. It never asks for a release before the gate's
//! facts are there, and while anything is unsettled it names a time to look again.

use std::time::Duration;

use crate::gate;
use crate::id::RecordingSid;
use crate::line::LineState;
use crate::policy::Policy;
use crate::recording::Status;
use crate::step::{StepName, StepState, Subject};
use crate::time::Timestamp;
use crate::view::{CallView, RecordingView};

/// How long an unsettled call waits at most until it is looked at again, should a wake-up be lost.
pub const LOOK_AGAIN: Duration = Duration::from_secs(3600);

/// A step that must exist and be neither done nor cancelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ensure {
    /// What it works on.
    pub subject: Subject,
    /// What it does.
    pub step: StepName,
    /// When it is due, where it does not exist yet.
    pub due_at: Timestamp,
}

/// When to look at the call again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Only a new fact changes anything.
    Settled,
    /// Something is on its way; look again then, should nobody tell.
    LookAgain(Timestamp),
}

/// What should happen next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Lines to be owed to the call's job, before the steps.
    pub lines: Vec<RecordingSid>,
    /// Steps that must be there.
    pub ensure: Vec<Ensure>,
    /// Waiting or parked steps that are no longer wanted.
    pub cancel: Vec<(Subject, StepName)>,
    /// When to look again.
    pub next: Next,
}

/// Decides what should happen next to this call.
pub fn plan(call: &CallView, policy: &Policy, now: Timestamp) -> Plan {
    let mut plan = Plan { lines: Vec::new(), ensure: Vec::new(), cancel: Vec::new(), next: Next::Settled };
    for recording in &call.recordings {
        plan_archive(recording, now, &mut plan);
        plan_line(call, recording, now, &mut plan);
        plan_release(call, recording, policy, &mut plan);
    }
    plan_job_look_up(call, policy, now, &mut plan);
    if !plan.ensure.is_empty() || call.recordings.iter().any(is_under_way) {
        plan.next = Next::LookAgain(now + LOOK_AGAIN);
    }
    plan
}

/// A recording whose provider has not said its last word, or whose archiving waits.
fn is_under_way(recording: &RecordingView) -> bool {
    recording.status == Status::Announced
}

fn plan_archive(recording: &RecordingView, now: Timestamp, plan: &mut Plan) {
    let subject = Subject::Recording(recording.sid.clone());
    if recording.status == Status::Announced && recording.provider_status.is_completed() {
        plan.ensure.push(Ensure { subject, step: StepName::Archive, due_at: now });
    } else if recording.archive_step.is_some_and(is_idle) {
        plan.cancel.push((subject, StepName::Archive));
    }
}

fn plan_line(call: &CallView, recording: &RecordingView, now: Timestamp, plan: &mut Plan) {
    let Some(job) = &call.job else { return };
    if recording.status != Status::Archived || recording.line == Some(LineState::Confirmed) {
        return;
    }
    if recording.line.is_none() {
        // A recording has one line, whatever call it moves to.
        if recording.line_elsewhere {
            return;
        }
        plan.lines.push(recording.sid.clone());
    }
    let link = Ensure { subject: Subject::Job(job.clone()), step: StepName::Link, due_at: now };
    if !plan.ensure.contains(&link) {
        plan.ensure.push(link);
    }
}

fn plan_release(call: &CallView, recording: &RecordingView, policy: &Policy, plan: &mut Plan) {
    let subject = Subject::Recording(recording.sid.clone());
    match gate::opens_at(recording, policy) {
        Some(due_at) if gate::standing(call, recording, policy).is_empty() => {
            plan.ensure.push(Ensure { subject, step: StepName::Release, due_at });
        }
        _ if recording.release_step.is_some_and(is_idle) => plan.cancel.push((subject, StepName::Release)),
        _ => {}
    }
}

fn plan_job_look_up(call: &CallView, policy: &Policy, now: Timestamp, plan: &mut Plan) {
    let subject = Subject::Call(call.sid.clone());
    let archived = call.recordings.iter().any(|recording| recording.status == Status::Archived);
    if policy.find_jobs && call.job.is_none() && call.sid.is_call() && archived {
        plan.ensure.push(Ensure { subject, step: StepName::FindJob, due_at: now });
    } else if call.find_job.is_some_and(is_idle) {
        plan.cancel.push((subject, StepName::FindJob));
    }
}

/// A step that can be taken away without disturbing who runs it.
fn is_idle(state: StepState) -> bool {
    matches!(state, StepState::Waiting | StepState::Parked)
}
