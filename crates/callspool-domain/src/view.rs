//! A call with everything stored under it, as far as the plan and the gate look at it.

use crate::id::{CallSid, JobId, PublicKeySid, RecordingSid};
use crate::line::{Event, LineState};
use crate::recording::{CopyState, ProviderStatus, Status};
use crate::step::StepState;
use crate::time::Timestamp;

/// A call and what is stored under it.
#[derive(Debug, Clone)]
pub struct CallView {
    /// The call, or the placeholder.
    pub sid: CallSid,
    /// The job it is tied to.
    pub job: Option<JobId>,
    /// Its look-up step, where there is one.
    pub find_job: Option<StepState>,
    /// True while it is to be recorded by a request of ours, and what came of that is not known.
    pub record_wanted: bool,
    /// Its step that makes the request, where there is one.
    pub record_step: Option<StepState>,
    /// Its recordings.
    pub recordings: Vec<RecordingView>,
}

/// A recording as the plan sees it.
#[derive(Debug, Clone)]
pub struct RecordingView {
    /// Its id.
    pub sid: RecordingSid,
    /// Where it stands, in our words.
    pub status: Status,
    /// Where it stands, in the provider's.
    pub provider_status: ProviderStatus,
    /// The public key that the provider encrypted it with.
    pub public_key: Option<PublicKeySid>,
    /// True once the provider's copy was deleted or found deleted.
    pub provider_copy_gone: bool,
    /// The archive copy, once its key is allocated.
    pub archive: Option<ArchiveView>,
    /// Its lines, in whatever job's history.
    pub lines: Vec<LineView>,
    /// Its archive step.
    pub archive_step: Option<StepState>,
    /// Since when it is to be archived.
    pub archive_wanted_at: Option<Timestamp>,
    /// True where archiving it has failed, if only once.
    pub archive_has_failed: bool,
    /// Its release step.
    pub release_step: Option<StepState>,
    /// When it began, where we started it and have not stopped it.
    pub ours_since: Option<Timestamp>,
    /// Its stop step.
    pub stop_step: Option<StepState>,
}

impl RecordingView {
    /// Where the line about this event stands in the job's history; `None` where the job was never owed one.
    pub fn line(&self, job: &JobId, event: Event) -> Option<LineState> {
        self.lines.iter().find(|line| line.job == *job && line.event == event).map(|line| line.state)
    }
}

/// A line as the plan sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineView {
    /// The job in whose history it stands or will stand.
    pub job: JobId,
    /// What it reports.
    pub event: Event,
    /// How far it is.
    pub state: LineState,
}

/// The archive copy as the plan sees it.
#[derive(Debug, Clone)]
pub struct ArchiveView {
    /// How far it is.
    pub state: CopyState,
    /// When it was read back and found whole.
    pub verified_at: Option<Timestamp>,
    /// True where its audio was found doubtful.
    pub doubtful: bool,
    /// True where a person accepted it.
    pub accepted: bool,
}
