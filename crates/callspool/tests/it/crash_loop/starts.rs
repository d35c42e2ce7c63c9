//! Death before and after every commit and every request of starting a recording and stopping it: one recording, one line.

use std::time::Duration;

use callspool_domain::CallSid;
use callspool_domain::recording::Status;
use callspool_sandbox::twilio::{Call, Route, SendCallback, Signed};
use futures::{StreamExt as _, stream};

use super::WORLDS;
use super::fate::{Fate, Moment};
use crate::harness::{ACCOUNT, Kind, World};

const NUMBER: &str = "+14155550199";
const FILE: &str = "[[voice]]\nnumber = \"+14155550199\"\n[voice.recording]\nstart = \"rest\"";
/// Longer than any back-off that one death can lead to.
const A_WHILE: Duration = Duration::from_secs(90);

/// A call that is recorded by a request, in a world where callspool may die at any moment and rises again.
struct Life {
    world: World,
    fate: Fate,
    call: CallSid,
    /// Whether anything was told of it, so that there may be steps.
    told: bool,
}

impl Life {
    async fn prepare(kind: Kind, fate: Fate) -> Option<Self> {
        let mut world = World::prepare(kind).await?;
        world.file = FILE.to_owned();
        world.set("RECORDING_MAX", "10m");
        world.ledger.probe = Some(fate.of_commits());
        let call = world.twilio.new_call_sid();
        world.twilio.add_call(Call {
            sid: call.clone(),
            account: world.account(),
            parent: None,
            from: "+14155550100".to_owned(),
            to: NUMBER.to_owned(),
            status: "in-progress".to_owned(),
            started: world.clock.now(),
            seconds: 0,
        });
        world.twilio.set_probe(fate.of_requests("the provider"));
        Some(Self { world, fate, call, told: false })
    }

    async fn boot(&mut self) {
        while !self.world.boot_unless(self.fate.strikes()).await {
            self.bury().await;
        }
    }

    async fn bury(&mut self) {
        self.world.crash().await;
        self.fate.begin_anew();
        if self.told {
            self.world.let_leases_run_out().await;
        }
    }

    async fn rise(&mut self) {
        self.bury().await;
        self.boot().await;
    }

    /// Tells of the call until that is accepted.
    async fn tell(&mut self) {
        self.told = true;
        let fields = [
            ("AccountSid", ACCOUNT),
            ("CallSid", self.call.as_str()),
            ("CallStatus", "in-progress"),
            ("Direction", "inbound"),
            ("To", NUMBER),
        ];
        let params: Vec<(String, String)> = fields.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec();
        let url = self.world.url("/api/twilio/status?job=J");
        loop {
            let callback =
                SendCallback { url: url.clone(), params: params.clone(), signed: Signed::By(self.world.account()) };
            let answer = tokio::select! {
                biased;
                () = self.fate.strikes() => None,
                answer = self.world.twilio.send_callback(&callback) => Some(answer),
            };
            if answer.is_some_and(|answer| answer.is_accepted()) {
                return;
            }
            assert!(self.fate.has_struck(), "refused");
            self.rise().await;
        }
    }

    /// Waits until nothing is left to be done now.
    async fn settle(&mut self) {
        loop {
            tokio::select! {
                biased;
                () = self.fate.strikes() => {}
                () = self.world.settle() => return,
            }
            self.rise().await;
        }
    }

    async fn turn(&mut self, by: Duration) {
        self.world.clock.advance(by);
        self.settle().await;
    }

    /// Sends what waits to be told until it is accepted.
    async fn deliver(&mut self) {
        loop {
            let answers = tokio::select! {
                biased;
                () = self.fate.strikes() => None,
                answers = self.world.twilio.deliver() => Some(answers),
            };
            if answers.is_some_and(|answers| answers.iter().all(|answer| answer.is_accepted())) {
                return self.settle().await;
            }
            assert!(self.fate.has_struck(), "refused");
            self.rise().await;
        }
    }

    /// From the first word of the call to the line of the recording that was stopped.
    async fn live(&mut self) {
        self.boot().await;
        self.tell().await;
        self.settle().await;
        self.turn(A_WHILE).await;
        self.deliver().await;
        self.turn(Duration::from_secs(600)).await;
        self.turn(A_WHILE).await;
        self.deliver().await;
        self.turn(A_WHILE).await;
    }

    /// What all lives must come to.
    async fn check(&self) {
        let fate = self.fate.blows();
        let made = self.world.twilio.recordings();
        assert_eq!(made.len(), 1, "one recording; struck {fate:?}");
        let sid = &made[0].sid;
        assert_eq!(self.world.recording(sid).await.status, Status::Archived, "struck {fate:?}");
        assert_eq!(self.world.history("J").await.matches(sid.as_str()).count(), 1, "struck {fate:?}");
        assert_eq!(self.world.twilio.count(Route::Start), self.starts(), "struck {fate:?}");
        let counted = |kind: &str| format!("SELECT CAST(COUNT(*) AS TEXT) FROM events WHERE kind = '{kind}'");
        for kind in ["recording_started", "recording_stopped", "archive_verified", "line_confirmed"] {
            assert_eq!(self.world.database.texts(&counted(kind)).await, ["1"], "{kind}; struck {fate:?}");
        }
        let open = "SELECT step_id FROM steps WHERE state NOT IN ('done', 'cancelled')";
        assert_eq!(self.world.database.texts(open).await, Vec::<String>::new(), "struck {fate:?}");
    }

    /// A request that died on its way was never carried out, and is made again.
    fn starts(&self) -> u64 {
        let before = |moment: &&Moment| {
            moment.request().is_some_and(|request| request.starts_with("POST") && request.ends_with("/Recordings.json"))
                && format!("{moment:?}").starts_with("before")
        };
        1 + self.fate.blows().iter().filter(before).count() as u64
    }
}

async fn every_death(kind: Kind) {
    let Some(mut life) = Life::prepare(kind, Fate::kind()).await else { return };
    life.live().await;
    life.check().await;
    let moments = life.fate.moments();
    life.world.end().await;
    assert!(moments.iter().filter(|moment| moment.request().is_some()).count() >= 6, "{moments:#?}");
    let lives = moments.iter().map(async |moment| {
        let mut life = Life::prepare(kind, Fate::death_at(moment)).await.expect("a kind life had one");
        life.live().await;
        life.check().await;
        life.world.end().await;
    });
    stream::iter(lives).buffer_unordered(WORLDS).collect::<Vec<()>>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_recording_is_started_and_stopped_whenever_it_dies_on_sqlite() {
    every_death(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_recording_is_started_and_stopped_whenever_it_dies_on_postgres() {
    every_death(Kind::Postgres).await;
}
