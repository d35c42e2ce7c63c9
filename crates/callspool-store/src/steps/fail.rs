//! A step that failed: counted, explained, and due again as its verdict says.
//!
//! Guarantee: the number of its events does not grow with the length of an outage.

use callspool_domain::failure::Verdict;
use callspool_domain::step::next_run;
use callspool_domain::{Code, RecordingSid, StepFailure, StepState, Subject, Timestamp};
use serde_json::json;

use super::close::{Fence, fence};
use super::{Lease, read_subject, services};
use crate::db::{Row, Tx, params, statements};
use crate::events::{self, NewEvent, kind};
use crate::{Result, Store, counters};

/// A step that keeps changing its mind about why it fails is not reported any more after this many failures.
const REPORTED: u32 = 20;

statements! {
    HELD: "steps" = "SELECT step_id, subject_kind, subject_id, failures, code, misses, first_miss_at FROM steps \
        WHERE step_id = $1 AND attempt = $2 AND state = 'running' FOR UPDATE";
    FAIL: "steps" = "UPDATE steps SET state = $3, due_at = $4, failures = $5, code = $6, detail = $7, service = $8, \
        jitter = $9, misses = $10, first_miss_at = $11, closed_attempt = attempt, closed_as = $12, \
        owner = NULL, claim_id = NULL, lease_until = NULL WHERE step_id = $1 AND attempt = $2 AND state = 'running'";
    // The same bad bytes keep the time since when they have been the same.
    NOTE_BAD: "copies" = "INSERT INTO copies (recording_sid, place, state, bad_sha256, bad_since, created_at) \
        VALUES ($1, 'provider', 'present', $2, $3, $3) ON CONFLICT (recording_sid, place) DO UPDATE SET \
        bad_since = CASE WHEN copies.bad_sha256 = excluded.bad_sha256 AND copies.bad_since IS NOT NULL \
        THEN copies.bad_since ELSE excluded.bad_since END, bad_sha256 = excluded.bad_sha256";
}

/// What was wrong with the provider's bytes this time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadMedia {
    /// SHA-256 of the bytes, hexadecimal: the same for 24 h, and the recording has failed.
    pub sha256: String,
}

struct Held {
    subject: Subject,
    failures: u32,
    code: Option<Code>,
    misses: u32,
    first_miss_at: Option<Timestamp>,
}

/// A failure and what came along with it.
struct Failing {
    failure: StepFailure,
    bad: Option<BadMedia>,
    jitter: u16,
}

impl Store {
    /// Ends an attempt with a failure. `jitter` is a fresh random number from 0 to 999. False: the lease was lost.
    pub async fn fail(
        &self,
        lease: &Lease,
        failure: &StepFailure,
        bad: Option<BadMedia>,
        jitter: u16,
        now: Timestamp,
    ) -> Result<bool> {
        let failing = Failing { failure: failure.clone(), bad, jitter };
        self.write((lease.clone(), failing, now), |tx, (lease, failing, now)| {
            Box::pin(async move { Ok(fail(tx, lease, failing, *now).await?.is_kept()) })
        })
        .await
    }
}

async fn fail(tx: &Tx<'_>, lease: &Lease, failing: &Failing, now: Timestamp) -> Result<Fence> {
    let Failing { failure, bad, jitter } = failing;
    let code = failure.code;
    let result = format!("failed: {code}");
    let held = tx.optional(&HELD, params![&lease.step, lease.attempt], read_held).await?;
    let Some(held) = held else { return fence(tx, lease, &result, 0).await };

    let failures = held.failures.saturating_add(1);
    let next = next_run(failure, failures, *jitter, now);
    let state = if next.is_some() { StepState::Waiting } else { StepState::Parked };
    let is_miss = matches!(code, Code::JobNotFound | Code::JobUnknown);
    let awaited = services::awaited(tx, code, failures).await?;
    let values = params![
        &lease.step,
        lease.attempt,
        state,
        next.unwrap_or(now),
        failures,
        code,
        &failure.detail,
        awaited,
        *jitter,
        held.misses + u32::from(is_miss),
        held.first_miss_at.or(is_miss.then_some(now)),
        &result,
    ];
    let changed = tx.execute(&FAIL, values).await?;
    counters::failed(tx, code, &lease.step).await?;
    if let (Some(BadMedia { sha256 }), Subject::Recording(recording)) = (bad, &held.subject) {
        note_bad(tx, recording, sha256, now).await?;
    }
    match awaited {
        Some(service) => services::failed(tx, service, failure, now).await?,
        None => services::succeeded(tx, services::answered(code), now).await?,
    }
    report(tx, &held, failure, failures, next, now).await?;
    fence(tx, lease, &result, changed).await
}

async fn note_bad(tx: &Tx<'_>, recording: &RecordingSid, sha256: &str, now: Timestamp) -> Result<()> {
    tx.execute(&NOTE_BAD, params![recording, sha256, now]).await.map(drop)
}

async fn report(
    tx: &Tx<'_>,
    held: &Held,
    failure: &StepFailure,
    failures: u32,
    next: Option<Timestamp>,
    now: Timestamp,
) -> Result<()> {
    let changed = held.code != Some(failure.code) && !is_same_outage(held.code, failure.code);
    let kind = match next {
        None => kind::STEP_PARKED,
        Some(_) if failures == 1 || (changed && failures <= REPORTED) => kind::STEP_FAILED,
        Some(_) => return Ok(()),
    };
    let data = json!({
        "code": failure.code.as_str(),
        "detail": failure.detail,
        "failures": failures,
        "next_at": next.map(Timestamp::rfc3339),
    });
    events::add(tx, &about(&held.subject, kind, data), now).await
}

/// An event about a step's subject.
pub(crate) fn about(subject: &Subject, kind: &'static str, data: serde_json::Value) -> NewEvent {
    let mut event = NewEvent { kind, data, ..NewEvent::default() };
    match subject.clone() {
        Subject::Recording(recording) => event.recording = Some(recording),
        Subject::Call(call) => event.call = Some(call),
        Subject::Job(job) => event.job = Some(job),
        Subject::Account(account) => event.data["account_sid"] = json!(account),
    }
    event
}

/// One service that is out can show it in many ways.
fn is_same_outage(before: Option<Code>, now: Code) -> bool {
    before.is_some_and(|before| before.verdict() == Verdict::Outage && now.verdict() == Verdict::Outage)
        && before.and_then(Code::service) == now.service()
}

fn read_held(row: &Row<'_>) -> Result<Held> {
    Ok(Held {
        subject: read_subject(row, 1, 2)?,
        failures: row.get(3)?,
        code: row.get(4)?,
        misses: row.get(5)?,
        first_miss_at: row.get(6)?,
    })
}
