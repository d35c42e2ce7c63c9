//! Every fault of the store at every kind of request: the step waits with the failure's own code, no half recording is
//! seen, and once the cause is gone there is one object, whole.

use std::time::Duration;

use callspool_domain::recording::Status;
use callspool_domain::{Code, StepState};
use callspool_sandbox::s3::Route;
use callspool_sandbox::twilio::{Audio, Flaw};
use callspool_sandbox::{BodyKind, Fault};
use http::StatusCode;

use super::{LATER, archive_step, assert_archived, assert_no_upload_stays_open, long, place, short};
use crate::harness::{Bucket, World, story};

/// What refuses a request, and what it is called.
fn refusals() -> Vec<(Fault, Code)> {
    let status = |code: u16| Fault::status(StatusCode::from_u16(code).expect("status"));
    vec![
        (status(401), Code::ArchiveUnauthorized),
        (status(403), Code::ArchiveUnauthorized),
        (status(429), Code::ArchiveThrottled),
        (status(500), Code::ArchiveUnavailable),
        (
            Fault::Status { code: StatusCode::BAD_GATEWAY, retry_after: None, body: BodyKind::Html },
            Code::ArchiveUnavailable,
        ),
        (status(507), Code::ArchiveFull),
        (status(301), Code::ArchiveRejected),
        (Fault::Refuse, Code::ArchiveUnreachable),
    ]
}

/// Plays each fault on every request of a kind, a recording for each.
async fn breaks_then_recovers(world: World, bucket: Bucket, audio: Audio, route: Route, faults: Vec<(Fault, Code)>) {
    for (n, (fault, code)) in faults.into_iter().enumerate() {
        let before = bucket.keys();
        bucket.faults().always(route, fault.clone());
        let placed = place(&world, audio.clone()).await;
        world.settle().await;
        for _ in 0..2 {
            let step = archive_step(&world, &placed.recording_sid).await;
            assert_eq!((step.state, step.code), (StepState::Waiting, Some(code)), "{fault:?}: {:?}", step.detail);
            assert_eq!(world.recording(&placed.recording_sid).await.status, Status::Announced);
            assert_eq!(world.recorded("J").await, n, "a line without a recording");
            // Before it is read back there is an object that nobody has been told of.
            if route != Route::Head || bucket.count(Route::PutObject) == 0 {
                assert_eq!(bucket.keys(), before, "{fault:?}");
            }
            world.advance(LATER).await;
        }
        bucket.faults().clear_all();
        world.advance(LATER).await;
        assert_archived(&world, &bucket, &placed.recording_sid).await;
        assert_eq!(bucket.keys().len(), before.len() + 1, "{fault:?}");
        assert_no_upload_stays_open(&world, &bucket).await;
    }
    bucket.end(world).await;
}

story! {
    async fn writing_an_object(world: World, bucket: Bucket) {
        let mut faults = refusals();
        faults.extend([
            (Fault::status(StatusCode::NOT_FOUND), Code::ArchiveRejected),
            (Fault::status(StatusCode::CONFLICT), Code::ArchiveConflict),
        ]);
        breaks_then_recovers(world, bucket, short(), Route::PutObject, faults).await;
    }
}

story! {
    async fn reading_an_object_back(world: World, bucket: Bucket) {
        let mut faults = refusals();
        faults.push((Fault::LostReply, Code::ArchiveUnreachable));
        breaks_then_recovers(world, bucket, short(), Route::Head, faults).await;
    }
}

story! {
    async fn beginning_an_upload_in_parts(world: World, bucket: Bucket) {
        breaks_then_recovers(world, bucket, long(), Route::CreateMultipart, refusals()).await;
    }
}

story! {
    async fn sending_a_part(world: World, bucket: Bucket) {
        let mut faults = refusals();
        faults.extend([
            (Fault::status(StatusCode::NOT_FOUND), Code::ArchiveRejected),
            (Fault::LostReply, Code::ArchiveUnreachable),
        ]);
        breaks_then_recovers(world, bucket, long(), Route::UploadPart, faults).await;
    }
}

story! {
    async fn completing_an_upload_in_parts(world: World, bucket: Bucket) {
        let mut faults = refusals();
        faults.extend([
            (Fault::status(StatusCode::CONFLICT), Code::ArchiveConflict),
            (Fault::WrongBody { body: BodyKind::Xml, disguised: false }, Code::ArchiveUnavailable),
        ]);
        breaks_then_recovers(world, bucket, long(), Route::CompleteMultipart, faults).await;
    }
}

story! {
    async fn looking_at_the_key_of_an_upload_in_parts(world: World, bucket: Bucket) {
        // But for 403, which may only mean that there is nothing.
        let faults = vec![
            (Fault::status(StatusCode::INTERNAL_SERVER_ERROR), Code::ArchiveUnavailable),
            (Fault::Refuse, Code::ArchiveUnreachable),
        ];
        breaks_then_recovers(world, bucket, long(), Route::Head, faults).await;
    }
}

/// What the store's own word for "too often" comes to where it can say it: a HEAD has no body.
const SLOW_DOWN: Fault =
    Fault::Status { code: StatusCode::SERVICE_UNAVAILABLE, retry_after: Some(9), body: BodyKind::Own };

story! {
    async fn a_store_that_is_asked_too_often(world: World, bucket: Bucket) {
        breaks_then_recovers(world, bucket, short(), Route::PutObject, vec![(SLOW_DOWN, Code::ArchiveThrottled)]).await;
    }
}

story! {
    async fn a_store_that_falls_silent(world: World, bucket: Bucket) {
        let mut world = world;
        world.grow_impatient().await;
        let requests = [
            (short(), Route::PutObject),
            (short(), Route::Head),
            (long(), Route::CreateMultipart),
            (long(), Route::CompleteMultipart),
        ];
        for (audio, route) in requests {
            let before = bucket.keys();
            bucket.faults().next(route, Fault::Hang);
            let placed = place(&world, audio).await;
            world.settle().await;
            let step = archive_step(&world, &placed.recording_sid).await;
            assert_eq!((step.state, step.code), (StepState::Waiting, Some(Code::ArchiveStalled)), "{route:?}");
            // What was given up long ago may arrive now, while it is tried again.
            bucket.faults().lift();
            world.advance(LATER).await;
            assert_archived(&world, &bucket, &placed.recording_sid).await;
            assert_eq!(bucket.keys().len(), before.len() + 1, "{route:?}");
        }
        bucket.end(world).await;
    }
}

story! {
    async fn a_store_slower_than_the_providers_time_out_is_waited_for(world: World, bucket: Bucket) {
        let mut world = world;
        world.grow_impatient().await;
        let longer_than_that = world.patience.read_timeout * 3 / 2;
        bucket.faults().next(Route::UploadPart, Fault::Delay(longer_than_that));
        let placed = place(&world, long()).await;
        world.settle().await;
        assert_archived(&world, &bucket, &placed.recording_sid).await;
        assert_eq!(world.twilio.media_requests(&placed.recording_sid), 1, "the provider was silent for us to send a part");
        bucket.end(world).await;
    }
}

story! {
    async fn an_object_that_vanishes_before_it_is_read_back_is_written_again(world: World, bucket: Bucket) {
        bucket.faults().next(Route::Head, Fault::status(StatusCode::NOT_FOUND));
        let placed = place(&world, short()).await;
        world.settle().await;
        let [key] = &bucket.keys()[..] else { panic!("one object") };
        bucket.remove(key).expect("removed");
        assert_eq!(archive_step(&world, &placed.recording_sid).await.code, Some(Code::ArchiveObjectGone));
        world.advance(LATER).await;
        assert_eq!(&assert_archived(&world, &bucket, &placed.recording_sid).await.object_key, key);
        bucket.end(world).await;
    }
}

story! {
    async fn a_write_whose_reply_was_lost_is_one_object(world: World, bucket: Bucket) {
        bucket.faults().next(Route::PutObject, Fault::LostReply);
        let placed = place(&world, short()).await;
        world.settle().await;
        assert_eq!(archive_step(&world, &placed.recording_sid).await.code, Some(Code::ArchiveUnreachable));
        assert_eq!(world.recording(&placed.recording_sid).await.status, Status::Announced);
        world.advance(LATER).await;
        assert_archived(&world, &bucket, &placed.recording_sid).await;
        assert_eq!(bucket.keys().len(), 1);
        bucket.end(world).await;
    }
}

story! {
    async fn a_completion_whose_reply_was_lost_is_one_object(world: World, bucket: Bucket) {
        bucket.faults().next(Route::CompleteMultipart, Fault::LostReply);
        let placed = place(&world, long()).await;
        world.settle().await;
        assert_eq!(archive_step(&world, &placed.recording_sid).await.code, Some(Code::ArchiveUnreachable));
        assert_eq!(world.recording(&placed.recording_sid).await.status, Status::Announced);
        world.advance(LATER).await;
        assert_archived(&world, &bucket, &placed.recording_sid).await;
        assert_eq!((bucket.keys().len(), bucket.count(Route::CompleteMultipart)), (1, 1), "found, and not written twice");
        assert_no_upload_stays_open(&world, &bucket).await;
        bucket.end(world).await;
    }
}

story! {
    async fn a_download_that_breaks_off_leaves_no_upload_behind(world: World, bucket: Bucket) {
        use callspool_sandbox::twilio::Route as Provider;
        let faults = [
            (Fault::CutAfter(8_900_000), Code::ProviderReset),
            (Fault::Truncate { bytes: 8_900_000, announced: true }, Code::MediaTruncated),
            (Fault::Truncate { bytes: 8_900_001, announced: false }, Code::MediaTruncated),
        ];
        for (fault, code) in faults {
            let before = bucket.keys();
            world.twilio.faults().next(Provider::Media, fault);
            let placed = place(&world, long()).await;
            world.settle().await;
            assert_eq!(archive_step(&world, &placed.recording_sid).await.code, Some(code));
            assert_eq!(bucket.keys(), before);
            assert_no_upload_stays_open(&world, &bucket).await;
            world.advance(LATER).await;
            assert_archived(&world, &bucket, &placed.recording_sid).await;
        }
        let flawed = place(&world, long().flawed(Flaw::Overlong)).await;
        world.settle().await;
        assert_eq!(archive_step(&world, &flawed.recording_sid).await.code, Some(Code::MediaOverlong));
        assert_no_upload_stays_open(&world, &bucket).await;
        assert_eq!(bucket.keys().len(), 3);
        bucket.end(world).await;
    }
}

story! {
    async fn an_outage_of_hours_ends_within_seconds_and_leaves_nothing_here(world: World, bucket: Bucket) {
        bucket.go_down().await;
        let mut calls = Vec::new();
        for _ in 0..6 {
            calls.push(place(&world, short()).await);
        }
        calls.push(place(&world, long()).await);
        world.settle().await;
        for _ in 0..12 {
            world.advance(Duration::from_secs(1800)).await;
            assert_eq!(world.recorded("J").await, 0);
        }
        bucket.come_back().await.expect("the port is free again");
        // The probe comes every 5 s; its success makes the others due, spread over at most 10 s.
        for _ in 0..20 {
            world.advance(Duration::from_secs(1)).await;
        }
        for placed in &calls {
            assert_archived(&world, &bucket, &placed.recording_sid).await;
        }
        assert_eq!((bucket.keys().len(), world.recorded("J").await), (7, 7));
        bucket.end(world).await;
    }
}
