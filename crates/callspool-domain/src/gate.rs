//! The gate: the checked precondition of release, as far as stored facts tell it.
//!
//! Guarantee: [`closed`] is empty only where the archive copy is verified, its audio good or accepted, the job's line
//! confirmed by reading it back, and the delay over. The release step asks it again right before it sends the deletion,
//! and re-reads the archive copy itself.

use std::fmt;

use crate::line::{Event, LineState};
use crate::policy::Policy;
use crate::recording::{CopyState, Status};
use crate::time::Timestamp;
use crate::view::{CallView, RecordingView};

/// One reason why a recording is not released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// `TWILIO_DELETE_AFTER` is `never`.
    NotAskedFor,
    /// There is no verified archive copy.
    NotArchived,
    /// What the archive has is encrypted, and nobody has seen whether it is audio.
    Sealed,
    /// The provider's copy is gone already.
    AlreadyGone,
    /// The audio is doubtful and nobody has accepted it.
    Doubtful,
    /// The call has no job, and `RELEASE_WITHOUT_JOB` is `false`.
    NoJob,
    /// The job's history line has not been confirmed.
    LineOutstanding,
    /// The delay runs until then.
    TooEarly(Timestamp),
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAskedFor => f.write_str("release is not asked for (TWILIO_DELETE_AFTER is never)"),
            Self::NotArchived => f.write_str("there is no verified archive copy"),
            Self::Sealed => {
                f.write_str("it is sealed (kept as the provider encrypted it until a private key opens it)")
            }
            Self::AlreadyGone => f.write_str("the provider's copy is gone already"),
            Self::Doubtful => f.write_str("the audio is doubtful and not accepted (callspool accept)"),
            Self::NoJob => f.write_str("the call has no job (RELEASE_WITHOUT_JOB is false)"),
            Self::LineOutstanding => f.write_str("the job's history line is not confirmed"),
            Self::TooEarly(at) => write!(f, "the delay runs until {at}"),
        }
    }
}

/// Every reason why this recording must not be released now; empty means that the gate is open.
pub fn closed(call: &CallView, recording: &RecordingView, policy: &Policy, now: Timestamp) -> Vec<Closed> {
    let mut reasons = standing(call, recording, policy);
    if let Some(at) = opens_at(recording, policy)
        && at > now
    {
        reasons.push(Closed::TooEarly(at));
    }
    reasons
}

/// The same without regard to time: what only a new fact can change.
pub fn standing(call: &CallView, recording: &RecordingView, policy: &Policy) -> Vec<Closed> {
    let mut reasons = Vec::new();
    let mut close = |when: bool, reason: Closed| {
        if when {
            reasons.push(reason);
        }
    };
    let archive = recording.archive.as_ref();
    let verified = archive.is_some_and(|copy| copy.state == CopyState::Verified && copy.verified_at.is_some());
    close(policy.delete_after.is_none(), Closed::NotAskedFor);
    close(recording.status != Status::Archived || !verified, without_audio(recording.status));
    close(recording.provider_copy_gone, Closed::AlreadyGone);
    close(archive.is_some_and(|copy| copy.doubtful && !copy.accepted), Closed::Doubtful);
    close(call.job.is_none() && !policy.release_without_job, Closed::NoJob);
    let line = call.job.as_ref().map(|job| recording.line(job, Event::Recording));
    close(line.is_some_and(|line| line != Some(LineState::Confirmed)), Closed::LineOutstanding);
    reasons
}

/// Why a recording in this status is not released, where the archive has no verified audio of it.
pub fn without_audio(status: Status) -> Closed {
    if status == Status::Sealed { Closed::Sealed } else { Closed::NotArchived }
}

/// When the delay is over, counted from the moment the archive copy was verified.
pub fn opens_at(recording: &RecordingView, policy: &Policy) -> Option<Timestamp> {
    Some(recording.archive.as_ref()?.verified_at? + policy.delete_after?)
}
