//! Recordings that callspool starts and stops by a request, while that request meets each fault: the step says what is wrong,
//! and in the end one recording was started, was stopped in time, and is archived and told of once.

use std::time::Duration;

use callspool_domain::recording::Status;
use callspool_domain::{CallSid, Code, RecordingSid, StepName, StepState, Subject};
use callspool_sandbox::Fault;
use callspool_sandbox::twilio::{Call, Route, SendCallback, Signed};
use callspool_store::StepRow;

use super::endpoints::Endpoint;
use super::expected::{Outcome, is_slow, of_the_provider, refusal};
use super::faults;
use super::scene::{DAY, SPREAD};
use crate::harness::{ACCOUNT, IMPATIENT, Kind, Nobody, World};

/// The requests that starting and stopping needs.
pub(super) const ASKED: [Route; 3] = [Route::Recordings, Route::Start, Route::Update];

const NUMBER: &str = "+14155550199";
const FILE: &str = "[[voice]]\nnumber = \"+14155550199\"\n[voice.recording]\nstart = \"rest\"";
/// `RECORDING_MAX`: what a call of the matrix lasts.
const MAX: Duration = Duration::from_secs(60);
/// How many times the clock is turned for a step to be done.
const TURNS: usize = 6;

/// What a fault comes to.
fn expected(route: Route, fault: &Fault) -> Outcome {
    match (route, refusal(fault)) {
        // A call that the provider does not know has no recordings; whether it can be recorded shows next.
        (Route::Recordings, Some(404)) => Outcome::Harmless,
        (Route::Start, Some(404)) => Outcome::Waits(&[Code::CallNotInProgress]),
        // It is asked what the recording does, and that runs.
        (Route::Update, Some(404)) => Outcome::Waits(&[Code::MediaNotReady]),
        _ if is_slow(fault) => Outcome::Harmless,
        // What is said of a recording is read here as it is there.
        _ => of_the_provider(Endpoint::WhyThereIsNoMedia, fault),
    }
}

/// A world in which one call after the other is recorded by a request.
struct Scene {
    world: World,
    route: Route,
    nobody: Nobody,
    calls: Vec<CallSid>,
}

impl Scene {
    async fn set(route: Route, kind: Kind, silent: bool) -> Option<Self> {
        let mut world = World::prepare(kind).await?;
        world.file = FILE.to_owned();
        world.set("RECORDING_MAX", format!("{}s", MAX.as_secs()));
        if silent {
            world.patience.read_timeout = IMPATIENT;
        }
        world.boot().await;
        Some(Self { world, route, nobody: World::listen_for_nobody(), calls: Vec::new() })
    }

    fn job(&self) -> String {
        format!("J{}", self.calls.len())
    }

    fn call(&self) -> &CallSid {
        self.calls.last().expect("a call")
    }

    /// From the word that a call was answered to the line of its recording.
    async fn play(&mut self, fault: &Fault) {
        self.answer().await;
        let stops = self.route == Route::Update;
        if !stops {
            self.world.twilio.faults().always(self.route, fault.clone());
        }
        self.tell().await;
        if stops {
            self.comes_true(StepName::Record, fault).await;
            self.world.twilio.faults().always(self.route, fault.clone());
            self.world.advance(MAX).await;
            self.meets(StepName::Stop, fault).await;
        } else {
            self.meets(StepName::Record, fault).await;
            self.world.advance(MAX).await;
        }
        self.comes_true(StepName::Stop, fault).await;
        self.deliver().await;
        let made = self.made();
        let [sid] = made.as_slice() else { panic!("one recording, not {made:?}: {fault:?}") };
        let row = self.world.recording(sid).await;
        assert_eq!((row.status, &row.call), (Status::Archived, self.call()), "{fault:?}");
        let history = self.world.history(&self.job()).await;
        let lines: Vec<&str> = history.lines().filter(|line| line.contains(sid.as_str())).collect();
        assert_eq!(lines.len(), 1, "{fault:?}: {history:?}");
        assert!(lines.iter().all(|line| line.contains(" | Event: Recording | ")), "{fault:?}: {history:?}");
    }

    /// While the fault lasts, for two attempts; then the world heals.
    async fn meets(&self, name: StepName, fault: &Fault) {
        for first in [true, false] {
            let step = self.step(name).await;
            match expected(self.route, fault) {
                Outcome::Harmless => assert_eq!(step.state, StepState::Done, "{fault:?}: {step:?}"),
                // What was carried out although nobody said so is found by the next attempt.
                Outcome::Waits(_) if !first && step.state == StepState::Done => {}
                Outcome::Waits(codes) => {
                    // One that the first attempt has stopped can't be stopped again, and the refusal is broken too.
                    let refused = !first && step.code == Some(Code::ProviderRejected) && self.is_stopped();
                    let expected = refused || step.code.is_some_and(|code| codes.contains(&code));
                    assert!(step.state == StepState::Waiting && expected, "{fault:?}, not {codes:?}: {step:?}");
                    self.wait_for(&step).await;
                }
                other => panic!("{other:?} is nothing that starting and stopping comes to"),
            }
            assert!(self.made().len() <= 1, "a second recording: {fault:?}");
        }
        self.world.twilio.faults().clear_all();
        self.comes_true(name, fault).await;
    }

    /// Turns the clock to the next attempt. Nobody talks for as long as a service may ask to be left alone: the call ends
    /// meanwhile, and with it its recording.
    async fn wait_for(&self, step: &StepRow) {
        let wait = step.due_at.since(self.world.clock.now());
        assert!(wait <= DAY + SPREAD, "waits too long: {step:?}");
        if wait > MAX && step.name == StepName::Stop {
            self.world.twilio.set_call_status(self.call(), "completed");
        }
        self.world.advance(wait).await;
    }

    async fn comes_true(&self, name: StepName, fault: &Fault) {
        for _ in 0..TURNS {
            let step = self.step(name).await;
            if step.state == StepState::Done {
                return;
            }
            self.wait_for(&step).await;
        }
        let step = self.step(name).await;
        assert_eq!(step.state, StepState::Done, "it did not heal: {fault:?}, {step:?}");
    }

    /// Somebody answers a new call.
    async fn answer(&mut self) {
        let sid = self.world.twilio.new_call_sid();
        self.world.twilio.add_call(Call {
            sid: sid.clone(),
            account: self.world.account(),
            parent: None,
            from: "+14155550100".to_owned(),
            to: NUMBER.to_owned(),
            status: "in-progress".to_owned(),
            started: self.world.clock.now(),
            seconds: 0,
        });
        self.calls.push(sid);
    }

    async fn tell(&self) {
        let fields = [
            ("AccountSid", ACCOUNT),
            ("CallSid", self.call().as_str()),
            ("CallStatus", "in-progress"),
            ("Direction", "inbound"),
            ("To", NUMBER),
        ];
        let params = fields.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec();
        let url = self.world.url(&format!("/api/twilio/status?job={}", self.job()));
        let callback = SendCallback { url, params, signed: Signed::By(self.world.account()) };
        assert!(self.world.twilio.send_callback(&callback).await.is_accepted());
        self.world.settle().await;
    }

    async fn deliver(&self) {
        let answers = self.world.twilio.deliver().await;
        assert!(answers.iter().all(|answer| answer.is_accepted()), "{answers:?}");
        self.world.settle().await;
    }

    /// The recordings of the present call.
    fn made(&self) -> Vec<RecordingSid> {
        let all = self.world.twilio.recordings().into_iter();
        all.filter(|one| one.spec.call.as_ref() == Some(self.call())).map(|one| one.sid).collect()
    }

    /// Whether the recording of the present call is over.
    fn is_stopped(&self) -> bool {
        self.made().iter().filter_map(|sid| self.world.twilio.recording(sid)).any(|one| one.status == "completed")
    }

    async fn step(&self, name: StepName) -> StepRow {
        let subject = match (name, self.made().first()) {
            (StepName::Stop, Some(sid)) => Subject::Recording(sid.clone()),
            _ => Subject::Call(self.call().clone()),
        };
        self.world.step(name, subject).await
    }

    async fn end(self) {
        assert_eq!(self.world.twilio.recordings().len(), self.calls.len());
        let started = "SELECT CAST(COUNT(*) AS TEXT) FROM events WHERE kind = 'recording_started'";
        assert_eq!(self.world.database.texts(started).await, [self.calls.len().to_string()]);
        assert!(self.nobody.was_left_alone(), "a redirect was followed");
        self.world.end().await;
    }
}

async fn every_fault_of(route: Route, kind: Kind) {
    for silent in [false, true] {
        let Some(mut scene) = Scene::set(route, kind, silent).await else { return };
        for fault in faults::of(&scene.nobody, silent) {
            scene.play(&fault).await;
        }
        scene.end().await;
    }
}

macro_rules! matrix {
    ($($name:ident: $route:ident;)*) => {$(
        mod $name {
            use super::{Kind, Route, every_fault_of};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                every_fault_of(Route::$route, Kind::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                every_fault_of(Route::$route, Kind::Postgres).await;
            }
        }
    )*};
}

matrix! {
    looking_which_recordings_a_call_has: Recordings;
    starting_a_recording: Start;
    stopping_a_recording: Update;
}
