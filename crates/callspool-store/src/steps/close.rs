//! The fence: whoever ends an attempt must still hold it.
//!
//! Guarantee: of all that try, exactly one ends an attempt; the step's row stays locked until its transaction ends. One
//! that repeats itself, because the answer to its commit was lost, learns that it had succeeded.

use callspool_domain::{CallSid, StepState, Subject, Timestamp};

use super::{Lease, read_subject};
use crate::Result;
use crate::calls;
use crate::db::{Tx, params, statements};

statements! {
    CLOSE: "steps" = "UPDATE steps SET state = $3, closed_attempt = attempt, closed_as = $4, \
        owner = NULL, claim_id = NULL, lease_until = NULL, failures = 0, code = NULL, detail = NULL, service = NULL, \
        misses = 0, first_miss_at = NULL WHERE step_id = $1 AND attempt = $2 AND state = 'running'";
    HAND_BACK: "steps" = "UPDATE steps SET state = 'waiting', due_at = $3, closed_attempt = attempt, closed_as = $4, \
        owner = NULL, claim_id = NULL, lease_until = NULL WHERE step_id = $1 AND attempt = $2 AND state = 'running'";
    WAS_CLOSED: "steps" = "SELECT 1 FROM steps WHERE step_id = $1 AND closed_attempt = $2 AND closed_as = $3";
    REOPEN: "steps" = "UPDATE steps SET state = 'waiting', due_at = $2 WHERE step_id = $1 AND state <> 'running'";
    SUBJECT: "steps" = "SELECT subject_kind, subject_id FROM steps WHERE step_id = $1";
}

/// What became of the wish to end an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fence {
    /// It was held, and is ended now: write what follows.
    Held,
    /// It was ended with this result before: there is nothing left to write.
    Repeated,
    /// Somebody else has it: write nothing.
    Lost,
}

impl Fence {
    /// The answer to whoever wished.
    pub(crate) fn is_kept(self) -> bool {
        self != Self::Lost
    }
}

/// Ends an attempt for good, as done or cancelled. `result` names how, in a word or two.
pub(crate) async fn close(tx: &Tx<'_>, lease: &Lease, state: StepState, result: &str) -> Result<Fence> {
    let changed = tx.execute(&CLOSE, params![&lease.step, lease.attempt, state, result]).await?;
    fence(tx, lease, result, changed).await
}

/// Ends an attempt that came to nothing through no fault of the step's.
pub(crate) async fn hand_back(tx: &Tx<'_>, lease: &Lease, due_at: Timestamp) -> Result<Fence> {
    let result = "handed back";
    let changed = tx.execute(&HAND_BACK, params![&lease.step, lease.attempt, due_at, result]).await?;
    fence(tx, lease, result, changed).await
}

/// What it means that `changed` rows were changed by an update under the fence.
pub(crate) async fn fence(tx: &Tx<'_>, lease: &Lease, result: &str, changed: u64) -> Result<Fence> {
    if changed == 1 {
        // Others may have waited for this one to end.
        tx.news.steps();
        return Ok(Fence::Held);
    }
    let repeated = tx.exists(&WAS_CLOSED, params![&lease.step, lease.attempt, result]).await?;
    Ok(if repeated { Fence::Repeated } else { Fence::Lost })
}

/// Makes a step wait again that was closed in this transaction.
pub(crate) async fn reopen(tx: &Tx<'_>, lease: &Lease, due_at: Timestamp) -> Result<()> {
    tx.execute(&REOPEN, params![&lease.step, due_at]).await.map(drop)
}

/// What a step works on, and the call it belongs to, locked.
pub(crate) async fn lock_subject(tx: &Tx<'_>, lease: &Lease) -> Result<Option<(Subject, Option<CallSid>)>> {
    let subject = tx.optional(&SUBJECT, params![&lease.step], |row| read_subject(row, 0, 1)).await?;
    let Some(subject) = subject else { return Ok(None) };
    let call = match &subject {
        Subject::Recording(recording) => calls::lock_of(tx, recording).await?,
        Subject::Call(call) => {
            calls::lock(tx, call).await?;
            Some(call.clone())
        }
        Subject::Job(_) | Subject::Account(_) => None,
    };
    Ok(Some((subject, call)))
}
