//! The list of an account's recordings, while its request meets each fault: the step says what is wrong, nothing is made of
//! what is not the provider's answer, and in the end what no callback told is archived.

use std::time::Duration;

use callspool_domain::recording::Status;
use callspool_domain::{Code, StepName, StepState, Subject};
use callspool_sandbox::Fault;
use callspool_sandbox::twilio::Route;

use super::endpoints::Endpoint;
use super::expected::{Outcome, is_slow, of_the_provider, refusal};
use super::faults;
use super::scene::{DAY, SPREAD};
use crate::harness::{IMPATIENT, Kind, World};
use crate::reconcile::{scanned, untold};

/// `RECONCILE_EVERY`.
const EVERY: Duration = Duration::from_secs(15 * 60);
/// How many times the clock is turned for a scan to be done.
const TURNS: usize = 4;

/// What a fault comes to.
fn expected(fault: &Fault) -> Outcome {
    match refusal(fault) {
        Some(404) => Outcome::Waits(&[Code::ProviderRejected]),
        _ if is_slow(fault) => Outcome::Harmless,
        // A list is read as a recording's resource is.
        _ => of_the_provider(Endpoint::WhyThereIsNoMedia, fault),
    }
}

/// One recording that no callback told, found although its list met this fault.
async fn play(world: &World, fault: &Fault) {
    let account = Subject::Account(world.account());
    let lost = untold(world);
    world.twilio.faults().always(Route::Recordings, fault.clone());
    for _attempt in 0..2 {
        let step = world.step(StepName::Scan, account.clone()).await;
        let wait = step.due_at.since(world.clock.now());
        assert!(wait <= DAY + SPREAD, "{fault:?}: waits too long: {step:?}");
        // The first one is due too soon for the callback to be lost.
        world.advance(wait.max(EVERY)).await;
        let step = world.step(StepName::Scan, account.clone()).await;
        let row = world.app().store.recording(&lost).await.expect("a read");
        match expected(fault) {
            Outcome::Harmless => assert_eq!(row.map(|row| row.status), Some(Status::Archived), "{fault:?}: {step:?}"),
            Outcome::Waits(codes) => {
                let told = step.code.is_some_and(|code| codes.contains(&code));
                assert!(step.state == StepState::Waiting && told, "{fault:?}, not {codes:?}: {step:?}");
                assert_eq!(row, None, "{fault:?}");
            }
            other => panic!("{other:?} is nothing that a scan comes to"),
        }
    }
    world.twilio.faults().clear_all();
    for _turn in 0..TURNS {
        if world.app().store.recording(&lost).await.expect("a read").is_none() {
            let step = world.step(StepName::Scan, account.clone()).await;
            world.advance(step.due_at.since(world.clock.now())).await;
        }
    }
    assert_eq!(world.recording(&lost).await.status, Status::Archived, "{fault:?}");
}

async fn every_fault(kind: Kind) {
    for silent in [false, true] {
        let Some(mut world) = World::prepare(kind).await else { return };
        world.set("RECONCILE_EVERY", format!("{}s", EVERY.as_secs()));
        if silent {
            world.patience.read_timeout = IMPATIENT;
        }
        world.boot().await;
        scanned(&world).await;
        let nobody = World::listen_for_nobody();
        for fault in faults::of(&nobody, silent) {
            play(&world, &fault).await;
        }
        assert!(nobody.was_left_alone(), "a redirect was followed");
        world.end().await;
    }
}

mod listing_recordings {
    use super::{Kind, every_fault};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn on_sqlite() {
        every_fault(Kind::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn on_postgres() {
        every_fault(Kind::Postgres).await;
    }
}
