//! The customer's table in Airtable, beside callspool and what a story asks of it.

use std::ops::Deref;

use callspool_domain::Clock;
use callspool_sandbox::airtable::Route;
use callspool_sandbox::twilio::PlacedCall;
use callspool_sandbox::{Airtable, AirtableOptions};

use super::World;

/// What Airtable allows in a second
/// (<https://airtable.com/developers/web/api/rate-limits>).
const AIRTABLE_LIMIT: u32 = 5;

/// A table of jobs that takes any number of requests, and callspool asks as fast as it can.
pub(crate) struct Table(Airtable);

/// A table with Airtable's own limit and penalty, and callspool with its default rate.
pub(crate) struct LimitedTable(Table);

impl Table {
    /// Starts it and configures callspool for it.
    pub(crate) async fn beside(world: &mut World) -> Self {
        world.set("AIRTABLE_RPS", "0");
        Self::start(world, None).await
    }

    async fn start(world: &mut World, requests_per_second: Option<u32>) -> Self {
        let options =
            AirtableOptions { requests_per_second, ..AirtableOptions::new(Clock::Manual(world.clock.clone())) };
        world.set("AIRTABLE_API_KEY", options.token.expose());
        world.set("AIRTABLE_BASE_ID", options.base.as_str());
        world.set("AIRTABLE_TABLE", options.table.as_str());
        world.set("AIRTABLE_URL_FIELD", "Recording URL (Twilio/S3)");
        let table = Airtable::start(options).await.expect("the stand-in starts");
        world.set("AIRTABLE_ENDPOINT_URL", table.base_url());
        Self(table)
    }

    /// Adds the record of a job.
    pub(crate) fn job(&self, job: &str) -> String {
        self.add_record(&[("Job ID", job)])
    }

    /// The history of a record.
    pub(crate) fn history(&self, record: &str) -> String {
        self.cell(record, "job_history")
    }

    /// How often the history of a record names the call's recording.
    pub(crate) fn lines_of(&self, record: &str, placed: &PlacedCall) -> usize {
        self.history(record).matches(placed.recording_sid.as_str()).count()
    }

    /// How many requests have come.
    pub(crate) fn asked(&self) -> u64 {
        self.count(Route::List) + self.count(Route::PatchMany)
    }

    /// Ends the story: beside what [`World::end`] looks at, nothing unheard-of was asked, and no row made or removed.
    pub(crate) async fn end(self, world: World) {
        assert_eq!(self.unexpected_requests(), Vec::<String>::new());
        assert_eq!((self.count(Route::Create), self.count(Route::Delete)), (0, 0), "rows are never created");
        world.end().await;
    }
}

impl LimitedTable {
    /// Starts it and configures callspool for it.
    pub(crate) async fn beside(world: &mut World) -> Self {
        Self(Table::start(world, Some(AIRTABLE_LIMIT)).await)
    }

    /// Ends the story as [`Table::end`] does.
    pub(crate) async fn end(self, world: World) {
        self.0.end(world).await;
    }
}

impl Deref for Table {
    type Target = Airtable;

    fn deref(&self) -> &Airtable {
        &self.0
    }
}

impl Deref for LimitedTable {
    type Target = Table;

    fn deref(&self) -> &Table {
        &self.0
    }
}
