//! Azure Blob Storage.
//!
//! `object_store` finds the credentials and authorizes each request; the requests are our own, since its list of blocks
//! can't be put under a condition and its blocks carry no checksum
//! (<https://learn.microsoft.com/en-us/rest/api/storageservices/put-block-list>). Azure checks the CRC-64 of what arrives
//! and keeps none of the whole, so a copy is always read back in full.

mod config;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use callspool_domain::audio::AudioFormat;
use callspool_domain::{Clock, Secret};
use hmac::{Hmac, KeyInit as _, Mac as _};
use object_store::azure::{AzureAuthorizer, AzureCredential, MicrosoftAzure};
use object_store::client::{HttpRequest, HttpRequestBody};
use object_store::path::Path;
use reqwest::header::{CONTENT_LENGTH, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, RANGE};
use reqwest::{Method, StatusCode};
use sha2::Sha256;
use url::Url;

pub use self::config::{AzureConfig, AzureCredentials};
use super::doorway::Doorway;
use super::failure::{Kind, Trouble};
use super::store::{Condition, Found, Label};
use crate::archive::fingerprint::crc64nvme;
use crate::archive::metadata;
use crate::http::{Http, Response};

const BLOB_TYPE: HeaderName = HeaderName::from_static("x-ms-blob-type");
const CONTENT_TYPE: HeaderName = HeaderName::from_static("x-ms-blob-content-type");
/// Azure's CRC-64 is CRC-64/NVME, written with its lowest byte first.
const CRC64: HeaderName = HeaderName::from_static("x-ms-content-crc64");

const SAS_VERSION: &str = "2022-11-02";

/// An open container.
#[derive(Debug, Clone)]
pub(super) struct AzureContainer {
    store: MicrosoftAzure,
    door: Doorway,
    account: String,
    name: String,
    container: Url,
    /// The account's key, where that is the credential.
    key: Option<Secret>,
}

/// The blocks sent so far. They belong to the key alone: whoever completes a list for it drops the blocks of others, whose
/// own completion is then refused.
#[derive(Debug)]
pub(super) struct Session {
    label: Label,
    /// Tells the blocks of one upload from another's to the same key, of whatever node: 64 random bits.
    name: [u8; 8],
    blocks: Vec<String>,
}

impl Session {
    pub(super) fn new(label: Label) -> Result<Self, Trouble> {
        let mut name = [0; 8];
        let filled = getrandom::fill(&mut name);
        filled.map_err(|error| Trouble::Other(format!("the system gives no random bytes: {error}")))?;
        Ok(Self { label, name, blocks: Vec::new() })
    }

    /// The id of the next block. All ids of a key must have the same length, those of earlier uploads included
    /// (<https://learn.microsoft.com/en-us/rest/api/storageservices/put-block#uri-parameters>).
    fn next_block(&self) -> String {
        STANDARD.encode(format!("{}{:08}", hex::encode(self.name), self.blocks.len()))
    }
}

impl AzureContainer {
    pub(super) fn open(http: &Http, config: &AzureConfig) -> object_store::Result<Self> {
        let door = Doorway::new(http, Kind::Azure);
        let store = config::builder(config).with_http_connector(door.clone()).build()?;
        let mut container = config.endpoint.clone();
        if let Ok(mut segments) = container.path_segments_mut() {
            segments.pop_if_empty().push(&config.container);
        }
        let key = match &config.credentials {
            AzureCredentials::Key(key) => Some(key.clone()),
            _ => None,
        };
        Ok(Self { store, door, account: config.account.clone(), name: config.container.clone(), container, key })
    }

    /// <https://learn.microsoft.com/en-us/rest/api/storageservices/list-blobs>
    pub(super) async fn list(&self, folder: &Path) -> Result<(), Trouble> {
        let query = [("restype", "container"), ("comp", "list"), ("prefix", folder.as_ref()), ("maxresults", "1")];
        let request = self.request(Method::GET, &Path::default(), &query, Bytes::new(), []).await?;
        self.door.succeed(request).await.map(drop)
    }

    /// <https://learn.microsoft.com/en-us/rest/api/storageservices/delete-blob>
    pub(super) async fn delete(&self, path: &Path) -> Result<(), Trouble> {
        self.door.succeed(self.request(Method::DELETE, path, &[], Bytes::new(), []).await?).await.map(drop)
    }

    pub(super) async fn look(&self, path: &Path) -> Result<Option<Found>, Trouble> {
        let response = self.door.ask(self.request(Method::HEAD, path, &[], Bytes::new(), []).await?).await?;
        match response.status() {
            // As of S3: whatever says 200 without naming a version tells nothing of the key.
            StatusCode::OK if response.headers().contains_key(ETAG) => Ok(Some(found(response.headers()))),
            StatusCode::OK => Err(self.door.refusal(response).await),
            _ => super::present(response, Kind::Azure).await.map(|_absent| None),
        }
    }

    pub(super) async fn get(&self, path: &Path, range: Option<HeaderValue>) -> Result<Option<Response>, Trouble> {
        let range = range.map(|range| (RANGE, range));
        let request = self.request(Method::GET, path, &[], Bytes::new(), range).await?;
        super::present(self.door.ask(request).await?, Kind::Azure).await
    }

    pub(super) async fn put(&self, path: &Path, body: Bytes, label: &Label, on: &Condition) -> Result<(), Trouble> {
        let mut headers = described(label, on);
        headers.push((BLOB_TYPE, HeaderValue::from_static("BlockBlob")));
        headers.extend(checksum(&body));
        self.write(self.request(Method::PUT, path, &[], body, headers).await?).await
    }

    pub(super) async fn send_part(&self, path: &Path, session: &mut Session, part: Bytes) -> Result<(), Trouble> {
        let block = session.next_block();
        let query = [("comp", "block"), ("blockid", block.as_str())];
        let crc64 = checksum(&part);
        self.write(self.request(Method::PUT, path, &query, part, crc64).await?).await?;
        session.blocks.push(block);
        Ok(())
    }

    pub(super) async fn complete(&self, path: &Path, session: &mut Session, on: &Condition) -> Result<(), Trouble> {
        let blocks: String = session.blocks.iter().map(|id| format!("<Uncommitted>{id}</Uncommitted>")).collect();
        let list = format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>{blocks}</BlockList>");
        let headers = described(&session.label, on);
        self.write(self.request(Method::PUT, path, &[("comp", "blocklist")], list.into(), headers).await?).await
    }

    /// Azure answers every write of ours by 201. Any other success is somebody else's, and nothing was written.
    async fn write(&self, request: HttpRequest) -> Result<(), Trouble> {
        let answer = self.door.succeed(request).await?;
        match answer.status {
            StatusCode::CREATED => Ok(()),
            other => Err(Trouble::Other(format!("HTTP {} is not how Azure answers a write", other.as_u16()))),
        }
    }

    /// A service SAS under the account's key; with any other credential the audio comes through us. `object_store` would
    /// leave out the overrides, and signs a key with a `%` in it wrongly
    /// (<https://learn.microsoft.com/en-us/rest/api/storageservices/create-service-sas>).
    pub(super) async fn sign(
        &self,
        path: &Path,
        ttl: Duration,
        disposition: &str,
        format: AudioFormat,
    ) -> Result<Option<Url>, Trouble> {
        let Some(key) = &self.key else { return Ok(None) };
        let key = STANDARD.decode(key.expose()).unwrap_or_default();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|error| Trouble::Other(error.to_string()))?;
        // The store judges it by the time of day, which no test can turn.
        let expiry = (Clock::System.now() + ttl).history().replace(' ', "T") + "Z";
        let blob = format!("/blob/{}/{}/{path}", self.account, self.name);
        let kind = format.content_type();
        mac.update(
            format!("r\n\n{expiry}\n{blob}\n\n\n\n{SAS_VERSION}\nb\n\n\n\n{disposition}\n\n\n{kind}").as_bytes(),
        );
        let mut url = self.url(path);
        url.query_pairs_mut().extend_pairs([
            ("sv", SAS_VERSION),
            ("sp", "r"),
            ("se", &expiry),
            ("sr", "b"),
            ("rscd", disposition),
            ("rsct", kind),
            ("sig", &STANDARD.encode(mac.finalize().into_bytes())),
        ]);
        Ok(Some(url))
    }

    pub(super) async fn credentials(&self) -> Result<(), Trouble> {
        self.credential().await.map(drop)
    }

    async fn credential(&self) -> Result<std::sync::Arc<AzureCredential>, Trouble> {
        let had = self.store.credentials().get_credential().await;
        had.map_err(|error| Trouble::credentials(Kind::Azure, &error))
    }

    fn url(&self, path: &Path) -> Url {
        let mut url = self.container.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path.parts().map(|part| part.as_ref().to_owned()));
        }
        url
    }

    async fn request(
        &self,
        method: Method,
        path: &Path,
        query: &[(&str, &str)],
        body: Bytes,
        headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
    ) -> Result<HttpRequest, Trouble> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let length = body.len();
        let is_write = method == Method::PUT;
        let mut request = super::request(method, &url, HttpRequestBody::from(body))?;
        request.headers_mut().extend(headers);
        if is_write {
            request.headers_mut().insert(CONTENT_LENGTH, length.into());
        }
        let credential = self.credential().await?;
        AzureAuthorizer::new(&credential, &self.account).try_authorize(&mut request)?;
        Ok(request)
    }
}

/// What a write says beside the bytes, and its condition.
fn described(label: &Label, on: &Condition) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static(label.contents.content_type()))];
    for (name, text) in &label.metadata {
        // Names of metadata are identifiers of C#, which have no dashes.
        let name = HeaderName::try_from(format!("x-ms-meta-{}", name.replace('-', "_")));
        headers.extend(name.ok().zip(HeaderValue::from_str(text).ok()));
    }
    headers.push(match on {
        Condition::Absent => (IF_NONE_MATCH, HeaderValue::from_static("*")),
        Condition::Unchanged(found) => {
            let etag = found.version.as_deref().and_then(|etag| HeaderValue::from_str(etag).ok());
            (IF_MATCH, etag.unwrap_or(HeaderValue::from_static("*")))
        }
    });
    headers
}

fn checksum(bytes: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let text = STANDARD.encode(crc64nvme(bytes).to_le_bytes());
    HeaderValue::from_str(&text).ok().map(|text| (CRC64, text))
}

/// What a HEAD tells of a blob.
fn found(headers: &HeaderMap) -> Found {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Found {
        bytes: text(CONTENT_LENGTH.as_str()).and_then(|length| length.parse().ok()).unwrap_or_default(),
        recording: text(&format!("x-ms-meta-{}", metadata::RECORDING_SID.replace('-', "_"))),
        version: text(ETAG.as_str()),
        checksum: None,
    }
}
