//! The archive copy is read again in full before the provider's is deleted: whatever is wrong with it keeps that one.

use std::time::Duration;

use callspool_domain::{Code, RecordingSid, StepName, StepState, Subject};
use callspool_sandbox::Fault;
use callspool_sandbox::s3::{Quirks, Route};
use callspool_store::{StepRow, kind};
use http::StatusCode;

use super::{LATER, archive_step, assert_archived, long, place, short};
use crate::harness::{Bucket, World, story};

const DELAY: Duration = Duration::from_secs(3601);

async fn release_step(world: &World, recording: &RecordingSid) -> StepRow {
    world.step(StepName::Release, Subject::Recording(recording.clone())).await
}

/// The step waits with this code, however long, and the provider keeps its copy.
async fn assert_kept(world: &World, recording: &RecordingSid, code: Code) {
    for _ in 0..3 {
        world.advance(LATER).await;
        let step = release_step(world, recording).await;
        assert_eq!((step.state, step.code), (StepState::Waiting, Some(code)), "{:?}", step.detail);
        assert!(world.twilio.deleted().is_empty(), "released although {code}");
    }
}

story! {
    with ["TWILIO_DELETE_AFTER" = "1h"]
    async fn the_copy_is_read_in_full_before_the_release(world: World, bucket: Bucket) {
        for (n, audio) in [short(), long()].into_iter().enumerate() {
            let placed = place(&world, audio).await;
            world.settle().await;
            let reads = bucket.count(Route::Get);
            world.advance(DELAY).await;
            assert_eq!((bucket.count(Route::Get) - reads, world.twilio.deleted().len()), (1, n + 1));
            let events = world.app().store.recording_events(&placed.recording_sid, 100).await.expect("events");
            let receipt = events.iter().find(|event| event.kind == kind::RELEASED).expect("a receipt");
            let copy = assert_archived(&world, &bucket, &placed.recording_sid).await;
            assert_eq!(receipt.data["sha256"].as_str(), copy.sha256.as_deref());
            assert_eq!(receipt.data["archive_key"].as_str(), Some(copy.object_key.as_str()));
        }
        bucket.end(world).await;
    }
}

story! {
    with ["TWILIO_DELETE_AFTER" = "1h"]
    async fn a_damaged_copy_keeps_the_providers(world: World, bucket: Bucket) {
        let placed = place(&world, short()).await;
        world.settle().await;
        let key = assert_archived(&world, &bucket, &placed.recording_sid).await.object_key;
        let whole = bucket.object(&key).expect("the object");
        let damages: [fn(&mut Vec<u8>); 3] =
            [|bytes| *bytes.last_mut().expect("a byte") ^= 1, |bytes| bytes.truncate(1000), |bytes| bytes.push(0)];
        world.clock.advance(DELAY - LATER);
        for damage in damages {
            let mut damaged = whole.clone();
            damage(&mut damaged);
            bucket.overwrite(&key, &damaged).expect("written");
            assert_kept(&world, &placed.recording_sid, Code::ArchiveMismatch).await;
            assert_eq!(bucket.object(&key), Some(damaged), "a verified object is not written over");
        }
        bucket.overwrite(&key, &whole).expect("written");
        world.advance(LATER).await;
        assert_eq!(world.twilio.deleted(), [placed.recording_sid]);
        bucket.end(world).await;
    }
}

story! {
    with ["TWILIO_DELETE_AFTER" = "1h"]
    async fn a_copy_that_is_gone_keeps_the_providers(world: World, bucket: Bucket) {
        let placed = place(&world, short()).await;
        world.settle().await;
        let key = assert_archived(&world, &bucket, &placed.recording_sid).await.object_key;
        let whole = bucket.object(&key).expect("the object");
        bucket.remove(&key).expect("removed");
        world.clock.advance(DELAY - LATER);
        assert_kept(&world, &placed.recording_sid, Code::ArchiveObjectGone).await;
        bucket.set_quirks(Quirks { missing_is_forbidden: true, ..Quirks::default() });
        assert_kept(&world, &placed.recording_sid, Code::ArchiveUnauthorized).await;
        bucket.overwrite(&key, &whole).expect("written");
        world.advance(LATER).await;
        assert_eq!(world.twilio.deleted(), [placed.recording_sid]);
        bucket.end(world).await;
    }
}

story! {
    with ["TWILIO_DELETE_AFTER" = "1h"]
    async fn a_copy_that_cant_be_read_keeps_the_providers(world: World, bucket: Bucket) {
        let faults = [
            (Fault::status(StatusCode::FORBIDDEN), Code::ArchiveUnauthorized),
            (Fault::status(StatusCode::SERVICE_UNAVAILABLE), Code::ArchiveThrottled),
            (Fault::status(StatusCode::INTERNAL_SERVER_ERROR), Code::ArchiveUnavailable),
            (Fault::Refuse, Code::ArchiveUnreachable),
            (Fault::Hang, Code::ArchiveStalled),
            (Fault::Stall(1000), Code::ArchiveStalled),
            (Fault::CutAfter(1000), Code::ArchiveUnreachable),
            (Fault::Truncate { bytes: 1000, announced: true }, Code::ArchiveUnreachable),
            (Fault::Longer(10), Code::ArchiveMismatch),
        ];
        let mut world = world;
        world.grow_impatient().await;
        let placed = place(&world, short()).await;
        world.settle().await;
        world.clock.advance(DELAY - LATER);
        for (fault, code) in faults {
            bucket.faults().always(Route::Get, fault);
            assert_kept(&world, &placed.recording_sid, code).await;
            bucket.faults().clear_all();
            bucket.faults().clear(Route::Get);
        }
        world.advance(LATER).await;
        assert_eq!(world.twilio.deleted(), [placed.recording_sid.clone()]);
        assert_eq!(archive_step(&world, &placed.recording_sid).await.state, StepState::Done);
        bucket.end(world).await;
    }
}
