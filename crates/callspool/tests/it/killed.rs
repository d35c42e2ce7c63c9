//! The real process, killed with SIGKILL at random moments under load: every recording is archived once, every line is
//! written once, nothing is released early.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use callspool_domain::audio::AudioFormat;
use callspool_domain::{AccountSid, Clock, JobId, Policy, RecordingSid, StepState, Subject};
use callspool_sandbox::twilio::{Audio, NewRecording, Route, Word};
use callspool_sandbox::{Fault, Twilio, TwilioOptions};
use callspool_store::{OpenOptions, Store};
use sha2::{Digest as _, Sha256};

use crate::harness::process::{Process, Program};
use crate::harness::{ACCOUNT, Database, Kind, TOKEN};

const RECORDINGS: usize = 120;
const KILLS: u64 = 20;
const JOBS: usize = 5;
const DELAY: Duration = Duration::from_secs(1);

/// The outside world of the killed process, in real time.
struct Scene {
    twilio: Arc<Twilio>,
    database: Database,
    folder: tempfile::TempDir,
}

impl Scene {
    async fn set(kind: Kind) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let database = Database::create(kind, folder.path()).await?;
        let account = AccountSid::parse(ACCOUNT).expect("account");
        let twilio =
            Twilio::start(TwilioOptions::new(Clock::System, account, TOKEN)).await.expect("the stand-in starts");
        Some(Self { twilio: Arc::new(twilio), database, folder })
    }

    fn program(&self) -> Program {
        let archive = self.folder.path().join("archive");
        Program::new(&[
            ("DATABASE_URL", self.database.url().to_owned()),
            ("ARCHIVE_URL", format!("file://{}", archive.display())),
            ("TWILIO_ACCOUNT_SID", ACCOUNT.to_owned()),
            ("TWILIO_AUTH_TOKEN", TOKEN.to_owned()),
            ("TWILIO_API_URL", self.twilio.base_url().to_owned()),
            ("TWILIO_DELETE_AFTER", format!("{}s", DELAY.as_secs())),
        ])
    }

    /// Announces recordings one after the other, each to one of the nodes, again until it is accepted, as a provider does
    /// that was asked to retry.
    async fn load(twilio: Arc<Twilio>, nodes: Vec<String>) -> Vec<(RecordingSid, String)> {
        let mut announced = Vec::new();
        for n in 0..RECORDINGS {
            let account = AccountSid::parse(ACCOUNT).expect("account");
            let call = twilio.new_call_sid();
            let recording = twilio.add_recording(NewRecording::new(account, Audio::seconds(5)).of_call(call));
            let job = format!("JOB{}", n % JOBS);
            let mut attempt = n;
            loop {
                let url = format!("{}/api/twilio/recording?job={job}", nodes[attempt % nodes.len()]);
                let answer =
                    twilio.announce_status(&recording, &url, Word::Completed).await.expect("a known recording");
                if answer.is_accepted() {
                    break;
                }
                attempt += 1;
                tokio::task::yield_now().await;
            }
            announced.push((recording, job));
        }
        announced
    }

    /// Announces one recording.
    async fn announce(&self, program: &Program) -> RecordingSid {
        let account = AccountSid::parse(ACCOUNT).expect("account");
        let call = self.twilio.new_call_sid();
        let recording = self.twilio.add_recording(NewRecording::new(account, Audio::seconds(5)).of_call(call));
        let url = program.url("/api/twilio/recording?job=JOB0");
        let answer = self.twilio.announce_status(&recording, &url, Word::Completed).await.expect("a known recording");
        assert!(answer.is_accepted(), "{answer:?}");
        recording
    }

    /// The ledger, beside the program.
    async fn store(&self) -> Store {
        let policy = Policy {
            app_url: String::new(),
            delete_after: Some(DELAY),
            release_without_job: false,
            find_jobs: false,
            recording_max: None,
            recording_keys: std::collections::BTreeSet::new(),
        };
        Store::open(self.database.url(), policy, OpenOptions::default()).await.expect("the ledger opens")
    }

    /// What an auditor finds who knows nothing of callspool but its database, its folder and the provider.
    async fn audit(self, announced: &[(RecordingSid, String)]) {
        let store = self.store().await;
        let mut keys = BTreeSet::new();
        for (recording, job) in announced {
            let row =
                store.recording(recording).await.expect("the store answers").expect("an accepted callback is stored");
            let archive = row.archive.expect("archived");
            let bytes =
                std::fs::read(self.folder.path().join("archive").join(&archive.object_key)).expect("the object");
            let sha256 = Some(hex::encode(Sha256::digest(&bytes)));
            assert_eq!(
                sha256,
                self.twilio.media_sha256(recording, AudioFormat::Wav),
                "the archive copy is what was made"
            );
            assert!(keys.insert(archive.object_key), "two recordings at one key");

            let history =
                store.job(&JobId::parse(job).expect("job")).await.expect("the store answers").expect("job").history;
            assert_eq!(history.lines().filter(|line| line.contains(recording.as_str())).count(), 1, "{history}");

            let deleted = self.twilio.recording(recording).expect("known").deleted.expect("released");
            let verified = archive.verified_at.expect("verified");
            assert!(deleted >= verified + DELAY, "released early: verified {verified}, deleted {deleted}");
        }
        assert_eq!(keys.len(), self.objects(), "an object too many");
        store.close().await;
        assert_eq!(self.twilio.unexpected_requests(), Vec::<String>::new());
        self.database.drop().await;
    }

    /// Every file in the archive, but the one that holds the folder's id.
    fn files(&self) -> usize {
        count(&self.folder.path().join("archive")) - 1
    }

    /// The same without what a killed process was writing: the next start removes that.
    fn objects(&self) -> usize {
        self.files() - count(&self.folder.path().join("archive/.callspool-tmp"))
    }

    /// Waits until the provider has let so many go.
    async fn released(&self, recordings: usize) {
        let all = self.twilio.wait_for(Route::Delete, recordings as u64);
        tokio::time::timeout(Duration::from_secs(120), all).await.expect("everything is released");
        let gone = async {
            while self.twilio.deleted().len() < recordings {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(120), gone).await.expect("everything is released");
    }
}

/// How many files there are below a folder.
fn count(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
}

/// Numbers that look random and are the same in every run.
fn dice(n: u64) -> u64 {
    let digest = Sha256::digest(n.to_le_bytes());
    u64::from(digest[0]) | u64::from(digest[1]) << 8
}

async fn killed_twenty_times(kind: Kind) {
    let Some(scene) = Scene::set(kind).await else { return };
    let program = scene.program();
    let mut process = program.start().await;
    let load = tokio::spawn(Scene::load(Arc::clone(&scene.twilio), vec![program.url("")]));
    for kill in 0..KILLS {
        // Dies at a random request of its own, so that every step is hit somewhere.
        let route = if dice(kill).is_multiple_of(3) { Route::Delete } else { Route::Media };
        let target = scene.twilio.count(route) + 1 + dice(kill + 1000) % 7;
        drop(tokio::time::timeout(Duration::from_secs(2), scene.twilio.wait_for(route, target)).await);
        process.kill();
        process = program.start().await;
    }
    let announced = load.await.expect("the load ends");
    scene.released(RECORDINGS).await;
    assert!(process.terminate(), "it ends well when asked to");
    scene.audit(&announced).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_twenty_times_on_sqlite_nothing_is_lost() {
    killed_twenty_times(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_twenty_times_on_postgres_nothing_is_lost() {
    killed_twenty_times(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_share_the_work_and_one_may_die() {
    let Some(scene) = Scene::set(Kind::Postgres).await else { return };
    let programs = [scene.program(), scene.program(), scene.program()];
    let mut nodes: Vec<Process> = Vec::new();
    for program in &programs {
        nodes.push(program.start().await);
    }
    let load =
        tokio::spawn(Scene::load(Arc::clone(&scene.twilio), programs.iter().map(|program| program.url("")).collect()));
    scene.twilio.wait_for(Route::Media, 30).await;
    nodes.remove(1).kill();
    let announced = load.await.expect("the load ends");
    scene.released(RECORDINGS).await;
    for node in nodes {
        assert!(node.terminate());
    }
    scene.audit(&announced).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asked_to_end_in_the_middle_of_a_transfer_it_hands_the_step_back() {
    let scene = Scene::set(Kind::Sqlite).await.expect("SQLite is always there");
    let program = scene.program();
    let process = program.start().await;
    // Never stalls for good and never ends, so that only the end of the process can cut it off.
    scene.twilio.faults().always(Route::Media, Fault::Drip { bytes: 1, every: Duration::from_millis(200) });
    let recording = scene.announce(&program).await;
    scene.twilio.wait_for(Route::Media, 1).await;
    assert!(process.terminate(), "it ends well when asked to");

    let store = scene.store().await;
    let steps = store.steps_of(&Subject::Recording(recording.clone())).await.expect("the store answers");
    let [step] = steps.as_slice() else { panic!("one step, not {steps:?}") };
    assert_eq!((step.state, step.failures, &step.owner), (StepState::Waiting, 0, &None), "handed back, not failed");
    store.close().await;
    assert_eq!(scene.files(), 0, "what was written so far is removed");

    scene.twilio.faults().clear_all();
    let process = program.start().await;
    scene.released(1).await;
    assert!(process.terminate());
    scene.audit(&[(recording, "JOB0".to_owned())]).await;
}
