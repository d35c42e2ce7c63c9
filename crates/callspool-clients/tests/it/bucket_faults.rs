//! The archive in a bucket of every brand while the store breaks: every fault has its code, and nothing is left behind.

use std::time::Duration;

use callspool_clients::Archive;
use callspool_clients::archive::{
    AwsCredentials, AzureConfig, AzureCredentials, BucketConfig, GcsConfig, Held, PartBudget, PutOutcome, ReadBack,
};
use callspool_domain::{Code, Secret, StepFailure};
use callspool_sandbox::s3::Route;
use callspool_sandbox::{BodyKind, Brand, Fault, Store};
use futures::TryStreamExt as _;
use reqwest::StatusCode;

use crate::buckets::{BIG, Bucket, KEY, PLACE, config, for_every_store, key_of, of_s3};
use crate::world::{audio, bytes, facts, fingerprint, http, impatient};

fn status(code: u16) -> Fault {
    Fault::status(StatusCode::from_u16(code).expect("status"))
}

/// What every kind of request comes to while the store plays one fault on it.
async fn failures(bucket: &Bucket, fault: Fault) -> Vec<StepFailure> {
    let written = fingerprint(b"x");
    let mut failures = Vec::new();
    for (route, content) in [
        (Route::PutObject, 1000),
        (Route::CreateMultipart, BIG),
        (Route::UploadPart, BIG),
        (Route::CompleteMultipart, BIG),
    ] {
        // Azure's blocks need no beginning.
        if route == Route::CreateMultipart && bucket.store.brand() == Brand::Azure {
            continue;
        }
        bucket.store.faults().next(route, fault.clone());
        failures.push(bucket.put(&vec![7; content], Held::Nothing).await.expect_err("refused"));
    }
    let looks = if bucket.store.brand() == Brand::Azure { Route::Get } else { Route::Head };
    bucket.store.faults().next(looks, fault.clone());
    failures.push(bucket.archive.read_back(KEY, &written, ReadBack::Checksum).await.expect_err("refused"));
    bucket.store.faults().next(Route::Get, fault);
    failures.push(bucket.archive.fingerprint(KEY).await.expect_err("refused"));
    failures
}

for_every_store! {
    async fn every_refusal_has_its_code_on_every_path(brand: Brand) {
        let bucket = Bucket::new(brand).await;
        for (code, expected) in [
            (401, Code::ArchiveUnauthorized),
            (403, Code::ArchiveUnauthorized),
            (429, Code::ArchiveThrottled),
            (500, Code::ArchiveUnavailable),
            (502, Code::ArchiveUnavailable),
            (507, Code::ArchiveFull),
            (301, Code::ArchiveRejected),
        ] {
            for failure in failures(&bucket, status(code)).await {
                assert_eq!(failure.code, expected, "{failure}");
                assert!(failure.detail.contains(KEY) && !failure.detail.contains("X-Amz"), "{failure}");
            }
        }
        settled(&bucket).await;
    }
}

for_every_store! {
    async fn a_store_that_wants_less_is_throttling_and_its_wait_is_heard(brand: Brand) {
        let bucket = Bucket::new(brand).await;
        let slow_down = Fault::Status { code: StatusCode::SERVICE_UNAVAILABLE, retry_after: Some(9), body: BodyKind::Own };
        bucket.store.faults().next(Route::PutObject, slow_down);
        let failure = bucket.put(b"x", Held::Nothing).await.expect_err("slow down");
        assert_eq!((failure.code, failure.retry_after.map(|wait| wait.as_secs())), (Code::ArchiveThrottled, Some(9)));
    }
}

for_every_store! {
    async fn a_conflict_is_tried_again_later(brand: Brand) {
        let bucket = Bucket::new(brand).await;
        bucket.store.faults().next(Route::PutObject, status(409));
        assert_eq!(bucket.put(b"x", Held::Nothing).await.expect_err("conflict").code, Code::ArchiveConflict);
        assert_eq!(bucket.put(b"x", Held::Nothing).await, Ok(PutOutcome::Stored));
    }
}

#[tokio::test]
async fn a_completion_that_says_200_and_means_an_error_is_one() {
    let bucket = Bucket::new(Brand::S3).await;
    let fault = Fault::WrongBody { body: BodyKind::Xml, disguised: false };
    bucket.store.faults().next(Route::CompleteMultipart, fault);
    let failure = bucket.put(&bytes(BIG), Held::Nothing).await.expect_err("an error");
    assert_eq!(failure.code, Code::ArchiveUnavailable, "{failure}");
    assert_eq!(bucket.store.keys(), Vec::<String>::new());
    settled(&bucket).await;
}

for_every_store! {
    async fn a_200_of_somebody_else_is_no_write(brand: Brand) {
        let bucket = Bucket::new(brand).await;
        let page = Fault::WrongBody { body: BodyKind::Html, disguised: false };
        for (route, content) in [(Route::PutObject, 1000), (Route::UploadPart, BIG), (Route::CompleteMultipart, BIG)] {
            bucket.store.faults().next(route, page.clone());
            let failure = bucket.put(&bytes(content), Held::Nothing).await.expect_err("no store answers so");
            // Google's answer to a part is never 200: it says that the upload is over.
            let is_over = brand == Brand::Gcs && route == Route::UploadPart;
            let expected = if is_over { Code::ArchiveUnavailable } else { Code::ArchiveRejected };
            assert_eq!(failure.code, expected, "{route:?}: {failure}");
            assert_eq!(bucket.store.keys(), Vec::<String>::new(), "{route:?}");
        }
        settled(&bucket).await;
    }
}

for_every_store! {
    async fn an_exchange_that_breaks_is_an_outage_of_the_store(brand: Brand) {
        let bucket = Bucket::new(brand).await;
        for failure in failures(&bucket, Fault::Refuse).await {
            assert_eq!(failure.code, Code::ArchiveUnreachable, "{failure}");
        }
        settled(&bucket).await;
    }
}

for_every_store! {
    async fn a_store_that_falls_silent_is_stalled(brand: Brand) {
        let bucket = Bucket::with(brand, &impatient()).await;
        bucket.put(&bytes(100_000), Held::Nothing).await.expect("stored");
        bucket.store.faults().next(Route::PutObject, Fault::Hang);
        assert_eq!(bucket.put(b"x", Held::Nothing).await.expect_err("silence").code, Code::ArchiveStalled);
        for fault in [Fault::Hang, Fault::Stall(1000)] {
            bucket.store.faults().next(Route::Get, fault);
            assert_eq!(bucket.archive.fingerprint(KEY).await.expect_err("silence").code, Code::ArchiveStalled);
        }
    }
}

for_every_store! {
    async fn a_read_that_is_cut_short_is_never_taken_for_the_whole(brand: Brand) {
        let bucket = Bucket::new(brand).await;
        bucket.put(&bytes(100_000), Held::Nothing).await.expect("stored");
        for fault in [Fault::CutAfter(50_000), Fault::Truncate { bytes: 50_000, announced: true }] {
            bucket.store.faults().next(Route::Get, fault);
            assert_eq!(bucket.archive.fingerprint(KEY).await.expect_err("cut").code, Code::ArchiveUnreachable);
            bucket.store.faults().clear_all();
        }
        bucket.store.faults().next(Route::Get, Fault::CutAfter(50_000));
        let object = bucket.archive.read(KEY, None).await.expect("opened").expect("there");
        assert!(object.body.try_collect::<Vec<_>>().await.is_err());
    }
}

for_every_store! {
    async fn who_answers_200_and_is_no_store_says_nothing_of_a_key(brand: Brand) {
        let bucket = Bucket::new(brand).await;
        bucket.put(b"audio", Held::Nothing).await.expect("stored");
        let page = Fault::Text { media_type: "text/html", text: "<html>Welcome</html>".to_owned() };
        bucket.store.faults().next(Route::Head, page);
        bucket.archive.size(KEY).await.expect_err("neither an object nor none");
    }
}

for_every_store! {
    async fn a_refusal_before_the_body_is_read_is_an_outage_either_way(brand: Brand) {
        let bucket = Bucket::new(brand).await;
        bucket.store.faults().next(Route::PutObject, Fault::Early(StatusCode::INTERNAL_SERVER_ERROR));
        let failure = bucket.put(&bytes(4_000_000), Held::Nothing).await.expect_err("refused");
        assert!(matches!(failure.code, Code::ArchiveUnavailable | Code::ArchiveUnreachable), "{failure}");
    }
}

for_every_store! {
    async fn a_store_that_is_down_is_unreachable_and_comes_back(brand: Brand) {
        let bucket = Bucket::new(brand).await;
        bucket.store.go_down().await;
        assert_eq!(bucket.put(b"x", Held::Nothing).await.expect_err("down").code, Code::ArchiveUnreachable);
        assert_eq!(bucket.archive.size(KEY).await.expect_err("down").code, Code::ArchiveUnreachable);
        bucket.store.come_back().await.expect("up");
        assert_eq!(bucket.put(b"x", Held::Nothing).await, Ok(PutOutcome::Stored));
    }
}

for_every_store! {
    async fn a_transfer_that_is_given_up_or_dropped_leaves_no_upload_behind(brand: Brand) {
        let bucket = Bucket::new(brand).await;
        let budget = PartBudget::default();
        let all = budget.available_bytes();
        let mut upload = bucket.archive.put(KEY, facts(), None, &budget).await.expect("begun");
        upload.write(&bytes(BIG)).await.expect("uploaded");
        let open = if brand == Brand::Azure { vec![] } else { vec![PLACE] };
        assert_eq!(bucket.store.open_uploads(), open);
        upload.abort().await.expect("aborted");
        assert_eq!(bucket.store.open_uploads(), Vec::<String>::new());

        let mut upload = bucket.archive.put(KEY, facts(), None, &budget).await.expect("begun");
        upload.write(&bytes(BIG)).await.expect("uploaded");
        drop(upload);
        settled(&bucket).await;
        assert_eq!((bucket.store.keys(), budget.available_bytes()), (Vec::new(), all));
    }
}

#[tokio::test]
async fn wrong_or_missing_credentials_are_named_as_such() {
    let bucket = Bucket::new(Brand::S3).await;
    let Store::S3(s3) = &bucket.store else { panic!("S3") };
    let open = |credentials| {
        Archive::open_bucket(&http(), &BucketConfig::S3(of_s3(s3.base_url(), credentials))).expect("archive")
    };
    let wrong = open(key_of("another-secret"));
    let failure = wrong.size(KEY).await.expect_err("refused");
    assert_eq!(failure.code, Code::ArchiveUnauthorized);
    assert!(!format!("{failure} {wrong:?}").contains("another-secret"));
    bucket.store.take_unexpected_requests();

    let missing = AwsCredentials::WebIdentity {
        token_file: "/nowhere/token".into(),
        role_arn: "arn:aws:iam::123456789012:role/callspool".to_owned(),
        session_name: None,
        endpoint: None,
    };
    assert_eq!(open(missing).size(KEY).await.expect_err("no credentials").code, Code::ArchiveUnauthorized);
    assert_eq!(bucket.store.unexpected_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn wrong_credentials_of_google_and_azure_are_named_as_such() {
    for brand in [Brand::Gcs, Brand::Azure] {
        let (bucket, another) = (Bucket::new(brand).await, Store::start(brand).await.expect("store"));
        let wrong = match (config(&bucket.store), config(&another)) {
            (BucketConfig::Gcs(right), BucketConfig::Gcs(other)) => {
                BucketConfig::Gcs(GcsConfig { credentials: other.credentials, ..right })
            }
            (BucketConfig::Azure(right), _) => {
                let credentials = AzureCredentials::Key(Secret::new("d3Jvbmc="));
                BucketConfig::Azure(AzureConfig { credentials, ..right })
            }
            _ => panic!("neither"),
        };
        let archive = Archive::open_bucket(&http(), &wrong).expect("archive");
        let failure = archive.size(KEY).await.expect_err("refused");
        assert_eq!(failure.code, Code::ArchiveUnauthorized, "{failure}");
        assert!(!format!("{failure} {archive:?}").contains("d3Jvbmc="));
    }
}

for_every_store! {
    async fn a_bucket_that_is_not_there_is_no_missing_object(brand: Brand) {
        let bucket = Bucket::new(brand).await;
        if brand == Brand::S3 {
            // The server behind the stand-in knows no missing buckets; the codes have a test of their own.
            return;
        }
        let mut elsewhere = config(&bucket.store);
        match &mut elsewhere {
            BucketConfig::S3(config) => config.bucket = "nowhere".to_owned(),
            BucketConfig::Gcs(config) => config.bucket = "nowhere".to_owned(),
            BucketConfig::Azure(config) => config.container = "nowhere".to_owned(),
        }
        let archive = Archive::open_bucket(&http(), &elsewhere).expect("archive");
        let failure = archive.read(KEY, None).await.err().expect("refused");
        assert_eq!(failure.code, Code::ArchiveRejected, "{failure}");
        let upload = archive.put(KEY, facts(), Some(1), &PartBudget::default()).await.expect("begun");
        let published = upload.finish().await.expect("held").publish(&audio(), Held::Nothing).await;
        assert_eq!(published.expect_err("refused").code, Code::ArchiveRejected);
    }
}

/// Waits until every upload that was dropped has been aborted in the background.
async fn settled(bucket: &Bucket) {
    let aborted = async {
        while !bucket.store.open_uploads().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), aborted).await.expect("an upload stays open");
}
