//! The job's history line: exactly one, whatever repeats, whenever the job becomes known.

use std::time::Duration;

use callspool_domain::line::LineState;
use callspool_domain::recording::Status;
use callspool_sandbox::twilio::{NewRecording, Word};
use serde_json::json;

use crate::harness::{World, story};

story! {
    async fn the_job_may_become_known_after_the_recording(world: World) {
        let placed = world.call("").await;
        world.settle().await;
        assert_eq!(world.recording(&placed.recording_sid).await.status, Status::Archived);
        for _ in 0..2 {
            let (status, body) = world.put(&format!("/api/v1/calls/{}", placed.call_sid), json!({"job_id": "JOB/9 \"x\"\nnext"})).await;
            assert_eq!(status, 200, "{body}");
            world.settle().await;
        }
        let history = world.history("JOB/9 \"x\"\nnext").await;
        assert_eq!(history.lines().count(), 1, "{history}");
        assert!(history.contains(placed.recording_sid.as_str()));
        assert_eq!(world.recording(&placed.recording_sid).await.line, Some(LineState::Confirmed));
        world.end().await;
    }
}

story! {
    async fn the_job_may_be_known_before_the_recording_and_put_beats_the_callback(world: World) {
        let call = world.twilio.new_call_sid();
        let (status, _) = world.put(&format!("/api/v1/calls/{call}"), json!({"job_id": "BY_PUT"})).await;
        assert_eq!(status, 200);
        let recording = world.twilio.add_recording(NewRecording::new(world.account(), World::speech()).of_call(call));
        let url = world.url("/api/twilio/recording?job=BY_CALLBACK");
        world.twilio.announce_status(&recording, &url, Word::Completed).await.expect("known");
        world.settle().await;
        assert_eq!(world.history("BY_PUT").await.lines().count(), 1);
        assert_eq!(world.history("BY_CALLBACK").await, "");
        world.end().await;
    }
}

story! {
    async fn bad_puts_are_named_and_change_nothing(world: World) {
        let call = world.twilio.new_call_sid();
        let path = format!("/api/v1/calls/{call}");
        for body in [json!({}), json!({"job_id": ""}), json!({"job_id": 7}), json!({"job_id": "a\0b"}), json!({"job_id": "x".repeat(600)}), json!([])] {
            let (status, answer) = world.put(&path, body.clone()).await;
            assert_eq!(status, 400, "{body} gave {answer}");
        }
        let (status, _) = world.put("/api/v1/calls/CA..%2F..%2Fetc", json!({"job_id": "J"})).await;
        assert_eq!(status, 400);
        assert_eq!(world.app().store.call(&call).await.expect("the store answers"), None);
        world.end().await;
    }
}

story! {
    async fn four_recordings_of_one_job_at_once_make_four_lines(world: World) {
        let calls = futures::future::join_all((0..4).map(|_| world.call("?job=J"))).await;
        world.settle().await;
        let history = world.history("J").await;
        assert_eq!(history.lines().count(), 4, "{history}");
        for call in calls {
            assert_eq!(history.matches(call.recording_sid.as_str()).count(), 1);
        }
        world.end().await;
    }
}

story! {
    with ["TWILIO_DELETE_AFTER" = "1h"]
    async fn a_call_without_a_job_is_kept_until_it_has_one(world: World) {
        let placed = world.call("").await;
        world.settle().await;
        world.advance(Duration::from_secs(30 * 24 * 3600)).await;
        assert!(world.twilio.deleted().is_empty());
        world.put(&format!("/api/v1/calls/{}", placed.call_sid), json!({"job_id": "LATE"})).await;
        world.settle().await;
        assert_eq!(world.twilio.deleted(), [placed.recording_sid]);
        world.end().await;
    }
}

story! {
    with ["TWILIO_DELETE_AFTER" = "1h", "RELEASE_WITHOUT_JOB" = "true"]
    async fn a_call_without_a_job_is_released_where_that_is_asked_for(world: World) {
        let placed = world.call("").await;
        world.settle().await;
        world.advance(Duration::from_secs(3601)).await;
        assert_eq!(world.twilio.deleted(), [placed.recording_sid]);
        world.end().await;
    }
}
