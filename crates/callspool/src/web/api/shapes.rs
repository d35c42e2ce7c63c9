//! The shapes of the API's answers, in one set of names, described by `/openapi.json`.

use callspool_domain::Timestamp;
use callspool_domain::line::permanent_link;
use callspool_store::{EventRow, RecordingRow, StepRow};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::lifecycle::App;

/// A recording, as lists show it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Recording {
    /// The provider's id.
    recording_sid: String,
    /// Its call; without one, its conference or itself.
    call_sid: String,
    /// The job its call belongs to.
    job_id: Option<String>,
    /// The provider account.
    account_sid: String,
    /// `mixed`, `user` or `assistant`.
    track: &'static str,
    /// Who made it, in the customer's words; stands in the history line.
    source: String,
    /// `announced`, `archived`, `sealed`, `absent`, `failed`, `missing` or `expired`.
    status: &'static str,
    /// Why, where it is sealed, absent, failed or missing.
    reason: Option<String>,
    /// The provider's word for its state.
    provider_status: String,
    /// What started it, in the provider's words.
    provider_source: Option<String>,
    /// Measured where it is archived, else whole seconds as the provider said.
    duration_seconds: Option<f64>,
    /// Measured where it is archived, else as the provider said.
    channels: Option<u16>,
    /// The archived copy's length.
    bytes: Option<u64>,
    /// The archived copy's SHA-256, hexadecimal.
    sha256: Option<String>,
    /// The permanent link.
    url: String,
    /// What is doubtful: `silent`, `dead_channel`, `channel_count`, `duration`.
    findings: Vec<&'static str>,
    /// When callspool learnt of it.
    announced_at: String,
    /// When it started, as the provider said.
    started_at: Option<String>,
    /// When the archived copy was read back and found whole.
    verified_at: Option<String>,
    /// When the provider's copy was deleted, or found deleted.
    provider_gone_at: Option<String>,
}

impl Recording {
    /// The shape of a stored recording.
    pub(crate) fn new(app: &App, row: RecordingRow) -> Self {
        let url = permanent_link(&app.config.server.app_url, &row.sid);
        let archive = row.archive.filter(|archive| archive.verified_at.is_some());
        let audio = archive.as_ref().and_then(|archive| archive.audio.as_ref());
        let measured = audio.map(|audio| seconds(audio.duration_ms));
        let channels = audio.and_then(|audio| u16::try_from(audio.channels.len()).ok());
        let findings =
            archive.as_ref().map(|archive| archive.findings.iter().map(|finding| finding.as_str()).collect());
        Self {
            recording_sid: row.sid.to_string(),
            call_sid: row.call.to_string(),
            job_id: row.job.map(String::from),
            account_sid: row.account.to_string(),
            track: row.track.as_str(),
            source: row.source.as_str().to_owned(),
            status: row.status.as_str(),
            reason: row.reason,
            provider_status: row.provider_status.as_str().to_owned(),
            provider_source: row.provider_source,
            duration_seconds: measured.or(row.duration_seconds.map(|whole| seconds(whole.saturating_mul(1000)))),
            channels: channels.or(row.channels),
            bytes: archive.as_ref().and_then(|archive| archive.bytes),
            findings: findings.unwrap_or_default(),
            announced_at: row.announced_at.rfc3339(),
            started_at: row.started_at.map(Timestamp::rfc3339),
            verified_at: archive.as_ref().and_then(|archive| archive.verified_at).map(Timestamp::rfc3339),
            provider_gone_at: row.provider_gone_at.map(Timestamp::rfc3339),
            sha256: archive.and_then(|archive| archive.sha256),
            url,
        }
    }
}

/// Milliseconds as seconds.
#[expect(clippy::cast_precision_loss, reason = "no recording lasts for 2^53 milliseconds")]
pub(super) fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}

/// A step: one durable unit of work.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Step {
    /// `archive`, `find-job`, `link` or `release`.
    step: &'static str,
    /// What it works on: `recording`, `call` or `job` …
    subject_kind: &'static str,
    /// … and which.
    subject: String,
    /// `waiting`, `running`, `done`, `parked` or `cancelled`.
    state: &'static str,
    /// When it is or was due.
    due_at: String,
    /// How often it was begun.
    attempts: i64,
    /// Failures since the last success.
    failures: u32,
    /// The last failure's stable code.
    code: Option<&'static str>,
    /// The last failure in words.
    detail: Option<String>,
    /// The service that is out, where it waits for one.
    service: Option<&'static str>,
}

impl From<StepRow> for Step {
    fn from(row: StepRow) -> Self {
        Self {
            step: row.name.as_str(),
            subject_kind: row.subject.kind(),
            subject: row.subject.id().to_owned(),
            state: row.state.as_str(),
            due_at: row.due_at.rfc3339(),
            attempts: row.attempt,
            failures: row.failures,
            code: row.code.map(|code| code.as_str()),
            detail: row.detail,
            service: row.service.map(|service| service.as_str()),
        }
    }
}

/// An event: one fact, appended once, in order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Event {
    /// Its place; grows, without being gapless. `after` and `Last-Event-ID` take it.
    pub(super) seq: i64,
    at: String,
    kind: String,
    recording_sid: Option<String>,
    call_sid: Option<String>,
    job_id: Option<String>,
    /// Who did it, where a person or token did.
    actor: Option<String>,
    /// The rest.
    #[schema(value_type = Object)]
    data: Value,
}

impl From<EventRow> for Event {
    fn from(row: EventRow) -> Self {
        Self {
            seq: row.seq,
            at: row.at.rfc3339(),
            kind: row.kind,
            recording_sid: row.recording.map(String::from),
            call_sid: row.call.map(String::from),
            job_id: row.job.map(String::from),
            actor: row.actor,
            data: row.data,
        }
    }
}
