//! The customer's job records: callspool's own database, or a table in Airtable whose rate all nodes share.

use std::time::Duration;

use callspool_clients::http::Http;
use callspool_clients::records::{Airtable, AirtableConfig, CallJob, Found, Pace, RecordId, Row, Write};
use callspool_domain::failure::Code;
use callspool_domain::{CallSid, Clock, JobId, StepFailure};
use callspool_store::Store;

use crate::config::{AirtableSettings, RecordsSettings};
use crate::lifecycle::sleep_until;

/// A wait longer than this is given back to the queue instead of being sat out under a lease.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// What a 429 asks for beyond this is not passed on to the other nodes.
const LONGEST_PENALTY: Duration = Duration::from_secs(5 * 60);

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

impl AirtableRecords {
    fn new(settings: &AirtableSettings, http: &Http, store: &Store, clock: &Clock) -> Self {
        let client = Airtable::new(
            http,
            AirtableConfig {
                base_url: settings.api_url.clone(),
                base: settings.base.clone(),
                table: settings.table.clone(),
                token: settings.token.clone(),
                job_field: settings.job_field.clone(),
                call_field: settings.call_field.clone().unwrap_or_default(),
                history_field: settings.history_field.clone(),
                url_field: settings.url_field.clone(),
            },
        );
        let turns = Turns {
            store: store.clone(),
            clock: clock.clone(),
            name: format!("airtable {}", settings.base),
            interval: settings.interval,
        };
        Self { client, turns }
    }

    /// The records of these jobs.
    pub async fn find_by_jobs(&self, jobs: &[JobId]) -> Result<Vec<(JobId, Found<Row>)>, StepFailure> {
        self.minding_throttle(self.client.find_by_job_ids(jobs, &self.turns).await).await
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

    /// Writes these records; says of each what came of it.
    pub async fn write(&self, writes: &[Write]) -> Result<Vec<(RecordId, Result<(), StepFailure>)>, StepFailure> {
        self.minding_throttle(self.client.write(writes, &self.turns).await).await
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

impl Pace for Turns {
    async fn slot(&self) -> Result<(), StepFailure> {
        let now = self.clock.now();
        let wait = self.store.reserve(&self.name, self.interval, LONGEST_WAIT, now).await;
        let wait = wait.map_err(|error| StepFailure::new(Code::StoreUnavailable, error.to_string()))?;
        if wait > LONGEST_WAIT {
            let detail = format!("{}: the next turn comes in {} s", self.name, wait.as_secs());
            return Err(StepFailure::new(Code::RecordsThrottled, detail).after(Some(wait)));
        }
        sleep_until(&self.clock, now + wait).await;
        Ok(())
    }
}
