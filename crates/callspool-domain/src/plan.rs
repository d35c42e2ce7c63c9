//! The plan: what should happen next to a call and everything under it, as a pure function of what is stored.
//!
//! It looks at the level, not the edge: it runs inside every transaction that adds a fact, and again by a sweep, so a lost
//! wake-up, a crash between two commits or a changed policy repairs itself. It never asks for a release before the gate's
//! facts are there, and while anything is unsettled it names a time to look again.

use std::time::Duration;

use crate::gate;
use crate::id::{JobId, RecordingSid};
use crate::line::{Event, LineState};
use crate::policy::Policy;
use crate::recording::Status;
use crate::step::{StepName, StepState, Subject};
use crate::time::Timestamp;
use crate::view::{CallView, RecordingView};

/// How long an unsettled call waits at most until it is looked at again, should a wake-up be lost.
pub const LOOK_AGAIN: Duration = Duration::from_secs(3600);

/// For so long archiving may take, tries and all, before the job is told that it is delayed.
pub const PENDING_AFTER: Duration = Duration::from_secs(60);
/// So long the callback of a recording that was stopped may take before the provider is asked for its audio.
pub const STOPPED_AFTER: Duration = Duration::from_secs(60);
/// When to look again whether a delay is a mere backlog, of which no job is told, or a failure by now.
const BACKLOG_LOOK: Duration = Duration::from_secs(600);

/// A line to be owed to a job, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLine {
    /// In whose history.
    pub job: JobId,
    /// About which recording.
    pub recording: RecordingSid,
    /// What it reports.
    pub event: Event,
    /// The job the recording belongs to now, where it reports that.
    pub moved_to: Option<JobId>,
}

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
    /// Lines to be owed, before the steps.
    pub lines: Vec<NewLine>,
    /// Recordings that are back in the call's job: should they move away once more, that is news again.
    pub back: Vec<RecordingSid>,
    /// Steps that must be there.
    pub ensure: Vec<Ensure>,
    /// Waiting or parked steps that are no longer wanted.
    pub cancel: Vec<(Subject, StepName)>,
    /// When to look again.
    pub next: Next,
}

/// Decides what should happen next to this call.
pub fn plan(call: &CallView, policy: &Policy, now: Timestamp) -> Plan {
    let mut plan =
        Plan { lines: Vec::new(), back: Vec::new(), ensure: Vec::new(), cancel: Vec::new(), next: Next::Settled };
    for recording in &call.recordings {
        plan_archive(recording, policy, now, &mut plan);
        plan_lines(call, recording, now, &mut plan);
        plan_links(recording, now, &mut plan);
        plan_release(call, recording, policy, &mut plan);
        plan_stop(recording, policy, &mut plan);
    }
    plan_record(call, now, &mut plan);
    plan_job_look_up(call, policy, now, &mut plan);
    if !plan.ensure.is_empty() || call.recordings.iter().any(is_under_way) {
        let told = call.recordings.iter().filter_map(|recording| tell_of_delay_at(call, recording, now));
        plan.next = Next::LookAgain(told.fold(now + LOOK_AGAIN, Timestamp::min));
    }
    plan
}

/// A recording whose provider has not said its last word, or whose archiving waits.
fn is_under_way(recording: &RecordingView) -> bool {
    recording.status == Status::Announced
}

fn plan_archive(recording: &RecordingView, policy: &Policy, now: Timestamp, plan: &mut Plan) {
    let subject = Subject::Recording(recording.sid.clone());
    let word = &recording.provider_status;
    let due_at = match recording.status {
        Status::Announced if word.is_completed() => Some(now),
        // Its callback comes by then, and makes it due at once. Where that is lost, the provider is asked.
        Status::Announced if word.is_stopped() => Some(now + STOPPED_AFTER),
        Status::Sealed => {
            recording.public_key.as_ref().is_some_and(|key| policy.recording_keys.contains(key)).then_some(now)
        }
        _ => None,
    };
    if let Some(due_at) = due_at {
        plan.ensure.push(Ensure { subject, step: StepName::Archive, due_at });
    } else if recording.archive_step.is_some_and(is_idle) {
        plan.cancel.push((subject, StepName::Archive));
    }
}

/// Lines are owed by what is stored, whatever brought it about: a call that was tied to another job, or a recording that
/// turned out to belong to another call, leaves the same word behind.
fn plan_lines(call: &CallView, recording: &RecordingView, now: Timestamp, plan: &mut Plan) {
    let Some(job) = &call.job else { return };
    if let Some(event) = due_event(recording, now).filter(|event| recording.line(job, *event).is_none()) {
        let (job, recording) = (job.clone(), recording.sid.clone());
        plan.lines.push(NewLine { job, recording, event, moved_to: None });
    }
    if recording.line(job, Event::Moved).is_some() {
        plan.back.push(recording.sid.clone());
    }
    for left in jobs_left(recording, job) {
        let (job, recording, moved_to) = (left.clone(), recording.sid.clone(), Some(job.clone()));
        plan.lines.push(NewLine { job, recording, event: Event::Moved, moved_to });
    }
}

/// What the call's job must know of the recording by now.
fn due_event(recording: &RecordingView, now: Timestamp) -> Option<Event> {
    match recording.status {
        Status::Archived | Status::Sealed => Some(Event::Recording),
        Status::Absent | Status::Failed | Status::Missing => Some(Event::NoRecording),
        Status::Announced => {
            let is_late = recording.archive_wanted_at.is_some_and(|wanted| now.since(wanted) >= PENDING_AFTER);
            (is_late && recording.archive_has_failed).then_some(Event::Pending)
        }
        Status::Expired => None,
    }
}

/// The other jobs that know where this recording plays, and not that it has left them.
fn jobs_left<'a>(recording: &'a RecordingView, job: &JobId) -> impl Iterator<Item = &'a JobId> {
    let knows = |left: &&JobId| {
        recording.line(left, Event::Recording).is_some() || recording.line(left, Event::Pending).is_some()
    };
    let has_left = |left: &&JobId| recording.line(left, Event::Moved).is_some();
    let mut others: Vec<&JobId> = recording.lines.iter().map(|line| &line.job).filter(|other| *other != job).collect();
    others.dedup();
    others.into_iter().filter(knows).filter(move |left| !has_left(left))
}

/// Whoever is owed a line has a step that writes it.
fn plan_links(recording: &RecordingView, now: Timestamp, plan: &mut Plan) {
    let owed = recording.lines.iter().filter(|line| line.state == LineState::Owed).map(|line| &line.job);
    let new = plan.lines.iter().filter(|line| line.recording == recording.sid).map(|line| &line.job);
    let jobs: Vec<JobId> = owed.chain(new).cloned().collect();
    for job in jobs {
        let link = Ensure { subject: Subject::Job(job), step: StepName::Link, due_at: now };
        if !plan.ensure.contains(&link) {
            plan.ensure.push(link);
        }
    }
}

/// When to look whether the job must be told that archiving is delayed; `None` where it was told, or nobody is to be.
fn tell_of_delay_at(call: &CallView, recording: &RecordingView, now: Timestamp) -> Option<Timestamp> {
    let job = call.job.as_ref()?;
    let waits = recording.status == Status::Announced
        && recording.provider_status.is_completed()
        && recording.line(job, Event::Pending).is_none();
    let at = recording.archive_wanted_at.unwrap_or(now) + PENDING_AFTER;
    match waits {
        true if at > now => Some(at),
        true if !recording.archive_has_failed => Some(now + BACKLOG_LOOK),
        _ => None,
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
    let kept = call.recordings.iter().any(is_kept);
    if policy.find_jobs && call.job.is_none() && call.sid.is_call() && kept {
        plan.ensure.push(Ensure { subject, step: StepName::FindJob, due_at: now });
    } else if call.find_job.is_some_and(is_idle) {
        plan.cancel.push((subject, StepName::FindJob));
    }
}

/// The start of a recording by a request is wanted until its outcome is known, also when the call is over by then: an
/// answer that was lost may have started one.
fn plan_record(call: &CallView, now: Timestamp, plan: &mut Plan) {
    let subject = Subject::Call(call.sid.clone());
    if call.record_wanted {
        plan.ensure.push(Ensure { subject, step: StepName::Record, due_at: now });
    } else if call.record_step.is_some_and(is_idle) {
        plan.cancel.push((subject, StepName::Record));
    }
}

fn plan_stop(recording: &RecordingView, policy: &Policy, plan: &mut Plan) {
    let subject = Subject::Recording(recording.sid.clone());
    match stops_at(recording, policy) {
        Some(due_at) => plan.ensure.push(Ensure { subject, step: StepName::Stop, due_at }),
        None if recording.stop_step.is_some_and(is_idle) => plan.cancel.push((subject, StepName::Stop)),
        None => {}
    }
}

/// When a recording is to be stopped: one that we started, and that may still run as far as the provider has said.
pub fn stops_at(recording: &RecordingView, policy: &Policy) -> Option<Timestamp> {
    let may_run = recording.status == Status::Announced && recording.provider_status.may_run();
    Some(recording.ours_since.filter(|_| may_run)? + policy.recording_max?)
}

/// The archive has it for good, so its job is told where.
fn is_kept(recording: &RecordingView) -> bool {
    matches!(recording.status, Status::Archived | Status::Sealed)
}

/// A step that can be taken away without disturbing who runs it.
fn is_idle(state: StepState) -> bool {
    matches!(state, StepState::Waiting | StepState::Parked)
}
