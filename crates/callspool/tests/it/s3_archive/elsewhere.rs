//! The same promises in Google Cloud Storage and in Azure Blob Storage, on each fault that is theirs to bring.

use std::time::Duration;

use callspool_domain::recording::Status;
use callspool_domain::{Code, StepName, StepState, Subject};
use callspool_sandbox::s3::Route;
use callspool_sandbox::twilio::{NewRecording, Word};
use callspool_sandbox::{Brand, Fault};
use callspool_store::VerifiedBy;
use http::StatusCode;

use super::{
    LATER, archive_step, assert_archived, assert_no_upload_stays_open, damaged_before_it_is_read_back, long, place,
    short,
};
use crate::harness::{AzureContainer, Bucket, GoogleBucket, World, story};

/// One story, told of both.
macro_rules! elsewhere {
    (async fn $name:ident($world:ident: World, $bucket:ident: Bucket) $body:block) => {
        elsewhere! { with [] async fn $name($world: World, $bucket: Bucket) $body }
    };
    (
        with [$($setting:literal = $text:literal),*]
        async fn $name:ident($world:ident: World, $bucket:ident: Bucket) $body:block
    ) => {
        mod $name {
            use super::*;

            async fn told($world: World, $bucket: Bucket) $body

            story! {
                with [$($setting = $text),*]
                async fn at_google(world: World, bucket: GoogleBucket) { told(world, bucket).await }
            }

            story! {
                with [$($setting = $text),*]
                async fn at_azure(world: World, bucket: AzureContainer) { told(world, bucket).await }
            }
        }
    };
}

elsewhere! {
    async fn recordings_short_and_long_are_archived_whole_and_say_whose_they_are(world: World, bucket: Bucket) {
        // Azure keeps no checksum of the whole, so every byte is read.
        let by = if bucket.brand() == Brand::Azure { VerifiedBy::Read } else { VerifiedBy::Checksum };
        for audio in [short(), long()] {
            let placed = place(&world, audio).await;
            world.settle().await;
            let copy = assert_archived(&world, &bucket, &placed.recording_sid).await;
            assert_eq!(copy.verified_by, Some(by));
            let metadata = bucket.metadata(&world, &copy.object_key).await;
            assert_eq!(metadata["recording-sid"], placed.recording_sid.as_str());
            assert_eq!((metadata["call-sid"].as_str(), metadata["job-id"].as_str()), (placed.call_sid.as_str(), "J"));
        }
        assert_eq!((bucket.keys().len(), world.history("J").await.lines().count()), (2, 2));
        assert_no_upload_stays_open(&world, &bucket).await;
        bucket.end(world).await;
    }
}

elsewhere! {
    async fn an_object_of_somebody_else_stays_and_the_next_key_is_taken(world: World, bucket: Bucket) {
        for audio in [short(), long()] {
            let call = world.twilio.new_call_sid();
            let recording =
                world.twilio.add_recording(NewRecording::new(world.account(), audio).of_call(call.clone()));
            let taken = format!("recordings/2024/03/15/{call}-J.wav");
            bucket.overwrite(&taken, b"somebody else's").expect("written");
            let url = world.url("/api/twilio/recording?job=J");
            world.twilio.announce_status(&recording, &url, Word::Completed).await.expect("known");
            world.settle().await;
            let copy = assert_archived(&world, &bucket, &recording).await;
            assert_eq!(copy.object_key, format!("recordings/2024/03/15/{call}-J-{recording}.wav"));
            assert_eq!(bucket.object(&taken).as_deref(), Some(b"somebody else's".as_slice()));
        }
        bucket.end(world).await;
    }
}

elsewhere! {
    async fn what_refuses_or_breaks_a_request_has_its_code_and_costs_nothing(world: World, bucket: Bucket) {
        let status = |code: u16| Fault::status(StatusCode::from_u16(code).expect("status"));
        let faults = [
            (status(403), Code::ArchiveUnauthorized),
            (status(404), Code::ArchiveRejected),
            (status(429), Code::ArchiveThrottled),
            (status(500), Code::ArchiveUnavailable),
            (Fault::Refuse, Code::ArchiveUnreachable),
            (Fault::LostReply, Code::ArchiveUnreachable),
        ];
        let writes = [(short(), Route::PutObject), (long(), Route::UploadPart), (long(), Route::CompleteMultipart)];
        for (audio, route) in writes {
            for (fault, code) in &faults {
                let before = bucket.keys().len();
                bucket.faults().next(route, fault.clone());
                let placed = place(&world, audio.clone()).await;
                world.settle().await;
                let step = archive_step(&world, &placed.recording_sid).await;
                // The probe of an outage may have succeeded already.
                if step.state == StepState::Waiting {
                    assert_eq!(step.code, Some(*code), "{route:?} {fault:?}: {:?}", step.detail);
                    assert_eq!(world.recording(&placed.recording_sid).await.status, Status::Announced);
                }
                world.advance(LATER).await;
                assert_archived(&world, &bucket, &placed.recording_sid).await;
                assert_eq!(bucket.keys().len(), before + 1, "{route:?} {fault:?}");
            }
        }
        assert_no_upload_stays_open(&world, &bucket).await;
        bucket.end(world).await;
    }
}

elsewhere! {
    async fn bytes_that_changed_before_they_are_read_back_are_written_again(world: World, bucket: Bucket) {
        damaged_before_it_is_read_back(world, bucket).await;
    }
}

elsewhere! {
    async fn a_download_that_breaks_off_leaves_no_object_and_no_upload_behind(world: World, bucket: Bucket) {
        use callspool_sandbox::twilio::Route as Provider;
        world.twilio.faults().next(Provider::Media, Fault::CutAfter(8_900_000));
        let placed = place(&world, long()).await;
        world.settle().await;
        assert_eq!(archive_step(&world, &placed.recording_sid).await.code, Some(Code::ProviderReset));
        assert_eq!(bucket.keys(), Vec::<String>::new());
        assert_no_upload_stays_open(&world, &bucket).await;
        world.advance(LATER).await;
        assert_archived(&world, &bucket, &placed.recording_sid).await;
        bucket.end(world).await;
    }
}

elsewhere! {
    with ["TWILIO_DELETE_AFTER" = "1h"]
    async fn the_copy_is_read_in_full_before_the_release_and_a_damaged_one_keeps_the_providers(
        world: World,
        bucket: Bucket
    ) {
        let placed = place(&world, short()).await;
        world.settle().await;
        let key = assert_archived(&world, &bucket, &placed.recording_sid).await.object_key;
        let whole = bucket.object(&key).expect("the object");
        let mut damaged = whole.clone();
        *damaged.last_mut().expect("a byte") ^= 1;
        bucket.overwrite(&key, &damaged).expect("written");
        world.advance(Duration::from_secs(3601)).await;
        let step = world.step(StepName::Release, Subject::Recording(placed.recording_sid.clone())).await;
        assert_eq!((step.state, step.code), (StepState::Waiting, Some(Code::ArchiveMismatch)), "{:?}", step.detail);
        assert!(world.twilio.deleted().is_empty());
        bucket.overwrite(&key, &whole).expect("written");
        let reads = bucket.count(Route::Get);
        world.advance(LATER).await;
        assert_eq!((world.twilio.deleted(), bucket.count(Route::Get) - reads), (vec![placed.recording_sid], 1));
        bucket.end(world).await;
    }
}

elsewhere! {
    async fn a_link_leads_to_a_signed_url_that_plays(world: World, bucket: Bucket) {
        let placed = place(&world, short()).await;
        world.settle().await;
        let copy = assert_archived(&world, &bucket, &placed.recording_sid).await;
        let archive = &world.app().archive;
        let disposition = "inline; filename=\"call & 'more'.wav\"";
        let format = callspool_domain::audio::AudioFormat::Wav;
        let url = archive.sign(&copy.object_key, Duration::from_secs(60), disposition, format).await;
        let url = url.expect("signed").expect("it signs");
        let answer = world.http.get(url).header("range", "bytes=0-3").send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(answer.headers()["content-disposition"], disposition);
        assert_eq!(answer.bytes().await.expect("bytes").as_ref(), b"RIFF");
        bucket.end(world).await;
    }
}

elsewhere! {
    async fn a_crash_in_the_middle_of_an_upload_is_one_object_after_the_restart(world: World, bucket: Bucket) {
        let mut world = world;
        for route in [Route::UploadPart, Route::CompleteMultipart] {
            let (before, sent) = (bucket.keys().len(), bucket.count(route));
            bucket.faults().next(route, Fault::Hang);
            let placed = place(&world, long()).await;
            bucket.wait_for(route, sent + 1).await;
            world.crash().await;
            bucket.faults().lift();
            world.let_leases_run_out().await;
            world.boot().await;
            world.settle().await;
            world.advance(LATER).await;
            assert_archived(&world, &bucket, &placed.recording_sid).await;
            assert_eq!(bucket.keys().len(), before + 1, "{route:?}");
        }
        bucket.end(world).await;
    }
}
