//! What holds for every archive: the memory of all transfers together.

use callspool_clients::Archive;
use callspool_clients::archive::{PART_BYTES, PartBudget};
use futures::poll;
use std::pin::pin;
use std::task::Poll;

use crate::world::{bytes, facts, http};

/// Nothing is sent before a part is full, so no store needs to be there.
async fn store_nobody_needs() -> Archive {
    use callspool_clients::archive::{AwsCredentials, BucketConfig, S3Config, Sse};
    let credentials = AwsCredentials::Static {
        access_key_id: "AK".to_owned(),
        secret_access_key: callspool_domain::Secret::new("SK"),
        session_token: None,
    };
    let config = S3Config {
        bucket: "bucket".to_owned(),
        prefix: None,
        region: "us-east-1".to_owned(),
        endpoint: Some(url::Url::parse("http://127.0.0.1:1").expect("url")),
        credentials,
        sse: Sse::None,
    };
    Archive::open_bucket(&http(), &BucketConfig::S3(config)).expect("archive")
}

#[tokio::test]
async fn a_transfer_claims_what_it_needs_and_waits_where_there_is_no_room() {
    let archive = store_nobody_needs().await;
    let budget = PartBudget::new(2 * PART_BYTES);
    let all = budget.available_bytes();
    let small = archive.put("a.wav", facts(), Some(100_000), &budget).await.expect("upload");
    assert_eq!(all - budget.available_bytes(), 128 * 1024);
    let mut unknown = archive.put("b.wav", facts(), None, &budget).await.expect("upload");
    unknown.write(&bytes(1000)).await.expect("written");

    let mut third = pin!(archive.put("c.wav", facts(), None, &budget));
    assert!(poll!(third.as_mut()).is_pending());
    drop(small);
    let Poll::Ready(third) = poll!(third.as_mut()) else { panic!("there is room now") };
    assert_eq!(budget.available_bytes(), 0);
    drop((third, unknown));
    assert_eq!(budget.available_bytes(), all);
}

#[tokio::test]
async fn a_transfer_larger_than_any_budget_is_not_locked_out() {
    let archive = store_nobody_needs().await;
    let budget = PartBudget::new(1);
    let upload = archive.put("a.wav", facts(), Some(u64::MAX), &budget).await.expect("upload");
    assert_eq!(budget.available_bytes(), 0);
    drop(upload);
}
