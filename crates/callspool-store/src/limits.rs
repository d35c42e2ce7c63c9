//! Rate limits over all nodes: whoever sends to a limited service first reserves a slot here.

use std::time::Duration;

use callspool_domain::Timestamp;

use crate::db::{Tx, params, statements};
use crate::{Result, Store};

statements! {
    // Locks the row until the slot is taken or refused.
    NEXT: "rate_limits" = "INSERT INTO rate_limits (name, next_at) VALUES ($1, $2) \
        ON CONFLICT (name) DO UPDATE SET next_at = CASE WHEN rate_limits.next_at > $2 AND rate_limits.next_at <= $3 \
        THEN rate_limits.next_at ELSE $2 END RETURNING next_at";
    ADVANCE: "rate_limits" = "UPDATE rate_limits SET next_at = $2 WHERE name = $1";
    BLOCK: "rate_limits" = "INSERT INTO rate_limits (name, next_at) VALUES ($1, $2) \
        ON CONFLICT (name) DO UPDATE SET next_at = excluded.next_at \
        WHERE rate_limits.next_at < excluded.next_at OR rate_limits.next_at > $3";
    LIFT: "rate_limits" = "UPDATE rate_limits SET next_at = $1 WHERE next_at > $1";
}

/// No slot is further ahead: one that is stored so came of a clock that jumped or of an absurd Retry-After.
const HORIZON: Duration = Duration::from_secs(10 * 60);

impl Store {
    /// How long to wait for the next slot of `name`, slots being `interval` apart. It is reserved where the wait is at most
    /// `patience`; a longer wait takes nobody's turn.
    pub async fn reserve(
        &self,
        name: &str,
        interval: Duration,
        patience: Duration,
        now: Timestamp,
    ) -> Result<Duration> {
        self.write((name.to_owned(), interval, patience, now), |tx, (name, interval, patience, now)| {
            Box::pin(reserve(tx, name, *interval, *patience, *now))
        })
        .await
    }

    /// Gives out no slot of `name` before `until`, but for ten minutes at most.
    pub async fn block(&self, name: &str, until: Timestamp, now: Timestamp) -> Result<()> {
        self.write((name.to_owned(), until, now), |tx, (name, until, now)| {
            Box::pin(async move {
                let horizon = *now + HORIZON;
                tx.execute(&BLOCK, params![name, (*until).min(horizon), horizon]).await.map(drop)
            })
        })
        .await
    }
}

/// Makes the next slot of every limit now: a person knows better.
pub(crate) async fn lift(tx: &Tx<'_>, now: Timestamp) -> Result<()> {
    tx.execute(&LIFT, params![now]).await.map(drop)
}

async fn reserve(tx: &Tx<'_>, name: &str, interval: Duration, patience: Duration, now: Timestamp) -> Result<Duration> {
    let next: Option<Timestamp> = tx.optional(&NEXT, params![name, now, now + HORIZON], |row| row.get(0)).await?;
    let next = next.unwrap_or(now);
    let wait = next.since(now);
    if wait <= patience {
        tx.execute(&ADVANCE, params![name, next + interval]).await?;
    }
    Ok(wait)
}
