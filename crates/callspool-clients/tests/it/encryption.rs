//! `S3_SSE`: what S3 is asked to encrypt with, and that it is asked only where it takes the question.

use callspool_clients::Archive;
use callspool_clients::archive::{BucketConfig, Held, PART_BYTES, PartBudget, S3Config, Sse};
use callspool_sandbox::S3;
use callspool_sandbox::s3::{Route, S3Options};

use crate::buckets::{KEY, PLACE, key_of, of_s3};
use crate::world::{audio, bytes, facts, http};

async fn with(sse: Sse) -> (S3, Archive) {
    let s3 = S3::start(S3Options::default()).await.expect("store");
    let config = S3Config { sse, ..of_s3(s3.base_url(), key_of("sandbox-secret")) };
    let archive = Archive::open_bucket(&http(), &BucketConfig::S3(config)).expect("archive");
    (s3, archive)
}

#[tokio::test]
async fn an_object_is_encrypted_as_configured_whether_it_comes_whole_or_in_parts() {
    let kms = || Sse::Kms { key_id: "arn:aws:kms:eu-west-1:111122223333:key/1234-ab".to_owned() };
    for (sse, asked) in [
        (Sse::Aes256, Some("AES256")),
        (kms(), Some("aws:kms arn:aws:kms:eu-west-1:111122223333:key/1234-ab")),
        (Sse::None, None),
    ] {
        for (length, begins) in [(100_000, Route::PutObject), (PART_BYTES + 1, Route::CreateMultipart)] {
            let (s3, archive) = with(sse.clone()).await;
            let content = bytes(length);
            let budget = PartBudget::default();
            let mut upload = archive.put(KEY, facts(), Some(length as u64), &budget).await.expect("begun");
            upload.write(&content).await.expect("written");
            upload.finish().await.expect("finished").publish(&audio(), Held::Nothing).await.expect("stored");
            assert_eq!(s3.encryption_asked_for(PLACE).as_deref(), asked, "{length} bytes");
            assert_eq!(s3.count(begins), 1);
            assert_eq!(archive.fingerprint(KEY).await.expect("read").bytes, content.len() as u64);
            // The stand-in refuses the question on a part, a completion, or a read, as S3 does.
            assert_eq!(s3.unexpected_requests(), Vec::<String>::new());
        }
    }
}

#[tokio::test]
async fn an_upload_of_an_encrypted_object_can_be_given_up() {
    let (s3, archive) = with(Sse::Aes256).await;
    let content = bytes(PART_BYTES + 1);
    let budget = PartBudget::default();
    let mut upload = archive.put(KEY, facts(), Some(content.len() as u64), &budget).await.expect("begun");
    upload.write(&content).await.expect("written");
    upload.finish().await.expect("finished").abort().await.expect("given up");
    assert_eq!((s3.count(Route::AbortMultipart), s3.open_uploads()), (1, Vec::new()));
    assert_eq!(s3.unexpected_requests(), Vec::<String>::new());
}
