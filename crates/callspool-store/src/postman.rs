//! PostgreSQL only: gives committed events their numbers, and tells other nodes what there is to see and to do.
//!
//! Guarantee: an event's number is above that of every event that was visible before it. Numbers are given in a short
//! transaction of its own under an advisory lock; the lock is taken in a statement of its own, so that the next statement
//! sees everything committed until then. Readers see numbered events only.

use std::time::Duration;

use tokio::time::timeout;

use crate::Result;
use crate::db::postgres::{EVENTS, STEPS};
use crate::db::signals::Signals;
use crate::db::{Db, Statement, Tx, params};

/// How long an event of a node that died after its commit waits for its number.
const POLL: Duration = Duration::from_secs(1);
/// Most events numbered by one transaction.
const PAGE: u64 = 2000;

/// Prepared on PostgreSQL only.
pub(crate) const POSTGRES_STATEMENTS: &[Statement] = &[LOCK_NUMBERS, UNNUMBERED, NUMBER, TELL];
const LOCK_NUMBERS: Statement = Statement::new("events", "SELECT pg_advisory_xact_lock(7106820342)::text");
const UNNUMBERED: Statement = Statement::new("events", "SELECT id FROM events WHERE seq IS NULL LIMIT 1");
const NUMBER: Statement = Statement::new(
    "events",
    "WITH waiting AS (SELECT id FROM events WHERE seq IS NULL ORDER BY id LIMIT $1), \
     placed AS (SELECT id, row_number() OVER (ORDER BY id) AS place FROM waiting), \
     last AS (SELECT COALESCE(MAX(seq), 0) AS seq FROM events) \
     UPDATE events SET seq = last.seq + placed.place FROM placed, last WHERE events.id = placed.id",
);
const TELL: Statement = Statement::new("events", "SELECT pg_notify($1, '')::text");

/// Numbers and tells what this node does, and listens to what others do, for as long as it is polled.
pub(crate) async fn carry(db: &Db, signals: &Signals) {
    let listen = async {
        if let Db::Postgres(postgres) = db {
            postgres.listen().await;
        }
    };
    tokio::join!(listen, carry_post(db, signals));
}

async fn carry_post(db: &Db, signals: &Signals) {
    loop {
        // Whether it was woken or the time was over, there may be something to do.
        timeout(POLL, signals.mail()).await.unwrap_or_default();
        match number_waiting(db).await {
            Ok(0) => {}
            Ok(_) => signals.wake_events(),
            Err(error) => tracing::warn!(%error, "events could not be numbered; tried again"),
        }
        if signals.take_untold_steps()
            && let Err(error) = tell(db, STEPS).await
        {
            tracing::debug!(%error, "other nodes were not told of due steps; they find out by polling");
        }
    }
}

async fn tell(db: &Db, channel: &'static str) -> Result<()> {
    db.write(channel, |tx, channel| Box::pin(async move { tx.exists(&TELL, params![*channel]).await.map(drop) })).await
}

/// Numbers every event that is committed by now and tells everybody; returns how many. SQLite has numbered them already.
pub(crate) async fn number_waiting(db: &Db) -> Result<u64> {
    if matches!(db, Db::Sqlite(_)) {
        return Ok(0);
    }
    let mut total = 0;
    loop {
        let numbered = db.write((), |tx, ()| Box::pin(number_page(tx))).await?;
        total += numbered;
        if numbered < PAGE {
            return Ok(total);
        }
    }
}

async fn number_page(tx: &Tx<'_>) -> Result<u64> {
    if !tx.exists(&UNNUMBERED, &[]).await? {
        return Ok(0);
    }
    tx.exists(&LOCK_NUMBERS, &[]).await?;
    let numbered = tx.execute(&NUMBER, params![PAGE]).await?;
    if numbered > 0 {
        tx.exists(&TELL, params![EVENTS]).await?;
    }
    Ok(numbered)
}
