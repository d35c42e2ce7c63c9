//! Rate limits over all nodes: whoever sends to a limited service first reserves a slot here.

use std::time::Duration;

use callspool_domain::Timestamp;

use crate::db::{Tx, params, statements};
use crate::{Result, Store};

statements! {
    RESERVE: "rate_limits" = "INSERT INTO rate_limits (name, next_at) VALUES ($1, CAST($2 AS BIGINT) + CAST($3 AS BIGINT)) \
        ON CONFLICT (name) DO UPDATE SET \
        next_at = CASE WHEN rate_limits.next_at > $2 THEN rate_limits.next_at ELSE $2 END + $3 RETURNING next_at";
    BLOCK: "rate_limits" = "INSERT INTO rate_limits (name, next_at) VALUES ($1, $2) \
        ON CONFLICT (name) DO UPDATE SET next_at = excluded.next_at WHERE rate_limits.next_at < excluded.next_at";
}

impl Store {
    /// Reserves the next slot of `name`, slots being `interval` apart; returns how long to wait for it.
    pub async fn reserve(&self, name: &str, interval: Duration, now: Timestamp) -> Result<Duration> {
        self.write((name.to_owned(), interval, now), |tx, (name, interval, now)| {
            Box::pin(reserve(tx, name, *interval, *now))
        })
        .await
    }

    /// Gives out no slot of `name` before `until`.
    pub async fn block(&self, name: &str, until: Timestamp) -> Result<()> {
        self.write((name.to_owned(), until), |tx, (name, until)| {
            Box::pin(async move { tx.execute(&BLOCK, params![name, *until]).await.map(drop) })
        })
        .await
    }
}

async fn reserve(tx: &Tx<'_>, name: &str, interval: Duration, now: Timestamp) -> Result<Duration> {
    let micros = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
    let after: Option<Timestamp> = tx.optional(&RESERVE, params![name, now, micros], |row| row.get(0)).await?;
    Ok(after.map_or(Duration::ZERO, |after| (after - interval).since(now)))
}
