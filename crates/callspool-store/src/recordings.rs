//! One recording with everything that is stored about it.

use callspool_domain::audio::{AudioFacts, AudioFormat, Finding};
use callspool_domain::line::LineState;
use callspool_domain::recording::{CopyState, EncryptionDetails, ProviderStatus, Status, Track};
use callspool_domain::view::{CallView, RecordingView};
use callspool_domain::{AccountSid, CallSid, JobId, RecordingSid, Source, Timestamp};

use crate::db::value::Column;
use crate::db::{FromColumn, Json, Row, Tx, params, statements};
use crate::steps::finish::VerifiedBy;
use crate::{Result, Store, facts, planning};

/// Everything about recordings; a `WHERE` and an order follow. Left joins throughout, so that SQLite walks through the
/// recordings in the order of the index it is asked for.
macro_rules! recording_columns {
    () => {
        "SELECT r.recording_sid, r.account_sid, r.call_sid, c.job_id, c.source, r.status, r.reason, r.provider_status, \
         r.provider_source, r.track, r.duration_seconds, r.channels, r.error_code, r.encrypted, r.started_at, \
         r.announced_at, a.state, a.object_key, a.bytes, a.sha256, a.crc64, a.audio, a.findings, a.verified_at, \
         a.verified_by, a.accepted_at, p.gone_at, p.bad_sha256, p.bad_since, l.state, c.format, r.encryption, \
         s.state, s.object_key, s.bytes, s.sha256, s.verified_at \
         FROM recordings r LEFT JOIN calls c ON c.call_sid = r.call_sid \
         LEFT JOIN copies a ON a.recording_sid = r.recording_sid AND a.place = 'archive' \
         LEFT JOIN copies p ON p.recording_sid = r.recording_sid AND p.place = 'provider' \
         LEFT JOIN copies s ON s.recording_sid = r.recording_sid AND s.place = 'sealed' \
         LEFT JOIN lines l ON l.job_id = c.job_id AND l.recording_sid = r.recording_sid AND l.event = 'Recording'"
    };
}
pub(crate) use recording_columns;

statements! {
    NOTE_ENCRYPTION: "recordings" = "UPDATE recordings SET encrypted = $2, encryption = $3 WHERE recording_sid = $1";
    GET: "recordings" = concat!(recording_columns!(), " WHERE r.recording_sid = $1");
}

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
    /// What it takes to open it, besides the private key.
    pub encryption: Option<EncryptionDetails>,
    /// When it started, as the provider said.
    pub started_at: Option<Timestamp>,
    /// When callspool learnt of it.
    pub announced_at: Timestamp,
    /// The archive copy, once its key is allocated.
    pub archive: Option<ArchiveRow>,
    /// The archive's copy of what the provider encrypted, once its key is allocated. It stays when it has been opened.
    pub sealed: Option<SealedRow>,
    /// When the provider's copy was deleted or found deleted.
    pub provider_gone_at: Option<Timestamp>,
    /// SHA-256 of the provider's bytes, hexadecimal, while they are bad.
    pub bad_sha256: Option<String>,
    /// Since when they have been bad and the same.
    pub bad_since: Option<Timestamp>,
    /// The line in the history of the call's present job.
    pub line: Option<LineState>,
    /// The container to fetch, where the call's number or assistant has one of its own.
    pub format: Option<AudioFormat>,
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

/// The sealed copy as it is stored: ciphertext, of which nothing was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct SealedRow {
    /// How far it is.
    pub state: CopyState,
    /// Its key.
    pub object_key: String,
    /// Its length.
    pub bytes: Option<u64>,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: Option<String>,
    /// When it was read back and found whole.
    pub verified_at: Option<Timestamp>,
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
        self.read(recording.clone(), |tx, recording| Box::pin(get(tx, recording))).await
    }

    /// The provider says, other than it did before, that it encrypted the recording.
    pub async fn note_encryption(&self, recording: &RecordingSid, details: &EncryptionDetails) -> Result<()> {
        self.write((recording.clone(), details.clone()), |tx, (recording, details)| {
            Box::pin(async move {
                let values = params![recording, true, facts::stored_encryption(details)];
                tx.execute(&NOTE_ENCRYPTION, values).await.map(drop)
            })
        })
        .await
    }

    /// What the gate looks at; `None` where the recording is not known or has no archive copy.
    pub async fn release_view(&self, recording: &RecordingSid) -> Result<Option<ReleaseView>> {
        self.read(recording.clone(), |tx, recording| Box::pin(release_view(tx, recording))).await
    }
}

async fn get(tx: &Tx<'_>, recording: &RecordingSid) -> Result<Option<RecordingRow>> {
    tx.optional(&GET, params![recording], read_recording).await
}

async fn release_view(tx: &Tx<'_>, sid: &RecordingSid) -> Result<Option<ReleaseView>> {
    let Some(row) = get(tx, sid).await? else { return Ok(None) };
    let (Some(archive), Some(call)) = (row.archive, planning::call_view(tx, &row.call).await?) else { return Ok(None) };
    let recording = call.recordings.iter().find(|recording| recording.sid == *sid).cloned();
    Ok(recording.map(|recording| ReleaseView { call, recording, archive }))
}

pub(crate) fn read_recording(row: &Row<'_>) -> Result<RecordingRow> {
    Ok(RecordingRow {
        sid: row.get(0)?,
        account: row.get(1)?,
        call: row.get(2)?,
        job: row.get(3)?,
        source: row.get::<Option<Source>>(4)?.unwrap_or_default(),
        status: row.get(5)?,
        reason: row.get(6)?,
        provider_status: row.get(7)?,
        provider_source: row.get(8)?,
        track: row.get(9)?,
        duration_seconds: row.get(10)?,
        channels: row.get(11)?,
        error_code: row.get(12)?,
        encrypted: row.get(13)?,
        started_at: row.get(14)?,
        announced_at: row.get(15)?,
        archive: row.get::<Option<CopyState>>(16)?.map(|state| read_archive(row, state)).transpose()?,
        provider_gone_at: row.get(26)?,
        bad_sha256: row.get(27)?,
        bad_since: row.get(28)?,
        line: row.get(29)?,
        format: row.get(30)?,
        encryption: row.get::<Option<Json<EncryptionDetails>>>(31)?.map(|Json(details)| details),
        sealed: row.get::<Option<CopyState>>(32)?.map(|state| read_sealed(row, state)).transpose()?,
    })
}

fn read_archive(row: &Row<'_>, state: CopyState) -> Result<ArchiveRow> {
    Ok(ArchiveRow {
        state,
        object_key: row.get(17)?,
        bytes: row.get(18)?,
        sha256: row.get(19)?,
        crc64: row.get::<Option<Crc64>>(20)?.map(|Crc64(crc)| crc),
        audio: row.get::<Option<Json<AudioFacts>>>(21)?.map(|Json(audio)| audio),
        findings: row.get::<Option<Json<Vec<Finding>>>>(22)?.map(|Json(findings)| findings).unwrap_or_default(),
        verified_at: row.get(23)?,
        verified_by: row.get(24)?,
        accepted_at: row.get(25)?,
    })
}

fn read_sealed(row: &Row<'_>, state: CopyState) -> Result<SealedRow> {
    Ok(SealedRow {
        state,
        object_key: row.get(33)?,
        bytes: row.get(34)?,
        sha256: row.get(35)?,
        verified_at: row.get(36)?,
    })
}

/// A checksum needs all 64 bits, which the databases' signed integers don't offer; stored as 16 hexadecimal digits.
pub(crate) struct Crc64(pub(crate) u64);

impl Crc64 {
    pub(crate) fn text(&self) -> String {
        format!("{:016x}", self.0)
    }
}

impl FromColumn for Crc64 {
    fn from_column(column: Column<'_>) -> Option<Self> {
        if let Column::Text(text) = column { u64::from_str_radix(text, 16).ok().map(Self) } else { None }
    }
}
