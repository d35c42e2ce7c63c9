//! A life: one call from its callback to the release, in a world where callspool may die at any moment and rises again.

use std::time::Duration;

use callspool_clients::http::HttpOptions;
use callspool_domain::{JobId, RecordingSid};
use callspool_sandbox::twilio::{Audio, NewRecording, Word};

use super::end_state::EndState;
use super::fate::Fate;
use crate::harness::{Bucket, Kind, Table, World};

/// The job of the call.
pub(super) const JOB: &str = "JOB1";
/// What a person had written into the job's history before.
pub(super) const PRIOR_TEXT: &str = "noted by hand\r\n  and indented\t";
/// After this long a node looks for work although nobody told it.
pub(super) const A_LOOK: Duration = Duration::from_secs(1);
/// When the provider's copy may go.
pub(super) const DELAY: Duration = Duration::from_secs(24 * 3600);
/// Short of it, but long enough for any retry and any sweep in between.
const NOT_YET: Duration = Duration::from_secs(23 * 3600);

/// Longer, in real time, than anybody is held up.
const FOREVER: Duration = Duration::from_secs(60);

/// How callspool is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Setup {
    pub(super) database: Kind,
    pub(super) archive: Place,
    pub(super) records: Records,
    /// Seconds of audio; more than 262 are more than one part.
    pub(super) seconds: u32,
}

/// Where the recordings go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Folder,
    Bucket,
}

/// Where the jobs are. With a table nobody names the job: it is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Records {
    BuiltIn,
    Table,
}

/// What comes after a blow of fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// The process is dead; a new one takes its place.
    Rise,
    /// The process is held up for longer than its lease. Another attempt takes over and finishes, on another node where
    /// there can be one; then the first goes on.
    Overtaken,
    /// The same, but the process dies while it is held up, and the other node, which runs already, is all there is.
    Succeeded,
}

/// A world and the fate of the process in it.
pub(super) struct Life {
    pub(super) world: World,
    pub(super) bucket: Option<Bucket>,
    pub(super) table: Option<Table>,
    pub(super) fate: Fate,
    pub(super) recording: RecordingSid,
    /// The job's record in the table.
    pub(super) record: Option<String>,
    after: After,
    callback: String,
    /// Whether anything was announced, so that there may be steps.
    announced: bool,
}

impl Life {
    /// Sets the scene; callspool does not run yet. `None`: that database is not to be had here.
    pub(super) async fn prepare(setup: Setup, fate: Fate, after: After) -> Option<Self> {
        let mut world = World::prepare(setup.database).await?;
        world.set("TWILIO_DELETE_AFTER", format!("{}s", DELAY.as_secs()));
        world.ledger.probe = Some(fate.of_commits());
        // Who is held up waits, in real time, for as long as a story takes.
        world.patience = HttpOptions { connect_timeout: FOREVER, read_timeout: FOREVER, ..world.patience };
        let bucket = if setup.archive == Place::Bucket { Some(Bucket::beside(&mut world).await) } else { None };
        let table = if setup.records == Records::Table { Some(Table::beside(&mut world).await) } else { None };
        let call = world.twilio.new_call_sid();
        let record = table.as_ref().map(|table| {
            table.add_record(&[("Job ID", JOB), ("Call SID", call.as_str()), ("job_history", PRIOR_TEXT)])
        });
        let audio = Audio::seconds(setup.seconds);
        let recording = world.twilio.add_recording(NewRecording::new(world.account(), audio).of_call(call));
        let query = if table.is_some() { String::new() } else { format!("?job={JOB}") };
        let callback = world.url(&format!("/api/twilio/recording{query}"));
        world.twilio.set_probe(fate.of_requests("the provider"));
        if let Some(bucket) = &bucket {
            bucket.set_probe(fate.of_requests("the bucket"));
        }
        if let Some(table) = &table {
            table.set_probe(fate.of_requests("the table"));
        }
        Some(Self { world, bucket, table, fate, recording, record, after, callback, announced: false })
    }

    /// Lives from the callback to the release, rising after every death. Returns how it ends.
    pub(super) async fn live(&mut self) -> EndState {
        self.boot().await;
        self.announce().await;
        self.settle().await;
        self.turn(NOT_YET).await;
        assert!(self.world.twilio.deleted().is_empty(), "released early");
        self.turn(DELAY).await;
        EndState::of(self).await
    }

    /// Ends it, as stories end.
    pub(super) async fn end(self) {
        let strange = |unexpected: Vec<String>| assert_eq!(unexpected, Vec::<String>::new());
        self.bucket.iter().for_each(|bucket| strange(bucket.unexpected_requests()));
        self.table.iter().for_each(|table| strange(table.unexpected_requests()));
        self.world.end().await;
    }

    /// Boots until it serves.
    pub(super) async fn boot(&mut self) {
        while !self.world.boot_unless(self.fate.strikes()).await {
            self.bury().await;
        }
    }

    /// Announces the recording until that is accepted, as a provider does that was asked to retry.
    pub(super) async fn announce(&mut self) {
        self.announced = true;
        loop {
            let answer = tokio::select! {
                biased;
                () = self.fate.strikes() => None,
                answer = self.world.twilio.announce_status(&self.recording, &self.callback, Word::Completed) => answer,
            };
            match answer {
                Some(answer) if answer.is_accepted() => return,
                answer => assert!(self.fate.has_struck(), "refused: {answer:?}"),
            }
            self.go_on().await;
        }
    }

    /// Waits until nothing is left to be done now.
    pub(super) async fn settle(&mut self) {
        loop {
            tokio::select! {
                biased;
                () = self.fate.strikes() => {}
                () = self.is_done() => return,
            }
            self.go_on().await;
        }
    }

    /// No step runs or is due, and every event has its number: those of a dead process get theirs from the next one.
    async fn is_done(&self) {
        self.world.settle().await;
        let unnumbered = "SELECT kind FROM events WHERE seq IS NULL";
        let numbered = async || self.world.database.texts(unnumbered).await.is_empty();
        self.world.eventually("every event to have its number", numbered).await;
    }

    /// Turns the clock.
    pub(super) async fn turn(&mut self, by: Duration) {
        self.world.clock.advance(by);
        self.settle().await;
    }

    /// The job's history as anybody can read it.
    pub(super) async fn history(&self) -> String {
        match (&self.table, &self.record) {
            (Some(table), Some(record)) => table.history(record),
            _ => {
                let job = JobId::parse(JOB).expect("job id");
                self.world
                    .app()
                    .store
                    .job(&job)
                    .await
                    .expect("the store answers")
                    .map_or_else(String::new, |job| job.history)
            }
        }
    }

    /// Goes on after a blow.
    async fn go_on(&mut self) {
        match self.after {
            After::Rise => {
                self.bury().await;
                self.boot().await;
            }
            After::Overtaken => self.overtake().await,
            After::Succeeded => self.succeed().await,
        }
    }

    /// Another attempt takes over and finishes; only then does the first go on, to its end.
    async fn overtake(&mut self) {
        self.world.ledger.probe = None;
        let other = if self.world.database.is_shared() { Some(self.world.another_node().await) } else { None };
        self.world.let_leases_run_out().await;
        self.world.advance(A_LOOK).await;
        self.fate.let_go();
        self.world.restart().await;
        if let Some(other) = other {
            other.stop().await;
        }
        self.fate.begin_anew();
    }

    /// The process dies, and the other node has the work to itself.
    async fn succeed(&mut self) {
        self.world.ledger.probe = None;
        let other = self.world.another_node().await;
        self.world.crash().await;
        self.world.run_on(other);
        self.world.let_leases_run_out().await;
        self.world.advance(A_LOOK).await;
        self.fate.let_go();
        self.fate.begin_anew();
    }

    /// Takes away what is left of the process, and lets the time pass for which it had leases.
    async fn bury(&mut self) {
        self.world.crash().await;
        self.fate.begin_anew();
        if self.announced {
            self.world.let_leases_run_out().await;
        }
    }
}
