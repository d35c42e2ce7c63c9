//! Reconciliation: whatever no callback told is found at the provider, on schedule and by command.

use std::time::Duration;

use callspool_domain::recording::Status;
use callspool_domain::{Code, RecordingSid, StepName, StepState, Subject};
use callspool_sandbox::Fault;
use callspool_sandbox::twilio::{NewRecording, Route, SendCallback, Signed, Word};
use http::StatusCode;

use crate::accounts::{SECOND, second_account};
use crate::harness::{World, story};
use crate::process::recorded_and_told;

const QUARTER: Duration = Duration::from_secs(15 * 60);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A recording of which no callback comes.
pub(crate) fn untold(world: &World) -> RecordingSid {
    let recording = NewRecording::new(world.account(), World::speech()).of_call(world.twilio.new_call_sid());
    world.twilio.add_recording(recording)
}

/// The causes that were noted for a recording.
async fn causes(world: &World, recording: &RecordingSid) -> Vec<String> {
    let events = world.app().store.recording_events(recording, 100).await.expect("events");
    let found = events.into_iter().filter(|event| event.kind == "reconciled");
    found.map(|event| event.data["cause"].as_str().expect("a cause").to_owned()).collect()
}

/// Waits until the scan of the story's account is over.
pub(crate) async fn scanned(world: &World) {
    let step = Subject::Account(world.account());
    world
        .eventually("the scan to be scheduled", async || {
            !world.app().store.steps_of(&step).await.expect("steps").is_empty()
        })
        .await;
    world.settle().await;
}

story! {
    with ["RECONCILE_EVERY" = "15m"]
    async fn what_no_callback_told_is_found_by_the_next_scan(world: World) {
        scanned(&world).await;
        let lists = world.twilio.count(Route::Recordings);
        let lost = untold(&world);
        let told = world.call("?job=J").await;
        world.settle().await;
        world.advance(QUARTER).await;
        assert_eq!(world.twilio.count(Route::Recordings), lists + 1, "one request for an account");
        assert_eq!(world.recording(&lost).await.status, Status::Archived);
        assert_eq!(causes(&world, &lost).await, ["callback lost"]);
        assert_eq!(causes(&world, &told.recording_sid).await, [] as [&str; 0]);
        world.advance(QUARTER).await;
        assert_eq!(causes(&world, &lost).await.len(), 1, "found once");
        assert_eq!(world.twilio.count(Route::Recordings), lists + 2);
        world.end().await;
    }
}

story! {
    with ["RECONCILE_EVERY" = "15m"]
    async fn half_told_wrongly_told_and_deleted_recordings_are_put_right(world: World) {
        scanned(&world).await;
        let mut settled = Vec::new();
        for words in [&[Word::InProgress][..], &[Word::InProgress, Word::Absent(16101)]] {
            settled.push(recorded_and_told(&world, words).await);
        }
        let deleted = untold(&world);
        world.twilio.delete(&deleted);
        world.settle().await;
        world.advance(QUARTER).await;
        for recording in &settled {
            assert_eq!(world.recording(recording).await.status, Status::Archived);
            assert_eq!(causes(&world, recording).await, ["callback lost"]);
        }
        let row = world.recording(&deleted).await;
        assert_eq!((row.status, row.reason.as_deref()), (Status::Missing, Some("deleted")));
        assert_eq!(causes(&world, &deleted).await, ["deleted at the provider before it was archived"]);
        world.end().await;
    }
}

story! {
    with ["RECONCILE_EVERY" = "15m"]
    async fn after_a_standstill_a_scan_begins_where_the_last_complete_one_began(world: World) {
        let mut world = world;
        scanned(&world).await;
        world.stop().await;
        let lost = untold(&world);
        world.clock.advance(DAY * 30);
        world.boot().await;
        scanned(&world).await;
        assert_eq!(world.recording(&lost).await.status, Status::Archived);
        world.end().await;
    }
}

story! {
    with ["RECONCILE_EVERY" = "15m"]
    async fn a_long_list_that_breaks_off_is_read_on_at_its_page(world: World) {
        scanned(&world).await;
        // The list is newest first: the lost one is on its second page.
        let lost = untold(&world);
        world.clock.advance(Duration::from_secs(60));
        for _ in 0..1000 {
            world.twilio.set_status(&untold(&world), "processing");
        }
        let asked = world.twilio.count(Route::Recordings);
        world.twilio.faults().next(Route::Recordings, Fault::Delay(Duration::ZERO));
        world.twilio.faults().next(Route::Recordings, Fault::status(StatusCode::UNAUTHORIZED));
        world.advance(QUARTER).await;
        let step = world.step(StepName::Scan, Subject::Account(world.account())).await;
        assert_eq!((step.state, step.code), (StepState::Waiting, Some(Code::ProviderUnauthorized)));
        // Its back-off is over, and the next scan is not due.
        world.advance(Duration::from_secs(61)).await;
        assert_eq!(world.recording(&lost).await.status, Status::Archived);
        assert_eq!(world.twilio.count(Route::Recordings) - asked, 3, "the second page alone is asked for again");
        assert_eq!(world.app().store.stats().await.expect("stats").recordings.values().sum::<u64>(), 1);
        world.end().await;
    }
}

story! {
    with ["RECONCILE_EVERY" = "15m"]
    async fn one_that_the_ledger_has_under_another_account_holds_up_no_other(world: World) {
        scanned(&world).await;
        let (taken, lost) = (untold(&world), untold(&world));
        let url = world.url("/api/twilio/recording");
        let params = world.twilio.callback_params(&taken, &Word::InProgress).expect("known");
        let callback = SendCallback { url, params, signed: Signed::By(world.account()) };
        assert!(world.twilio.send_callback(&callback).await.is_accepted());
        let theirs = format!("UPDATE recordings SET account_sid = '{SECOND}' WHERE recording_sid = '{taken}'");
        world.database.execute(&theirs).await;
        world.advance(QUARTER).await;
        assert_eq!(world.recording(&lost).await.status, Status::Archived);
        assert_eq!(world.recording(&taken).await.status, Status::Announced);
        assert_eq!(world.logged("reconcile_unreadable").len(), 1);
        world.end().await;
    }
}

story! {
    async fn beside_a_running_service_the_statement_is_json_all_the_same(world: World) {
        untold(&world);
        let said = world.run(&["reconcile", "--since", "2024-03-15", "--json"]).await;
        let statement: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
        assert_eq!((said.code, &statement["causes"]["callback lost"]), (Some(0), &1.into()), "{said:?}");
        world.end().await;
    }
}

story! {
    async fn the_command_repairs_and_tells_what_differed(world: World) {
        let mut world = world;
        let region = second_account(&mut world).await;
        let account = callspool_domain::AccountSid::parse(SECOND).expect("account");
        let elsewhere = NewRecording::new(account, World::speech()).of_call(region.new_call_sid());
        let elsewhere = region.add_recording(elsewhere);
        let lost = untold(&world);
        let deleted = untold(&world);
        world.twilio.delete(&deleted);
        world.stop().await;
        let file = world.folder.path().join("story.toml");
        std::fs::write(&file, &world.file).expect("written");
        let file = file.to_str().expect("text");
        let said = world.run(&["--config", file, "reconcile", "--since", "2024-03-15", "--json"]).await;
        assert_eq!(said.code, Some(1), "one is missing: {said:?}");
        let statement: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
        assert_eq!(statement["causes"]["callback lost"], 2);
        assert_eq!(statement["causes"]["deleted at the provider before it was archived"], 1);
        let again = world.run(&["--config", file, "reconcile", "--since", "2024-03-15"]).await;
        assert_eq!((again.code, again.out.matches(" 0 difference(s)").count()), (Some(0), 2), "{again:?}");
        world.boot().await;
        for (recording, status) in
            [(&lost, Status::Archived), (&elsewhere, Status::Archived), (&deleted, Status::Missing)]
        {
            assert_eq!(world.recording(recording).await.status, status);
        }
        world.end().await;
    }
}
