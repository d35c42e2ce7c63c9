//! Google Cloud Storage, by its JSON interface.
//!
//! `object_store` finds the credentials and signs URLs. The requests are our own, for the sake of two things that its
//! writes don't have: a resumable upload, which unlike an upload in parts is completed under a condition, and the CRC32C
//! that is checked by Google before an object of one request becomes visible
//! (<https://cloud.google.com/storage/docs/resumable-uploads>,
//! <https://cloud.google.com/storage/docs/request-preconditions>).

mod config;

use std::time::Duration;

use bytes::Bytes;
use callspool_domain::audio::AudioFormat;
use object_store::PutPayload;
use object_store::client::{HttpRequest, HttpRequestBody};
use object_store::gcp::GoogleCloudStorage;
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer as _};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RANGE,
};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

pub use self::config::{GcsConfig, GoogleCredentials};
use super::doorway::Doorway;
use super::failure::{Kind, Trouble};
use super::store::{Checksum, Condition, Found, Label};
use crate::archive::fingerprint::crc32c;
use crate::archive::metadata;
use crate::http::{Answer, Broken, Http, ReadError, Response, read_capped};

/// Between metadata and bytes of an object that is sent in one request. Audio never holds a line like it, and it is
/// checked by length and checksum anyway.
const BOUNDARY: &str = "callspool-e1b7c92f4d30a586";
/// An object's description is a few hundred bytes.
const DESCRIPTION_BYTES: usize = 64 * 1024;

/// An open bucket.
#[derive(Debug, Clone)]
pub(super) struct GcsBucket {
    store: GoogleCloudStorage,
    door: Doorway,
    endpoint: Url,
    bucket: String,
    /// Without: a stand-in that takes anybody.
    authorized: bool,
}

/// A resumable upload.
#[derive(Debug)]
pub(super) struct Session {
    id: String,
    /// What the key held when it began; the completion is under the condition that this is so still.
    generation: String,
    /// How many bytes Google has.
    sent: u64,
    /// The end, which completes it and is sent then.
    last: Bytes,
}

impl GcsBucket {
    pub(super) fn open(http: &Http, config: &GcsConfig) -> object_store::Result<Self> {
        let door = Doorway::new(http, Kind::Gcs);
        let store = config::builder(config).with_http_connector(door.clone()).build()?;
        Ok(Self {
            store,
            door,
            endpoint: config.endpoint(),
            bucket: config.bucket.clone(),
            authorized: !matches!(config.credentials, GoogleCredentials::Nobody),
        })
    }

    /// <https://cloud.google.com/storage/docs/json_api/v1/objects/list>
    pub(super) async fn list(&self, folder: &Path) -> Result<(), Trouble> {
        let query = [("prefix", folder.as_ref()), ("maxResults", "1"), ("fields", "items(name)")];
        let url = self.url(&format!("storage/v1/b/{}/o", self.bucket), &query)?;
        self.door.succeed(self.request(Method::GET, &url, HttpRequestBody::empty()).await?).await.map(drop)
    }

    /// <https://cloud.google.com/storage/docs/json_api/v1/objects/delete>
    pub(super) async fn delete(&self, path: &Path) -> Result<(), Trouble> {
        let url = self.object(path, &[])?;
        self.door.succeed(self.request(Method::DELETE, &url, HttpRequestBody::empty()).await?).await.map(drop)
    }

    pub(super) async fn look(&self, path: &Path) -> Result<Option<Found>, Trouble> {
        let url = self.object(path, &[("fields", "size,generation,crc32c,metadata")])?;
        let response = self.door.ask(self.request(Method::GET, &url, HttpRequestBody::empty()).await?).await?;
        let Some(response) = super::present(response, Kind::Gcs).await? else { return Ok(None) };
        let body = read_capped(response, DESCRIPTION_BYTES).await.map_err(ReadError::into_broken)?;
        let described: Described = serde_json::from_slice(&body)
            .map_err(|error| Trouble::Other(format!("no description of an object came: {error}")))?;
        Ok(Some(Found {
            bytes: described.size.parse().unwrap_or_default(),
            recording: described.metadata.get(metadata::RECORDING_SID).cloned(),
            version: Some(described.generation),
            checksum: described.crc32c.map(Checksum::Crc32c),
        }))
    }

    pub(super) async fn get(&self, path: &Path, range: Option<HeaderValue>) -> Result<Option<Response>, Trouble> {
        let url = self.object(path, &[("alt", "media")])?;
        let mut request = self.request(Method::GET, &url, HttpRequestBody::empty()).await?;
        request.headers_mut().extend(range.map(|range| (RANGE, range)));
        super::present(self.door.ask(request).await?, Kind::Gcs).await
    }

    /// Metadata and bytes in one request, with the checksum that they must have to become visible.
    pub(super) async fn put(&self, path: &Path, body: Bytes, label: &Label, on: &Condition) -> Result<(), Trouble> {
        let url = self.upload(path, "multipart", &[("ifGenerationMatch", generation(on))])?;
        let mut description = description(label);
        if let Value::Object(description) = &mut description {
            description.insert("crc32c".to_owned(), crc32c(&body).into());
        }
        let head = format!(
            "--{BOUNDARY}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{description}\r\n\
             --{BOUNDARY}\r\nContent-Type: {}\r\n\r\n",
            label.contents.content_type()
        );
        let end = format!("\r\n--{BOUNDARY}--\r\n");
        let payload = PutPayload::from_iter([Bytes::from(head), body, Bytes::from(end)]);
        let mut request = self.request(Method::POST, &url, payload.into()).await?;
        let kind = HeaderValue::from_str(&format!("multipart/related; boundary={BOUNDARY}"));
        request.headers_mut().extend(kind.ok().map(|kind| (CONTENT_TYPE, kind)));
        match self.door.succeed(request).await {
            // Writing where something is needs the right to delete as well; whether that or the condition is looked at first
            // is not documented (<https://cloud.google.com/storage/docs/access-control/iam-json>).
            Err(Trouble::Refused(refusal))
                if refusal.is_forbidden()
                    && matches!(on, Condition::Absent)
                    && matches!(self.look(path).await, Ok(Some(_))) =>
            {
                Err(Trouble::changed(Kind::Gcs))
            }
            answer => written(&answer?),
        }
    }

    pub(super) async fn begin(&self, path: &Path, label: &Label) -> Result<Session, Trouble> {
        let generation = match self.look(path).await {
            Ok(found) => found.and_then(|found| found.version).unwrap_or_else(|| "0".to_owned()),
            // Without the right to list, a key that is not there answers 403.
            Err(Trouble::Refused(refusal)) if refusal.is_forbidden() => "0".to_owned(),
            Err(trouble) => return Err(trouble),
        };
        let url = self.upload(path, "resumable", &[("ifGenerationMatch", &generation)])?;
        let mut request = self.request(Method::POST, &url, description(label).to_string().into()).await?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
        if let Ok(kind) = HeaderValue::from_str(label.contents.content_type()) {
            headers.insert(HeaderName::from_static("x-upload-content-type"), kind);
        }
        let answer = self.door.succeed(request).await?;
        // Of the session's address the id alone is taken: where we connect stays what is configured.
        let location = answer.headers.get(LOCATION).and_then(|location| location.to_str().ok());
        let location = location.and_then(|location| Url::parse(location).ok());
        let id = location
            .and_then(|url| url.query_pairs().find(|(name, _)| name == "upload_id").map(|(_, id)| id.into_owned()));
        let id = id.ok_or_else(|| Trouble::Other("an upload began without an id".to_owned()))?;
        Ok(Session { id, generation, sent: 0, last: Bytes::new() })
    }

    pub(super) async fn send_part(
        &self,
        path: &Path,
        session: &mut Session,
        part: Bytes,
        is_last: bool,
    ) -> Result<(), Trouble> {
        if is_last {
            session.last = part;
            return Ok(());
        }
        let mut rest = part;
        while !rest.is_empty() {
            let end = session.sent + rest.len() as u64;
            let range = format!("bytes {}-{}/*", session.sent, end - 1);
            let answer = self.send_range(path, session, rest.clone(), &range).await?;
            if answer.status != StatusCode::PERMANENT_REDIRECT {
                return Err(self.door.refused(&answer));
            }
            // It may have kept less than was sent, and then wants the rest again.
            let kept = persisted(&answer).clamp(session.sent, end);
            if kept == session.sent {
                return Err(Trouble::Broken(Broken::reset("the store kept nothing of what was sent")));
            }
            rest = rest.split_off(usize::try_from(kept - session.sent).unwrap_or(usize::MAX).min(rest.len()));
            session.sent = kept;
        }
        Ok(())
    }

    pub(super) async fn complete(&self, path: &Path, session: &mut Session, on: &Condition) -> Result<(), Trouble> {
        if generation(on) != session.generation {
            return Err(Trouble::changed(Kind::Gcs));
        }
        let last = std::mem::take(&mut session.last);
        let whole = session.sent + last.len() as u64;
        let range = format!("bytes {}-{}/{whole}", session.sent, whole.saturating_sub(1));
        let answer = self.send_range(path, session, last, &range).await?;
        if answer.status.is_success() { written(&answer) } else { Err(self.door.refused(&answer)) }
    }

    pub(super) async fn abort(&self, path: &Path, session: &Session) -> Result<(), Trouble> {
        let url = self.upload(path, "resumable", &[("upload_id", &session.id)])?;
        let answer = self.door.send(self.request(Method::DELETE, &url, HttpRequestBody::empty()).await?).await?;
        // 499 is how Google says that it is cancelled.
        if answer.status.is_success() || answer.status.as_u16() == 499 {
            Ok(())
        } else {
            Err(self.door.refused(&answer))
        }
    }

    pub(super) async fn sign(
        &self,
        path: &Path,
        ttl: Duration,
        disposition: &str,
        format: AudioFormat,
    ) -> Result<Option<Url>, Trouble> {
        if !self.authorized {
            return Ok(None);
        }
        let options = SignedUrlOptions::new().with_query([
            ("response-content-disposition", disposition),
            ("response-content-type", format.content_type()),
        ]);
        // `object_store` takes a key for a part of a URL here, in which a `%` must be written as one.
        let path = Path::parse(path.as_ref().replace('%', "%25")).map_err(|error| Trouble::Other(error.to_string()))?;
        match self.store.signed_url_opts(Method::GET, &path, ttl, &options).await.map_err(Trouble::from) {
            Err(Trouble::Refused(refusal)) if refusal.is_forbidden() => {
                tracing::debug!(%refusal, "this service account may not sign URLs; audio comes through callspool");
                Ok(None)
            }
            signed => signed.map(Some),
        }
    }

    pub(super) async fn credentials(&self) -> Result<(), Trouble> {
        self.bearer().await.map(drop)
    }

    async fn bearer(&self) -> Result<Option<HeaderValue>, Trouble> {
        if !self.authorized {
            return Ok(None);
        }
        let had = self.store.credentials().get_credential().await;
        let had = had.map_err(|error| Trouble::credentials(Kind::Gcs, &error))?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", had.bearer))
            .map_err(|_no_text| Trouble::Other("the credential is no header's text".to_owned()))?;
        bearer.set_sensitive(true);
        Ok(Some(bearer))
    }

    async fn request(&self, method: Method, url: &Url, body: HttpRequestBody) -> Result<HttpRequest, Trouble> {
        let length = body.content_length();
        let mut request = super::request(method, url, body)?;
        request.headers_mut().insert(CONTENT_LENGTH, length.into());
        request.headers_mut().extend(self.bearer().await?.map(|bearer| (AUTHORIZATION, bearer)));
        Ok(request)
    }

    async fn send_range(&self, path: &Path, session: &Session, part: Bytes, range: &str) -> Result<Answer, Trouble> {
        let url = self.upload(path, "resumable", &[("upload_id", &session.id)])?;
        let mut request = self.request(Method::PUT, &url, part.into()).await?;
        request.headers_mut().extend(HeaderValue::from_str(range).ok().map(|range| (CONTENT_RANGE, range)));
        self.door.send(request).await
    }

    fn object(&self, path: &Path, query: &[(&str, &str)]) -> Result<Url, Trouble> {
        let key = utf8_percent_encode(path.as_ref(), NON_ALPHANUMERIC);
        self.url(&format!("storage/v1/b/{}/o/{key}", self.bucket), query)
    }

    fn upload(&self, path: &Path, kind: &str, query: &[(&str, &str)]) -> Result<Url, Trouble> {
        let mut all = vec![("uploadType", kind), ("name", path.as_ref())];
        all.extend_from_slice(query);
        self.url(&format!("upload/storage/v1/b/{}/o", self.bucket), &all)
    }

    fn url(&self, path: &str, query: &[(&str, &str)]) -> Result<Url, Trouble> {
        let mut url = self.endpoint.clone();
        url.set_path(&format!("{}/{path}", self.endpoint.path().trim_end_matches('/')));
        url.query_pairs_mut().extend_pairs(query);
        Ok(url)
    }
}

/// An object's description, as far as it is asked for.
#[derive(Deserialize)]
struct Described {
    size: String,
    generation: String,
    crc32c: Option<String>,
    #[serde(default)]
    metadata: std::collections::BTreeMap<String, String>,
}

fn description(label: &Label) -> Value {
    let metadata: serde_json::Map<String, Value> =
        label.metadata.iter().map(|(name, text)| ((*name).to_owned(), text.clone().into())).collect();
    json!({ "contentType": label.contents.content_type(), "metadata": metadata })
}

fn generation(on: &Condition) -> &str {
    match on {
        Condition::Absent => "0",
        Condition::Unchanged(found) => found.version.as_deref().unwrap_or("0"),
    }
}

/// Google answers a write with the description of the object. Any other success is somebody else's, and nothing was written.
fn written(answer: &Answer) -> Result<(), Trouble> {
    let described = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    match described.get("generation") {
        Some(_) => Ok(()),
        None => Err(Trouble::Other(format!("HTTP {} came without the object's generation", answer.status.as_u16()))),
    }
}

/// How many bytes of an upload are kept, from `Range: bytes=0-1234`; without the header none are.
fn persisted(answer: &Answer) -> u64 {
    let last = answer.headers.get(RANGE).and_then(|range| range.to_str().ok()?.rsplit_once('-')?.1.parse::<u64>().ok());
    last.map_or(0, |last| last.saturating_add(1))
}
