//! S3 and compatible stores.
//!
//! Writes are signed by `object_store` and sent through our own client; reads are presigned by it and sent the same way,
//! which lets a HEAD ask for the checksum.

mod config;
mod profile;

use std::time::Duration;

use bytes::Bytes;
use callspool_domain::audio::AudioFormat;
use futures::StreamExt as _;
use object_store::aws::AmazonS3;
use object_store::client::HttpRequestBody;
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer as _};
use object_store::{
    Attribute, Attributes, MultipartId, ObjectStore as _, ObjectStoreExt as _, PutMode, PutMultipartOptions,
    PutOptions, PutPayload,
};
use reqwest::header::{CONTENT_LENGTH, ETAG, HeaderMap, HeaderName, HeaderValue, RANGE};
use reqwest::{Method, StatusCode};
use url::Url;

pub use self::config::{AwsCredentials, S3Config, Sse};
pub use self::profile::Profile;
use super::doorway::Doorway;
use super::failure::{Kind, Trouble};
use super::store::{Checksum, Condition, Found, Label};
use crate::archive::metadata;
use crate::http::{Http, Response};

/// A request of our own is signed for this long.
const SIGNED_FOR: Duration = Duration::from_secs(300);

const CHECKSUM_MODE: HeaderName = HeaderName::from_static("x-amz-checksum-mode");
const CHECKSUM_CRC64NVME: &str = "x-amz-checksum-crc64nvme";
const CHECKSUM_TYPE: &str = "x-amz-checksum-type";

/// An open bucket.
#[derive(Debug, Clone)]
pub(super) struct S3Bucket {
    store: AmazonS3,
    door: Doorway,
}

/// A multipart upload.
#[derive(Debug)]
pub(super) struct Session {
    id: MultipartId,
    parts: Vec<PartId>,
}

impl S3Bucket {
    pub(super) fn open(http: &Http, config: &S3Config) -> object_store::Result<Self> {
        let door = Doorway::new(http, Kind::S3);
        let store = config::builder(http, config)?.with_http_connector(door.clone()).build()?;
        Ok(Self { store, door })
    }

    pub(super) async fn list(&self, folder: &Path) -> Result<(), Trouble> {
        self.store.list(Some(folder)).next().await.transpose()?;
        Ok(())
    }

    pub(super) async fn delete(&self, path: &Path) -> Result<(), Trouble> {
        Ok(self.store.delete(path).await?)
    }

    pub(super) async fn look(&self, path: &Path) -> Result<Option<Found>, Trouble> {
        let mode = (CHECKSUM_MODE, HeaderValue::from_static("ENABLED"));
        let response = self.ask(Method::HEAD, path, &[mode]).await?;
        match response.status() {
            // A store names the version of what it has. Whatever says 200 without that tells nothing of the key.
            StatusCode::OK if response.headers().contains_key(ETAG) => Ok(Some(found(response.headers()))),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.door.refusal(response).await),
        }
    }

    pub(super) async fn get(&self, path: &Path, range: Option<HeaderValue>) -> Result<Option<Response>, Trouble> {
        let range = range.map(|range| (RANGE, range));
        let response = self.ask(Method::GET, path, range.as_slice()).await?;
        super::present(response, Kind::S3).await
    }

    pub(super) async fn put(&self, path: &Path, body: Bytes, label: &Label, on: &Condition) -> Result<(), Trouble> {
        // An ETag may be a condition at Amazon's and nowhere else: what is to be replaced is replaced.
        let mode = match on {
            Condition::Absent => PutMode::Create,
            Condition::Unchanged(_) => PutMode::Overwrite,
        };
        let options = PutOptions { mode, attributes: attributes(label), ..PutOptions::default() };
        self.store.put_opts(path, PutPayload::from(body), options).await?;
        Ok(())
    }

    pub(super) async fn begin(&self, path: &Path, label: &Label) -> Result<Session, Trouble> {
        let options = PutMultipartOptions { attributes: attributes(label), ..PutMultipartOptions::default() };
        let id = self.store.create_multipart_opts(path, options).await?;
        Ok(Session { id, parts: Vec::new() })
    }

    pub(super) async fn send_part(&self, path: &Path, session: &mut Session, part: Bytes) -> Result<(), Trouble> {
        let sent = self.store.put_part(path, &session.id, session.parts.len(), PutPayload::from(part)).await?;
        session.parts.push(sent);
        Ok(())
    }

    pub(super) async fn complete(&self, path: &Path, session: &mut Session) -> Result<(), Trouble> {
        let parts = std::mem::take(&mut session.parts);
        self.store.complete_multipart(path, &session.id, parts).await?;
        Ok(())
    }

    pub(super) async fn abort(&self, path: &Path, session: &Session) -> Result<(), Trouble> {
        Ok(self.store.abort_multipart(path, &session.id).await?)
    }

    pub(super) async fn sign(
        &self,
        path: &Path,
        ttl: Duration,
        disposition: &str,
        format: AudioFormat,
    ) -> Result<Option<Url>, Trouble> {
        let options = SignedUrlOptions::new().with_query([
            ("response-content-disposition", disposition),
            ("response-content-type", format.content_type()),
        ]);
        self.presign(Method::GET, path, ttl, &options).await.map(Some)
    }

    pub(super) async fn credentials(&self) -> Result<(), Trouble> {
        let had = self.store.credentials().get_credential().await;
        had.map(|_credential| ()).map_err(|error| Trouble::credentials(Kind::S3, &error))
    }

    /// Sends a presigned request with these headers.
    async fn ask(
        &self,
        method: Method,
        path: &Path,
        headers: &[(HeaderName, HeaderValue)],
    ) -> Result<Response, Trouble> {
        let mut options = SignedUrlOptions::new();
        for (name, value) in headers {
            options = options.with_signed_header(name.clone(), value.clone());
        }
        let url = self.presign(method.clone(), path, SIGNED_FOR, &options).await?;
        let mut request = super::request(method, &url, HttpRequestBody::empty())?;
        request.headers_mut().extend(headers.iter().cloned());
        self.door.ask(request).await
    }

    async fn presign(
        &self,
        method: Method,
        path: &Path,
        ttl: Duration,
        options: &SignedUrlOptions,
    ) -> Result<Url, Trouble> {
        self.credentials().await?;
        Ok(self.store.signed_url_opts(method, path, ttl, options).await?)
    }
}

/// What a HEAD tells of an object.
fn found(headers: &HeaderMap) -> Found {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let bytes = text(CONTENT_LENGTH.as_str()).and_then(|length| length.parse().ok());
    // A checksum without the length is only half of what the copy is compared by; it is read in full then.
    let whole = bytes.is_some() && text(CHECKSUM_TYPE).is_none_or(|kind| kind == "FULL_OBJECT");
    Found {
        bytes: bytes.unwrap_or_default(),
        recording: text(&format!("x-amz-meta-{}", metadata::RECORDING_SID)),
        version: None,
        checksum: text(CHECKSUM_CRC64NVME).filter(|_| whole).map(Checksum::Crc64Nvme),
    }
}

fn attributes(label: &Label) -> Attributes {
    let mut attributes = Attributes::new();
    attributes.insert(Attribute::ContentType, label.contents.content_type().into());
    for (name, value) in label.metadata.iter().cloned() {
        attributes.insert(Attribute::Metadata(name.into()), value.into());
    }
    attributes
}
