//! A step that succeeded: its facts, their events, its end and the plan that follows, in one transaction.
//!
//! Each function returns false where the lease was lost, and has then written nothing. One that finds its own attempt
//! ended with the same result returns true, so that a commit whose answer was lost can be repeated.

use std::collections::BTreeMap;

use callspool_domain::audio::{AudioFacts, Finding};
use callspool_domain::line::Line;
use callspool_domain::recording::Status;
use callspool_domain::{CallSid, JobId, Policy, RecordingSid, Service, StepState, Timestamp};
use serde_json::{Value, json};

use super::close::{self, Fence, close};
use super::{Lease, services};
use crate::db::{Tx, params, statements, value};
use crate::events::{self, NewEvent, kind};
use crate::planning::replan;
use crate::recordings::Crc64;
use crate::ties::{TiedBy, tie};
use crate::{Error, Result, Store, calls, counters, jobs, lines};

statements! {
    STATUS: "recordings" = "SELECT status FROM recordings WHERE recording_sid = $1";
    SET_STATUS: "recordings" = "UPDATE recordings SET status = $2, reason = $3 WHERE recording_sid = $1";
    VERIFY: "copies" = "UPDATE copies SET state = 'verified', bytes = $3, sha256 = $4, crc64 = $5, audio = $6, \
        findings = $7, verified_at = $8, verified_by = $9 \
        WHERE recording_sid = $1 AND place = 'archive' AND object_key = $2";
    SEAL: "copies" = "UPDATE copies SET state = 'verified', bytes = $3, sha256 = $4, crc64 = $5, verified_at = $6, \
        verified_by = $7 WHERE recording_sid = $1 AND place = 'sealed' AND object_key = $2";
    FORGET_BAD: "copies" = "UPDATE copies SET bad_sha256 = NULL, bad_since = NULL \
        WHERE recording_sid = $1 AND place = 'provider' AND bad_sha256 IS NOT NULL";
    PROVIDER_GONE: "copies" = "INSERT INTO copies (recording_sid, place, state, gone_at, created_at) \
        VALUES ($1, 'provider', 'gone', $2, $2) ON CONFLICT (recording_sid, place) DO UPDATE SET \
        state = 'gone', gone_at = COALESCE(copies.gone_at, excluded.gone_at)";
}

/// How an archive copy was read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifiedBy {
    /// Length and full-object checksum, as the store reports them.
    Checksum,
    /// Every byte.
    Read,
}

impl VerifiedBy {
    /// The stored name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Checksum => "checksum",
            Self::Read => "read",
        }
    }

    /// Reads the stored name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Checksum, Self::Read].into_iter().find(|by| by.as_str() == name)
    }
}

value::names!(VerifiedBy);

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
    /// What it comes as instead of what the settings ask for: `wav`, `mono`, `as-recorded`.
    pub instead: Vec<&'static str>,
}

/// The archive's copy of what the provider encrypted, read back and found whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Sealed {
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
    /// How it was read back.
    pub verified_by: VerifiedBy,
    /// Why nobody opened it.
    pub because: String,
}

/// What the provider said to the deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderAnswer {
    /// It deleted the recording now.
    Deleted,
    /// There was nothing to delete.
    AlreadyGone,
}

impl ProviderAnswer {
    /// The word in the receipt.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::AlreadyGone => "already gone",
        }
    }
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
        let args = (lease.clone(), archived, self.shared_policy(), now);
        self.write(args, |tx, (lease, archived, policy, now)| Box::pin(archive(tx, lease, archived, policy, *now)))
            .await
    }

    /// The archive has what the provider encrypted, and nobody here could open it.
    pub async fn finish_sealed(&self, lease: &Lease, sealed: Sealed, now: Timestamp) -> Result<bool> {
        let args = (lease.clone(), sealed, self.shared_policy(), now);
        self.write(args, |tx, (lease, sealed, policy, now)| Box::pin(seal(tx, lease, sealed, policy, *now))).await
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
        let args = (lease.clone(), recording.clone(), (status, reason.to_owned()), self.shared_policy(), now);
        self.write(args, |tx, (lease, recording, (status, reason), policy, now)| {
            Box::pin(settle(tx, lease, recording, (*status, reason), policy, *now))
        })
        .await
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
        let place = History::Elsewhere { record_id: record_id.map(str::to_owned) };
        self.finish_link(lease, Linked { job: job.clone(), lines: written.to_vec(), place }, now).await
    }

    /// Adds the lines that are missing to the job's built-in history, reads them back, and ends the step as
    /// [`finish_linked`](Self::finish_linked) does, in one transaction. `url` replaces the URL field.
    pub async fn finish_linked_here(
        &self,
        lease: &Lease,
        job: &JobId,
        lines: &[Line],
        url: Option<&str>,
        now: Timestamp,
    ) -> Result<bool> {
        let place = History::Here { url: url.map(str::to_owned) };
        self.finish_link(lease, Linked { job: job.clone(), lines: lines.to_vec(), place }, now).await
    }

    async fn finish_link(&self, lease: &Lease, linked: Linked, now: Timestamp) -> Result<bool> {
        let args = (lease.clone(), linked, self.shared_policy(), now);
        self.write(args, |tx, (lease, linked, policy, now)| Box::pin(link(tx, lease, linked, policy, *now))).await
    }

    /// The call's job was found; ties it by look-up, unless it was tied meanwhile.
    pub async fn finish_job_found(&self, lease: &Lease, call: &CallSid, job: &JobId, now: Timestamp) -> Result<bool> {
        let args = (lease.clone(), call.clone(), job.clone(), self.shared_policy(), now);
        self.write(args, |tx, (lease, call, job, policy, now)| Box::pin(find_job(tx, lease, call, job, policy, *now)))
            .await
    }

    /// The provider's copy is deleted.
    pub async fn finish_released(
        &self,
        lease: &Lease,
        recording: &RecordingSid,
        receipt: Receipt,
        now: Timestamp,
    ) -> Result<bool> {
        let args = (lease.clone(), recording.clone(), receipt, self.shared_policy(), now);
        self.write(args, |tx, (lease, recording, receipt, policy, now)| {
            Box::pin(release(tx, lease, recording, receipt, policy, *now))
        })
        .await
    }
}

async fn archive(tx: &Tx<'_>, lease: &Lease, archived: &Archived, policy: &Policy, now: Timestamp) -> Result<bool> {
    let sid = &archived.recording;
    let Some(call) = calls::lock_of(tx, sid).await? else { return Ok(false) };
    let fence = close(tx, lease, StepState::Done, "archived").await?;
    if fence != Fence::Held {
        return Ok(fence.is_kept());
    }
    services::succeeded(tx, &[Service::Provider, Service::Archive], now).await?;
    let before = status(tx, sid).await?;
    // A verified copy is never written over.
    if before != Status::Archived {
        let audio = serde_json::to_string(&archived.audio).map_err(|error| Error::Defect(error.to_string()))?;
        let values = params![
            sid,
            &archived.object_key,
            archived.bytes,
            &archived.sha256,
            Crc64(archived.crc64).text(),
            audio,
            json!(archived.findings).to_string(),
            now,
            archived.verified_by,
        ];
        if tx.execute(&VERIFY, values).await? != 1 {
            return Err(Error::Defect(format!("{} is not the archive key of {sid}", archived.object_key)));
        }
        tx.execute(&FORGET_BAD, params![sid]).await?;
        set_status(tx, sid, before, Status::Archived, None).await?;
        counters::archived(tx, sid, archived.bytes, archived.audio.duration_ms).await?;
        let mut data = json!({
            "archive_key": archived.object_key,
            "bytes": archived.bytes,
            "sha256": archived.sha256,
            "duration_ms": archived.audio.duration_ms,
            "findings": archived.findings,
            "verified_by": archived.verified_by.as_str(),
        });
        if !archived.instead.is_empty() {
            data["instead"] = json!(archived.instead);
        }
        tell(tx, sid, &call, kind::ARCHIVE_VERIFIED, data, now).await?;
    }
    replan(tx, policy, &call, now).await?;
    Ok(true)
}

async fn seal(tx: &Tx<'_>, lease: &Lease, sealed: &Sealed, policy: &Policy, now: Timestamp) -> Result<bool> {
    let sid = &sealed.recording;
    let Some(call) = calls::lock_of(tx, sid).await? else { return Ok(false) };
    let fence = close(tx, lease, StepState::Done, "sealed").await?;
    if fence != Fence::Held {
        return Ok(fence.is_kept());
    }
    services::succeeded(tx, &[Service::Provider, Service::Archive], now).await?;
    if status(tx, sid).await? == Status::Announced {
        let values = params![
            sid,
            &sealed.object_key,
            sealed.bytes,
            &sealed.sha256,
            Crc64(sealed.crc64).text(),
            now,
            sealed.verified_by,
        ];
        if tx.execute(&SEAL, values).await? != 1 {
            return Err(Error::Defect(format!("{} is not the sealed key of {sid}", sealed.object_key)));
        }
        tx.execute(&FORGET_BAD, params![sid]).await?;
        set_status(tx, sid, Status::Announced, Status::Sealed, Some(&sealed.because)).await?;
        let data = json!({
            "archive_key": sealed.object_key,
            "bytes": sealed.bytes,
            "sha256": sealed.sha256,
            "because": sealed.because,
            "verified_by": sealed.verified_by.as_str(),
        });
        tell(tx, sid, &call, kind::RECORDING_SEALED, data, now).await?;
    }
    replan(tx, policy, &call, now).await?;
    Ok(true)
}

async fn settle(
    tx: &Tx<'_>,
    lease: &Lease,
    sid: &RecordingSid,
    (settled, reason): (Status, &str),
    policy: &Policy,
    now: Timestamp,
) -> Result<bool> {
    let Some(call) = calls::lock_of(tx, sid).await? else { return Ok(false) };
    let fence = close(tx, lease, StepState::Done, settled.as_str()).await?;
    if fence != Fence::Held {
        return Ok(fence.is_kept());
    }
    services::succeeded(tx, &[Service::Provider], now).await?;
    let before = status(tx, sid).await?;
    if matches!(before, Status::Announced | Status::Sealed) {
        set_status(tx, sid, before, settled, Some(reason)).await?;
        if settled == Status::Missing {
            tx.execute(&PROVIDER_GONE, params![sid, now]).await?;
        }
        let data = json!({ "status": settled, "reason": reason });
        tell(tx, sid, &call, kind::RECORDING_SETTLED, data, now).await?;
    }
    replan(tx, policy, &call, now).await?;
    Ok(true)
}

/// Where the history of a job is.
enum History {
    /// In the ledger, where the lines are still to be written.
    Here { url: Option<String> },
    /// In the customer's records, where they were read back.
    Elsewhere { record_id: Option<String> },
}

/// What a link step ends with.
struct Linked {
    job: JobId,
    lines: Vec<Line>,
    place: History,
}

async fn link(tx: &Tx<'_>, lease: &Lease, linked: &Linked, policy: &Policy, now: Timestamp) -> Result<bool> {
    let Linked { job, lines, place } = linked;
    // Calls are locked before the step, as everywhere, and in the order of their ids.
    let mut by_call: BTreeMap<CallSid, Vec<&Line>> = BTreeMap::new();
    for line in lines {
        if let Some(call) = calls::of(tx, &line.recording).await? {
            by_call.entry(call).or_default().push(line);
        }
    }
    for call in by_call.keys() {
        calls::lock(tx, call).await?;
    }
    let fence = close(tx, lease, StepState::Done, "linked").await?;
    if fence != Fence::Held {
        return Ok(fence.is_kept());
    }
    services::succeeded(tx, &[Service::Records], now).await?;
    match place {
        History::Here { url } => jobs::append(tx, job, lines, url.as_deref(), now).await?,
        History::Elsewhere { record_id: Some(record_id) } => jobs::note_record(tx, job, record_id).await?,
        History::Elsewhere { record_id: None } => {}
    }
    for (call, lines) in &by_call {
        for line in lines {
            lines::confirm(tx, call, job, line, now).await?;
        }
    }
    // Whoever owed another line meanwhile has waited for this step's row, or we see the line.
    if lines::any_owed(tx, job).await? {
        close::reopen(tx, lease, now).await?;
    }
    for call in by_call.keys() {
        replan(tx, policy, call, now).await?;
    }
    Ok(true)
}

async fn find_job(
    tx: &Tx<'_>,
    lease: &Lease,
    call: &CallSid,
    job: &JobId,
    policy: &Policy,
    now: Timestamp,
) -> Result<bool> {
    calls::lock(tx, call).await?;
    let fence = close(tx, lease, StepState::Done, "found").await?;
    if fence != Fence::Held {
        return Ok(fence.is_kept());
    }
    services::succeeded(tx, &[Service::Records], now).await?;
    // Who tied it meanwhile knew better.
    tie(tx, call, job, TiedBy::LookUp, now).await?;
    replan(tx, policy, call, now).await?;
    Ok(true)
}

async fn release(
    tx: &Tx<'_>,
    lease: &Lease,
    sid: &RecordingSid,
    receipt: &Receipt,
    policy: &Policy,
    now: Timestamp,
) -> Result<bool> {
    let Some(call) = calls::lock_of(tx, sid).await? else { return Ok(false) };
    let fence = close(tx, lease, StepState::Done, "released").await?;
    if fence != Fence::Held {
        return Ok(fence.is_kept());
    }
    services::succeeded(tx, &[Service::Provider, Service::Archive], now).await?;
    tx.execute(&PROVIDER_GONE, params![sid, now]).await?;
    counters::released(tx, sid).await?;
    let data = json!({
        "deleted": format!("the provider's copy of {sid}"),
        "provider_answer": receipt.provider_answer.as_str(),
        "archive_key": receipt.archive_key,
        "sha256": receipt.sha256,
        "bytes": receipt.bytes,
        "verified_at": receipt.verified_at.rfc3339(),
    });
    tell(tx, sid, &call, kind::RELEASED, data, now).await?;
    replan(tx, policy, &call, now).await?;
    Ok(true)
}

pub(crate) async fn status(tx: &Tx<'_>, sid: &RecordingSid) -> Result<Status> {
    let status = tx.optional(&STATUS, params![sid], |row| row.get(0)).await?;
    status.ok_or_else(|| tx.raced("recordings"))
}

/// Puts a recording where it stands now.
pub(crate) async fn set_status(
    tx: &Tx<'_>,
    sid: &RecordingSid,
    from: Status,
    to: Status,
    reason: Option<&str>,
) -> Result<()> {
    tx.execute(&SET_STATUS, params![sid, to, reason]).await?;
    counters::moved(tx, sid, Some(from), to).await
}

async fn tell(
    tx: &Tx<'_>,
    recording: &RecordingSid,
    call: &CallSid,
    kind: &'static str,
    data: Value,
    now: Timestamp,
) -> Result<()> {
    let actor = Some("callspool".to_owned());
    let (recording, call) = (Some(recording.clone()), Some(call.clone()));
    events::add(tx, &NewEvent { kind, recording, call, job: None, actor, data }, now).await
}
