//! What lies in the bucket: its key, its bytes, what it says about itself, and how it was read back.

use callspool_domain::recording::Status;
use callspool_sandbox::s3::{Quirks, Route};
use callspool_store::VerifiedBy;
use serde_json::json;

use super::{assert_archived, assert_no_upload_stays_open, long, place, place_at, short};
use crate::harness::{ACCOUNT, Bucket, World, story};

story! {
    async fn an_object_says_whose_it_is_and_is_verified_by_its_checksum(world: World, bucket: Bucket) {
        let path = "/api/twilio/recording?job=JOB%2F456%20%C3%A9&source=Empfang%20K%C3%B6ln";
        let placed = place_at(&world, short(), path).await;
        world.settle().await;
        let copy = assert_archived(&world, &bucket, &placed.recording_sid).await;
        assert_eq!(copy.object_key, format!("recordings/2024/03/15/{}-JOB%2F456%20%C3%A9.wav", placed.call_sid));
        assert_eq!(bucket.keys(), [copy.object_key.clone()]);
        assert_eq!(copy.verified_by, Some(VerifiedBy::Checksum));
        assert_eq!((bucket.count(Route::PutObject), bucket.count(Route::Get)), (1, 0));

        let expected = [
            ("account-sid", ACCOUNT),
            ("call-sid", placed.call_sid.as_str()),
            ("channels", "2"),
            ("duration-seconds", "2.000"),
            ("job-id", "JOB%2F456%20%C3%A9"),
            ("recording-sid", placed.recording_sid.as_str()),
            ("sha256", copy.sha256.as_deref().expect("a hash")),
            ("source", "Empfang K%C3%B6ln"),
        ];
        let expected = expected.map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(bucket.metadata(&world, &copy.object_key).await.into_iter().collect::<Vec<_>>(), expected);
        bucket.end(world).await;
    }
}

story! {
    async fn a_hostile_or_endless_job_id_harms_neither_key_nor_metadata(world: World, bucket: Bucket) {
        let endless = "%C3%A9".repeat(250);
        let jobs = ["a%0D%0Ax-amz-acl%3A%20public-read", "..%2F..%2Fetc%2Fpasswd", "..", &endless];
        for job in jobs {
            let placed = place_at(&world, short(), &format!("/api/twilio/recording?job={job}")).await;
            world.settle().await;
            let copy = assert_archived(&world, &bucket, &placed.recording_sid).await;
            let start = format!("recordings/2024/03/15/{}-", placed.call_sid);
            assert!(copy.object_key.starts_with(&start), "{}", copy.object_key);
            let metadata = bucket.metadata(&world, &copy.object_key).await;
            assert_eq!(metadata.len(), 8, "{metadata:?}");
            let said = &metadata["job-id"];
            assert!(said.len() <= 256 && job.starts_with(said.as_str()), "{said}");
        }
        assert_eq!(bucket.keys().len(), jobs.len());
        bucket.end(world).await;
    }
}

story! {
    async fn a_key_stays_what_it_was_when_the_job_becomes_known(world: World, bucket: Bucket) {
        let placed = place_at(&world, short(), "/api/twilio/recording").await;
        world.settle().await;
        let key = format!("recordings/2024/03/15/{}.wav", placed.call_sid);
        assert_eq!(bucket.keys(), [key.clone()]);
        assert!(!bucket.metadata(&world, &key).await.contains_key("job-id"));
        world.put(&format!("/api/v1/calls/{}", placed.call_sid), json!({"job_id": "LATE"})).await;
        world.settle().await;
        assert_eq!(bucket.keys(), [key]);
        assert_eq!(world.history("LATE").await.lines().count(), 1);
        bucket.end(world).await;
    }
}

story! {
    with ["ARCHIVE_VERIFY" = "read"]
    async fn where_that_is_asked_for_every_byte_is_read_back(world: World, bucket: Bucket) {
        for audio in [short(), long()] {
            let reads = bucket.count(Route::Get);
            let placed = place(&world, audio).await;
            world.settle().await;
            let copy = assert_archived(&world, &bucket, &placed.recording_sid).await;
            assert_eq!((copy.verified_by, bucket.count(Route::Get) - reads), (Some(VerifiedBy::Read), 1));
        }
        bucket.end(world).await;
    }
}

story! {
    async fn a_store_without_checksums_is_read_back_in_full(world: World, bucket: Bucket) {
        bucket.set_quirks(Quirks { without_checksums: true, ..Quirks::default() });
        for audio in [short(), long()] {
            let placed = place(&world, audio).await;
            world.settle().await;
            let copy = assert_archived(&world, &bucket, &placed.recording_sid).await;
            assert_eq!(copy.verified_by, Some(VerifiedBy::Read));
        }
        bucket.end(world).await;
    }
}

story! {
    async fn a_long_recording_goes_up_in_parts(world: World, bucket: Bucket) {
        let placed = place(&world, long()).await;
        world.settle().await;
        let copy = assert_archived(&world, &bucket, &placed.recording_sid).await;
        assert_eq!(copy.verified_by, Some(VerifiedBy::Checksum));
        let routes = [Route::CreateMultipart, Route::UploadPart, Route::CompleteMultipart, Route::AbortMultipart];
        assert_eq!(routes.map(|route| bucket.count(route)), [1, 2, 1, 0]);
        let metadata = bucket.metadata(&world, &copy.object_key).await;
        assert_eq!(metadata["recording-sid"], placed.recording_sid.as_str());
        assert!(!metadata.contains_key("sha256"), "it is in the ledger");
        assert_no_upload_stays_open(&world, &bucket).await;
        bucket.end(world).await;
    }
}

story! {
    with ["ARCHIVE_URL" = "s3://recordings/calls/all"]
    async fn every_key_stands_below_the_prefix_of_the_archive(world: World, bucket: Bucket) {
        let (one, two) = (place(&world, short()).await, place(&world, long()).await);
        world.settle().await;
        let mut keys = Vec::new();
        for placed in [&one, &two] {
            let row = world.recording(&placed.recording_sid).await;
            assert_eq!(row.status, Status::Archived);
            keys.push(format!("calls/all/{}", row.archive.expect("a copy").object_key));
        }
        keys.sort();
        assert_eq!(bucket.keys(), keys);
        bucket.end(world).await;
    }
}
