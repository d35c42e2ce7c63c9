//! The sweep: calls whose time to be planned again has come, at a cost that does not grow with history.

use callspool_domain::{CallSid, Policy, Timestamp};

use super::services;
use crate::db::{Tx, params, statements};
use crate::planning::replan;
use crate::{Result, Store, meta};

statements! {
    DUE: "calls" = "SELECT call_sid FROM calls WHERE plan_due_at <= $1 ORDER BY plan_due_at LIMIT $2 FOR UPDATE SKIP LOCKED";
}

impl Store {
    /// Plans up to `limit` calls that are due for it; returns how many. After a changed policy it makes every call due, and
    /// after an outage every step that waited, a page at a time. Call it every second or so, and again at once while it
    /// returns `limit`.
    pub async fn sweep(&self, now: Timestamp, limit: u32) -> Result<u64> {
        self.write((self.shared_policy(), now, limit), |tx, (policy, now, limit)| {
            Box::pin(sweep(tx, policy, *now, *limit))
        })
        .await
    }
}

async fn sweep(tx: &Tx<'_>, policy: &Policy, now: Timestamp, limit: u32) -> Result<u64> {
    services::resume_waiting(tx, now).await?;
    meta::continue_with_policy(tx, now).await?;
    let due: Vec<CallSid> = tx.rows(&DUE, params![now, limit], |row| row.get(0)).await?;
    for call in &due {
        replan(tx, policy, call, now).await?;
    }
    Ok(u64::try_from(due.len()).unwrap_or(u64::MAX))
}
