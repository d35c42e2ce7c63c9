//! Recordings that we start: which calls are to be recorded by a request, whether one was made, and what came of it.
//!
//! Guarantee: before the first request goes out it is stored what was being recorded by then, so that after any lost answer
//! or crash the recording of that request is told from those of others; the outcome is stored once, by whoever learns of it
//! first.

use callspool_domain::audio::AudioFormat;
use callspool_domain::call::CallStatus;
use callspool_domain::recording::{Announcement, StartedBy, Track};
use callspool_domain::{
    AccountSid, CallSid, Code, JobId, Policy, RecordingSid, Service, Source, StepName, StepState, Subject, Timestamp,
};
use serde_json::json;

use crate::db::{Json, Row, Tx, params, statements};
use crate::events::{self, NewEvent, kind};
use crate::planning::replan;
use crate::steps::close::{Fence, close};
use crate::steps::{Lease, services, step_id};
use crate::{Result, Store, calls, intake};

statements! {
    WANT: "calls" = "UPDATE calls SET record_track = COALESCE(record_track, $2), format = COALESCE(format, $3) \
        WHERE call_sid = $1";
    HURRY: "steps" = "UPDATE steps SET due_at = $2 WHERE step_id = $1 AND state = 'waiting' AND due_at > $2 AND code = $3";
    TO_RECORD: "calls" = "SELECT account_sid, record_track, record_before, status, job_id, source, created_at FROM calls \
        WHERE call_sid = $1 AND record_outcome IS NULL AND record_track IS NOT NULL AND account_sid IS NOT NULL";
    HELD: "steps" = "SELECT 1 FROM steps WHERE step_id = $1 AND attempt = $2 AND state = 'running'";
    NOTE_BEFORE: "calls" = "UPDATE calls SET record_before = $2 WHERE call_sid = $1 AND record_before IS NULL";
    SETTLE: "calls" = "UPDATE calls SET record_outcome = $2 WHERE call_sid = $1 \
        AND record_outcome IS NULL AND record_track IS NOT NULL";
    MARK: "recordings" = "UPDATE recordings SET started_by = $2 WHERE recording_sid = $1 AND started_by IS NULL";
}

/// What `record_outcome` says of a call whose recording was started; anything else is the reason why none was.
const STARTED: &str = "started";

/// A call that is to be recorded by a request of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToRecord {
    /// Its account.
    pub account: AccountSid,
    /// Which voices.
    pub track: Track,
    /// The recordings there were before we asked for ours; `None`: we have not asked yet.
    pub before: Option<Vec<RecordingSid>>,
    /// The provider's word for the call's state, once an event told.
    pub status: Option<CallStatus>,
    /// The call's job.
    pub job: Option<JobId>,
    /// The call's source, where it was told.
    pub source: Option<Source>,
    /// When the call became known.
    pub created_at: Timestamp,
}

/// What came of the wish to record a call.
#[derive(Debug, Clone)]
pub enum Start {
    /// It is being recorded, or was until it ended.
    Started(Box<Announcement>),
    /// There is no recording of ours and will be none, and why.
    NotStarted(String),
}

impl Store {
    /// What is needed to start the call's recording; `None` where that is not wanted, or settled.
    pub async fn to_record(&self, call: &CallSid) -> Result<Option<ToRecord>> {
        self.read(call.clone(), |tx, call| {
            Box::pin(async move { tx.optional(&TO_RECORD, params![call], read_to_record).await })
        })
        .await
    }

    /// Notes which recordings there are before the first request to start ours. A second time changes nothing. False: the
    /// lease was lost.
    pub async fn note_before(&self, lease: &Lease, call: &CallSid, before: &[RecordingSid]) -> Result<bool> {
        self.write((lease.clone(), call.clone(), json!(before).to_string()), |tx, (lease, call, before)| {
            Box::pin(note_before(tx, lease, call, before))
        })
        .await
    }

    /// It is known what came of the wish to record a call. False: the lease was lost.
    pub async fn finish_start(&self, lease: &Lease, call: &CallSid, start: Start, now: Timestamp) -> Result<bool> {
        let args = (lease.clone(), call.clone(), start, self.shared_policy(), now);
        self.write(args, |tx, (lease, call, start, policy, now)| Box::pin(finish(tx, lease, call, start, policy, *now)))
            .await
    }
}

/// Notes how a call is to be recorded and fetched, where that was not known.
pub(crate) async fn want(tx: &Tx<'_>, call: &CallSid, track: Option<Track>, format: Option<AudioFormat>) -> Result<()> {
    if track.is_none() && format.is_none() {
        return Ok(());
    }
    tx.execute(&WANT, params![call, track, format]).await.map(drop)
}

/// The call has been answered: a step that waits for that need not wait any longer.
pub(crate) async fn hurry(tx: &Tx<'_>, call: &CallSid, now: Timestamp) -> Result<()> {
    let step = step_id(StepName::Record, &Subject::Call(call.clone()));
    if tx.execute(&HURRY, params![step, now, Code::CallNotInProgress]).await? > 0 {
        tx.news.steps();
    }
    Ok(())
}

/// We started this recording. Where its call waited to hear of that, its wish is settled.
pub(crate) async fn mark(
    tx: &Tx<'_>,
    call: &CallSid,
    recording: &RecordingSid,
    by: StartedBy,
    now: Timestamp,
) -> Result<()> {
    tx.execute(&MARK, params![recording, by]).await?;
    if by == StartedBy::Rest { settle(tx, call, Ok(recording), now).await } else { Ok(()) }
}

async fn note_before(tx: &Tx<'_>, lease: &Lease, call: &CallSid, before: &str) -> Result<bool> {
    calls::lock(tx, call).await?;
    if !tx.exists(&HELD, params![&lease.step, lease.attempt]).await? {
        return Ok(false);
    }
    tx.execute(&NOTE_BEFORE, params![call, before]).await?;
    Ok(true)
}

async fn finish(
    tx: &Tx<'_>,
    lease: &Lease,
    call: &CallSid,
    start: &Start,
    policy: &std::sync::Arc<Policy>,
    now: Timestamp,
) -> Result<bool> {
    calls::lock(tx, call).await?;
    let fence = close(tx, lease, StepState::Done, "settled").await?;
    if fence != Fence::Held {
        return Ok(fence.is_kept());
    }
    match start {
        Start::Started(announcement) => {
            services::succeeded(tx, &[Service::Provider], now).await?;
            intake::take_in_started(tx, announcement, policy, now).await?;
            settle(tx, call, Ok(&announcement.recording), now).await?;
        }
        Start::NotStarted(reason) => settle(tx, call, Err(reason), now).await?,
    }
    replan(tx, policy, call, now).await?;
    Ok(true)
}

/// Stores the outcome and tells of it, once.
async fn settle(
    tx: &Tx<'_>,
    call: &CallSid,
    outcome: std::result::Result<&RecordingSid, &String>,
    now: Timestamp,
) -> Result<()> {
    let word = outcome.map_or_else(|reason| reason.as_str(), |_| STARTED);
    if tx.execute(&SETTLE, params![call, word]).await? == 0 {
        return Ok(());
    }
    let (kind, recording, data) = match outcome {
        Ok(recording) => (kind::RECORDING_STARTED, Some(recording.clone()), json!({ "by": StartedBy::Rest })),
        Err(reason) => (kind::RECORDING_NOT_STARTED, None, json!({ "reason": reason })),
    };
    events::add(tx, &NewEvent { kind, recording, call: Some(call.clone()), data, ..NewEvent::default() }, now).await
}

fn read_to_record(row: &Row<'_>) -> Result<ToRecord> {
    Ok(ToRecord {
        account: row.get(0)?,
        track: row.get(1)?,
        before: row.get::<Option<Json<Vec<RecordingSid>>>>(2)?.map(|Json(before)| before),
        status: row.get::<Option<String>>(3)?.map(CallStatus::new),
        job: row.get(4)?,
        source: row.get(5)?,
        created_at: row.get(6)?,
    })
}
