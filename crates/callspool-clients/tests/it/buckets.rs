//! The archive in a bucket of every brand: what is visible when, whose objects are whose, reading back and playing.

use std::time::Duration;

use callspool_clients::archive::{
    AwsCredentials, AzureConfig, AzureCredentials, BucketConfig, Fingerprint, GcsConfig, GoogleCredentials, Held,
    ObjectFacts, PART_BYTES, PartBudget, PutOutcome, ReadBack, Ready, S3Config, Sse,
};
use callspool_clients::{Archive, Http};
use callspool_domain::audio::AudioFormat;
use callspool_domain::{Code, RecordingSid, Secret, StepFailure};
use callspool_sandbox::s3::{IfNoneMatch, Quirks, Rights, Route};
use callspool_sandbox::{AzureOptions, Brand, Store};
use futures::TryStreamExt as _;
use url::Url;

use crate::world::{audio, bytes, facts, fingerprint, http};

pub(crate) const KEY: &str = "2024/03/15/CA1-JOB%20456.wav";
/// Where the key lies in the bucket.
pub(crate) const PLACE: &str = "calls/2024/03/15/CA1-JOB%20456.wav";

/// A whole part and a bit.
pub(crate) const BIG: usize = PART_BYTES + 12_345;

pub(crate) struct Bucket {
    pub(crate) store: Store,
    pub(crate) archive: Archive,
}

impl Bucket {
    pub(crate) async fn new(brand: Brand) -> Self {
        Self::with(brand, &http()).await
    }

    pub(crate) async fn with(brand: Brand, http: &Http) -> Self {
        let store = Store::start(brand).await.expect("store");
        let archive = Archive::open_bucket(http, &config(&store)).expect("archive");
        Self { store, archive }
    }

    pub(crate) async fn ready(&self, facts: ObjectFacts, content: &[u8]) -> Result<Ready, StepFailure> {
        let mut upload = self.archive.put(KEY, facts, Some(content.len() as u64), &PartBudget::default()).await?;
        for piece in content.chunks(100_000) {
            upload.write(piece).await?;
        }
        upload.finish().await
    }

    pub(crate) async fn put(&self, content: &[u8], held: Held) -> Result<PutOutcome, StepFailure> {
        self.ready(facts(), content).await?.publish(&audio(), held).await
    }

    /// The same from the recording of somebody else.
    async fn put_other(&self, content: &[u8]) -> Result<PutOutcome, StepFailure> {
        let recording = RecordingSid::parse(&format!("RE{}", "f".repeat(32))).expect("sid");
        self.ready(ObjectFacts { recording, ..facts() }, content).await?.publish(&audio(), Held::Nothing).await
    }

    async fn read_back(&self, written: &Fingerprint, by: ReadBack) -> Result<ReadBack, StepFailure> {
        self.archive.read_back(KEY, written, by).await
    }

    fn stored(&self) -> Vec<u8> {
        self.store.object(PLACE).expect("object")
    }

    /// What asking for the checksum comes to: Azure keeps none of the whole.
    fn by_checksum(&self) -> ReadBack {
        if self.store.brand() == Brand::Azure { ReadBack::Read } else { ReadBack::Checksum }
    }
}

pub(crate) fn key_of(secret: &str) -> AwsCredentials {
    let secret_access_key = Secret::new(secret);
    AwsCredentials::Static { access_key_id: "sandbox".to_owned(), secret_access_key, session_token: None }
}

pub(crate) fn config(store: &Store) -> BucketConfig {
    let prefix = Some("calls".to_owned());
    match store {
        Store::S3(s3) => BucketConfig::S3(of_s3(s3.base_url(), key_of("sandbox-secret"))),
        Store::Gcs(gcs) => BucketConfig::Gcs(GcsConfig {
            bucket: "recordings".to_owned(),
            prefix,
            endpoint: Some(Url::parse(gcs.base_url()).expect("url")),
            credentials: GoogleCredentials::ServiceAccount(gcs.service_account().clone()),
        }),
        Store::Azure(azure) => BucketConfig::Azure(AzureConfig {
            account: "sandbox".to_owned(),
            container: "recordings".to_owned(),
            prefix,
            endpoint: Url::parse(&azure.endpoint()).expect("url"),
            credentials: AzureCredentials::Key(AzureOptions::default().key),
        }),
    }
}

pub(crate) fn of_s3(endpoint: &str, credentials: AwsCredentials) -> S3Config {
    S3Config {
        bucket: "recordings".to_owned(),
        prefix: Some("calls".to_owned()),
        region: "us-east-1".to_owned(),
        endpoint: Some(Url::parse(endpoint).expect("url")),
        credentials,
        sse: Sse::None,
    }
}

/// One test for each brand of store.
macro_rules! for_every_store {
    ($($(#[$more:meta])* async fn $name:ident($brand:ident: Brand) $body:block)*) => {
        $(mod $name {
            use super::*;
            async fn of($brand: Brand) $body
            #[tokio::test]
            async fn s3() { of(Brand::S3).await }
            #[tokio::test]
            async fn gcs() { of(Brand::Gcs).await }
            #[tokio::test]
            async fn azure() { of(Brand::Azure).await }
        })*
    };
}
pub(crate) use for_every_store;

for_every_store! {
    async fn a_small_object_is_one_request_sent_when_the_whole_is_accepted(brand: Brand) {
        let bucket = Bucket::new(brand).await;
        let content = bytes(100_000);
        let ready = bucket.ready(facts(), &content).await.expect("held");
        assert_eq!(bucket.store.requests().len(), 0);
        assert_eq!(*ready.fingerprint(), fingerprint(&content));
        assert_eq!(ready.publish(&audio(), Held::Nothing).await, Ok(PutOutcome::Stored));
        assert_eq!(bucket.stored(), content);
        assert_eq!((bucket.store.count(Route::PutObject), bucket.store.requests().len()), (1, 1));
        assert_eq!(bucket.store.unexpected_requests(), Vec::<String>::new());
    }
}

for_every_store! {
    async fn an_object_of_exactly_one_part_is_one_request_and_one_byte_more_is_not(brand: Brand) {
        let bucket = Bucket::new(brand).await;
        bucket.put(&bytes(PART_BYTES), Held::Nothing).await.expect("stored");
        assert_eq!(bucket.store.count(Route::CreateMultipart), 0);
        bucket.put(&bytes(PART_BYTES + 1), Held::Nothing).await.expect("stored");
        assert!(bucket.store.count(Route::UploadPart) + bucket.store.count(Route::CompleteMultipart) >= 2);
    }
}

for_every_store! {
    async fn a_big_object_goes_up_in_parts_and_shows_when_it_is_completed(brand: Brand) {
        let bucket = Bucket::new(brand).await;
        let content = bytes(2 * PART_BYTES + 1);
        let ready = bucket.ready(facts(), &content).await.expect("uploaded");
        // Google's upload ends with its last part, which therefore waits; Azure cleans up by itself.
        let (parts, open) = match brand {
            Brand::S3 => (3, 1),
            Brand::Gcs => (2, 1),
            Brand::Azure => (3, 0),
        };
        assert_eq!(bucket.store.count(Route::UploadPart), parts);
        assert_eq!((bucket.store.keys().len(), bucket.store.open_uploads().len()), (0, open));
        assert_eq!(ready.publish(&audio(), Held::Nothing).await, Ok(PutOutcome::Stored));
        assert!(bucket.stored() == content);
        assert_eq!(bucket.store.open_uploads(), Vec::<String>::new());
        assert_eq!(bucket.read_back(&fingerprint(&content), ReadBack::Checksum).await, Ok(bucket.by_checksum()));
        assert_eq!(bucket.store.unexpected_requests(), Vec::<String>::new());
    }
}

for_every_store! {
    async fn an_object_says_whose_it_is(brand: Brand) {
        let bucket = Bucket::new(brand).await;
        let content = bytes(1000);
        bucket.put(&content, Held::Nothing).await.expect("stored");
        let metadata = metadata(&bucket).await;
        let metadata = |name: &str| metadata[name].clone();
        assert_eq!(metadata("recording-sid"), facts().recording.to_string());
        assert_eq!(metadata("call-sid"), facts().call.to_string());
        assert_eq!(metadata("account-sid"), facts().account.to_string());
        assert_eq!((metadata("source"), metadata("job-id")), ("IVR".to_owned(), "JOB456".to_owned()));
        assert_eq!((metadata("duration-seconds"), metadata("channels")), ("12.340".to_owned(), "2".to_owned()));
        assert_eq!(metadata("sha256"), fingerprint(&content).sha256);
    }
}

/// What a store says differently from what its maker's own does.
fn differences(brand: Brand) -> Vec<Quirks> {
    let mut all = vec![Quirks::default(), Quirks { missing_is_forbidden: true, ..Quirks::default() }];
    if brand == Brand::S3 {
        all.push(Quirks { if_none_match: IfNoneMatch::NotImplemented, ..Quirks::default() });
        all.push(Quirks { if_none_match: IfNoneMatch::BadRequest, missing_is_forbidden: true, ..Quirks::default() });
    }
    all
}

fn set(store: &Store, quirks: Quirks) {
    match store {
        Store::S3(s3) => s3.set_quirks(quirks),
        Store::Gcs(gcs) => gcs.set_rights(Rights { list: !quirks.missing_is_forbidden, ..Rights::default() }),
        Store::Azure(_) => {}
    }
}

for_every_store! {
    async fn our_own_object_is_kept_replaced_or_spared_and_a_foreign_one_stays(brand: Brand) {
        for quirks in differences(brand) {
            // Of the two, one goes up in one request and one in parts.
            for (first, second) in [(bytes(1000), vec![1; 1000]), (bytes(PART_BYTES + 1), vec![1; PART_BYTES + 1])] {
                let bucket = Bucket::new(brand).await;
                set(&bucket.store, quirks);
                assert_eq!(bucket.put(&first, Held::Nothing).await, Ok(PutOutcome::Stored), "{quirks:?}");
                assert_eq!(bucket.put(&first, Held::Nothing).await, Ok(PutOutcome::AlreadyOurs), "{quirks:?}");
                assert_eq!(bucket.put_other(&second).await, Ok(PutOutcome::Foreign), "{quirks:?}");
                assert_eq!(bucket.put(&second, Held::Verified).await, Ok(PutOutcome::OursDifferent), "{quirks:?}");
                assert!(bucket.stored() == first);
                for (held, content) in [(Held::Unverified, &second), (Held::Nothing, &first)] {
                    assert_eq!(bucket.put(content, held).await, Ok(PutOutcome::Stored), "{quirks:?} {held:?}");
                    assert!(bucket.stored() == *content);
                }
                assert_eq!(bucket.store.open_uploads(), Vec::<String>::new());
                assert_eq!(bucket.store.unexpected_requests(), Vec::<String>::new());
            }
        }
    }
}

for_every_store! {
    async fn what_appears_at_the_key_during_an_upload_in_parts_is_never_replaced(brand: Brand) {
        let bucket = Bucket::new(brand).await;
        let (store, late) = (&bucket.store, bytes(10));
        let ready = bucket.ready(facts(), &bytes(BIG)).await.expect("uploaded");
        store.overwrite(PLACE, &late).expect("written");
        assert_eq!(ready.publish(&audio(), Held::Nothing).await, Ok(PutOutcome::Foreign));
        assert_eq!(bucket.stored(), late);
        if brand == Brand::S3 {
            return;
        }
        // Between the look and the completion: the completion itself is under the condition.
        store.remove(PLACE).expect("removed");
        let ready = bucket.ready(facts(), &bytes(BIG)).await.expect("uploaded");
        store.faults().next(Route::CompleteMultipart, callspool_sandbox::Fault::Hang);
        let before = store.count(Route::CompleteMultipart);
        let accepted = audio();
        let (published, ()) = futures::join!(ready.publish(&accepted, Held::Nothing), async {
            store.wait_for(Route::CompleteMultipart, before + 1).await;
            store.overwrite(PLACE, &late).expect("written");
            store.faults().lift();
        });
        assert_eq!(published.expect_err("spared").code, Code::ArchiveConflict);
        assert_eq!(bucket.stored(), late);
    }
}

for_every_store! {
    async fn two_uploads_to_one_key_at_once_do_not_mix(brand: Brand) {
        let bucket = Bucket::new(brand).await;
        let content = bytes(BIG);
        let ready = bucket.ready(facts(), &content).await.expect("uploaded");
        let other = bucket.ready(facts(), &vec![1; BIG]).await.expect("uploaded");
        assert_eq!(ready.publish(&audio(), Held::Nothing).await, Ok(PutOutcome::Stored));
        assert!(bucket.stored() == content);
        drop(other);
        assert_eq!(bucket.store.unexpected_requests(), Vec::<String>::new());
    }
}

for_every_store! {
    async fn an_object_without_our_metadata_is_somebody_elses(brand: Brand) {
        let bucket = Bucket::new(brand).await;
        bucket.store.overwrite(PLACE, b"notes").expect("written");
        assert_eq!(bucket.put(b"notes", Held::Nothing).await, Ok(PutOutcome::Foreign));
        assert_eq!(bucket.put(&bytes(BIG), Held::Unverified).await, Ok(PutOutcome::Foreign));
        assert_eq!(bucket.stored(), b"notes");
        assert_eq!(bucket.store.open_uploads(), Vec::<String>::new());
    }
}

for_every_store! {
    async fn a_lost_reply_is_found_to_have_been_a_success(brand: Brand) {
        for content in [bytes(1000), bytes(BIG)] {
            let bucket = Bucket::new(brand).await;
            for route in [Route::PutObject, Route::CompleteMultipart] {
                bucket.store.faults().next(route, callspool_sandbox::Fault::LostReply);
            }
            let failure = bucket.put(&content, Held::Nothing).await.expect_err("no reply");
            assert_eq!(failure.code, Code::ArchiveUnreachable, "{failure}");
            assert!(bucket.stored() == content);
            bucket.store.faults().clear_all();
            assert_eq!(bucket.put(&content, Held::Nothing).await, Ok(PutOutcome::AlreadyOurs));
        }
    }
}

for_every_store! {
    async fn a_copy_is_read_back_by_checksum_or_in_full(brand: Brand) {
        for content in [bytes(1000), bytes(BIG)] {
            let bucket = Bucket::new(brand).await;
            let written = fingerprint(&content);
            bucket.put(&content, Held::Nothing).await.expect("stored");
            assert_eq!(bucket.read_back(&written, ReadBack::Checksum).await, Ok(bucket.by_checksum()));
            assert_eq!(bucket.read_back(&written, ReadBack::Read).await, Ok(ReadBack::Read));
            set(&bucket.store, Quirks { without_checksums: true, ..Quirks::default() });
            if brand == Brand::S3 {
                assert_eq!(bucket.read_back(&written, ReadBack::Checksum).await, Ok(ReadBack::Read));
            }
            assert_eq!(bucket.archive.fingerprint(KEY).await, Ok(written));
            assert_eq!(bucket.store.unexpected_requests(), Vec::<String>::new());
        }
    }
}

for_every_store! {
    async fn a_changed_copy_is_a_mismatch_and_a_removed_one_is_gone(brand: Brand) {
        let bucket = Bucket::new(brand).await;
        let content = bytes(1000);
        let written = fingerprint(&content);
        bucket.put(&content, Held::Nothing).await.expect("stored");
        let (mut damaged, shorter) = (content.clone(), &content[..999]);
        damaged[500] ^= 1;
        for wrong in [&damaged[..], shorter] {
            bucket.store.overwrite(PLACE, wrong).expect("damaged");
            for by in [ReadBack::Checksum, ReadBack::Read] {
                assert_eq!(bucket.read_back(&written, by).await.expect_err("damaged").code, Code::ArchiveMismatch);
            }
        }
        bucket.store.remove(PLACE).expect("removed");
        for by in [ReadBack::Checksum, ReadBack::Read] {
            assert_eq!(bucket.read_back(&written, by).await.expect_err("gone").code, Code::ArchiveObjectGone);
        }
        assert_eq!(bucket.archive.fingerprint(KEY).await.expect_err("gone").code, Code::ArchiveObjectGone);
        assert!(bucket.archive.read(KEY, None).await.expect("looked").is_none());
        assert_eq!(bucket.archive.size(KEY).await, Ok(None));
    }
}

for_every_store! {
    async fn an_object_is_played_whole_or_in_part_through_us(brand: Brand) {
        let bucket = Bucket::new(brand).await;
        let content = bytes(300_000);
        bucket.put(&content, Held::Nothing).await.expect("stored");
        for range in [None, Some(0..1), Some(70_000..299_999)] {
            let expected = range.clone().map_or(&content[..], |range| &content[range.start as usize..range.end as usize]);
            let object = bucket.archive.read(KEY, range).await.expect("opened").expect("there");
            let played: Vec<_> = object.body.try_collect().await.expect("played");
            assert_eq!(object.size, 300_000);
            assert!(played.concat() == expected);
        }
        assert_eq!(bucket.archive.size(KEY).await, Ok(Some(300_000)));
    }
}

for_every_store! {
    async fn a_signed_url_plays_under_its_file_name_with_ranges(brand: Brand) {
        let bucket = Bucket::new(brand).await;
        let content = bytes(1000);
        bucket.put(&content, Held::Nothing).await.expect("stored");
        let disposition = "attachment; filename=\"call & 'more'.wav\"";
        let url = bucket.archive.sign(KEY, Duration::from_secs(60), disposition, AudioFormat::Mp3).await.expect("signed");
        let request = plain().get(url.expect("a store signs")).header("range", "bytes=10-19");
        let response = request.send().await.expect("answer");
        assert_eq!(response.status(), 206);
        assert_eq!(response.headers()["content-disposition"], disposition);
        assert_eq!(response.headers()["content-type"], "audio/mpeg");
    }
}

/// What an object says about itself.
async fn metadata(bucket: &Bucket) -> std::collections::BTreeMap<String, String> {
    if let Some(metadata) = bucket.store.metadata(PLACE) {
        return metadata;
    }
    let url = bucket.archive.sign(KEY, Duration::from_secs(60), "inline", AudioFormat::Wav).await.expect("signed");
    let response = plain().get(url.expect("a store signs")).send().await.expect("answer");
    let headers = response.headers().iter();
    let metadata = headers.filter_map(|(name, text)| Some((name.as_str().strip_prefix("x-amz-meta-")?, text)));
    metadata.map(|(name, text)| (name.to_owned(), text.to_str().expect("ASCII").to_owned())).collect()
}

/// A listener's browser.
fn plain() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().expect("client")
}
