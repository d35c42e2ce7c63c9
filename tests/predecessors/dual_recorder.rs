//! The seven steps of the dual recorder's test, and how it handled errors.

use callspool_domain::recording::{Status, Track};
use callspool_sandbox::Fault;
use callspool_sandbox::twilio::{NewRecording, PlaceCall, PlacedCall, Route, SendCallback, Signed, Word};
use http::StatusCode;
use serde_json::Value;

use super::{CALL, LATER, follow, listen, send};
use crate::harness::{ACCOUNT, World, story};

/// What stood in an assistant's `recording_settings`.
const ASSISTANT: &str = r#"
[[voice]]
assistant = "anna"
then = "stream:wss://calls.example.com/streams"
[voice.recording]
enabled = true
record_user_audio = true
record_assistant_audio = true
record_mixed_audio = true
"#;

async fn twiml(world: &mut World) -> String {
    world.stop().await;
    ASSISTANT.clone_into(&mut world.file);
    world.boot().await;
    let pairs = [("AccountSid", ACCOUNT), ("CallSid", CALL), ("CallStatus", "ringing"), ("To", "+14155550199")];
    let params = pairs.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec();
    let url = world.url("/twiml?assistant=anna");
    let answer = world.twilio.send_callback(&SendCallback { url, params, signed: Signed::By(world.account()) }).await;
    let (status, document) = answer.outcome.expect("an answer");
    assert_eq!(status, 200);
    document
}

/// A call whose recording is announced where theirs was.
async fn place(world: &World, words: &[Word]) -> PlacedCall {
    let mut place = PlaceCall::new(world.account(), world.url("/recording/status?job=J"), World::speech());
    place.statuses = words.to_vec();
    world.twilio.place_call(place).await
}

story! {
    async fn step_1_a_test_call_reaches_its_assistant(world: World) {
        let mut world = world;
        let document = twiml(&mut world).await;
        assert!(document.contains("<Connect><Stream url=\"wss://calls.example.com/streams\">"), "{document}");
        world.end().await;
    }
}

// <Record> is a voicemail verb: it blocks the call and records the caller alone.
story! {
    async fn step_2_the_twiml_records_in_the_background_instead_of_with_record(world: World) {
        let mut world = world;
        let document = twiml(&mut world).await;
        assert!(!document.contains("<Record ") && !document.contains("<Record>"), "{document}");
        let (start, connect) = (document.find("<Start><Recording "), document.find("<Connect>"));
        assert!(start.is_some() && start < connect, "{document}");
        assert!(document.contains("channels=\"dual\""), "{document}");
        assert!(document.contains("recordingStatusCallbackEvent=\"in-progress completed absent\""), "{document}");
        world.end().await;
    }
}

// Theirs promised a file that grows during the call, and never wired it.
story! {
    async fn step_3_the_mixed_recording_is_known_during_the_call(world: World) {
        let placed = place(&world, &[Word::InProgress]).await;
        world.settle().await;
        let row = world.recording(&placed.recording_sid).await;
        assert_eq!((row.status, row.track), (Status::Announced, Track::Mixed));
        assert_eq!(world.archive_files(), Vec::<String>::new());
        world.end().await;
    }
}

story! {
    async fn step_4_the_recording_is_completed_after_the_call_ends(world: World) {
        let placed = place(&world, &[Word::InProgress, Word::Completed]).await;
        world.settle().await;
        let row = world.recording(&placed.recording_sid).await;
        assert_eq!((row.status, row.provider_status.as_str()), (Status::Archived, "completed"));
        world.end().await;
    }
}

story! {
    async fn step_5_the_log_tells_of_calls_to_recording_status(world: World) {
        let placed = place(&world, &[Word::InProgress, Word::Completed]).await;
        let lines = world.logged("recording_callback");
        let told: Vec<&Value> = lines.iter().map(|line| &line["status"]).collect();
        assert_eq!(told, ["in-progress", "completed"]);
        assert!(lines.iter().all(|line| line["recording_sid"] == placed.recording_sid.as_str()));
        world.settle().await;
        world.end().await;
    }
}

// Theirs wrote every recording of a call over the first one.
story! {
    async fn step_6_each_recording_of_a_call_is_stored_and_none_is_overwritten(world: World) {
        let first = place(&world, &[Word::Completed]).await;
        let second = NewRecording::new(world.account(), World::speech()).of_call(first.call_sid.clone());
        let second = world.twilio.add_recording(second);
        let announced = world.twilio.announce_status(&second, &world.url("/recording/status?job=J"), Word::Completed).await;
        assert!(announced.is_some_and(|answer| answer.is_accepted()));
        world.settle().await;
        for sid in [&first.recording_sid, &second] {
            let row = world.recording(sid).await;
            let copy = row.archive.expect("a copy");
            assert_eq!((row.status, row.track, row.duration_seconds), (Status::Archived, Track::Mixed, Some(10)));
            assert_eq!(copy.audio.map(|audio| audio.channels.len()), Some(2), "each side on its channel");
            assert!(copy.bytes.is_some_and(|bytes| bytes > 0));
        }
        assert_eq!(world.archive_files().len(), 2);
        assert_eq!(world.history("J").await.lines().count(), 2);
        world.end().await;
    }
}

story! {
    async fn step_7_it_is_played_and_downloaded_through_the_web(world: World) {
        let placed = place(&world, &[Word::Completed]).await;
        world.settle().await;
        let path = format!("/calls/{}/recording/{}", placed.call_sid, placed.recording_sid);
        for (path, disposition) in [(path.clone(), "attachment"), (format!("{path}/play"), "inline")] {
            let answer = listen(&world, &path).await;
            assert_eq!(answer.status(), StatusCode::OK);
            assert!(answer.headers()["content-disposition"].to_str().expect("text").starts_with(disposition));
        }
        world.end().await;
    }
}

// Theirs answered 200 and never looked at it again.
story! {
    async fn webhook_failures_are_not_answered_200(world: World) {
        let lock = world.database.lock().await;
        assert_eq!(send(&world, "/recording/status", &[("RecordingStatus", "in-progress")]).await.0, 503);
        drop(lock);
        let again = async || send(&world, "/recording/status", &[("RecordingStatus", "in-progress")]).await.0 == 200;
        world.eventually("the callback to be taken", again).await;
        world.end().await;
    }
}

story! {
    async fn download_failures_are_tried_again_and_its_link_plays_meanwhile(world: World) {
        world.twilio.faults().next(Route::Media, Fault::CutAfter(50_000));
        let placed = place(&world, &[Word::Completed]).await;
        world.settle().await;
        assert_eq!(world.recording(&placed.recording_sid).await.status, Status::Announced);
        world.eventually("a line", async || world.logged("step_failed").len() == 1).await;
        assert_eq!(follow(&world, &placed).await.0, 200, "Twilio's copy");
        world.advance(LATER).await;
        assert_eq!(world.recording(&placed.recording_sid).await.status, Status::Archived);
        world.end().await;
    }
}

story! {
    async fn missing_credentials_are_named(world: World) {
        let mut world = world;
        world.stop().await;
        world.unset("TWILIO_ACCOUNT_SID");
        world.unset("TWILIO_AUTH_TOKEN");
        world.boot().await;
        let (status, body) = send(&world, "/recording/status", &[]).await;
        assert_eq!((status, body["error"]["code"].as_str()), (403, Some("no_credentials")));
        let ready: Value = world.http.get(world.url("/readyz")).send().await.expect("an answer").json().await.expect("JSON");
        assert_eq!(ready["problems"][0]["code"], "no_credentials");
        world.end().await;
    }
}
