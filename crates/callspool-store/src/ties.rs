//! Which job a call belongs to: `PUT` beats `?job=` beats look-up. No line that may be written is ever taken from a job:
//! the plan leaves word there of a call that went to another one.

use callspool_domain::{CallSid, JobId, Policy, Timestamp};
use serde_json::json;

use crate::calls::{self, Met};
use crate::db::{Tx, params, statements, value};
use crate::events::{self, NewEvent, kind};
use crate::planning::replan;
use crate::{Result, Store, jobs, lines};

statements! {
    TIE: "calls" = "SELECT job_id, tied_by FROM calls WHERE call_sid = $1";
    // Locked, so that nobody begins to write what is about to be forgotten.
    HOPELESS: "steps" = "SELECT s.step_id FROM steps s WHERE s.state IN ('waiting', 'parked') \
        AND s.code IN ('job_not_found', 'job_unknown', 'job_ambiguous') AND s.step_id IN (SELECT 'link/' || l.job_id \
        FROM recordings r JOIN lines l ON l.recording_sid = r.recording_sid \
        WHERE r.call_sid = $1 AND l.job_id <> $2 AND l.state = 'owed') FOR UPDATE";
    FORGET: "lines" = "DELETE FROM lines WHERE state = 'owed' AND 'link/' || job_id = $2 \
        AND recording_sid IN (SELECT recording_sid FROM recordings WHERE call_sid = $1)";
    CANCEL_IDLE: "steps" = "UPDATE steps SET state = 'cancelled' WHERE step_id = $1 AND state IN ('waiting', 'parked') \
        AND NOT EXISTS (SELECT 1 FROM lines WHERE job_id = $2 AND lines.state = 'owed')";
    SET: "calls" = "UPDATE calls SET job_id = $2, tied_by = $3 WHERE call_sid = $1";
}

/// Who says which job a call belongs to, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TiedBy {
    /// Found in the job records by the call's sid.
    LookUp,
    /// `?job=` on the callback URL.
    Callback,
    /// `PUT /api/v1/calls/{call}`.
    Put,
}

impl TiedBy {
    /// The stored name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LookUp => "look-up",
            Self::Callback => "callback",
            Self::Put => "put",
        }
    }

    /// Reads the stored name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::LookUp, Self::Callback, Self::Put].into_iter().find(|by| by.as_str() == name)
    }
}

value::names!(TiedBy);

/// What became of a tie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tied {
    /// The call now belongs to the job.
    New,
    /// It did before.
    Same,
    /// It stays with another job, by a stronger word; never the answer to [`TiedBy::Put`].
    Conflict {
        /// That job.
        job: JobId,
    },
}

impl Store {
    /// Ties a call to a job; creates the call where it is not known yet.
    pub async fn tie_call(&self, call: &CallSid, job: &JobId, by: TiedBy, now: Timestamp) -> Result<Tied> {
        let args = (call.clone(), job.clone(), by, self.shared_policy(), now);
        self.write(args, |tx, (call, job, by, policy, now)| Box::pin(tie_and_plan(tx, call, job, *by, policy, *now)))
            .await
    }
}

async fn tie_and_plan(
    tx: &Tx<'_>,
    call: &CallSid,
    job: &JobId,
    by: TiedBy,
    policy: &Policy,
    now: Timestamp,
) -> Result<Tied> {
    calls::know(tx, call, Met::default(), now).await?;
    let tied = tie(tx, call, job, by, now).await?;
    replan(tx, policy, call, now).await?;
    // Who puts has perhaps just made the record, or repaired it.
    if by == TiedBy::Put && matches!(tied, Tied::New | Tied::Same) {
        lines::look_again(tx, job, now).await?;
    }
    Ok(tied)
}

/// Ties a call whose row is locked. The plan is the caller's.
pub(crate) async fn tie(tx: &Tx<'_>, call: &CallSid, job: &JobId, by: TiedBy, now: Timestamp) -> Result<Tied> {
    let standing = tx.optional(&TIE, params![call], |row| Ok((row.get(0)?, row.get(1)?))).await?;
    let (before, before_by): (Option<JobId>, Option<TiedBy>) = standing.unwrap_or((None, None));
    match before {
        Some(before) if before == *job => {
            if before_by < Some(by) {
                tx.execute(&SET, params![call, job, by]).await?;
            }
            // Who puts again may do so because a step stands in the queue for a job that was mistyped before.
            if by == TiedBy::Put {
                forget_hopeless_lines(tx, call, job).await?;
            }
            return Ok(Tied::Same);
        }
        // Of two equal words the first stays, but who puts again means it.
        Some(before) if by < TiedBy::Put && before_by >= Some(by) => return Ok(Tied::Conflict { job: before }),
        _ => {}
    }
    forget_hopeless_lines(tx, call, job).await?;
    jobs::know(tx, job, now).await?;
    tx.execute(&SET, params![call, job, by]).await?;
    let event = NewEvent {
        kind: if by == TiedBy::LookUp { kind::JOB_FOUND } else { kind::CALL_TIED },
        call: Some(call.clone()),
        job: Some(job.clone()),
        data: json!({ "by": by.as_str() }),
        ..NewEvent::default()
    };
    events::add(tx, &event, now).await?;
    Ok(Tied::New)
}

/// Takes back the lines that are owed to another job of which no single record could be found: none of them is written
/// anywhere, so a mistyped job can be corrected.
async fn forget_hopeless_lines(tx: &Tx<'_>, call: &CallSid, job: &JobId) -> Result<()> {
    let hopeless: Vec<String> = tx.rows(&HOPELESS, params![call, job], |row| row.get(0)).await?;
    for link in &hopeless {
        tx.execute(&FORGET, params![call, link]).await?;
        // Nobody is to be called for a step that has nothing to write any more.
        let job = link.strip_prefix("link/").unwrap_or_default();
        tx.execute(&CANCEL_IDLE, params![link, job]).await?;
    }
    Ok(())
}
