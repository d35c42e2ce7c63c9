//! The fourteen tests of the webhook handler (`POST /api/twilio/recording`).

use callspool_domain::audio::AudioFormat;
use callspool_domain::recording::Status;
use callspool_domain::{CallSid, Code, RecordingSid, StepName, StepState, Subject};
use callspool_sandbox::Fault;
use callspool_sandbox::s3::Route as Store;
use callspool_sandbox::twilio::{NewRecording, PlaceCall, Route, SendCallback, Signed, Word};
use http::StatusCode;

use super::{CALL, LATER, RECORDING, call_row, send, send_signed};
use crate::harness::{ACCOUNT, Bucket, World, story};

const PATH: &str = "/api/twilio/recording";

async fn status(world: &World, sid: &str) -> Status {
    world.recording(&RecordingSid::parse(sid).expect("a sid")).await.status
}

async fn code(world: &World, recording: &RecordingSid) -> Option<Code> {
    let step = world.step(StepName::Archive, Subject::Recording(recording.clone())).await;
    assert_eq!(step.state, StepState::Waiting);
    step.code
}

story! {
    async fn successful_recording_processing(world: World, bucket: Bucket) {
        let placed = world.call("?job=J").await;
        let (status, body) = placed.callbacks[0].outcome.clone().expect("an answer");
        let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!((status, &body["success"]), (200, &true.into()));
        assert!(body["message"].is_string());
        assert_eq!(body["recordingUrl"], world.url(&format!("/r/{}", placed.recording_sid)));
        world.settle().await;
        let row = world.recording(&placed.recording_sid).await;
        assert_eq!((row.status, row.duration_seconds), (Status::Archived, Some(10)));
        let copy = row.archive.expect("a copy");
        assert_eq!(copy.sha256, world.twilio.media_sha256(&placed.recording_sid, AudioFormat::Wav));
        let metadata = bucket.metadata(&world, &copy.object_key).await;
        assert_eq!(metadata["call-sid"], placed.call_sid.as_str());
        assert_eq!(metadata["recording-sid"], placed.recording_sid.as_str());
        bucket.end(world).await;
    }
}

// Theirs answered 200 and dropped it.
story! {
    async fn call_not_found_in_database_is_no_reason_to_drop_its_recording(world: World) {
        let placed = world.call("").await;
        assert!(placed.callbacks[0].is_accepted());
        world.settle().await;
        let row = world.recording(&placed.recording_sid).await;
        assert_eq!((row.status, row.job), (Status::Archived, None));
        world.put(&format!("/api/v1/calls/{}", placed.call_sid), serde_json::json!({"job_id": "LATE"})).await;
        world.settle().await;
        assert!(world.history("LATE").await.contains(placed.recording_sid.as_str()));
        world.end().await;
    }
}

// Theirs answered 502, for which Twilio does not ask again.
story! {
    async fn twilio_recording_fetch_failure_is_tried_again_behind_the_answer(world: World) {
        world.twilio.faults().always(Route::Media, Fault::status(StatusCode::INTERNAL_SERVER_ERROR));
        let placed = world.call("?job=J").await;
        assert!(placed.callbacks[0].is_accepted());
        world.settle().await;
        assert_eq!(code(&world, &placed.recording_sid).await, Some(Code::ProviderUnavailable));
        world.twilio.faults().clear_all();
        world.advance(LATER).await;
        assert_eq!(world.recording(&placed.recording_sid).await.status, Status::Archived);
        assert_eq!(world.history("J").await.matches(" | Event: Recording | ").count(), 1);
        world.end().await;
    }
}

// Theirs answered 502, for which Twilio does not ask again.
story! {
    async fn s3_upload_failure_is_tried_again_behind_the_answer(world: World, bucket: Bucket) {
        bucket.faults().always(Store::PutObject, Fault::status(StatusCode::INTERNAL_SERVER_ERROR));
        let placed = world.call("?job=J").await;
        assert!(placed.callbacks[0].is_accepted());
        world.settle().await;
        assert_eq!(code(&world, &placed.recording_sid).await, Some(Code::ArchiveUnavailable));
        bucket.faults().clear_all();
        world.advance(LATER).await;
        assert_eq!(world.recording(&placed.recording_sid).await.status, Status::Archived);
        assert_eq!(world.history("J").await.matches(" | Event: Recording | ").count(), 1);
        bucket.end(world).await;
    }
}

/// A call's status callback with the seconds that the call took.
async fn end_call(world: &World, seconds: &str) {
    let pairs = [
        ("AccountSid", ACCOUNT),
        ("CallSid", CALL),
        ("CallStatus", "completed"),
        ("CallDuration", seconds),
        ("Direction", "inbound"),
    ];
    let params = pairs.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec();
    let callback = SendCallback { url: world.url("/api/twilio/status"), params, signed: Signed::By(world.account()) };
    assert!(world.twilio.send_callback(&callback).await.is_accepted());
}

/// The seconds of the call after its recording of `recorded` seconds was announced.
async fn seconds_after(world: &World, recorded: &str) -> Option<u64> {
    let fields = [("RecordingStatus", "in-progress"), ("RecordingDuration", recorded)];
    assert_eq!(send(world, PATH, &fields).await.0, 200);
    call_row(world, &CallSid::parse(CALL).expect("a sid")).await.duration_seconds
}

story! {
    async fn duration_update_when_not_already_set(world: World) {
        assert_eq!(seconds_after(&world, "42").await, Some(42));
        world.end().await;
    }
}

story! {
    async fn duration_not_overwritten_when_already_set(world: World) {
        end_call(&world, "75").await;
        assert_eq!(seconds_after(&world, "42").await, Some(75));
        end_call(&world, "80").await;
        assert_eq!(seconds_after(&world, "43").await, Some(75));
        world.end().await;
    }
}

story! {
    async fn failed_recording_acknowledgment(world: World) {
        assert_eq!(send(&world, PATH, &[("RecordingStatus", "failed"), ("ErrorCode", "16100")]).await.0, 200);
        assert_eq!(status(&world, RECORDING).await, Status::Failed);
        let row = world.recording(&RecordingSid::parse(RECORDING).expect("a sid")).await;
        assert_eq!(row.reason.as_deref(), Some("failed (16100)"), "it is not only acknowledged");
        world.end().await;
    }
}

story! {
    async fn in_progress_recording_acknowledgment(world: World) {
        assert_eq!(send(&world, PATH, &[("RecordingStatus", "in-progress")]).await.0, 200);
        world.settle().await;
        assert_eq!(status(&world, RECORDING).await, Status::Announced);
        assert_eq!(world.twilio.count(Route::Media), 0, "there is nothing to fetch yet");
        world.end().await;
    }
}

story! {
    async fn absent_recording_acknowledgment(world: World) {
        assert_eq!(send(&world, PATH, &[("RecordingStatus", "absent"), ("ErrorCode", "16101")]).await.0, 200);
        assert_eq!(status(&world, RECORDING).await, Status::Absent);
        let row = world.recording(&RecordingSid::parse(RECORDING).expect("a sid")).await;
        assert!(row.reason.is_some_and(|reason| reason.contains("16101")), "it is not only acknowledged");
        world.end().await;
    }
}

// Theirs refused it; recordings of conferences and trunks have no CallSid.
story! {
    async fn missing_call_sid_is_no_reason_to_refuse_a_recording(world: World) {
        let recording = world.twilio.add_recording(NewRecording::new(world.account(), World::speech()));
        let fields = [("CallSid", ""), ("RecordingSid", recording.as_str())];
        assert_eq!(send(&world, &format!("{PATH}?job=J"), &fields).await.0, 200);
        world.settle().await;
        assert_eq!(status(&world, recording.as_str()).await, Status::Archived);
        assert!(world.history("J").await.contains(recording.as_str()));
        world.end().await;
    }
}

story! {
    async fn missing_recording_sid_validation(world: World) {
        let (status, body) = send(&world, PATH, &[("RecordingSid", "")]).await;
        assert_eq!((status, &body["success"]), (400, &false.into()));
        assert!(body["error"]["message"].as_str().is_some_and(|message| message.contains("RecordingSid")), "{body}");
        world.end().await;
    }
}

// Theirs checked in production only.
story! {
    async fn invalid_signature_rejection(world: World) {
        for signed in [Signed::Unsigned, Signed::As("forged".to_owned())] {
            let (status, body) = send_signed(&world, PATH, &[], signed).await;
            assert_eq!((status, &body["success"]), (403, &false.into()));
        }
        assert_eq!(world.app().store.last_seq().await.expect("the store answers"), 0, "nothing was stored");
        world.end().await;
    }
}

// Theirs answered 500, or 200 as another of its pages says.
story! {
    async fn unexpected_error_handling_asks_twilio_to_send_it_again(world: World) {
        let lock = world.database.lock().await;
        let (status, body) = send(&world, PATH, &[("RecordingStatus", "in-progress")]).await;
        assert_eq!((status, &body["success"]), (503, &false.into()));
        drop(lock);
        // Whoever came too early may share the fate of a group that gave up; sent again, it is taken.
        let again = async || send(&world, PATH, &[("RecordingStatus", "in-progress")]).await.0 == 200;
        world.eventually("the callback to be taken", again).await;
        world.end().await;
    }
}

story! {
    async fn unknown_status_handling(world: World) {
        assert_eq!(send(&world, PATH, &[("RecordingStatus", "never-heard-of")]).await.0, 200);
        let row = world.recording(&RecordingSid::parse(RECORDING).expect("a sid")).await;
        assert_eq!((row.status, row.provider_status.as_str()), (Status::Announced, "never-heard-of"));
        world.end().await;
    }
}

// Their document promised it, and no test held it.
story! {
    async fn an_already_processed_recording_is_skipped(world: World) {
        let mut place = PlaceCall::new(world.account(), world.url("/api/twilio/recording?job=J"), World::speech());
        (place.statuses, place.repeats) = (vec![Word::InProgress, Word::Completed], 2);
        let placed = world.twilio.place_call(place).await;
        assert!(placed.callbacks.iter().all(|callback| callback.is_accepted()), "{:?}", placed.callbacks);
        world.settle().await;
        assert_eq!(world.twilio.media_requests(&placed.recording_sid), 1);
        assert_eq!(world.history("J").await.lines().count(), 1);
        world.end().await;
    }
}

// Their document promised a note in the call's record, and their code wrote none.
story! {
    async fn a_recording_that_was_not_made_leaves_a_note_in_the_jobs_history(world: World) {
        let other = RECORDING.replace('0', "9");
        for (recording, word, error) in [(RECORDING, "failed", "16100"), (&other, "absent", "16101")] {
            let fields = [("RecordingSid", recording), ("RecordingStatus", word), ("ErrorCode", error)];
            for _ in 0..2 {
                assert_eq!(send(&world, &format!("{PATH}?job=J"), &fields).await.0, 200);
            }
            world.settle().await;
        }
        let line = "---- | 2024-03-15 14:30:22 | Event: No recording | Source: IVR | Reason:";
        let expected =
            format!("{line} failed (16100) | Recording: {RECORDING}\n{line} absent (16101 too short) | Recording: {other}");
        assert_eq!(world.history("J").await, expected);
        world.end().await;
    }
}
