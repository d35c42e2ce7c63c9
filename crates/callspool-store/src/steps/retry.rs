//! Steps that a person wants to run now.

use callspool_domain::recording::Status;
use callspool_domain::{CallSid, JobId, Policy, RecordingSid, StepName, Subject, Timestamp};
use serde_json::json;

use super::finish::set_status;
use super::step_id;
use crate::db::{Tx, params, statements};
use crate::events::{self, NewEvent, kind};
use crate::planning::replan;
use crate::{Result, Store, calls, limits};

/// How many steps or recordings one transaction takes on.
const PAGE: u32 = 200;

statements! {
    RETRY: "steps" = "UPDATE steps SET state = 'waiting', due_at = $2, failures = 0, misses = 0, first_miss_at = NULL, \
        code = NULL, detail = NULL, service = NULL \
        WHERE step_id = $1 AND (state = 'parked' OR (state = 'waiting' AND code IS NOT NULL))";
    TROUBLED: "steps" = "SELECT (SELECT COUNT(*) FROM steps WHERE state = 'parked') \
        + (SELECT COUNT(*) FROM steps WHERE state = 'waiting' AND code IS NOT NULL)";
    PARKED: "steps" = "SELECT step_id FROM steps WHERE state = 'parked' ORDER BY name, code, due_at LIMIT $1";
    AFTER_FAILURE: "steps" =
        "SELECT step_id FROM steps WHERE state = 'waiting' AND code IS NOT NULL ORDER BY due_at, step_id LIMIT $1";
    GIVEN_UP: "recordings" = "SELECT recording_sid, announced_at FROM recordings WHERE status = $1 \
        AND (announced_at, recording_sid) > ($2, $3) ORDER BY announced_at, recording_sid LIMIT $4";
    STANDING: "recordings" = "SELECT r.status, r.provider_status, c.job_id FROM recordings r \
        LEFT JOIN calls c ON c.call_sid = r.call_sid WHERE r.recording_sid = $1";
    LOOK_AFRESH: "copies" =
        "UPDATE copies SET bad_since = NULL, gone_at = NULL WHERE recording_sid = $1 AND place = 'provider'";
    MAKE_DUE: "steps" = "UPDATE steps SET due_at = $2 WHERE step_id = $1 AND state = 'waiting' AND due_at > $2";
}

/// What to run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetryWhat {
    /// Everything of this recording that is parked, given up, or waiting after an error.
    Recording(RecordingSid),
    /// The same of all recordings.
    Failed,
}

impl Store {
    /// Makes steps due that are parked, given up, or waiting after an error, and lifts the rate limits' penalties; returns
    /// how many steps.
    pub async fn retry(&self, what: RetryWhat, now: Timestamp) -> Result<u64> {
        self.write(now, |tx, now| Box::pin(limits::lift(tx, *now))).await?;
        match what {
            RetryWhat::Recording(recording) => {
                self.write((recording, self.shared_policy(), now), |tx, (recording, policy, now)| {
                    Box::pin(retry_recording(tx, recording, policy, *now))
                })
                .await
            }
            RetryWhat::Failed => self.retry_failed(now).await,
        }
    }

    /// Makes every waiting step of a recording, its call and its job due; returns how many.
    pub async fn make_due(&self, recording: &RecordingSid, now: Timestamp) -> Result<u64> {
        self.write((recording.clone(), now), |tx, (recording, now)| Box::pin(make_due(tx, recording, *now))).await
    }

    /// Page by page, each in a transaction of its own, so that callbacks get through meanwhile.
    async fn retry_failed(&self, now: Timestamp) -> Result<u64> {
        let count =
            self.read((), |tx, ()| Box::pin(async move { tx.optional(&TROUBLED, &[], |row| row.get(0)).await }));
        // What fails again meanwhile is not taken on a second time.
        let troubled: u64 = count.await?.unwrap_or(0);
        let mut total = 0;
        while total < troubled {
            match self.write(now, |tx, now| Box::pin(retry_page(tx, *now))).await? {
                0 => break,
                retried => total += retried,
            }
        }
        for status in [Status::Failed, Status::Missing] {
            let mut cursor = Some((Timestamp::from_micros(i64::MIN), String::new()));
            while let Some(after) = cursor {
                let args = (status, after, self.shared_policy(), now);
                let (reopened, next) = self
                    .write(args, |tx, (status, after, policy, now)| {
                        Box::pin(reopen_page(tx, *status, after, policy, *now))
                    })
                    .await?;
                total += reopened;
                cursor = next;
            }
        }
        Ok(total)
    }
}

/// How far a walk through the recordings has come.
type Cursor = (Timestamp, String);

async fn retry_recording(tx: &Tx<'_>, recording: &RecordingSid, policy: &Policy, now: Timestamp) -> Result<u64> {
    let Some(call) = calls::lock_of(tx, recording).await? else { return Ok(0) };
    let mut retried = u64::from(reopen(tx, recording, &call, policy, now).await?);
    for step in steps_around(tx, recording, &call).await? {
        retried += tx.execute(&RETRY, params![step, now]).await?;
    }
    if retried > 0 {
        tx.news.steps();
        events::add(tx, &retried_event(recording, &call), now).await?;
    }
    Ok(retried)
}

/// A recording that was given up is announced again, and its archive step wanted. False where it was not given up.
async fn reopen(
    tx: &Tx<'_>,
    recording: &RecordingSid,
    call: &CallSid,
    policy: &Policy,
    now: Timestamp,
) -> Result<bool> {
    let Some((status, is_completed, _)) = standing(tx, recording).await? else { return Ok(false) };
    if !matches!(status, Status::Failed | Status::Missing) || !is_completed {
        return Ok(false);
    }
    set_status(tx, recording, status, Status::Announced, None).await?;
    tx.execute(&LOOK_AFRESH, params![recording]).await?;
    replan(tx, policy, call, now).await?;
    Ok(true)
}

async fn retry_page(tx: &Tx<'_>, now: Timestamp) -> Result<u64> {
    let mut steps: Vec<String> = tx.rows(&PARKED, params![PAGE], |row| row.get(0)).await?;
    steps.extend(tx.rows(&AFTER_FAILURE, params![PAGE], |row| row.get(0)).await?);
    let mut retried = 0;
    for step in steps {
        retried += tx.execute(&RETRY, params![step, now]).await?;
    }
    if retried > 0 {
        tx.news.steps();
        let data = json!({ "steps": retried });
        events::add(tx, &NewEvent { kind: kind::STEP_RETRIED, data, ..NewEvent::default() }, now).await?;
    }
    Ok(retried)
}

async fn reopen_page(
    tx: &Tx<'_>,
    status: Status,
    (at, sid): &Cursor,
    policy: &Policy,
    now: Timestamp,
) -> Result<(u64, Option<Cursor>)> {
    let page: Vec<(RecordingSid, Timestamp)> =
        tx.rows(&GIVEN_UP, params![status, *at, sid, PAGE], |row| Ok((row.get(0)?, row.get(1)?))).await?;
    let mut reopened = 0;
    for (recording, _) in &page {
        let Some(call) = calls::lock_of(tx, recording).await? else { continue };
        if reopen(tx, recording, &call, policy, now).await? {
            reopened += 1;
            events::add(tx, &retried_event(recording, &call), now).await?;
        }
    }
    Ok((reopened, page.last().map(|(recording, at)| (*at, recording.to_string()))))
}

async fn make_due(tx: &Tx<'_>, recording: &RecordingSid, now: Timestamp) -> Result<u64> {
    let Some(call) = calls::lock_of(tx, recording).await? else { return Ok(0) };
    let mut due = 0;
    for step in steps_around(tx, recording, &call).await? {
        due += tx.execute(&MAKE_DUE, params![step, now]).await?;
    }
    if due > 0 {
        tx.news.steps();
    }
    Ok(due)
}

/// The ids of the steps that bring this recording on: its own, its call's and its job's.
async fn steps_around(tx: &Tx<'_>, recording: &RecordingSid, call: &CallSid) -> Result<Vec<String>> {
    let own = Subject::Recording(recording.clone());
    let mut steps = vec![
        step_id(StepName::Archive, &own),
        step_id(StepName::Stop, &own),
        step_id(StepName::Release, &own),
        step_id(StepName::Record, &Subject::Call(call.clone())),
        step_id(StepName::FindJob, &Subject::Call(call.clone())),
    ];
    if let Some((_, _, Some(job))) = standing(tx, recording).await? {
        steps.push(step_id(StepName::Link, &Subject::Job(job)));
    }
    Ok(steps)
}

/// Where the recording stands, whether the provider says it has it, and its job.
async fn standing(tx: &Tx<'_>, recording: &RecordingSid) -> Result<Option<(Status, bool, Option<JobId>)>> {
    tx.optional(&STANDING, params![recording], |row| {
        let word: callspool_domain::recording::ProviderStatus = row.get(1)?;
        Ok((row.get(0)?, word.is_completed(), row.get(2)?))
    })
    .await
}

fn retried_event(recording: &RecordingSid, call: &CallSid) -> NewEvent {
    NewEvent {
        kind: kind::STEP_RETRIED,
        recording: Some(recording.clone()),
        call: Some(call.clone()),
        data: json!({}),
        ..NewEvent::default()
    }
}
