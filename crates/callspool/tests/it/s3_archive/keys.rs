//! Whose object a key holds: another's is never touched, ours is never doubled, whatever conditions a store knows.

use std::time::Duration;

use callspool_domain::{Code, StepState};
use callspool_sandbox::Fault;
use callspool_sandbox::s3::{IfNoneMatch, Quirks, Route};
use callspool_sandbox::twilio::{Audio, NewRecording, Word};
use callspool_store::ArchiveRow;
use http::StatusCode;

use super::{
    LATER, archive_step, assert_archived, assert_no_upload_stays_open, damaged_before_it_is_read_back, long, place,
    short,
};
use crate::harness::{Bucket, World, story};

/// Puts objects of somebody else at the first keys of a recording, and brings it over.
async fn archive_beside_foreigners(world: &World, bucket: &Bucket, audio: Audio, foreigners: usize) -> ArchiveRow {
    let call = world.twilio.new_call_sid();
    let spec = NewRecording::new(world.account(), audio).of_call(call.clone());
    let recording = world.twilio.add_recording(spec);
    let stem = format!("recordings/2024/03/15/{call}-J");
    let keys = [format!("{stem}.wav"), format!("{stem}-{recording}.wav"), format!("{stem}-{recording}-2.wav")];
    let (foreign, free) = keys.split_at(foreigners);
    for key in foreign {
        bucket.overwrite(key, b"somebody else's").expect("written");
    }
    let url = world.url("/api/twilio/recording?job=J");
    world.twilio.announce_status(&recording, &url, Word::Completed).await.expect("known");
    world.settle().await;
    let copy = assert_archived(world, bucket, &recording).await;
    assert_eq!(&copy.object_key, free.first().expect("a free key"));
    for key in foreign {
        assert_eq!(bucket.object(key).as_deref(), Some(b"somebody else's".as_slice()), "{key}");
    }
    assert_no_upload_stays_open(world, bucket).await;
    copy
}

story! {
    async fn an_object_of_somebody_else_stays_and_the_next_key_is_taken(world: World, bucket: Bucket) {
        archive_beside_foreigners(&world, &bucket, short(), 1).await;
        archive_beside_foreigners(&world, &bucket, short(), 2).await;
        archive_beside_foreigners(&world, &bucket, long(), 1).await;
        assert_eq!((bucket.keys().len(), world.history("J").await.lines().count()), (7, 3));
        bucket.end(world).await;
    }
}

story! {
    async fn recordings_of_one_call_and_job_are_objects_of_their_own(world: World, bucket: Bucket) {
        let call = world.twilio.new_call_sid();
        let add = || world.twilio.add_recording(NewRecording::new(world.account(), short()).of_call(call.clone()));
        let recordings = [add(), add(), add()];
        for recording in &recordings {
            let url = world.url("/api/twilio/recording?job=J");
            world.twilio.announce_status(recording, &url, Word::Completed).await.expect("known");
        }
        world.settle().await;
        for recording in &recordings {
            assert_archived(&world, &bucket, recording).await;
        }
        let stem = format!("recordings/2024/03/15/{call}-J");
        assert_eq!(bucket.keys().len(), 3);
        assert!(bucket.keys().contains(&format!("{stem}.wav")));
        assert_eq!(world.history("J").await.lines().count(), 3);
        bucket.end(world).await;
    }
}

/// Everything that depends on what is at a key, on a store that differs from Amazon's.
async fn every_key_is_respected(world: &World, bucket: &Bucket, quirks: Quirks) {
    bucket.set_quirks(quirks);
    let before = bucket.keys().len();
    for (audio, route) in [(short(), Route::PutObject), (long(), Route::CompleteMultipart)] {
        let placed = place(world, audio.clone()).await;
        world.settle().await;
        assert_archived(world, bucket, &placed.recording_sid).await;
        // Ours already: a reply was lost, and the same bytes come again.
        if route == Route::PutObject && quirks.if_none_match != IfNoneMatch::Honoured {
            // The first request is refused for its condition; the second is the one that writes.
            bucket.faults().next(route, Fault::Delay(Duration::ZERO));
        }
        bucket.faults().next(route, Fault::LostReply);
        let placed = place(world, audio).await;
        world.settle().await;
        let step = archive_step(world, &placed.recording_sid).await;
        assert_eq!((step.state, step.code), (StepState::Waiting, Some(Code::ArchiveUnreachable)), "{quirks:?}");
        world.advance(LATER).await;
        assert_archived(world, bucket, &placed.recording_sid).await;
    }
    assert_eq!(bucket.keys().len(), before + 4, "{quirks:?}");
}

story! {
    async fn stores_without_if_none_match_are_looked_at_first(world: World, bucket: Bucket) {
        for if_none_match in [IfNoneMatch::NotImplemented, IfNoneMatch::BadRequest] {
            let quirks = Quirks { if_none_match, ..Quirks::default() };
            every_key_is_respected(&world, &bucket, quirks).await;
            archive_beside_foreigners(&world, &bucket, short(), 1).await;
        }
        bucket.end(world).await;
    }
}

story! {
    async fn without_the_right_to_list_a_forbidden_key_counts_as_free(world: World, bucket: Bucket) {
        for if_none_match in [IfNoneMatch::Honoured, IfNoneMatch::NotImplemented] {
            let quirks = Quirks { if_none_match, missing_is_forbidden: true, ..Quirks::default() };
            every_key_is_respected(&world, &bucket, quirks).await;
            archive_beside_foreigners(&world, &bucket, short(), 1).await;
        }
        bucket.end(world).await;
    }
}

story! {
    async fn a_store_without_checksums_and_conditions_keeps_every_recording_once(world: World, bucket: Bucket) {
        let quirks = Quirks {
            without_checksums: true,
            if_none_match: IfNoneMatch::NotImplemented,
            missing_is_forbidden: true,
        };
        every_key_is_respected(&world, &bucket, quirks).await;
        archive_beside_foreigners(&world, &bucket, long(), 1).await;
        bucket.end(world).await;
    }
}

story! {
    async fn a_conflict_is_tried_again(world: World, bucket: Bucket) {
        for (audio, route) in [(short(), Route::PutObject), (long(), Route::CompleteMultipart)] {
            bucket.faults().next(route, Fault::status(StatusCode::CONFLICT));
            let placed = place(&world, audio).await;
            world.settle().await;
            let step = archive_step(&world, &placed.recording_sid).await;
            assert_eq!((step.state, step.code), (StepState::Waiting, Some(Code::ArchiveConflict)));
            world.advance(LATER).await;
            assert_archived(&world, &bucket, &placed.recording_sid).await;
        }
        assert_eq!(bucket.keys().len(), 2);
        assert_no_upload_stays_open(&world, &bucket).await;
        bucket.end(world).await;
    }
}

story! {
    async fn an_unverified_object_that_was_damaged_is_written_again(world: World, bucket: Bucket) {
        damaged_before_it_is_read_back(world, bucket).await;
    }
}
