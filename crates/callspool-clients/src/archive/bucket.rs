//! An archive in a bucket: S3 and compatible stores, Google Cloud Storage, Azure Blob Storage.
//!
//! Guarantee: the same for all of them. What a store lacks is made up for here or said with its operations; credentials,
//! signatures and S3's writes are `object_store`'s, every request goes through our own [`Http`], and nothing is retried
//! here but a connection that could not be made.

mod azure;
mod doorway;
mod failure;
mod gcs;
mod parts;
mod s3;
mod store;
mod trial;

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use callspool_domain::audio::AudioFormat;
use callspool_domain::{Code, Secret, StepFailure};
use futures::{StreamExt as _, stream};
use object_store::client::{HttpRequest, HttpRequestBody};
use object_store::path::Path;
use reqwest::header::{CONTENT_RANGE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use url::Url;

pub use self::azure::{AzureConfig, AzureCredentials};
use self::failure::{Kind, Refusal, Trouble, broken_failure};
pub use self::gcs::{GcsConfig, GoogleCredentials};
pub(super) use self::parts::Parts;
pub use self::s3::{AwsCredentials, Profile, S3Config, Sse};
use self::store::{Found, Store};
use super::fingerprint::{Fingerprint, Fingerprinter};
use super::metadata::ObjectFacts;
use super::upload::{Place, Upload};
use super::{Object, PartBudget};
use crate::http::{Http, Response};

/// S3 and Google sign for 7 days at most (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/ShareObjectPreSignedURL.html>,
/// <https://cloud.google.com/storage/docs/access-control/signed-urls>).
const LONGEST_SIGNATURE: Duration = Duration::from_secs(7 * 24 * 3600);

/// How a bucket is reached.
#[derive(Debug, Clone)]
pub enum BucketConfig {
    /// S3 or a compatible store.
    S3(S3Config),
    /// Google Cloud Storage.
    Gcs(GcsConfig),
    /// Azure Blob Storage.
    Azure(AzureConfig),
}

impl BucketConfig {
    /// The bucket's, or the container's, name.
    pub fn name(&self) -> &str {
        match self {
            Self::S3(config) => &config.bucket,
            Self::Gcs(config) => &config.bucket,
            Self::Azure(config) => &config.container,
        }
    }

    /// What nobody may see of it.
    pub fn secrets(&self) -> Vec<Secret> {
        match self {
            Self::S3(config) => match &config.credentials {
                AwsCredentials::Static { secret_access_key, session_token, .. } => {
                    [secret_access_key.clone()].into_iter().chain(session_token.clone()).collect()
                }
                _ => Vec::new(),
            },
            Self::Gcs(config) => match &config.credentials {
                GoogleCredentials::ServiceAccount(key) => vec![key.clone()],
                _ => Vec::new(),
            },
            Self::Azure(config) => match &config.credentials {
                AzureCredentials::Key(secret)
                | AzureCredentials::Sas(secret)
                | AzureCredentials::Client { secret, .. } => vec![secret.clone()],
                _ => Vec::new(),
            },
        }
    }

    /// What all keys begin with, without slashes at the ends.
    pub fn prefix(&self) -> Option<&String> {
        match self {
            Self::S3(config) => config.prefix.as_ref(),
            Self::Gcs(config) => config.prefix.as_ref(),
            Self::Azure(config) => config.prefix.as_ref(),
        }
    }
}

/// An open bucket. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Bucket {
    store: Store,
    name: String,
    prefix: Option<String>,
}

impl Bucket {
    pub(super) fn open(http: &Http, config: &BucketConfig) -> Result<Self, StepFailure> {
        let opened = match config {
            BucketConfig::S3(config) => s3::S3Bucket::open(http, config).map(Store::S3),
            BucketConfig::Gcs(config) => gcs::GcsBucket::open(http, config).map(Store::Gcs),
            BucketConfig::Azure(config) => azure::AzureContainer::open(http, config).map(Store::Azure),
        };
        let store = opened.map_err(|error| {
            let detail = format!(
                "the archive's settings can't be used: {error}; correct ARCHIVE_URL or the settings of its credentials"
            );
            StepFailure::new(Code::ArchiveRejected, detail)
        })?;
        Ok(Self { store, name: config.name().to_owned(), prefix: config.prefix().cloned() })
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
        Ok(Upload::new(Place::Bucket(Box::new(parts)), length))
    }

    /// Whether the store's full-object checksum is the one of what was written; `false` where it keeps none.
    pub(super) async fn checksum_agrees(&self, key: &str, written: &Fingerprint) -> Result<bool, StepFailure> {
        if !self.store.keeps_checksums() {
            return Ok(false);
        }
        let what = format!("reading {key} back");
        let looked = self.store.look(&self.path(key)?).await.map_err(|trouble| trouble.failure(&what))?;
        let Some(found) = looked else { return Err(self.gone(key)) };
        match found.agrees(written) {
            None => Ok(false),
            Some(true) => Ok(true),
            Some(false) => {
                let detail = format!(
                    "{key} has {} bytes and checksum {:?}, but {} bytes with {} or {} were written; \
                     it is fetched and written again",
                    found.bytes, found.checksum, written.bytes, written.crc64nvme, written.crc32c
                );
                Err(StepFailure::new(Code::ArchiveMismatch, detail))
            }
        }
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
        let wanted = range.as_ref().map(|range| format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
        let wanted = wanted.and_then(|range| HeaderValue::from_str(&range).ok());
        let got = self.store.get(&self.path(key)?, wanted).await.map_err(|trouble| trouble.failure(&what))?;
        let Some(response) = got else { return Ok(None) };
        let size = match response.status() {
            StatusCode::PARTIAL_CONTENT => total(response.headers()),
            _ => response.content_length(),
        };
        let Some(size) = size else {
            let detail = format!("{what}: the store does not say how long the object is; use a store that does");
            return Err(StepFailure::new(Code::ArchiveRejected, detail));
        };
        if let Some(range) = range
            && !holds(&response, &range, size)
        {
            let detail = format!(
                "{what}: the store sent other bytes than the part that was asked for; use one that knows Range"
            );
            return Err(StepFailure::new(Code::ArchiveRejected, detail));
        }
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
    ) -> Result<Option<Url>, StepFailure> {
        let signed = self.store.sign(&self.path(key)?, ttl.min(LONGEST_SIGNATURE), disposition, format).await;
        signed.map_err(|trouble| trouble.failure(&format!("signing a URL for {key}")))
    }

    /// What is under a key; `None` where nothing is.
    async fn look(&self, key: &str) -> Result<Option<Found>, StepFailure> {
        let looked = self.store.look(&self.path(key)?).await;
        looked.map_err(|trouble| trouble.failure(&format!("looking at {key}")))
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
        let detail = format!("{key} is no longer in bucket {}; find out who removed it", self.name);
        StepFailure::new(Code::ArchiveObjectGone, detail)
    }
}

/// The answer to a read: an object, or `None` where there is none. No such object is an answer, no such bucket is not.
async fn present(response: Response, kind: Kind) -> Result<Option<Response>, Trouble> {
    if matches!(response.status(), StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
        return Ok(Some(response));
    }
    let missing = response.status() == StatusCode::NOT_FOUND;
    let refusal = Refusal::read(response, kind).await;
    if missing && !refusal.is_no_such_bucket() { Ok(None) } else { Err(Trouble::Refused(refusal)) }
}

fn request(method: Method, url: &Url, body: HttpRequestBody) -> Result<HttpRequest, Trouble> {
    let uri: http::Uri =
        url.as_str().parse().map_err(|error| Trouble::Other(format!("no address for a request: {error}")))?;
    let mut request = HttpRequest::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    Ok(request)
}

/// Whether the answer holds this part of an object of this size: a store that knows no ranges sends the whole.
fn holds(response: &Response, range: &Range<u64>, size: u64) -> bool {
    let said = response.headers().get(CONTENT_RANGE).and_then(|said| said.to_str().ok()).unwrap_or_default();
    match response.status() {
        StatusCode::PARTIAL_CONTENT => {
            said.starts_with(&format!("bytes {}-{}/", range.start, range.end.min(size).saturating_sub(1)))
        }
        _ => *range == (0..size),
    }
}

/// The length of the whole, from `Content-Range: bytes 0-9/1234`.
fn total(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_RANGE)?.to_str().ok()?.rsplit_once('/')?.1.parse().ok()
}
