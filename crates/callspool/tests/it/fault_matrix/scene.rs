//! One world of the matrix: callspool between all three stand-ins, and one call after the other with a fault of its own.

use std::collections::HashSet;
use std::time::Duration;

use callspool_clients::archive::PART_BYTES;
use callspool_domain::audio::AudioFormat;
use callspool_domain::recording::Status;
use callspool_domain::{CallSid, JobId, RecordingSid, StepName, StepState, Subject, Timestamp};
use callspool_sandbox::faults::Faults;
use callspool_sandbox::server::Route;
use callspool_sandbox::twilio::{Audio, Call, NewRecording, Route as ProviderRoute, SendCallback, Signed, Word};
use callspool_sandbox::{Brand, Fault, Request, s3};
use callspool_store::{RetryWhat, StepRow, kind};
use http::StatusCode;
use sha2::{Digest as _, Sha256};

use super::endpoints::{Asked, Endpoint, NEVER_ASKED};
use super::expected::{Outcome, expected};
use super::faults;
use crate::harness::{Bucket, IMPATIENT, Kind, Nobody, Table, World};

/// Longer than any back-off, penalty or wait for a probe.
const LATER: Duration = Duration::from_secs(360);
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);
/// What a step's due time may be spread by.
pub(super) const SPREAD: Duration = Duration::from_secs(12);
/// What stood in a history before.
const PRIOR: &str = "called back twice\r\n";
/// How many times the clock is turned for a world to come right again.
const TURNS: usize = 4;

/// How long the outside may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// So long that a busy machine is not taken for a silent service.
    Usual,
    /// As short as a story about silence needs.
    Short,
}

/// A world in which one request after the other meets a fault.
pub(super) struct Scene {
    world: World,
    bucket: Bucket,
    table: Table,
    endpoint: Endpoint,
    patience: Patience,
    nobody: Nobody,
    cells: Vec<Cell>,
}

/// One call, and the fault it met.
#[derive(Debug, Clone)]
struct Cell {
    fault: Fault,
    call: CallSid,
    recording: RecordingSid,
    job: JobId,
    record: String,
}

impl Cell {
    /// How many lines report this of its recording. One that archiving is delayed may come first.
    fn lines_in(&self, history: &str, event: &str) -> usize {
        let event = format!(" | Event: {event} | ");
        history.lines().filter(|line| line.contains(&event) && line.contains(self.recording.as_str())).count()
    }
}

impl Scene {
    /// Sets it. `None`: that database is not to be had here.
    pub(super) async fn set(endpoint: Endpoint, brand: Brand, kind: Kind, patience: Patience) -> Option<Self> {
        let mut world = World::prepare(kind).await?;
        let bucket = Bucket::of(brand, &mut world).await;
        let table = Table::beside(&mut world).await;
        // Where the release itself is looked at, it comes soon; elsewhere after everything else.
        let delay = if endpoint.step() == StepName::Release { "1h" } else { "90d" };
        world.set("TWILIO_DELETE_AFTER", delay);
        if patience == Patience::Short {
            world.patience.read_timeout = IMPATIENT;
        }
        world.boot().await;
        let nobody = World::listen_for_nobody();
        Some(Self { world, bucket, table, endpoint, patience, nobody, cells: Vec::new() })
    }

    /// The faults that can be played here.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults = faults::of(&self.nobody, self.patience == Patience::Short);
        // How an upload goes, at whose store, and on which database have nothing to do with one another. Where two of them
        // are not the plain case, one fault of each kind shows it; where all three are not, two faults do.
        let unusual = [self.endpoint.is_in_parts(), self.bucket.brand() != Brand::S3, self.world.database.is_shared()];
        let unusual = unusual.into_iter().filter(|unusual| *unusual).count();
        if unusual >= 2 {
            let mut kinds = HashSet::new();
            faults.retain(|fault| kinds.insert(fault.kind()));
        }
        if unusual == 3 {
            faults.truncate(2);
        }
        faults.retain(|fault| !matches!(expected(self.endpoint, self.bucket.brand(), fault), Outcome::LeftOut(_)));
        faults
    }

    /// Lets one request meet this fault, for two attempts, and the world heal.
    pub(super) async fn play(&mut self, fault: Fault) {
        let cell = self.cell(fault).await;
        let outcome = expected(self.endpoint, self.bucket.brand(), &cell.fault);
        self.lead_up(&cell).await;
        let met = self.met(&cell.fault);
        self.script(&cell.fault);
        self.trigger(&cell).await;
        assert!(self.met(&cell.fault) > met, "never met: {}", self.say(&cell).await);
        self.check_meanwhile(&cell, outcome, true).await;
        // Nine million bytes an attempt, or seconds of real time: one shows it.
        if !self.endpoint.is_in_parts() && self.patience == Patience::Usual {
            self.world.advance(LATER).await;
            self.check_meanwhile(&cell, outcome, false).await;
        }
        self.heal(&cell).await;
        self.check_archived_and_linked(&cell).await;
        self.cells.push(cell);
    }

    /// A call with a record of its own.
    async fn cell(&self, fault: Fault) -> Cell {
        let (call, parent) = (self.world.twilio.new_call_sid(), self.world.twilio.new_call_sid());
        let job = format!("JOB{}", self.cells.len());
        let named = if self.endpoint == Endpoint::ParentCall { &parent } else { &call };
        let cells = [("Job ID", job.as_str()), ("Call SID", named.as_str()), ("job_history", PRIOR)];
        let record = self.table.add_record(&cells);
        self.world.twilio.add_call(Call {
            sid: call.clone(),
            account: self.world.account(),
            parent: Some(parent),
            from: "+14155550100".to_owned(),
            to: "+14155550199".to_owned(),
            status: "completed".to_owned(),
            started: self.world.clock.now(),
            seconds: 1,
        });
        let audio =
            if self.endpoint.is_in_parts() { Audio::wav_bytes(PART_BYTES as u64 + 1000) } else { Audio::seconds(1) };
        let recording = NewRecording::new(self.world.account(), audio).of_call(call.clone());
        let recording = self.world.twilio.add_recording(recording);
        Cell { fault, call, recording, job: JobId::parse(&job).expect("a job"), record }
    }

    /// Brings the call to where the request comes next.
    async fn lead_up(&self, cell: &Cell) {
        let provider = self.world.twilio.faults();
        match self.endpoint {
            Endpoint::WhyThereIsNoMedia => {
                provider.always(ProviderRoute::Media, Fault::status(StatusCode::NOT_FOUND));
            }
            Endpoint::AbortUpload => {
                // Past the first part.
                let cut = Fault::Truncate { bytes: PART_BYTES as u64 + 500, announced: true };
                provider.always(ProviderRoute::Media, cut);
            }
            Endpoint::WhoseIsIt | Endpoint::WhatIsInIt => {
                // The object is there, and callspool does not know.
                self.bucket.faults().next(s3::Route::PutObject, Fault::LostReply);
                self.announce(cell).await;
                assert_eq!(self.step(cell).await.state, StepState::Waiting);
            }
            Endpoint::Deletion | Endpoint::ReadBeforeRelease => {
                self.announce(cell).await;
                self.check_archived_and_linked(cell).await;
            }
            _ => {}
        }
    }

    /// What meets the fault.
    fn asked(&self) -> Asked {
        self.endpoint.asked(self.bucket.brand())
    }

    fn script(&self, fault: &Fault) {
        fn script<R: Route>(faults: &Faults<R>, route: R, before: u32, fault: &Fault) {
            if before > 0 {
                faults.times(route, before, Fault::Delay(Duration::ZERO));
            }
            faults.always(route, fault.clone());
        }
        let before = self.endpoint.comes_after(self.bucket.brand());
        match self.asked() {
            Asked::Provider(route) => script(self.world.twilio.faults(), route, before, fault),
            Asked::Archive(_, route) => script(self.bucket.faults(), route, before, fault),
            Asked::Records(route) => script(self.table.faults(), route, before, fault),
        }
    }

    /// How often a request of this kind has met the fault in this world.
    fn met(&self, fault: &Fault) -> usize {
        fn count<R: PartialEq>(requests: &[Request<R>], route: R, fault: &Fault) -> usize {
            let met = |seen: &&Request<R>| seen.route.as_ref() == Some(&route) && seen.fault.as_ref() == Some(fault);
            requests.iter().filter(met).count()
        }
        match self.asked() {
            Asked::Provider(route) => count(&self.world.twilio.requests(), route, fault),
            Asked::Archive(_, route) => count(&self.bucket.requests(), route, fault),
            Asked::Records(route) => count(&self.table.requests(), route, fault),
        }
    }

    /// Lets the request be sent.
    async fn trigger(&self, cell: &Cell) {
        match self.endpoint {
            Endpoint::WhoseIsIt | Endpoint::WhatIsInIt => self.world.advance(LATER).await,
            Endpoint::Deletion | Endpoint::ReadBeforeRelease => self.world.advance(Duration::from_secs(3600)).await,
            _ => self.announce(cell).await,
        }
    }

    /// Tells callspool that the recording is complete.
    async fn announce(&self, cell: &Cell) {
        let known = !matches!(self.endpoint, Endpoint::ParentCall | Endpoint::FindJob);
        let query = if known { format!("?job={}", cell.job) } else { String::new() };
        let url = self.world.url(&format!("/api/twilio/recording{query}"));
        let mut params = self.world.twilio.callback_params(&cell.recording, &Word::Completed).expect("known");
        if self.endpoint == Endpoint::WhenItBegan {
            params.retain(|(name, _)| name != "RecordingStartTime");
        }
        let callback = SendCallback { url, params, signed: Signed::By(self.world.account()) };
        assert!(self.world.twilio.send_callback(&callback).await.is_accepted());
        self.world.settle().await;
    }

    /// What the fault does, and what it must not.
    async fn check_meanwhile(&self, cell: &Cell, outcome: Outcome, first: bool) {
        let step = self.step(cell).await;
        match outcome {
            Outcome::LeftOut(reason) => panic!("left out, since {reason}"),
            Outcome::Harmless => assert_eq!(step.state, StepState::Done, "{}", self.say(cell).await),
            // What was carried out although nobody said so is found by the next attempt.
            _ if !first && step.state == StepState::Done => {}
            Outcome::Waits(codes) => {
                let expected = step.code.is_some_and(|code| codes.contains(&code));
                assert!(step.state == StepState::Waiting && expected, "not {codes:?}: {}", self.say(cell).await);
                let wait = step.due_at.since(self.world.clock.now());
                assert!(wait <= DAY + SPREAD, "waits too long: {}", self.say(cell).await);
            }
            Outcome::Parks(code) => {
                assert_eq!((step.state, step.code), (StepState::Parked, Some(code)), "{}", self.say(cell).await);
            }
        }
        let history = self.table.history(&cell.record);
        let lines = cell.lines_in(&history, "Recording");
        assert!(history.starts_with(PRIOR) && lines <= 1, "{history:?}");
        let archived = self.world.recording(&cell.recording).await.status == Status::Archived;
        assert!(archived || lines == 0, "a line without a recording: {}", self.say(cell).await);
        let is_over = self.endpoint.step() == StepName::Release;
        assert!(is_over || self.world.twilio.deleted().is_empty(), "released early: {}", self.say(cell).await);
    }

    /// Takes every fault away and waits until the step is done.
    async fn heal(&self, cell: &Cell) {
        self.world.twilio.faults().clear_all();
        self.bucket.faults().clear_all();
        self.table.faults().clear_all();
        let now = self.world.clock.now();
        if self.step(cell).await.state == StepState::Parked {
            let retried = self.world.app().store.retry(RetryWhat::Recording(cell.recording.clone()), now).await;
            assert_eq!(retried.expect("the store answers"), 1, "{}", self.say(cell).await);
        }
        for _ in 0..TURNS {
            self.world.advance(LATER).await;
            if self.is_linked(cell).await {
                return;
            }
            let due = self.step(cell).await.due_at;
            self.world.advance(due.since(self.world.clock.now()).min(DAY + SPREAD)).await;
        }
        assert!(self.is_linked(cell).await, "it did not heal: {}", self.say(cell).await);
    }

    async fn is_linked(&self, cell: &Cell) -> bool {
        self.step(cell).await.state == StepState::Done
            && self.world.app().store.steps_of(&Subject::Job(cell.job.clone())).await.expect("the store answers")[..]
                .iter()
                .any(|step| step.name == StepName::Link && step.state == StepState::Done)
    }

    /// One object, equal to the provider's bytes; one line, after what stood there.
    async fn check_archived_and_linked(&self, cell: &Cell) {
        let row = self.world.recording(&cell.recording).await;
        assert_eq!(row.status, Status::Archived, "{}", self.say(cell).await);
        let copy = row.archive.expect("a copy");
        let object = self.bucket.object(&copy.object_key).expect("the object");
        let sha256 = hex::encode(Sha256::digest(object));
        assert_eq!(copy.sha256.as_ref(), Some(&sha256), "{}", self.say(cell).await);
        assert_eq!(Some(sha256), self.world.twilio.media_sha256(&cell.recording, AudioFormat::Wav));
        let history = self.table.history(&cell.record);
        let ours = history.strip_prefix(PRIOR).expect("what stood there before");
        let (lines, delays) = (cell.lines_in(ours, "Recording"), cell.lines_in(ours, "Recording pending upload"));
        assert!(lines == 1 && delays <= 1, "{history:?}, {}", self.say(cell).await);
        assert_eq!(ours.lines().count(), lines + delays, "{history:?}");
    }

    /// Ends it: everything is released, once, in its time; nothing is left over, and nobody was asked for anything else.
    pub(super) async fn end(self) {
        self.world.advance(90 * DAY).await;
        let mut deleted = self.world.twilio.deleted();
        deleted.sort();
        let mut recordings: Vec<RecordingSid> = self.cells.iter().map(|cell| cell.recording.clone()).collect();
        recordings.sort();
        assert_eq!(deleted, recordings, "each is released");
        for cell in &self.cells {
            let events = self.world.app().store.recording_events(&cell.recording, 200).await.expect("events");
            let receipts = events.iter().filter(|event| event.kind == kind::RELEASED).count();
            assert_eq!(receipts, 1, "one receipt: {:?}", cell.fault);
            let verified = self.world.recording(&cell.recording).await.archive.and_then(|copy| copy.verified_at);
            let released = self.world.twilio.recording(&cell.recording).and_then(|recording| recording.deleted);
            let delay = Duration::from_secs(3600);
            assert!(released >= verified.map(|at: Timestamp| at + delay), "released early: {:?}", cell.fault);
            assert_eq!(cell.lines_in(&self.table.history(&cell.record), "Recording"), 1);
        }
        assert_eq!(self.bucket.keys().len(), self.cells.len(), "an object for each recording, and no more");
        // An upload whose id was never told, or whose end was refused or out of patience, is the bucket's rule to remove.
        let is_ours_to_end = !matches!(self.endpoint, Endpoint::BeginUpload | Endpoint::AbortUpload);
        if is_ours_to_end && self.patience == Patience::Usual {
            // Or it is said to stay: it is ended by one request in the background, which a busy machine can cut off too.
            let said = || self.world.logged("a broken upload stays until the bucket's rule removes it").len();
            let ended = async || self.bucket.open_uploads().len() <= said();
            self.world.eventually("broken uploads to be aborted", ended).await;
        }
        for (asked, reason) in NEVER_ASKED {
            let times = match *asked {
                Asked::Provider(route) => self.world.twilio.count(route),
                Asked::Archive(brand, route) if brand == self.bucket.brand() => self.bucket.count(route),
                Asked::Archive(..) => 0,
                Asked::Records(route) => self.table.count(route),
            };
            assert_eq!(times, 0, "{asked:?} was asked; it is excused since {reason}");
        }
        assert!(self.nobody.was_left_alone(), "a redirect was followed");
        assert_eq!(self.bucket.unexpected_requests(), Vec::<String>::new());
        self.table.end(self.world).await;
    }

    /// The step that meets the fault.
    async fn step(&self, cell: &Cell) -> StepRow {
        let subject = match self.endpoint.step() {
            StepName::FindJob => Subject::Call(cell.call.clone()),
            StepName::Link => Subject::Job(cell.job.clone()),
            _ => Subject::Recording(cell.recording.clone()),
        };
        self.world.step(self.endpoint.step(), subject).await
    }

    /// The cell and where its step stands.
    async fn say(&self, cell: &Cell) -> String {
        let step = self.step(cell).await;
        let code = step.code.map(|code| code.as_str());
        let brand = self.bucket.brand();
        format!("{:?} ({brand:?}) with {:?}: {:?} {code:?} {:?}", self.endpoint, cell.fault, step.state, step.detail)
    }
}
