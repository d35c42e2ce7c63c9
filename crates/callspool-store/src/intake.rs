//! Intake: what the outside says about a recording becomes facts, durable when the function returns.
//!
//! Guarantee: repeats and disorder are harmless. A recording moves only towards a more final word of the provider, other
//! facts are filled in where they were empty, and a recording that hung under a placeholder moves to its call when that is
//! known.

use std::sync::Arc;

use callspool_domain::recording::{Announcement, StartedBy, Status};
use callspool_domain::{CallSid, JobId, Policy, Source, Timestamp};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::calls::{self, Met};
use crate::db::{Tx, params, statements};
use crate::events::{self, NewEvent, kind};
use crate::facts::{self, Facts};
use crate::planning::replan;
use crate::ties::{TiedBy, tie};
use crate::{Error, Result, Store, counters, starts};

statements! {
    KEEP_CALLBACK: "callbacks" = "INSERT INTO callbacks (digest, recording_sid, received_at, fields) \
        VALUES ($1, $2, $3, $4) ON CONFLICT (digest) DO NOTHING";
    MOVE: "recordings" = "UPDATE recordings SET call_sid = $2 WHERE recording_sid = $1";
    JOB_OF: "calls" = "SELECT job_id, tied_by FROM calls WHERE call_sid = $1";
    FORGET_PLACEHOLDER: "calls" = "DELETE FROM calls WHERE call_sid = $1 \
        AND NOT EXISTS (SELECT 1 FROM recordings WHERE recordings.call_sid = calls.call_sid)";
}

/// One recording status callback whose signature has been verified.
#[derive(Debug, Clone)]
pub struct Callback {
    /// What it says.
    pub announcement: Announcement,
    /// `?job=`.
    pub job: Option<JobId>,
    /// `?source=`.
    pub source: Option<Source>,
    /// `?started=`: how we started it, where we did.
    pub started: Option<StartedBy>,
    /// Every field of the body as it came, in order, unknown ones and repeats included.
    pub fields: Vec<(String, String)>,
}

/// What became of an announcement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// False where it told nothing new: exactly this callback was stored before, or this recording was known.
    pub new: bool,
    /// That there will be no archive copy, where it was this announcement that said so first.
    pub settled: Option<Settled>,
}

/// Why there will be no archive copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// `absent` or `failed`.
    pub status: Status,
    /// The provider's word, and its error code where it gave one.
    pub reason: String,
}

/// An announcement with everything that came along.
struct Intake {
    announcement: Announcement,
    job: Option<JobId>,
    source: Option<Source>,
    started: Option<StartedBy>,
    raw: Option<Raw>,
    policy: Arc<Policy>,
}

/// A callback as it is kept: once, by its digest.
struct Raw {
    digest: String,
    fields: String,
}

impl Store {
    /// Stores one callback and everything that follows from it; durable on `Ok`. Repeats and disorder are harmless.
    pub async fn record_callback(&self, callback: Callback, now: Timestamp) -> Result<Recorded> {
        let Callback { announcement, job, source, started, fields } = callback;
        // Hashed and written out here, so that the writer's time goes to SQL alone.
        let fields = json!({ "job": job, "source": source, "started": started, "fields": fields }).to_string();
        let raw = Raw { digest: hex::encode(Sha256::digest(&fields)), fields };
        let policy = self.shared_policy();
        let intake = Intake { announcement, job, source, started, raw: Some(raw), policy };
        self.write((intake, now), |tx, (intake, now)| Box::pin(take_in(tx, intake, *now))).await
    }

    /// The same for a resource that was fetched from the provider: no callback is stored.
    pub async fn announce(&self, announcement: Announcement, now: Timestamp) -> Result<Recorded> {
        let intake = Intake::of(announcement, self.shared_policy());
        self.write((intake, now), |tx, (intake, now)| Box::pin(take_in(tx, intake, *now))).await
    }
}

impl Intake {
    /// What was fetched from the provider, as it came.
    fn of(announcement: Announcement, policy: Arc<Policy>) -> Self {
        Self { announcement, job: None, source: None, started: None, raw: None, policy }
    }
}

/// The answer to our request to start a recording.
pub(crate) async fn take_in_started(
    tx: &Tx<'_>,
    said: &Announcement,
    policy: &Arc<Policy>,
    now: Timestamp,
) -> Result<()> {
    let intake = Intake { started: Some(StartedBy::Rest), ..Intake::of(said.clone(), Arc::clone(policy)) };
    take_in(tx, &intake, now).await.map(drop)
}

/// What the provider says of a recording that is known.
pub(crate) async fn take_in_again(
    tx: &Tx<'_>,
    said: &Announcement,
    policy: &Arc<Policy>,
    now: Timestamp,
) -> Result<()> {
    take_in(tx, &Intake::of(said.clone(), Arc::clone(policy)), now).await.map(drop)
}

async fn take_in(tx: &Tx<'_>, intake: &Intake, now: Timestamp) -> Result<Recorded> {
    let announcement = &intake.announcement;
    if let Some(raw) = &intake.raw {
        let values = params![&raw.digest, &announcement.recording, now, &raw.fields];
        if tx.execute(&KEEP_CALLBACK, values).await? == 0 {
            return Ok(Recorded { new: false, settled: None });
        }
    }
    let (call, known) = lock_call(tx, intake, now).await?;
    let is_known = known.is_some();
    let settled = match known {
        None => add(tx, announcement, &call, now).await?,
        Some(known) => update(tx, announcement, &call, known, now).await?,
    };
    if let Some(started) = intake.started {
        starts::mark(tx, &call, &announcement.recording, started, now).await?;
    }
    if let Some(job) = &intake.job {
        // Where the call stays with another job, the provider's callback is still welcome.
        tie(tx, &call, job, TiedBy::Callback, now).await?;
    }
    replan(tx, &intake.policy, &call, now).await?;
    Ok(Recorded { new: intake.raw.is_some() || !is_known, settled })
}

/// Finds the call the recording belongs under from now on, creates it if need be, and locks it. What is known of the
/// recording is read under that lock.
async fn lock_call(tx: &Tx<'_>, intake: &Intake, now: Timestamp) -> Result<(CallSid, Option<Facts>)> {
    let Announcement { recording, account, call, duration_seconds, .. } = &intake.announcement;
    let known = facts::known(tx, recording).await?;
    if let Some(known) = known.as_ref().filter(|known| known.account != *account) {
        let (recording, account) = (recording.to_string(), known.account.to_string());
        return Err(Error::AnotherAccount { recording, account });
    }
    let before = known.as_ref().map(|known| known.call.clone());
    let call = before.iter().fold(call, |named, before| better_known(before, named)).clone();
    let met = Met { account: Some(account), source: intake.source.as_ref(), duration_seconds: *duration_seconds };
    // Two rows are always locked in the order of their ids.
    if let Some(placeholder) = before.as_ref().filter(|before| **before < call) {
        calls::lock(tx, placeholder).await?;
    }
    calls::know(tx, &call, met, now).await?;
    if let Some(placeholder) = before.as_ref().filter(|before| **before > call) {
        calls::lock(tx, placeholder).await?;
    }
    if !tx.is_postgres() {
        return Ok((call, known));
    }
    let known = facts::known(tx, recording).await?;
    if known.as_ref().map(|known| &known.call) != before.as_ref() {
        return Err(tx.raced("recordings"));
    }
    Ok((call, known))
}

/// A call beats a conference beats the recording itself; what is known stays where both are alike.
fn better_known<'a>(before: &'a CallSid, named: &'a CallSid) -> &'a CallSid {
    let rank = |call: &CallSid| ["RE", "CF", "CA"].iter().position(|prefix| call.as_str().starts_with(prefix));
    if rank(named) > rank(before) { named } else { before }
}

async fn add(tx: &Tx<'_>, announcement: &Announcement, call: &CallSid, now: Timestamp) -> Result<Option<Settled>> {
    let facts = Facts::first(announcement, call.clone(), now);
    if !facts::insert(tx, &announcement.recording, &facts).await? {
        return Err(tx.raced("recordings"));
    }
    counters::moved(tx, &announcement.recording, None, facts.status).await?;
    let data = json!({ "provider_status": facts.provider_status.as_str(), "account_sid": facts.account });
    tell(tx, announcement, call, kind::RECORDING_ANNOUNCED, data, now).await?;
    tell_settled(tx, announcement, call, facts, now).await
}

async fn update(
    tx: &Tx<'_>,
    announcement: &Announcement,
    call: &CallSid,
    known: Facts,
    now: Timestamp,
) -> Result<Option<Settled>> {
    if known.call != *call {
        move_to(tx, announcement, &known.call, call, now).await?;
    }
    let facts = known.clone().with(announcement, call.clone());
    if facts == known {
        return Ok(None);
    }
    facts::update(tx, &announcement.recording, &facts).await?;
    if facts.provider_status != known.provider_status {
        let data = json!({ "from": known.provider_status.as_str(), "to": facts.provider_status.as_str() });
        tell(tx, announcement, call, kind::RECORDING_STATUS, data, now).await?;
    }
    if facts.status == known.status {
        return Ok(None);
    }
    counters::moved(tx, &announcement.recording, Some(known.status), facts.status).await?;
    tell_settled(tx, announcement, call, facts, now).await
}

/// The call of a recording without one is known now: the recording moves, and takes its job along.
async fn move_to(
    tx: &Tx<'_>,
    announcement: &Announcement,
    placeholder: &CallSid,
    call: &CallSid,
    now: Timestamp,
) -> Result<()> {
    tx.execute(&MOVE, params![&announcement.recording, call]).await?;
    let tied = tx.optional(&JOB_OF, params![placeholder], |row| Ok((row.get(0)?, row.get(1)?))).await?;
    if let Some((Some(job), Some(by))) = tied {
        tie(tx, call, &job, by, now).await?;
    }
    tx.execute(&FORGET_PLACEHOLDER, params![placeholder]).await?;
    tell(tx, announcement, call, kind::RECORDING_MOVED, json!({ "from": placeholder }), now).await
}

async fn tell_settled(
    tx: &Tx<'_>,
    announcement: &Announcement,
    call: &CallSid,
    facts: Facts,
    now: Timestamp,
) -> Result<Option<Settled>> {
    let Facts { status, reason, .. } = facts;
    if status == Status::Announced {
        return Ok(None);
    }
    let data = json!({ "status": status, "reason": reason });
    tell(tx, announcement, call, kind::RECORDING_SETTLED, data, now).await?;
    Ok(Some(Settled { status, reason: reason.unwrap_or_default() }))
}

async fn tell(
    tx: &Tx<'_>,
    announcement: &Announcement,
    call: &CallSid,
    kind: &'static str,
    data: serde_json::Value,
    now: Timestamp,
) -> Result<()> {
    let recording = Some(announcement.recording.clone());
    let event = NewEvent { kind, recording, call: Some(call.clone()), data, ..NewEvent::default() };
    events::add(tx, &event, now).await
}
