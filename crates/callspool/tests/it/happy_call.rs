//! The happy call: a callback becomes a verified object, one history line, and (when asked) nothing left at the provider.

use std::time::Duration;

use callspool_domain::audio::AudioFormat;
use callspool_domain::recording::Status;
use callspool_sandbox::twilio::{NewRecording, PlaceCall, SendCallback, Signed, Word};

use crate::harness::{ACCOUNT, World, story};

const DAY: Duration = Duration::from_secs(24 * 3600);

story! {
    async fn a_recording_is_archived_verified_and_linked_once(world: World) {
        let placed = world.call("?job=JOB456&source=Desk").await;
        world.settle().await;

        let recording = world.recording(&placed.recording_sid).await;
        assert_eq!(recording.status, Status::Archived);
        let archive = recording.archive.expect("an archive copy");
        assert_eq!(archive.object_key, format!("recordings/2024/03/15/{}-JOB456.wav", placed.call_sid));
        assert_eq!(archive.sha256, world.twilio.media_sha256(&placed.recording_sid, AudioFormat::Wav));
        let file = world.folder.path().join("archive").join(&archive.object_key);
        assert_eq!(std::fs::metadata(file).expect("the file").len(), archive.bytes.expect("bytes"));
        assert_eq!(archive.audio.map(|audio| (audio.duration_ms, audio.channels.len())), Some((10_000, 2)));

        let line = format!(
            "---- | 2024-03-15 14:30:22 | Event: Recording | Source: Desk | URL: {}",
            world.url(&format!("/r/{}", placed.recording_sid))
        );
        assert_eq!(world.history("JOB456").await, line);
        world.advance(30 * DAY).await;
        assert!(world.twilio.deleted().is_empty(), "nothing is deleted unless asked for");
        world.end().await;
    }
}

story! {
    async fn repeats_and_disorder_change_nothing(world: World) {
        let mut place = PlaceCall::new(world.account(), world.url("/recording/status?job=J"), World::speech());
        place.statuses = vec![Word::InProgress, Word::Other("never-heard-of".into()), Word::Completed];
        (place.repeats, place.reorder) = (3, true);
        let placed = world.twilio.place_call(place).await;
        assert!(placed.callbacks.iter().all(|callback| callback.is_accepted()), "{:?}", placed.callbacks);
        world.settle().await;
        let again = world.twilio.announce_status(&placed.recording_sid, &world.url("/recording/status?job=J"), Word::Completed).await;
        assert!(again.is_some_and(|answer| answer.is_accepted()));
        world.settle().await;

        assert_eq!(world.recording(&placed.recording_sid).await.status, Status::Archived);
        assert_eq!(world.history("J").await.lines().count(), 1);
        assert_eq!(world.twilio.media_requests(&placed.recording_sid), 1);
        world.end().await;
    }
}

story! {
    with ["TWILIO_DELETE_AFTER" = "24h"]
    async fn the_copy_is_released_after_the_delay_and_not_before(world: World) {
        let placed = world.call("?job=JOB1").await;
        let jobless = world.call("").await;
        world.settle().await;
        world.advance(DAY - Duration::from_secs(60)).await;
        let mut world = world;
        world.restart().await;
        world.settle().await;
        assert!(world.twilio.deleted().is_empty(), "released early");
        world.advance(Duration::from_secs(120)).await;
        assert_eq!(world.twilio.deleted(), [placed.recording_sid.clone()], "a call without a job is kept");
        let events = world.app().store.recording_events(&placed.recording_sid, 100).await.expect("events");
        assert!(events.iter().any(|event| event.kind == callspool_store::kind::RELEASED), "{events:#?}");
        assert!(world.recording(&jobless.recording_sid).await.provider_gone_at.is_none());
        world.end().await;
    }
}

story! {
    with ["TWILIO_DELETE_AFTER" = "7d"]
    async fn a_changed_delay_holds_for_releases_that_wait_already(world: World) {
        let placed = world.call("?job=JOB1").await;
        world.settle().await;
        let mut world = world;
        world.stop().await;
        world.set("TWILIO_DELETE_AFTER", "24h");
        world.boot().await;
        world.sweep().await;
        world.advance(DAY - Duration::from_secs(1)).await;
        assert!(world.twilio.deleted().is_empty(), "released early");
        world.advance(Duration::from_secs(2)).await;
        assert_eq!(world.twilio.deleted(), [placed.recording_sid]);
        world.end().await;
    }
}

story! {
    with ["TWILIO_DELETE_AFTER" = "1h"]
    async fn a_release_that_is_no_longer_asked_for_does_not_happen(world: World) {
        let placed = world.call("?job=JOB1").await;
        world.settle().await;
        let mut world = world;
        world.stop().await;
        world.set("TWILIO_DELETE_AFTER", "never");
        world.boot().await;
        world.sweep().await;
        world.advance(30 * DAY).await;
        assert!(world.twilio.deleted().is_empty(), "{} was released", placed.recording_sid);
        world.end().await;
    }
}

story! {
    async fn a_callback_that_does_not_say_when_the_recording_began_is_filed_under_that_day_all_the_same(world: World) {
        let call = world.twilio.new_call_sid();
        let recording = NewRecording::new(world.account(), World::speech()).of_call(call.clone());
        let recording = world.twilio.add_recording(recording);
        world.advance(3 * DAY).await;
        let params = [
            ("AccountSid", ACCOUNT),
            ("CallSid", call.as_str()),
            ("RecordingSid", recording.as_str()),
            ("RecordingStatus", "completed"),
        ];
        let params = params.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let url = world.url("/api/twilio/recording?job=J");
        let callback = SendCallback { url, params, signed: Signed::By(world.account()) };
        assert!(world.twilio.send_callback(&callback).await.is_accepted());
        world.settle().await;
        assert_eq!(world.archive_files(), [format!("recordings/2024/03/15/{call}-J.wav")]);
        world.end().await;
    }
}
