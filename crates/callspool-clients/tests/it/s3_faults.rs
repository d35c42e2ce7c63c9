//! The archive in S3 while the store breaks: every fault has its code, and nothing is left behind.

use std::time::Duration;

use callspool_clients::archive::{AwsCredentials, Held, PartBudget, PutOutcome, ReadBack};
use callspool_domain::{Code, StepFailure};
use callspool_sandbox::s3::Route;
use callspool_sandbox::{BodyKind, Fault};
use futures::TryStreamExt as _;
use reqwest::StatusCode;

use crate::s3::{BIG, Bucket, KEY, PLACE, key_of, open};
use crate::world::{bytes, facts, fingerprint, http, impatient};

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
        bucket.s3.faults().next(route, fault.clone());
        failures.push(bucket.put(&vec![7; content], Held::Nothing).await.expect_err("refused"));
    }
    bucket.s3.faults().next(Route::Head, fault.clone());
    failures.push(bucket.archive.read_back(KEY, &written, ReadBack::Checksum).await.expect_err("refused"));
    bucket.s3.faults().next(Route::Get, fault);
    failures.push(bucket.archive.fingerprint(KEY).await.expect_err("refused"));
    failures
}

#[tokio::test]
async fn every_refusal_has_its_code_on_every_path() {
    let bucket = Bucket::new().await;
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

#[tokio::test]
async fn a_store_that_wants_less_is_throttling_and_its_wait_is_heard() {
    let bucket = Bucket::new().await;
    let slow_down = Fault::Status { code: StatusCode::SERVICE_UNAVAILABLE, retry_after: Some(9), body: BodyKind::Own };
    bucket.s3.faults().next(Route::PutObject, slow_down);
    let failure = bucket.put(b"x", Held::Nothing).await.expect_err("slow down");
    assert_eq!((failure.code, failure.retry_after.map(|wait| wait.as_secs())), (Code::ArchiveThrottled, Some(9)));
}

#[tokio::test]
async fn a_conflict_is_tried_again_later() {
    let bucket = Bucket::new().await;
    bucket.s3.faults().next(Route::PutObject, status(409));
    assert_eq!(bucket.put(b"x", Held::Nothing).await.expect_err("conflict").code, Code::ArchiveConflict);
    assert_eq!(bucket.put(b"x", Held::Nothing).await, Ok(PutOutcome::Stored));
}

#[tokio::test]
async fn a_completion_that_says_200_and_means_an_error_is_one() {
    let bucket = Bucket::new().await;
    let fault = Fault::WrongBody { body: BodyKind::Xml, disguised: false };
    bucket.s3.faults().next(Route::CompleteMultipart, fault);
    let failure = bucket.put(&bytes(BIG), Held::Nothing).await.expect_err("an error");
    assert_eq!(failure.code, Code::ArchiveUnavailable, "{failure}");
    assert_eq!(bucket.s3.keys(), Vec::<String>::new());
    settled(&bucket).await;
}

#[tokio::test]
async fn an_exchange_that_breaks_is_an_outage_of_the_store() {
    let bucket = Bucket::new().await;
    for failure in failures(&bucket, Fault::Refuse).await {
        assert_eq!(failure.code, Code::ArchiveUnreachable, "{failure}");
    }
    settled(&bucket).await;
}

#[tokio::test]
async fn a_store_that_falls_silent_is_stalled() {
    let bucket = Bucket::with(&impatient()).await;
    bucket.put(&bytes(100_000), Held::Nothing).await.expect("stored");
    bucket.s3.faults().next(Route::PutObject, Fault::Hang);
    assert_eq!(bucket.put(b"x", Held::Nothing).await.expect_err("silence").code, Code::ArchiveStalled);
    for fault in [Fault::Hang, Fault::Stall(1000)] {
        bucket.s3.faults().next(Route::Get, fault);
        assert_eq!(bucket.archive.fingerprint(KEY).await.expect_err("silence").code, Code::ArchiveStalled);
    }
}

#[tokio::test]
async fn a_read_that_is_cut_short_is_never_taken_for_the_whole() {
    let bucket = Bucket::new().await;
    bucket.put(&bytes(100_000), Held::Nothing).await.expect("stored");
    for fault in [Fault::CutAfter(50_000), Fault::Truncate { bytes: 50_000, announced: true }] {
        bucket.s3.faults().next(Route::Get, fault);
        assert_eq!(bucket.archive.fingerprint(KEY).await.expect_err("cut").code, Code::ArchiveUnreachable);
        bucket.s3.faults().clear_all();
    }
    bucket.s3.faults().next(Route::Get, Fault::CutAfter(50_000));
    let object = bucket.archive.read(KEY, None).await.expect("opened").expect("there");
    assert!(object.body.try_collect::<Vec<_>>().await.is_err());
}

#[tokio::test]
async fn a_refusal_before_the_body_is_read_is_an_outage_either_way() {
    let bucket = Bucket::new().await;
    bucket.s3.faults().next(Route::PutObject, Fault::Early(StatusCode::INTERNAL_SERVER_ERROR));
    let failure = bucket.put(&bytes(4_000_000), Held::Nothing).await.expect_err("refused");
    assert!(matches!(failure.code, Code::ArchiveUnavailable | Code::ArchiveUnreachable), "{failure}");
}

#[tokio::test]
async fn a_store_that_is_down_is_unreachable_and_comes_back() {
    let bucket = Bucket::new().await;
    bucket.s3.go_down().await;
    assert_eq!(bucket.put(b"x", Held::Nothing).await.expect_err("down").code, Code::ArchiveUnreachable);
    assert_eq!(bucket.archive.size(KEY).await.expect_err("down").code, Code::ArchiveUnreachable);
    bucket.s3.come_back().await.expect("up");
    assert_eq!(bucket.put(b"x", Held::Nothing).await, Ok(PutOutcome::Stored));
}

#[tokio::test]
async fn a_transfer_that_is_given_up_or_dropped_leaves_no_upload_behind() {
    let bucket = Bucket::new().await;
    let budget = PartBudget::default();
    let all = budget.available_bytes();
    let mut upload = bucket.archive.put(KEY, facts(), None, &budget).await.expect("begun");
    upload.write(&bytes(BIG)).await.expect("uploaded");
    assert_eq!(bucket.s3.open_uploads(), [PLACE]);
    upload.abort().await.expect("aborted");
    assert_eq!(bucket.s3.open_uploads(), Vec::<String>::new());

    let mut upload = bucket.archive.put(KEY, facts(), None, &budget).await.expect("begun");
    upload.write(&bytes(BIG)).await.expect("uploaded");
    drop(upload);
    settled(&bucket).await;
    assert_eq!((bucket.s3.keys(), budget.available_bytes()), (Vec::new(), all));
}

#[tokio::test]
async fn wrong_or_missing_credentials_are_named_as_such() {
    let bucket = Bucket::new().await;
    let wrong = open(&http(), bucket.s3.base_url(), key_of("another-secret")).await.expect("archive");
    let failure = wrong.size(KEY).await.expect_err("refused");
    assert_eq!(failure.code, Code::ArchiveUnauthorized);
    assert!(!format!("{failure} {wrong:?}").contains("another-secret"));
    bucket.s3.take_unexpected_requests();

    let missing = AwsCredentials::WebIdentity {
        token_file: "/nowhere/token".into(),
        role_arn: "arn:aws:iam::123456789012:role/callspool".to_owned(),
        session_name: None,
    };
    let without = open(&http(), bucket.s3.base_url(), missing).await.expect("archive");
    assert_eq!(without.size(KEY).await.expect_err("no credentials").code, Code::ArchiveUnauthorized);
    assert_eq!(bucket.s3.unexpected_requests(), Vec::<String>::new());
}

/// Waits until every upload that was dropped has been aborted in the background.
async fn settled(bucket: &Bucket) {
    let aborted = async {
        while !bucket.s3.open_uploads().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), aborted).await.expect("an upload stays open");
}
