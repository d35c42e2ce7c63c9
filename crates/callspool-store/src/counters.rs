//! Counts that are kept in the transaction that changes them, so that reading them costs nothing.
//!
//! A count is spread over a few rows by the recording's id, so that on PostgreSQL callbacks of different recordings seldom
//! wait for each other.

use std::collections::BTreeMap;

use callspool_domain::recording::Status;
use callspool_domain::{Code, RecordingSid};

use crate::db::{Tx, params, statements};
use crate::{Result, Store};

statements! {
    ADD: "counters" = "INSERT INTO counters (name, shard, value) VALUES ($1, $2, $3) \
        ON CONFLICT (name, shard) DO UPDATE SET value = counters.value + excluded.value";
    TOTALS: "counters" =
        "SELECT name, CAST(SUM(value) AS BIGINT) FROM counters GROUP BY name ORDER BY name";
}

const IN_STATUS: &str = "recordings_";
const FAILURES: &str = "failures_";
const ARCHIVED_BYTES: &str = "archived_bytes";
const ARCHIVED_MS: &str = "archived_ms";
const RELEASED: &str = "released";
const LINES_CONFIRMED: &str = "lines_confirmed";

/// Totals since the database was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Recordings by where they stand; a status nothing is in is left out.
    pub recordings: BTreeMap<Status, u64>,
    /// Bytes in the archive.
    pub archived_bytes: u64,
    /// Milliseconds of audio in the archive.
    pub archived_ms: u64,
    /// Provider copies deleted through the gate.
    pub released: u64,
    /// History lines confirmed by reading them back.
    pub lines_confirmed: u64,
    /// Failures of steps by code.
    pub failures: BTreeMap<String, u64>,
}

impl Store {
    /// The totals. Its cost does not grow with history.
    pub async fn stats(&self) -> Result<Stats> {
        self.read((), |tx, ()| Box::pin(totals(tx))).await
    }
}

async fn totals(tx: &Tx<'_>) -> Result<Stats> {
    let mut stats = Stats::default();
    for (name, value) in tx.rows(&TOTALS, &[], |row| Ok((row.get::<String>(0)?, row.get::<u64>(1)?))).await? {
        match name.as_str() {
            ARCHIVED_BYTES => stats.archived_bytes = value,
            ARCHIVED_MS => stats.archived_ms = value,
            RELEASED => stats.released = value,
            LINES_CONFIRMED => stats.lines_confirmed = value,
            name => {
                if let Some(status) = name.strip_prefix(IN_STATUS).and_then(Status::parse).filter(|_| value > 0) {
                    stats.recordings.insert(status, value);
                } else if let Some(code) = name.strip_prefix(FAILURES).and_then(Code::parse) {
                    stats.failures.insert(code.to_string(), value);
                }
            }
        }
    }
    Ok(stats)
}

/// A recording stands somewhere else now; `from` is `None` for a new one.
pub(crate) async fn moved(tx: &Tx<'_>, recording: &RecordingSid, from: Option<Status>, to: Status) -> Result<()> {
    if let Some(from) = from {
        add(tx, &format!("{IN_STATUS}{from}"), recording, -1).await?;
    }
    add(tx, &format!("{IN_STATUS}{to}"), recording, 1).await
}

/// An archive copy was verified.
pub(crate) async fn archived(tx: &Tx<'_>, recording: &RecordingSid, bytes: u64, ms: u64) -> Result<()> {
    let signed = |value| i64::try_from(value).unwrap_or(i64::MAX);
    add(tx, ARCHIVED_BYTES, recording, signed(bytes)).await?;
    add(tx, ARCHIVED_MS, recording, signed(ms)).await
}

/// A provider copy was deleted.
pub(crate) async fn released(tx: &Tx<'_>, recording: &RecordingSid) -> Result<()> {
    add(tx, RELEASED, recording, 1).await
}

/// A history line was read back.
pub(crate) async fn line_confirmed(tx: &Tx<'_>, recording: &RecordingSid) -> Result<()> {
    add(tx, LINES_CONFIRMED, recording, 1).await
}

/// A step failed.
pub(crate) async fn failed(tx: &Tx<'_>, code: Code, step: &str) -> Result<()> {
    add(tx, &format!("{FAILURES}{code}"), step, 1).await
}

async fn add(tx: &Tx<'_>, name: &str, about: impl AsRef<str>, value: i64) -> Result<()> {
    // The last digit of an id is as good as random.
    let shard = about.as_ref().bytes().last().map_or(0, |byte| i64::from(byte % 16));
    tx.execute(&ADD, params![name, shard, value]).await.map(drop)
}
