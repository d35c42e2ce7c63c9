//! Lists for the page and the API: newest first, in pages that cost the same however long the list is.

use callspool_domain::recording::Status;
use callspool_domain::{AccountSid, CallSid, JobId, RecordingSid, Source, Timestamp};

use crate::jobs::JobRow;
use crate::recordings::RecordingRow;
use crate::ties::TiedBy;
use crate::{Result, Store};

/// Which recordings; the default is all.
#[derive(Debug, Clone, Default)]
pub struct RecordingFilter {
    /// Standing there, in our words.
    pub status: Option<Status>,
    /// Standing there, in the provider's words.
    pub provider_status: Option<String>,
    /// Of this call.
    pub call: Option<CallSid>,
    /// Of this job.
    pub job: Option<JobId>,
    /// Of this account.
    pub account: Option<AccountSid>,
    /// Announced at or after.
    pub since: Option<Timestamp>,
    /// Announced before.
    pub until: Option<Timestamp>,
}

/// The last recording of the page before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingCursor {
    /// When it was announced.
    pub announced_at: Timestamp,
    /// Which it was.
    pub recording: RecordingSid,
}

/// Which calls; the default is all.
#[derive(Debug, Clone, Default)]
pub struct CallFilter {
    /// Of this job.
    pub job: Option<JobId>,
}

/// The last call of the page before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallCursor {
    /// When it became known.
    pub created_at: Timestamp,
    /// Which it was.
    pub call: CallSid,
}

/// The last job of the page before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobCursor {
    /// When it became known.
    pub created_at: Timestamp,
    /// Which it was.
    pub job: JobId,
}

/// A call as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRow {
    /// Its id, or the placeholder's.
    pub sid: CallSid,
    /// Its account, once a recording told.
    pub account: Option<AccountSid>,
    /// The call it is a leg of.
    pub parent: Option<CallSid>,
    /// The job it belongs to.
    pub job: Option<JobId>,
    /// Who said so.
    pub tied_by: Option<TiedBy>,
    /// Who made its recordings, in the customer's words.
    pub source: Source,
    /// Whole seconds.
    pub duration_seconds: Option<u64>,
    /// When it became known.
    pub created_at: Timestamp,
}

impl Store {
    /// A page of recordings, at most 1000.
    pub async fn list_recordings(
        &self,
        filter: RecordingFilter,
        after: Option<RecordingCursor>,
        limit: u32,
    ) -> Result<Vec<RecordingRow>> {
        let _ = (filter, after, limit);
        todo!()
    }

    /// A page of calls, at most 1000.
    pub async fn list_calls(&self, filter: CallFilter, after: Option<CallCursor>, limit: u32) -> Result<Vec<CallRow>> {
        let _ = (filter, after, limit);
        todo!()
    }

    /// A page of jobs, at most 1000.
    pub async fn list_jobs(&self, after: Option<JobCursor>, limit: u32) -> Result<Vec<JobRow>> {
        let _ = (after, limit);
        todo!()
    }

    /// One call.
    pub async fn call(&self, call: &CallSid) -> Result<Option<CallRow>> {
        let _ = call;
        todo!()
    }
}
