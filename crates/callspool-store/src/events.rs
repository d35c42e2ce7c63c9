//! The log of events: one fact each, appended once, numbered in commit order, so that a reader who resumes misses none.

use callspool_domain::{CallSid, JobId, RecordingSid, Timestamp};
use serde_json::Value;

use crate::{Result, Store};

/// The kinds of events.
#[expect(missing_docs, reason = "each is the name of the fact it reports")]
pub mod kind {
    pub const RECORDING_ANNOUNCED: &str = "recording_announced";
    pub const RECORDING_STATUS: &str = "recording_status";
    pub const RECORDING_SETTLED: &str = "recording_settled";
    pub const RECORDING_MOVED: &str = "recording_moved";
    pub const CALL_TIED: &str = "call_tied";
    pub const JOB_FOUND: &str = "job_found";
    pub const ARCHIVE_VERIFIED: &str = "archive_verified";
    pub const ACCEPTED: &str = "accepted";
    pub const LINE_OWED: &str = "line_owed";
    pub const LINE_CONFIRMED: &str = "line_confirmed";
    pub const RELEASE_SCHEDULED: &str = "release_scheduled";
    pub const RELEASED: &str = "released";
    pub const STEP_FAILED: &str = "step_failed";
    pub const STEP_PARKED: &str = "step_parked";
    pub const STEP_RETRIED: &str = "step_retried";
    pub const SERVICE_DOWN: &str = "service_down";
    pub const SERVICE_UP: &str = "service_up";
    pub const AUDIO_ACCESSED: &str = "audio_accessed";
    pub const TOKEN_CREATED: &str = "token_created";
    pub const TOKEN_REVOKED: &str = "token_revoked";
}

/// An event to be added.
#[derive(Debug, Clone, Default)]
pub struct NewEvent {
    /// One of [`kind`].
    pub kind: &'static str,
    /// The recording it is about.
    pub recording: Option<RecordingSid>,
    /// The call it is about.
    pub call: Option<CallSid>,
    /// The job it is about.
    pub job: Option<JobId>,
    /// Who did it, where a person or token did.
    pub actor: Option<String>,
    /// The rest; `null` for nothing.
    pub data: Value,
}

/// An event as it was stored.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRow {
    /// Its place in commit order; grows, without being gapless.
    pub seq: i64,
    /// When it happened.
    pub at: Timestamp,
    /// One of [`kind`].
    pub kind: String,
    /// The recording it is about.
    pub recording: Option<RecordingSid>,
    /// The call it is about.
    pub call: Option<CallSid>,
    /// The job it is about.
    pub job: Option<JobId>,
    /// Who did it, where a person or token did.
    pub actor: Option<String>,
    /// The rest.
    pub data: Value,
}

/// Which events; the default is all.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only this recording's.
    pub recording: Option<RecordingSid>,
    /// Only of this kind.
    pub kind: Option<String>,
}

impl Store {
    /// Adds one event.
    pub async fn add_event(&self, event: NewEvent, now: Timestamp) -> Result<()> {
        let _ = (event, now);
        todo!()
    }

    /// The events after `seq`, oldest first, at most 1000.
    pub async fn events_after(&self, seq: i64, limit: u32, filter: EventFilter) -> Result<Vec<EventRow>> {
        let _ = (seq, limit, filter);
        todo!()
    }

    /// The number of the last event; 0 where there is none.
    pub async fn last_seq(&self) -> Result<i64> {
        todo!()
    }

    /// A recording's last events, oldest first.
    pub async fn recording_events(&self, recording: &RecordingSid, limit: u32) -> Result<Vec<EventRow>> {
        let _ = (recording, limit);
        todo!()
    }
}
