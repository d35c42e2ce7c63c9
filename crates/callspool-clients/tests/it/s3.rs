//! The archive in S3: what is visible when, whose objects are whose, reading back and playing.

use std::time::Duration;

use callspool_clients::archive::{
    AwsCredentials, Fingerprint, Held, ObjectFacts, PART_BYTES, PartBudget, PutOutcome, ReadBack, Ready, S3Config, Sse,
};
use callspool_clients::{Archive, Http};
use callspool_domain::audio::AudioFormat;
use callspool_domain::{Code, RecordingSid, Secret, StepFailure};
use callspool_sandbox::S3;
use callspool_sandbox::s3::{IfNoneMatch, Quirks, Route, S3Options};
use futures::TryStreamExt as _;
use url::Url;

use crate::world::{audio, bytes, facts, fingerprint, http};

pub(crate) const KEY: &str = "2024/03/15/CA1-JOB%20456.wav";
/// Where the key lies in the bucket.
pub(crate) const PLACE: &str = "calls/2024/03/15/CA1-JOB%20456.wav";

/// A whole part and a bit.
pub(crate) const BIG: usize = PART_BYTES + 12_345;

pub(crate) struct Bucket {
    pub(crate) s3: S3,
    pub(crate) archive: Archive,
}

impl Bucket {
    pub(crate) async fn new() -> Self {
        Self::with(&http()).await
    }

    pub(crate) async fn with(http: &Http) -> Self {
        let s3 = S3::start(S3Options::default()).await.expect("store");
        let archive = open(http, s3.base_url(), key_of("sandbox-secret")).await.expect("archive");
        Self { s3, archive }
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
        self.s3.object(PLACE).expect("object")
    }
}

pub(crate) fn key_of(secret: &str) -> AwsCredentials {
    let secret_access_key = Secret::new(secret);
    AwsCredentials::Static { access_key_id: "sandbox".to_owned(), secret_access_key, session_token: None }
}

pub(crate) async fn open(http: &Http, endpoint: &str, credentials: AwsCredentials) -> Result<Archive, StepFailure> {
    let config = S3Config {
        bucket: "recordings".to_owned(),
        prefix: Some("calls".to_owned()),
        region: "us-east-1".to_owned(),
        endpoint: Some(Url::parse(endpoint).expect("url")),
        credentials,
        sse: Sse::None,
    };
    Archive::open_bucket(http, &config)
}

#[tokio::test]
async fn a_small_object_is_one_request_sent_when_the_whole_is_accepted() {
    let bucket = Bucket::new().await;
    let content = bytes(100_000);
    let ready = bucket.ready(facts(), &content).await.expect("held");
    assert_eq!(bucket.s3.requests().len(), 0);
    assert_eq!(*ready.fingerprint(), fingerprint(&content));
    assert_eq!(ready.publish(&audio(), Held::Nothing).await, Ok(PutOutcome::Stored));
    assert_eq!(bucket.stored(), content);
    assert_eq!((bucket.s3.count(Route::PutObject), bucket.s3.requests().len()), (1, 1));
    assert_eq!(bucket.s3.unexpected_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn an_object_of_exactly_one_part_is_one_request_and_one_byte_more_is_not() {
    let bucket = Bucket::new().await;
    bucket.put(&bytes(PART_BYTES), Held::Nothing).await.expect("stored");
    assert_eq!(bucket.s3.count(Route::CreateMultipart), 0);
    bucket.put(&bytes(PART_BYTES + 1), Held::Nothing).await.expect("stored");
    assert_eq!(bucket.s3.count(Route::UploadPart), 2);
}

#[tokio::test]
async fn a_big_object_goes_up_in_parts_and_shows_when_it_is_completed() {
    let bucket = Bucket::new().await;
    let content = bytes(2 * PART_BYTES + 1);
    let ready = bucket.ready(facts(), &content).await.expect("uploaded");
    assert_eq!(bucket.s3.count(Route::UploadPart), 3);
    assert_eq!((bucket.s3.keys().len(), bucket.s3.open_uploads().len()), (0, 1));
    assert_eq!(ready.publish(&audio(), Held::Nothing).await, Ok(PutOutcome::Stored));
    assert!(bucket.stored() == content);
    assert_eq!(bucket.s3.open_uploads(), Vec::<String>::new());
    assert_eq!(bucket.read_back(&fingerprint(&content), ReadBack::Checksum).await, Ok(ReadBack::Checksum));
    assert_eq!(bucket.s3.unexpected_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn an_object_says_whose_it_is() {
    let bucket = Bucket::new().await;
    let content = bytes(1000);
    bucket.put(&content, Held::Nothing).await.expect("stored");
    let url = bucket.archive.sign(KEY, Duration::from_secs(60), "inline", AudioFormat::Wav).await.expect("signed");
    let response = plain().get(url.expect("a store signs")).send().await.expect("answer");
    let metadata = |name: &str| {
        let value = response.headers().get(format!("x-amz-meta-{name}")).expect(name);
        value.to_str().expect("ASCII").to_owned()
    };
    assert_eq!(metadata("recording-sid"), facts().recording.to_string());
    assert_eq!(metadata("call-sid"), facts().call.to_string());
    assert_eq!(metadata("account-sid"), facts().account.to_string());
    assert_eq!((metadata("source"), metadata("job-id")), ("IVR".to_owned(), "JOB456".to_owned()));
    assert_eq!((metadata("duration-seconds"), metadata("channels")), ("12.340".to_owned(), "2".to_owned()));
    assert_eq!(metadata("sha256"), fingerprint(&content).sha256);
}

#[tokio::test]
async fn our_own_object_is_kept_replaced_or_spared_and_a_foreign_one_stays() {
    let stores = [
        Quirks::default(),
        Quirks { if_none_match: IfNoneMatch::NotImplemented, ..Quirks::default() },
        Quirks { if_none_match: IfNoneMatch::BadRequest, missing_is_forbidden: true, ..Quirks::default() },
    ];
    for quirks in stores {
        // Of the two, one goes up in one request and one in parts.
        for (first, second) in [(bytes(1000), vec![1; 1000]), (bytes(PART_BYTES + 1), vec![1; PART_BYTES + 1])] {
            let bucket = Bucket::new().await;
            bucket.s3.set_quirks(quirks);
            assert_eq!(bucket.put(&first, Held::Nothing).await, Ok(PutOutcome::Stored), "{quirks:?}");
            assert_eq!(bucket.put(&first, Held::Nothing).await, Ok(PutOutcome::AlreadyOurs), "{quirks:?}");
            assert_eq!(bucket.put_other(&second).await, Ok(PutOutcome::Foreign), "{quirks:?}");
            assert_eq!(bucket.put(&second, Held::Verified).await, Ok(PutOutcome::OursDifferent), "{quirks:?}");
            assert!(bucket.stored() == first);
            for (held, content) in [(Held::Unverified, &second), (Held::Nothing, &first)] {
                assert_eq!(bucket.put(content, held).await, Ok(PutOutcome::Stored), "{quirks:?} {held:?}");
                assert!(bucket.stored() == *content);
            }
            assert_eq!(bucket.s3.open_uploads(), Vec::<String>::new());
            assert_eq!(bucket.s3.unexpected_requests(), Vec::<String>::new());
        }
    }
}

#[tokio::test]
async fn an_object_without_our_metadata_is_somebody_elses() {
    let bucket = Bucket::new().await;
    bucket.s3.overwrite(PLACE, b"notes").expect("written");
    assert_eq!(bucket.put(b"notes", Held::Nothing).await, Ok(PutOutcome::Foreign));
    assert_eq!(bucket.put(&bytes(BIG), Held::Unverified).await, Ok(PutOutcome::Foreign));
    assert_eq!(bucket.stored(), b"notes");
    assert_eq!(bucket.s3.open_uploads(), Vec::<String>::new());
}

#[tokio::test]
async fn a_lost_reply_is_found_to_have_been_a_success() {
    for content in [bytes(1000), bytes(BIG)] {
        let bucket = Bucket::new().await;
        for route in [Route::PutObject, Route::CompleteMultipart] {
            bucket.s3.faults().next(route, callspool_sandbox::Fault::LostReply);
        }
        assert_eq!(bucket.put(&content, Held::Nothing).await.expect_err("no reply").code, Code::ArchiveUnreachable);
        assert!(bucket.stored() == content);
        bucket.s3.faults().clear_all();
        assert_eq!(bucket.put(&content, Held::Nothing).await, Ok(PutOutcome::AlreadyOurs));
    }
}

#[tokio::test]
async fn a_copy_is_read_back_by_checksum_or_in_full() {
    for content in [bytes(1000), bytes(BIG)] {
        let bucket = Bucket::new().await;
        let written = fingerprint(&content);
        bucket.put(&content, Held::Nothing).await.expect("stored");
        assert_eq!(bucket.read_back(&written, ReadBack::Checksum).await, Ok(ReadBack::Checksum));
        assert_eq!(bucket.read_back(&written, ReadBack::Read).await, Ok(ReadBack::Read));
        bucket.s3.set_quirks(Quirks { without_checksums: true, ..Quirks::default() });
        assert_eq!(bucket.read_back(&written, ReadBack::Checksum).await, Ok(ReadBack::Read));
        assert_eq!(bucket.archive.fingerprint(KEY).await, Ok(written));
        assert_eq!(bucket.s3.unexpected_requests(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_changed_copy_is_a_mismatch_and_a_removed_one_is_gone() {
    let bucket = Bucket::new().await;
    let content = bytes(1000);
    let written = fingerprint(&content);
    bucket.put(&content, Held::Nothing).await.expect("stored");
    let (mut damaged, shorter) = (content.clone(), &content[..999]);
    damaged[500] ^= 1;
    for wrong in [&damaged[..], shorter] {
        bucket.s3.overwrite(PLACE, wrong).expect("damaged");
        for by in [ReadBack::Checksum, ReadBack::Read] {
            assert_eq!(bucket.read_back(&written, by).await.expect_err("damaged").code, Code::ArchiveMismatch);
        }
    }
    bucket.s3.remove(PLACE).expect("removed");
    for by in [ReadBack::Checksum, ReadBack::Read] {
        assert_eq!(bucket.read_back(&written, by).await.expect_err("gone").code, Code::ArchiveObjectGone);
    }
    assert_eq!(bucket.archive.fingerprint(KEY).await.expect_err("gone").code, Code::ArchiveObjectGone);
    assert!(bucket.archive.read(KEY, None).await.expect("looked").is_none());
    assert_eq!(bucket.archive.size(KEY).await, Ok(None));
}

#[tokio::test]
async fn an_object_is_played_whole_or_in_part_through_us() {
    let bucket = Bucket::new().await;
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

#[tokio::test]
async fn a_signed_url_plays_under_its_file_name_with_ranges() {
    let bucket = Bucket::new().await;
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

/// A listener's browser.
fn plain() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().expect("client")
}
