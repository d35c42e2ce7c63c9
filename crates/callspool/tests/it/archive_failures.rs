//! A story for each way in which bringing a recording over can fail: the step waits with the failure's own code, nothing is
//! archived, linked or left behind meanwhile, and once the cause is gone the recording arrives as if nothing had been.

use std::time::Duration;

use callspool_domain::Code;
use callspool_domain::audio::{AudioFormat, Finding};
use callspool_domain::recording::{CopyState, Status};
use callspool_domain::{RecordingSid, StepState, Subject};
use callspool_sandbox::twilio::{Audio, Flaw, NewRecording, PlaceCall, Route, Sound, Word};
use callspool_sandbox::{BodyKind, Fault};
use callspool_store::StepRow;
use http::StatusCode;

use crate::harness::{World, story};

/// Longer than any back-off.
const LATER: Duration = Duration::from_secs(360);

/// The one archive step of a recording.
async fn archive_step(world: &World, recording: &RecordingSid) -> StepRow {
    let steps = world.app().store.steps_of(&Subject::Recording(recording.clone())).await.expect("the store answers");
    steps.into_iter().next().expect("an archive step")
}

/// Nothing of a recording may be seen before it is archived: no file, no line.
async fn assert_nothing_is_there(world: &World) {
    assert_eq!(world.archive_files(), Vec::<String>::new(), "nothing is left in the archive");
    assert_eq!(world.recorded("J").await, 0);
}

async fn fails_then_recovers(mut world: World, route: Route, fault: Fault, code: Code) {
    if matches!(fault, Fault::Hang | Fault::Stall(_)) {
        world.grow_impatient().await;
    }
    world.twilio.faults().always(route, fault);
    if route != Route::Media {
        world.twilio.faults().always(Route::Media, Fault::status(StatusCode::NOT_FOUND));
    }
    let placed = world.call("?job=J").await;
    world.settle().await;
    for _ in 0..3 {
        let step = archive_step(&world, &placed.recording_sid).await;
        assert_eq!((step.state, step.code), (StepState::Waiting, Some(code)), "{:?}", step.detail);
        assert_nothing_is_there(&world).await;
        world.advance(LATER).await;
    }
    world.twilio.faults().clear_all();
    world.twilio.faults().lift();
    world.advance(LATER).await;

    let recording = world.recording(&placed.recording_sid).await;
    assert_eq!(recording.status, Status::Archived);
    assert_eq!(
        recording.archive.and_then(|copy| copy.sha256),
        world.twilio.media_sha256(&placed.recording_sid, AudioFormat::Wav)
    );
    assert_eq!(world.recorded("J").await, 1);
    assert_eq!(world.archive_files().len(), 1);
    world.end().await;
}

macro_rules! failures {
    ($($name:ident: $route:ident, $fault:expr => $code:ident;)*) => {$(
        story! {
            async fn $name(world: World) {
                fails_then_recovers(world, Route::$route, $fault, Code::$code).await;
            }
        }
    )*};
}

failures! {
    media_that_is_not_there_yet: Media, Fault::status(StatusCode::NOT_FOUND) => MediaNotReady;
    credentials_that_are_refused: Media, Fault::status(StatusCode::UNAUTHORIZED) => ProviderUnauthorized;
    credentials_without_the_right: Media, Fault::status(StatusCode::FORBIDDEN) => ProviderForbidden;
    a_provider_that_is_asked_too_often: Media, Fault::throttled(30) => ProviderThrottled;
    a_provider_with_an_internal_error: Media, Fault::status(StatusCode::INTERNAL_SERVER_ERROR) => ProviderUnavailable;
    a_provider_that_is_out: Media, Fault::status(StatusCode::SERVICE_UNAVAILABLE) => ProviderUnavailable;
    a_request_that_is_refused: Media, Fault::status(StatusCode::METHOD_NOT_ALLOWED) => ProviderRejected;
    metadata_that_is_refused: Recording, Fault::status(StatusCode::UNAUTHORIZED) => ProviderUnauthorized;
    metadata_that_is_no_metadata: Recording, Fault::WrongBody { body: BodyKind::Html, disguised: true } => ProviderUnreadable;
    a_connection_that_is_reset: Media, Fault::CutAfter(50_000) => ProviderReset;
    an_answer_that_never_comes: Media, Fault::Hang => ProviderStalled;
    an_answer_that_stops_midway: Media, Fault::Stall(50_000) => ProviderStalled;
    a_body_shorter_than_announced: Media, Fault::Truncate { bytes: 50_001, announced: true } => MediaTruncated;
    a_body_shorter_than_its_header_says: Media, Fault::Truncate { bytes: 50_001, announced: false } => MediaTruncated;
    a_body_longer_than_its_header_says: Media, Fault::Longer(4099) => MediaOverlong;
    an_empty_body: Media, Fault::Truncate { bytes: 0, announced: false } => MediaEmpty;
    xml_instead_of_audio: Media, Fault::WrongBody { body: BodyKind::Xml, disguised: true } => MediaNotAudio;
    json_instead_of_audio: Media, Fault::WrongBody { body: BodyKind::Json, disguised: true } => MediaNotAudio;
    html_instead_of_audio: Media, Fault::WrongBody { body: BodyKind::Html, disguised: true } => MediaNotAudio;
}

story! {
    async fn a_provider_that_refuses_connections_is_waited_for(world: World) {
        world.twilio.faults().always(Route::Media, Fault::Refuse);
        let placed = world.call("?job=J").await;
        world.settle().await;
        let step = archive_step(&world, &placed.recording_sid).await;
        assert!(matches!(step.code, Some(Code::ProviderReset | Code::ProviderUnreachable)), "{step:?}");
        world.twilio.go_down().await;
        world.advance(LATER).await;
        assert_eq!(archive_step(&world, &placed.recording_sid).await.code, Some(Code::ProviderUnreachable));
        assert_nothing_is_there(&world).await;
        world.twilio.faults().clear_all();
        world.twilio.come_back().await.expect("the port is free again");
        world.advance(LATER).await;
        assert_eq!(world.recording(&placed.recording_sid).await.status, Status::Archived);
        world.end().await;
    }
}

story! {
    async fn work_resumes_within_seconds_of_the_end_of_an_outage(world: World) {
        world.twilio.faults().always(Route::Media, Fault::status(StatusCode::SERVICE_UNAVAILABLE));
        let mut calls = Vec::new();
        for _ in 0..5 {
            calls.push(world.call("?job=J").await.recording_sid);
        }
        world.settle().await;
        for _ in 0..40 {
            world.advance(Duration::from_secs(30)).await;
        }
        world.twilio.faults().clear_all();
        // The probe comes every 5 s; its success makes the others due, spread over at most 10 s.
        for _ in 0..20 {
            world.advance(Duration::from_secs(1)).await;
        }
        for recording in &calls {
            let step = archive_step(&world, recording).await;
            assert_eq!(world.recording(recording).await.status, Status::Archived, "{step:?} at {}", world.clock.now());
        }
        assert_eq!(world.recorded("J").await, 5);
        world.end().await;
    }
}

story! {
    async fn one_bad_recording_blocks_nobody(world: World) {
        let bad = {
            let flawed = World::speech().flawed(Flaw::Noise);
            let place = PlaceCall::new(world.account(), world.url("/api/twilio/recording?job=J"), flawed);
            world.twilio.place_call(place).await.recording_sid
        };
        let good = world.call("?job=J").await.recording_sid;
        world.settle().await;
        assert_eq!(world.recording(&good).await.status, Status::Archived);
        assert_eq!(world.recording(&bad).await.status, Status::Announced);
        assert_eq!(archive_step(&world, &bad).await.code, Some(Code::MediaNotAudio));
        world.end().await;
    }
}

story! {
    with ["TWILIO_DELETE_AFTER" = "1h"]
    async fn bytes_that_stay_bad_for_a_day_have_failed_and_are_never_released(world: World) {
        let flawed = World::speech().flawed(Flaw::Truncated);
        let place = PlaceCall::new(world.account(), world.url("/api/twilio/recording?job=J"), flawed);
        let bad = world.twilio.place_call(place).await.recording_sid;
        world.settle().await;
        world.advance(Duration::from_secs(23 * 3600)).await;
        assert_eq!(world.recording(&bad).await.status, Status::Announced);
        world.advance(Duration::from_secs(2 * 3600)).await;
        let row = world.recording(&bad).await;
        assert_eq!((row.status, row.reason.as_deref()), (Status::Failed, Some("media_truncated for 24 h, always the same bytes")));
        world.advance(Duration::from_secs(48 * 3600)).await;
        assert!(world.twilio.deleted().is_empty());
        assert_nothing_is_there(&world).await;
        world.end().await;
    }
}

story! {
    async fn deleted_before_it_was_archived_is_missing(world: World) {
        world.twilio.faults().next(Route::Media, Fault::status(StatusCode::SERVICE_UNAVAILABLE));
        let placed = world.call("?job=J").await;
        world.settle().await;
        world.twilio.delete(&placed.recording_sid);
        world.advance(LATER).await;
        let row = world.recording(&placed.recording_sid).await;
        assert_eq!((row.status, row.reason.as_deref()), (Status::Missing, Some("deleted at the provider before it was archived")));
        world.end().await;
    }
}

story! {
    with ["TWILIO_DELETE_AFTER" = "1h"]
    async fn doubtful_audio_is_archived_and_linked_and_released_only_once_accepted(world: World) {
        let sounds = [
            (World::speech().sounding(Sound::Silence), vec![Finding::Silent]),
            (World::speech().sounding(Sound::DeadChannel(1)), vec![Finding::DeadChannel]),
        ];
        let mut doubtful = Vec::new();
        for (audio, findings) in sounds {
            let place = PlaceCall::new(world.account(), world.url("/api/twilio/recording?job=J"), audio);
            doubtful.push((world.twilio.place_call(place).await.recording_sid, findings));
        }
        let mut place = PlaceCall::new(world.account(), world.url("/api/twilio/recording?job=J"), Audio::seconds(10));
        (place.recording.said_seconds, place.recording.said_channels) = (Some(60), Some(1));
        doubtful.push((world.twilio.place_call(place).await.recording_sid, vec![Finding::ChannelCount, Finding::Duration]));
        world.settle().await;
        world.advance(Duration::from_secs(7200)).await;

        assert_eq!(world.recorded("J").await, 3);
        assert!(world.twilio.deleted().is_empty(), "doubtful audio was released");
        for (recording, findings) in &doubtful {
            assert_eq!(world.recording(recording).await.archive.expect("archived").findings, *findings);
            let accepted = world.app().store.accept(recording, "heard it", "a test", world.clock.now()).await;
            assert_eq!(accepted.expect("the store answers"), callspool_store::Accepted::Accepted);
        }
        world.settle().await;
        assert_eq!(world.twilio.deleted().len(), 3);
        world.end().await;
    }
}

story! {
    async fn somebody_elses_file_at_the_key_stays_whatever_fails_before(world: World) {
        let call = world.twilio.new_call_sid();
        let recording = world.twilio.add_recording(NewRecording::new(world.account(), World::speech()).of_call(call.clone()));
        let theirs = world.folder.path().join(format!("archive/recordings/2024/03/15/{call}-J.wav"));
        std::fs::create_dir_all(theirs.parent().expect("a folder")).expect("a folder");
        std::fs::write(&theirs, "not ours").expect("a file");
        world.twilio.faults().times(Route::Media, 2, Fault::status(StatusCode::INTERNAL_SERVER_ERROR));
        let url = world.url("/api/twilio/recording?job=J");
        world.twilio.announce_status(&recording, &url, Word::Completed).await.expect("known");
        world.settle().await;
        world.advance(LATER).await;
        world.advance(LATER).await;
        let archive = world.recording(&recording).await.archive.expect("a copy");
        assert_eq!(archive.object_key, format!("recordings/2024/03/15/{call}-J-{recording}.wav"));
        assert_eq!(archive.state, CopyState::Verified);
        assert_eq!(std::fs::read_to_string(&theirs).expect("still there"), "not ours");
        world.end().await;
    }
}

story! {
    async fn one_404_after_a_long_outage_makes_nothing_missing_but_a_day_of_them_does(world: World) {
        world.twilio.faults().always(Route::Media, Fault::status(StatusCode::SERVICE_UNAVAILABLE));
        let sid = world.call("?job=J").await.recording_sid;
        world.settle().await;
        world.advance(Duration::from_secs(30 * 3600)).await;
        world.twilio.faults().clear_all();
        world.twilio.faults().always(Route::Media, Fault::status(StatusCode::NOT_FOUND));
        world.twilio.faults().always(Route::Recording, Fault::status(StatusCode::NOT_FOUND));
        world.advance(LATER).await;
        assert_eq!(world.recording(&sid).await.status, Status::Announced, "missing on the first 404");
        world.advance(Duration::from_secs(23 * 3600)).await;
        assert_eq!(world.recording(&sid).await.status, Status::Announced);
        world.advance(Duration::from_secs(2 * 3600)).await;
        let row = world.recording(&sid).await;
        assert_eq!((row.status, row.reason.as_deref()), (Status::Missing, Some("the provider has not known it for 24 h")));
        world.end().await;
    }
}
