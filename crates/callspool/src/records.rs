//! The customer's job records: callspool's own database, or a table in Airtable whose rate all nodes share.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use callspool_clients::http::Http;
use callspool_clients::records::{Airtable, AirtableConfig, CallJob, Found, Pace, RecordId, Row, Write, Written};
use callspool_domain::clock::Stopwatch;
use callspool_domain::failure::Code;
use callspool_domain::{CallSid, Clock, JobId, StepFailure, Timestamp};
use callspool_store::Store;

use crate::config::{AirtableSettings, RecordsSettings};
use crate::lifecycle::sleep_until;

/// A wait longer than this is given back to the queue instead of being sat out under a lease.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// What a 429 asks for beyond this is not passed on to the other nodes.
const LONGEST_PENALTY: Duration = Duration::from_secs(5 * 60);
/// How long before its write a read comes at most, where requests are far apart.
const READ_AHEAD: Duration = Duration::from_millis(500);

/// Where the jobs are.
#[derive(Debug)]
pub enum JobRecords {
    /// In callspool's own database.
    BuiltIn,
    /// In Airtable.
    Airtable(Box<AirtableRecords>),
}

impl JobRecords {
    /// The job records the configuration names.
    pub fn new(settings: &RecordsSettings, http: &Http, store: &Store, clock: &Clock) -> Self {
        match settings {
            RecordsSettings::BuiltIn => Self::BuiltIn,
            RecordsSettings::Airtable(settings) => {
                Self::Airtable(Box::new(AirtableRecords::new(settings, http, store, clock)))
            }
        }
    }
}

/// A table in Airtable. Every request takes its turn over all nodes, and after a 429 none is sent for the penalty.
#[derive(Debug)]
pub struct AirtableRecords {
    client: Airtable,
    turns: Turns,
}

/// The settings in the client's shape.
pub(crate) fn airtable_config(settings: &AirtableSettings) -> AirtableConfig {
    AirtableConfig {
        base_url: settings.api_url.clone(),
        base: settings.base.clone(),
        table: settings.table.clone(),
        token: settings.token.clone(),
        job_field: settings.job_field.clone(),
        call_field: settings.call_field.clone().unwrap_or_default(),
        history_field: settings.history_field.clone(),
        url_field: settings.url_field.clone(),
    }
}

impl AirtableRecords {
    fn new(settings: &AirtableSettings, http: &Http, store: &Store, clock: &Clock) -> Self {
        let client = Airtable::new(http, airtable_config(settings));
        let turns = Turns {
            store: store.clone(),
            clock: clock.clone(),
            name: format!("airtable {}", settings.base),
            interval: settings.interval,
        };
        Self { client, turns }
    }

    /// Takes two turns that follow each other.
    pub async fn read_then_write(&self) -> Result<ReadThenWrite<'_>, StepFailure> {
        self.turns.two().await
    }

    /// The records of these jobs.
    pub async fn find_by_jobs(
        &self,
        jobs: &[JobId],
        pace: &impl Pace,
    ) -> Result<Vec<(JobId, Found<Row>)>, StepFailure> {
        self.minding_throttle(self.client.find_by_job_ids(jobs, pace).await).await
    }

    /// The jobs of these calls, each with its parent call where it has one.
    pub async fn find_by_calls(
        &self,
        calls: &[(CallSid, Option<CallSid>)],
    ) -> Result<Vec<(CallSid, Found<CallJob>)>, StepFailure> {
        self.minding_throttle(self.client.find_by_calls(calls, &self.turns).await).await
    }

    /// These records as they are now.
    pub async fn read(&self, records: &[RecordId]) -> Result<Vec<(RecordId, Option<Row>)>, StepFailure> {
        self.minding_throttle(self.client.read(records, &self.turns).await).await
    }

    /// Writes these records, ten at most; says of each what came of it.
    pub async fn write(&self, writes: &[Write], pace: &impl Pace) -> Result<Written, StepFailure> {
        self.minding_throttle(self.client.write(writes, pace).await).await
    }

    async fn minding_throttle<T>(&self, result: Result<T, StepFailure>) -> Result<T, StepFailure> {
        if let Err(failure) = &result
            && failure.code == Code::RecordsThrottled
            && let Some(penalty) = failure.retry_after
        {
            let now = self.turns.clock.now();
            let until = now + penalty.min(LONGEST_PENALTY);
            if let Err(error) = self.turns.store.block(&self.turns.name, until, now).await {
                tracing::warn!(%error, "the penalty could not be shared with the other nodes");
            }
        }
        result
    }
}

/// The turns of one base, kept in the database for all nodes.
#[derive(Debug)]
struct Turns {
    store: Store,
    clock: Clock,
    name: String,
    interval: Duration,
}

impl Turns {
    /// Reserves the next turn and says when it is. A wait of more than two turns is given back to the queue, or of more
    /// than a few seconds, whichever is longer.
    async fn reserve(&self, ahead: Duration) -> Result<Timestamp, StepFailure> {
        let now = self.clock.now();
        let patience = LONGEST_WAIT.max(self.interval * 2) + ahead;
        let wait = self.store.reserve(&self.name, self.interval, patience, now).await;
        let wait = wait.map_err(|error| StepFailure::new(Code::StoreUnavailable, error.to_string()))?;
        if wait > patience {
            let detail = format!("{}: the next turn comes in {} s", self.name, wait.as_secs());
            return Err(StepFailure::new(Code::RecordsThrottled, detail).after(Some(wait)));
        }
        Ok(now + wait)
    }

    async fn two(&self) -> Result<ReadThenWrite<'_>, StepFailure> {
        let first = self.reserve(Duration::ZERO).await?;
        let write_at = self.reserve(self.interval).await?;
        // A read that is a little late disturbs nobody.
        let read_at = first.max(write_at - READ_AHEAD);
        Ok(ReadThenWrite { turns: self, read_at, write_at, taken: AtomicU32::new(0), read: OnceLock::new() })
    }
}

impl Pace for Turns {
    async fn slot(&self) -> Result<(), StepFailure> {
        let at = self.reserve(Duration::ZERO).await?;
        sleep_until(&self.clock, at).await;
        Ok(())
    }
}

/// Two turns in a row, taken before the first is used: what is written rests on what was read, and between the two nobody
/// waits for a turn.
#[derive(Debug)]
pub struct ReadThenWrite<'a> {
    turns: &'a Turns,
    read_at: Timestamp,
    write_at: Timestamp,
    taken: AtomicU32,
    read: OnceLock<Stopwatch>,
}

impl ReadThenWrite<'_> {
    /// How long ago the read began, by a clock that nobody sets.
    pub fn age(&self) -> Duration {
        self.read.get().map(Stopwatch::elapsed).unwrap_or_default()
    }
}

impl Pace for ReadThenWrite<'_> {
    async fn slot(&self) -> Result<(), StepFailure> {
        match self.taken.fetch_add(1, Ordering::Relaxed) {
            0 => {
                sleep_until(&self.turns.clock, self.read_at).await;
                self.read.get_or_init(|| self.turns.clock.stopwatch());
            }
            1 => sleep_until(&self.turns.clock, self.write_at).await,
            // A list of several pages.
            _ => self.turns.slot().await?,
        }
        Ok(())
    }
}
