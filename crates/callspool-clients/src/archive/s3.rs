//! An archive in S3 or a compatible store.
//!
//! Writes are signed by `object_store` and sent through our own [`Http`]; reads are presigned by it and sent the same
//! way, which lets a HEAD ask for the checksum. Nothing is retried here but a connection that could not be made.

mod config;
mod doorway;
mod failure;
mod parts;
mod trial;

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use callspool_domain::audio::AudioFormat;
use callspool_domain::{Code, StepFailure};
use futures::{StreamExt as _, stream};
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer as _};
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, HeaderValue, RANGE};
use reqwest::{Method, StatusCode};
use url::Url;

pub use self::config::{AwsCredentials, S3Config, Sse};
use self::doorway::Doorway;
use self::failure::{Refusal, broken_failure, store_failure};
pub(super) use self::parts::Parts;
use super::fingerprint::{Fingerprint, Fingerprinter};
use super::metadata::{self, ObjectFacts};
use super::upload::{Place, Upload};
use super::{Object, PartBudget};
use crate::http::{Http, Response};

/// A request of our own is signed for this long.
const SIGNED_FOR: Duration = Duration::from_secs(300);
/// S3 signs for 7 days at most (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/ShareObjectPreSignedURL.html>).
const LONGEST_SIGNATURE: Duration = Duration::from_secs(7 * 24 * 3600);
/// An error's body is read up to here.
const ERROR_BYTES: usize = 16 * 1024;

const CHECKSUM_MODE: HeaderName = HeaderName::from_static("x-amz-checksum-mode");
const CHECKSUM_CRC64NVME: &str = "x-amz-checksum-crc64nvme";
const CHECKSUM_TYPE: &str = "x-amz-checksum-type";

/// An open bucket. Clones share its connections.
#[derive(Debug, Clone)]
pub struct S3Bucket {
    store: AmazonS3,
    http: Http,
    bucket: String,
    prefix: Option<String>,
}

impl S3Bucket {
    pub(super) fn open(http: &Http, config: &S3Config) -> Result<Self, StepFailure> {
        let built = config::builder(config).and_then(|builder| builder.with_http_connector(Doorway::new(http)).build());
        let store = built.map_err(|error| {
            let detail =
                format!("the archive's settings can't be used: {error}; correct ARCHIVE_URL or the S3 settings");
            StepFailure::new(Code::ArchiveRejected, detail)
        })?;
        Ok(Self { store, http: http.clone(), bucket: config.bucket.clone(), prefix: config.prefix.clone() })
    }

    pub(super) async fn put(
        &self,
        key: &str,
        facts: ObjectFacts,
        length: Option<u64>,
        budget: &PartBudget,
    ) -> Result<Upload, StepFailure> {
        let path = self.path(key)?;
        let parts = Parts::begin(self.clone(), path, key.to_owned(), facts, length, budget).await;
        Ok(Upload::new(Place::S3(Box::new(parts)), length))
    }

    /// Whether the store's full-object checksum is the one of what was written; `false` where it keeps none.
    pub(super) async fn checksum_agrees(&self, key: &str, written: &Fingerprint) -> Result<bool, StepFailure> {
        let what = format!("reading {key} back");
        let response =
            self.ask(Method::HEAD, key, &[(CHECKSUM_MODE, HeaderValue::from_static("ENABLED"))], &what).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(self.gone(key)),
            _ => return Err(refusal(response, &what).await),
        }
        let headers = response.headers();
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let bytes = text(CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<u64>().ok());
        let full = text(CHECKSUM_TYPE).is_none_or(|kind| kind == "FULL_OBJECT");
        let (Some(bytes), Some(crc64nvme), true) = (bytes, text(CHECKSUM_CRC64NVME), full) else { return Ok(false) };
        if bytes == written.bytes && crc64nvme == written.crc64nvme {
            return Ok(true);
        }
        let detail = format!(
            "{key} has {bytes} bytes and checksum {crc64nvme}, but {} bytes with {} were written; \
             it is fetched and written again",
            written.bytes, written.crc64nvme
        );
        Err(StepFailure::new(Code::ArchiveMismatch, detail))
    }

    pub(super) async fn fingerprint(&self, key: &str) -> Result<Fingerprint, StepFailure> {
        let Some(mut object) = self.read(key, None).await? else { return Err(self.gone(key)) };
        let mut passed = Fingerprinter::new();
        while let Some(chunk) = object.body.next().await {
            passed.update(&chunk?);
        }
        Ok(passed.finish())
    }

    pub(super) async fn read(&self, key: &str, range: Option<Range<u64>>) -> Result<Option<Object>, StepFailure> {
        let what = format!("reading {key}");
        let range = range.map(|range| format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
        let range = range.and_then(|range| HeaderValue::from_str(&range).ok()).map(|range| (RANGE, range));
        let response = self.ask(Method::GET, key, range.as_slice(), &what).await?;
        let size = match response.status() {
            StatusCode::OK => response.content_length(),
            StatusCode::PARTIAL_CONTENT => total(response.headers()),
            StatusCode::NOT_FOUND => return self.missing(response, &what).await.map(|()| None),
            _ => return Err(refusal(response, &what).await),
        };
        let Some(size) = size else {
            let detail = format!("{what}: the store does not say how long the object is; use a store that does");
            return Err(StepFailure::new(Code::ArchiveRejected, detail));
        };
        let body = stream::try_unfold((response, what), async |(mut response, what)| {
            let chunk = response.chunk().await.map_err(|broken| broken_failure(&broken, &what))?;
            Ok::<_, StepFailure>(chunk.map(|chunk: Bytes| (chunk, (response, what))))
        });
        Ok(Some(Object { size, body: body.boxed() }))
    }

    pub(super) async fn size(&self, key: &str) -> Result<Option<u64>, StepFailure> {
        Ok(self.look(key).await?.map(|found| found.bytes))
    }

    pub(super) async fn sign(
        &self,
        key: &str,
        ttl: Duration,
        disposition: &str,
        format: AudioFormat,
    ) -> Result<Url, StepFailure> {
        let options = SignedUrlOptions::new().with_query([
            ("response-content-disposition", disposition),
            ("response-content-type", format.content_type()),
        ]);
        self.presign(Method::GET, key, ttl.min(LONGEST_SIGNATURE), &options, &format!("signing a URL for {key}")).await
    }

    /// What is under a key; `None` where nothing is.
    async fn look(&self, key: &str) -> Result<Option<Found>, StepFailure> {
        let what = format!("looking at {key}");
        let response = self.ask(Method::HEAD, key, &[], &what).await?;
        match response.status() {
            // A store names the version of what it has. Whatever says 200 without that tells nothing of the key.
            StatusCode::OK if response.headers().contains_key(ETAG) => Ok(Some(Found::read(response.headers()))),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(refusal(response, &what).await),
        }
    }

    /// Sends a presigned request with these headers.
    async fn ask(
        &self,
        method: Method,
        key: &str,
        headers: &[(HeaderName, HeaderValue)],
        what: &str,
    ) -> Result<Response, StepFailure> {
        let mut options = SignedUrlOptions::new();
        for (name, value) in headers {
            options = options.with_signed_header(name.clone(), value.clone());
        }
        let url = self.presign(method.clone(), key, SIGNED_FOR, &options, what).await?;
        let request = self.http.request(method, url).headers(headers.iter().cloned().collect());
        self.http.send(request).await.map_err(|broken| broken_failure(&broken, what))
    }

    async fn presign(
        &self,
        method: Method,
        key: &str,
        ttl: Duration,
        options: &SignedUrlOptions,
        what: &str,
    ) -> Result<Url, StepFailure> {
        let path = self.path(key)?;
        self.credentials(what).await?;
        self.store.signed_url_opts(method, &path, ttl, options).await.map_err(|error| store_failure(&error, what))
    }

    /// Makes sure that there are credentials, so that their absence is not taken for trouble with the store.
    async fn credentials(&self, what: &str) -> Result<(), StepFailure> {
        let had = self.store.credentials().get_credential().await;
        had.map(|_credential| ()).map_err(|error| {
            let cause = crate::http::quote(&error.to_string());
            let detail = format!("{what}: no credentials for the bucket could be had: {cause}; set AWS_ACCESS_KEY_ID or give the machine a role");
            StepFailure::new(Code::ArchiveUnauthorized, detail)
        })
    }

    fn path(&self, key: &str) -> Result<Path, StepFailure> {
        super::check_key(key)?;
        let prefixed = self.prefix.as_ref().map(|prefix| format!("{}/{key}", prefix.trim_matches('/')));
        Path::parse(prefixed.as_deref().unwrap_or(key)).map_err(|error| {
            StepFailure::new(
                Code::ArchiveRejected,
                format!("{key} is no key for an object: {error}; correct ARCHIVE_URL"),
            )
        })
    }

    fn gone(&self, key: &str) -> StepFailure {
        let detail = format!("{key} is no longer in bucket {}; find out who removed it", self.bucket);
        StepFailure::new(Code::ArchiveObjectGone, detail)
    }

    /// A GET's 404: no such object is an answer, no such bucket is not.
    async fn missing(&self, response: Response, what: &str) -> Result<(), StepFailure> {
        let refusal = Refusal::read(response, ERROR_BYTES).await;
        if refusal.is_no_such_bucket() { Err(refusal.failure(what)) } else { Ok(()) }
    }
}

async fn refusal(response: Response, what: &str) -> StepFailure {
    Refusal::read(response, ERROR_BYTES).await.failure(what)
}

/// The length of the whole, from `Content-Range: bytes 0-9/1234`.
fn total(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_RANGE)?.to_str().ok()?.rsplit_once('/')?.1.parse().ok()
}

/// What a HEAD tells of an object.
struct Found {
    bytes: u64,
    recording: Option<String>,
}

impl Found {
    fn read(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Self {
            bytes: text(CONTENT_LENGTH.as_str()).and_then(|length| length.parse().ok()).unwrap_or_default(),
            recording: text(&format!("x-amz-meta-{}", metadata::RECORDING_SID)),
        }
    }
}
