//! The world of a story: the stand-ins, a database of its own, and callspool in between.
//!
//! A story ends with [`World::end`], which fails it where the stand-ins saw a request the real ones would refuse.

mod airtable;
mod bucket;
mod database;
mod folder;
mod log;
mod machine;
mod numbers;
pub(crate) mod process;
mod story;
mod waiting;

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use callspool::config::{Config, Settings};
use callspool::lifecycle::App;
use callspool_clients::http::HttpOptions;
use callspool_domain::clock::ManualClock;
use callspool_domain::{AccountSid, Clock, JobId, RecordingSid, StepName, Subject, Timestamp};
use callspool_sandbox::twilio::{Audio, PlaceCall, PlacedCall};
use callspool_sandbox::{Twilio, TwilioOptions};
use callspool_store::{OpenOptions, RecordingRow, Role, StepRow};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub(crate) use airtable::{LimitedTable, Table};
pub(crate) use bucket::{AzureContainer, Bucket, GoogleBucket};
pub(crate) use database::{Database, Kind};
use log::Log;
pub(crate) use machine::{Boot, Machine};
pub(crate) use story::story;

/// The account of every story.
pub(crate) const ACCOUNT: &str = "AC00000000000000000000000000000001";
/// Its token.
pub(crate) const TOKEN: &str = "the-auth-token-of-the-story";

/// Time-outs are real time, whatever the clock shows: so long that a busy machine is not taken for a silent service.
fn patient() -> HttpOptions {
    HttpOptions { system_proxy: false, ..HttpOptions::default() }
}

/// A time-out that a story about silence can wait for, and that an answer on a busy machine still keeps.
pub(crate) const IMPATIENT: Duration = Duration::from_secs(3);

/// A socket on a port of the system's choice.
fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a free port")
}

/// Everything a story happens in.
pub(crate) struct World {
    pub(crate) twilio: Twilio,
    pub(crate) clock: ManualClock,
    pub(crate) database: Database,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) http: reqwest::Client,
    /// How the ledger is opened at the next boot.
    pub(crate) ledger: OpenOptions,
    /// How long outside services may take, from the next boot on.
    pub(crate) patience: HttpOptions,
    settings: Vec<(String, String)>,
    /// The text of the configuration file, from the next boot on.
    pub(crate) file: String,
    machine: Option<Machine>,
    log: Log,
    /// Stays the same over restarts and crashes.
    listener: TcpListener,
    address: String,
}

impl World {
    /// A world without callspool; add settings with [`World::set`], then [`World::boot`]. `None`: that database is not to
    /// be had here.
    pub(crate) async fn prepare(kind: Kind) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let database = Database::create(kind, folder.path()).await?;
        let clock = ManualClock::new(Timestamp::from_rfc2822("Fri, 15 Mar 2024 14:30:22 +0000").expect("date"));
        let account = AccountSid::parse(ACCOUNT).expect("account");
        let options = TwilioOptions::new(Clock::Manual(clock.clone()), account, TOKEN);
        let twilio = Twilio::start(options).await.expect("the stand-in starts");
        let settings = [
            ("TWILIO_ACCOUNT_SID", ACCOUNT.to_owned()),
            ("TWILIO_AUTH_TOKEN", TOKEN.to_owned()),
            ("TWILIO_API_URL", twilio.base_url().to_owned()),
            // Stories count requests; those about scans switch them on.
            ("RECONCILE_EVERY", "never".to_owned()),
            ("DATABASE_URL", database.url().to_owned()),
            ("ARCHIVE_URL", format!("file://{}", folder.path().join("archive").display())),
        ];
        let settings = settings.map(|(name, text)| (name.to_owned(), text)).to_vec();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        let listener = listen();
        let address = format!("http://{}", listener.local_addr().expect("address"));
        let (ledger, patience) = (OpenOptions::default(), patient());
        Some(Self {
            twilio,
            clock,
            database,
            folder,
            http,
            ledger,
            patience,
            settings,
            file: String::new(),
            machine: None,
            log: Log::default(),
            listener,
            address,
        })
    }

    /// Sets or changes a setting for the next boot.
    pub(crate) fn set(&mut self, name: &str, text: impl Into<String>) {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), text.into()));
    }

    /// Takes a setting away for the next boot.
    pub(crate) fn unset(&mut self, name: &str) {
        self.settings.retain(|(known, _)| known != name);
    }

    /// What a setting is now.
    pub(crate) fn setting(&self, name: &str) -> Option<String> {
        self.settings.iter().find(|(known, _)| known == name).map(|(_, text)| text.clone())
    }

    /// A server that nobody has any business with.
    pub(crate) fn listen_for_nobody() -> Nobody {
        Nobody(listen())
    }

    /// Starts callspool in this world.
    pub(crate) async fn boot(&mut self) {
        assert!(self.boot_unless(std::future::pending()).await);
    }

    /// The same, unless `dead` comes before it serves; returns whether it does.
    pub(crate) async fn boot_unless(&mut self, dead: impl Future<Output = ()>) -> bool {
        let listener = self.listener.try_clone().expect("a listener");
        self.machine = Machine::boot(self.boot_options(), listener, dead).await;
        self.machine.is_some()
    }

    /// Starts one more node on the same database, which has to be PostgreSQL's; its links are the first one's.
    pub(crate) async fn another_node(&self) -> Machine {
        let node = Machine::boot(self.boot_options(), listen(), std::future::pending()).await;
        node.expect("nothing comes before it serves")
    }

    fn boot_options(&self) -> Boot {
        let settings: Vec<(&str, &str)> = self.environment().collect();
        let settings = Settings::merge(&self.file, &settings).expect("the story's file is right");
        let config = Config::read(settings).expect("the story's settings are right");
        if std::env::var("CALLSPOOL_TEST_LOG").is_ok() {
            callspool::lifecycle::log::start(&config.server);
        }
        let clock = Clock::Manual(self.clock.clone());
        Boot { config, clock, patience: self.patience.clone(), ledger: self.ledger.clone(), log: self.log.clone() }
    }

    /// The settings, as a process gets them.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        let settings = self.settings.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        settings.chain([("APP_URL", self.address.as_str())])
    }

    /// Stops callspool as the operating system would ask it to.
    pub(crate) async fn stop(&mut self) {
        self.machine.take().expect("callspool runs").stop().await;
    }

    /// The power fails, at once; files that were being written stay as they are, held by nobody. No effect where callspool
    /// does not run.
    pub(crate) async fn crash(&mut self) {
        let Some(machine) = self.machine.take() else { return };
        let growing = self.archive_files().into_iter().filter(|key| key.starts_with(".callspool-tmp/"));
        let growing = growing.map(|key| self.archive_folder().join(key));
        let left: Vec<_> = growing.filter_map(|path| Some((std::fs::read(&path).ok()?, path))).collect();
        machine.crash().await;
        // The end of a task removes its file; the end of a machine does not.
        for (bytes, path) in left {
            std::fs::write(path, bytes).expect("the folder is there");
        }
    }

    /// From now on the story goes on with this node of its database.
    pub(crate) fn run_on(&mut self, node: Machine) {
        self.machine = Some(node);
    }

    /// Lets every lease run out, as time would.
    pub(crate) async fn let_leases_run_out(&self) {
        self.database.execute("UPDATE steps SET lease_until = 0 WHERE state = 'running'").await;
    }

    /// Stops and starts it.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.boot().await;
    }

    /// Starts it again with a time-out that a story about silence can afford to wait for.
    pub(crate) async fn grow_impatient(&mut self) {
        self.patience.read_timeout = IMPATIENT;
        self.restart().await;
    }

    /// The running program.
    pub(crate) fn app(&self) -> &Arc<App> {
        self.machine.as_ref().expect("callspool runs").app()
    }

    /// A URL of callspool.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    /// The story's account.
    pub(crate) fn account(&self) -> AccountSid {
        AccountSid::parse(ACCOUNT).expect("account")
    }

    /// Speech of ten seconds on two channels.
    pub(crate) fn speech() -> Audio {
        Audio::seconds(10)
    }

    /// Places a call whose recording is announced as completed; `query` like `?job=JOB1`.
    pub(crate) async fn call(&self, query: &str) -> PlacedCall {
        let place = PlaceCall::new(self.account(), self.url(&format!("/api/twilio/recording{query}")), Self::speech());
        let placed = self.twilio.place_call(place).await;
        assert!(placed.callbacks.iter().all(|callback| callback.is_accepted()), "{:?}", placed.callbacks);
        placed
    }

    /// A fresh API token.
    pub(crate) async fn token(&self, role: Role) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let n = NUMBER.fetch_add(1, Ordering::Relaxed);
        let token = format!("token-{n}-{}", role.as_str());
        let hash = hex::encode(Sha256::digest(&token));
        self.app().store.create_token(&format!("T{n}"), "story", role, &hash, self.clock.now()).await.expect("stored");
        token
    }

    /// `PUT` as an operator; the status and the JSON of the answer.
    pub(crate) async fn put(&self, path: &str, body: Value) -> (u16, Value) {
        let token = self.token(Role::Operator).await;
        let request = self.http.put(self.url(path)).bearer_auth(token).json(&body);
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }

    /// What the ledger says of a recording.
    pub(crate) async fn recording(&self, sid: &RecordingSid) -> RecordingRow {
        self.app().store.recording(sid).await.expect("the store answers").expect("the recording is known")
    }

    /// The step of this name on a subject.
    pub(crate) async fn step(&self, name: StepName, subject: Subject) -> StepRow {
        let steps = self.app().store.steps_of(&subject).await.expect("the store answers");
        steps.into_iter().find(|step| step.name == name).unwrap_or_else(|| panic!("no {name} of {subject}"))
    }

    /// A job's built-in history.
    pub(crate) async fn history(&self, job: &str) -> String {
        let job = JobId::parse(job).expect("job id");
        self.app().store.job(&job).await.expect("the store answers").map(|job| job.history).unwrap_or_default()
    }

    /// How many recordings a job's built-in history has, apart from words about their delay.
    pub(crate) async fn recorded(&self, job: &str) -> usize {
        self.history(job).await.matches(" | Event: Recording | ").count()
    }

    /// Ends the story: stops callspool and fails where the stand-ins saw what the real ones would refuse.
    pub(crate) async fn end(mut self) {
        if self.machine.is_some() {
            self.stop().await;
        }
        assert_eq!(self.twilio.unexpected_requests(), Vec::<String>::new());
        self.database.drop().await;
    }
}

/// An address to which nobody should connect.
pub(crate) struct Nobody(TcpListener);

impl Nobody {
    /// The address.
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.0.local_addr().expect("address")
    }

    /// True where no connection waits to be taken.
    pub(crate) fn was_left_alone(&self) -> bool {
        self.0.set_nonblocking(true).expect("a socket");
        self.0.accept().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }
}
