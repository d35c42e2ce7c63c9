//! History lines: owed once per recording and job, confirmed by reading them back.

use callspool_domain::line::Line;
use callspool_domain::{CallSid, JobId};

use crate::{Result, Store};

/// A line that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwedLine {
    /// The job whose history it belongs to.
    pub job: JobId,
    /// The job's record id, where a write before found it.
    pub record_id: Option<String>,
    /// The call of the recording.
    pub call: CallSid,
    /// The line.
    pub line: Line,
}

impl Store {
    /// The lines these jobs are owed, in the order in which they came to be owed.
    pub async fn owed_lines(&self, jobs: &[JobId]) -> Result<Vec<OwedLine>> {
        let _ = jobs;
        todo!()
    }

    /// These calls with their parents, for a look-up of their job.
    pub async fn calls_for_find_job(&self, calls: &[CallSid]) -> Result<Vec<(CallSid, Option<CallSid>)>> {
        let _ = calls;
        todo!()
    }
}
