//! One recording with everything that is stored about it.

use callspool_domain::audio::{AudioFacts, Finding};
use callspool_domain::line::LineState;
use callspool_domain::plan::{CallView, RecordingView};
use callspool_domain::recording::{CopyState, ProviderStatus, Status, Track};
use callspool_domain::{AccountSid, CallSid, JobId, RecordingSid, Source, Timestamp};

use crate::steps::finish::VerifiedBy;
use crate::{Result, Store};

/// A recording, its copies, its call and its job.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordingRow {
    /// Its id.
    pub sid: RecordingSid,
    /// The account that owns it.
    pub account: AccountSid,
    /// The call it hangs under, or the placeholder.
    pub call: CallSid,
    /// The call's job.
    pub job: Option<JobId>,
    /// The call's source.
    pub source: Source,
    /// Where it stands, in our words.
    pub status: Status,
    /// Why, where it is absent, failed or missing.
    pub reason: Option<String>,
    /// Where it stands, in the provider's words.
    pub provider_status: ProviderStatus,
    /// What started it, in the provider's words.
    pub provider_source: Option<String>,
    /// The voices it holds.
    pub track: Track,
    /// Whole seconds, as the provider said.
    pub duration_seconds: Option<u64>,
    /// Channels, as the provider said.
    pub channels: Option<u16>,
    /// The provider's error code.
    pub error_code: Option<i64>,
    /// Encrypted with a key of the customer's.
    pub encrypted: bool,
    /// When it started, as the provider said.
    pub started_at: Option<Timestamp>,
    /// When callspool learnt of it.
    pub announced_at: Timestamp,
    /// The archive copy, once its key is allocated.
    pub archive: Option<ArchiveRow>,
    /// When the provider's copy was deleted or found deleted.
    pub provider_gone_at: Option<Timestamp>,
    /// SHA-256 of the provider's bytes, hexadecimal, while they are bad.
    pub bad_sha256: Option<String>,
    /// Since when they have been bad and the same.
    pub bad_since: Option<Timestamp>,
    /// The line in the history of the call's present job.
    pub line: Option<LineState>,
}

/// The archive copy as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct ArchiveRow {
    /// How far it is.
    pub state: CopyState,
    /// Its key.
    pub object_key: String,
    /// Its length.
    pub bytes: Option<u64>,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: Option<String>,
    /// CRC-64/NVME of its bytes.
    pub crc64: Option<u64>,
    /// What was measured.
    pub audio: Option<AudioFacts>,
    /// What is doubtful.
    pub findings: Vec<Finding>,
    /// When it was read back and found whole.
    pub verified_at: Option<Timestamp>,
    /// How it was read back.
    pub verified_by: Option<VerifiedBy>,
    /// When a person accepted it.
    pub accepted_at: Option<Timestamp>,
}

/// What the gate looks at before a deletion is sent.
#[derive(Debug, Clone)]
pub struct ReleaseView {
    /// The call with all its recordings.
    pub call: CallView,
    /// The recording.
    pub recording: RecordingView,
    /// Its archive copy.
    pub archive: ArchiveRow,
}

impl Store {
    /// Everything about one recording.
    pub async fn recording(&self, recording: &RecordingSid) -> Result<Option<RecordingRow>> {
        let _ = recording;
        todo!()
    }

    /// What the gate looks at; `None` where the recording is not known or has no archive copy.
    pub async fn release_view(&self, recording: &RecordingSid) -> Result<Option<ReleaseView>> {
        let _ = recording;
        todo!()
    }
}
