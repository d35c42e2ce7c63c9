//! Counts that are kept in the transaction that changes them, so that reading them costs nothing.

use std::collections::BTreeMap;

use callspool_domain::recording::Status;

use crate::{Result, Store};

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
    /// Failures of steps by code, a line a code.
    pub failures: BTreeMap<String, u64>,
}

impl Store {
    /// The totals. Does not grow with history.
    pub async fn stats(&self) -> Result<Stats> {
        todo!()
    }
}
