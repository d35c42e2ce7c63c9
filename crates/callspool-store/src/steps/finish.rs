//! A step that succeeded: its facts, their events, its end and the plan that follows, in one transaction.
//!
//! Each function returns false where the lease was lost, and has then written nothing. One that finds its own attempt
//! ended with the same result returns true, so that a commit whose answer was lost can be repeated.

use callspool_domain::audio::{AudioFacts, Finding};
use callspool_domain::line::Line;
use callspool_domain::recording::Status;
use callspool_domain::{CallSid, JobId, RecordingSid, Timestamp};

use super::Lease;
use crate::{Result, Store};

/// How an archive copy was read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifiedBy {
    /// Length and full-object checksum, as the store reports them.
    Checksum,
    /// Every byte.
    Read,
}

/// An archive copy that was read back and found whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Archived {
    /// The recording.
    pub recording: RecordingSid,
    /// The allocated key the bytes are at.
    pub object_key: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// CRC-64/NVME.
    pub crc64: u64,
    /// What was measured.
    pub audio: AudioFacts,
    /// What is doubtful.
    pub findings: Vec<Finding>,
    /// How it was read back.
    pub verified_by: VerifiedBy,
}

/// What the provider said to the deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderAnswer {
    /// It deleted the recording now.
    Deleted,
    /// There was nothing to delete.
    AlreadyGone,
}

/// The receipt of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What the provider said.
    pub provider_answer: ProviderAnswer,
    /// The archive copy that was re-read right before.
    pub archive_key: String,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
    /// When it was re-read and found equal.
    pub verified_at: Timestamp,
}

impl Store {
    /// The recording is archived and verified.
    pub async fn finish_archived(&self, lease: &Lease, archived: Archived, now: Timestamp) -> Result<bool> {
        let _ = (lease, archived, now);
        todo!()
    }

    /// There will be no archive copy: the recording is absent, failed or missing.
    pub async fn finish_settled(
        &self,
        lease: &Lease,
        recording: &RecordingSid,
        status: Status,
        reason: &str,
        now: Timestamp,
    ) -> Result<bool> {
        let _ = (lease, recording, status, reason, now);
        todo!()
    }

    /// These lines were read back from the job's history. Where more are owed by now, the step is due again at once.
    pub async fn finish_linked(
        &self,
        lease: &Lease,
        job: &JobId,
        written: &[Line],
        record_id: Option<&str>,
        now: Timestamp,
    ) -> Result<bool> {
        let _ = (lease, job, written, record_id, now);
        todo!()
    }

    /// The call's job was found; ties it by look-up, unless it was tied meanwhile.
    pub async fn finish_job_found(&self, lease: &Lease, call: &CallSid, job: &JobId, now: Timestamp) -> Result<bool> {
        let _ = (lease, call, job, now);
        todo!()
    }

    /// The provider's copy is deleted.
    pub async fn finish_released(
        &self,
        lease: &Lease,
        recording: &RecordingSid,
        receipt: Receipt,
        now: Timestamp,
    ) -> Result<bool> {
        let _ = (lease, recording, receipt, now);
        todo!()
    }
}
