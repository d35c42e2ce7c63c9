//! A stand-in for Google Cloud Storage: its JSON interface for objects, and signed URLs.
//!
//! It follows <https://cloud.google.com/storage/docs/json_api/v1>: tokens and signed URLs are checked, preconditions and
//! checksums hold, chunks of a resumable upload come in order and in multiples of 256 KiB, and an object appears with its
//! last byte.

mod key;
mod upload;

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callspool_domain::Secret;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};

use self::key::Key;
use self::upload::Pending;
pub use crate::s3::{Rights, Route};
use crate::server::{Server, Service, Unexpected};
use crate::shelf::{self, Object, Refused, Shelf};

/// A running stand-in for Google Cloud Storage.
pub type Gcs = Server<Objects>;

/// How a [`Gcs`] is set up.
#[derive(Debug, Clone)]
pub struct GcsOptions {
    /// The port; 0 lets the system choose.
    pub port: u16,
    /// The bucket there is.
    pub bucket: String,
}

impl Default for GcsOptions {
    fn default() -> Self {
        Self { port: 0, bucket: "recordings".to_owned() }
    }
}

/// What answers in a [`Gcs`].
pub struct Objects {
    bucket: String,
    base: String,
    key: Key,
    shelf: Shelf,
    uploads: Mutex<BTreeMap<String, Pending>>,
    begun: AtomicU64,
    rights: Mutex<Rights>,
}

impl Gcs {
    /// Starts it on 127.0.0.1 with its bucket.
    ///
    /// # Errors
    /// When the port or a folder can't be had.
    pub async fn start(options: GcsOptions) -> io::Result<Self> {
        Self::open(options.port, |base| {
            Ok(Objects {
                bucket: options.bucket,
                base: base.to_owned(),
                key: Key::new()?,
                shelf: Shelf::new()?,
                uploads: Mutex::default(),
                begun: AtomicU64::default(),
                rights: Mutex::default(),
            })
        })
        .await
    }

    /// The key of the one service account that has rights, as the text of its file.
    pub fn service_account(&self) -> &Secret {
        self.service().key.file()
    }

    /// Gives the account these rights from now on. Without the right to list what is missing is 403, not 404; without
    /// that to delete nothing is written where something is.
    pub fn set_rights(&self, rights: Rights) {
        *self.service().rights.lock().unwrap_or_else(PoisonError::into_inner) = rights;
    }

    pub(crate) fn shelf(&self) -> &Shelf {
        &self.service().shelf
    }

    /// The keys of resumable uploads that were neither completed nor cancelled.
    pub fn open_uploads(&self) -> Vec<String> {
        self.service().uploads().values().map(|upload| upload.key().to_owned()).collect()
    }
}

/// What a path names.
enum Place {
    /// `/storage/v1/b/{bucket}/o`, and with an object's name behind it.
    Objects(Option<String>),
    /// `/storage/v1/b/{bucket}`.
    Bucket,
    /// `/upload/storage/v1/b/{bucket}/o`.
    Upload,
    /// `/{bucket}/{object}`: a signed URL's.
    Plain(String),
}

impl Objects {
    fn uploads(&self) -> MutexGuard<'_, BTreeMap<String, Pending>> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bucket and what in it.
    fn place(path: &str) -> Option<(String, Place)> {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let (rest, uploads) = match path.strip_prefix("/upload") {
            Some(rest) => (rest, true),
            None => (path.strip_prefix("/download").unwrap_or(path), false),
        };
        let Some(rest) = rest.strip_prefix("/storage/v1/b/") else {
            let (bucket, key) = path.trim_start_matches('/').split_once('/')?;
            return Some((decoded(bucket), Place::Plain(decoded(key))));
        };
        let (bucket, place) = match rest.split_once('/') {
            None => (rest, Place::Bucket),
            Some((bucket, "o")) if uploads => (bucket, Place::Upload),
            Some((bucket, "o")) => (bucket, Place::Objects(None)),
            Some((bucket, object)) => (bucket, Place::Objects(Some(decoded(object.strip_prefix("o/")?)))),
        };
        Some((decoded(bucket), place))
    }

    fn is_authorized(&self, head: &Parts, place: &Place) -> bool {
        let bearer =
            head.headers.get(header::AUTHORIZATION).and_then(|text| text.to_str().ok()?.strip_prefix("Bearer "));
        match (bearer, place) {
            (Some(token), _) => self.key.knows_token(token),
            (None, Place::Plain(_)) => self.key.knows_url(head),
            (None, _) => false,
        }
    }

    async fn carry_out(&self, request: axum::extract::Request) -> Result<Response, Refused> {
        let (head, body) = request.into_parts();
        let body = shelf::body(body).await?;
        let Some((bucket, place)) = Self::place(head.uri.path()) else {
            return Err(unexpected(refusal(StatusCode::NOT_FOUND, "notFound", "Not Found")));
        };
        if !self.is_authorized(&head, &place) {
            return Err(unexpected(refusal(StatusCode::UNAUTHORIZED, "authError", "Invalid Credentials")));
        }
        if bucket != self.bucket {
            return Err(refusal(StatusCode::NOT_FOUND, "notFound", "The specified bucket does not exist."));
        }
        if let Some((route, key)) = self.aim(&head)
            && !self.may(route, &key)
        {
            let message = "callspool@sandbox does not have the permission, or the resource does not exist.";
            return Err(refusal(StatusCode::FORBIDDEN, "forbidden", message));
        }
        let query: BTreeMap<String, String> =
            form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        match (&head.method, place) {
            (&Method::GET, Place::Bucket) => Ok(json_response(&json!({ "kind": "storage#bucket", "name": bucket }))),
            (&Method::GET, Place::Objects(None)) => Ok(self.list(&query)),
            (&Method::GET, Place::Objects(Some(key))) => {
                let object = self.find(&key)?;
                if query.get("alt").is_some_and(|alt| alt == "media") {
                    return self.media(&object, &head.headers, &query).await;
                }
                Ok(json_response(&self.describe(&key, &object)))
            }
            (&Method::DELETE, Place::Objects(Some(key))) => {
                self.find(&key)?;
                self.shelf.remove(&key).map_err(broken)?;
                Ok(StatusCode::NO_CONTENT.into_response())
            }
            (&Method::GET | &Method::HEAD, Place::Plain(key)) => {
                self.media(&self.find(&key)?, &head.headers, &query).await
            }
            (_, Place::Upload) => self.upload(&head, &query, &body),
            _ => Err(unexpected(refusal(StatusCode::METHOD_NOT_ALLOWED, "methodNotAllowed", "Method not allowed"))),
        }
    }

    fn rights(&self) -> Rights {
        *self.rights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// <https://cloud.google.com/storage/docs/access-control/iam-json>: writing where something is needs the right to
    /// delete.
    fn may(&self, route: Route, key: &str) -> bool {
        let writes = matches!(route, Route::PutObject | Route::CreateMultipart | Route::CompleteMultipart);
        let rights = self.rights();
        rights.allow(route) && (rights.delete || !writes || self.shelf.get(key).is_none())
    }

    fn find(&self, key: &str) -> Result<Object, Refused> {
        self.shelf.get(key).ok_or_else(|| {
            if !self.rights().list {
                return refusal(StatusCode::FORBIDDEN, "forbidden", "no storage.objects.list access");
            }
            refusal(StatusCode::NOT_FOUND, "notFound", &format!("No such object: {}/{key}", self.bucket))
        })
    }

    async fn media(
        &self,
        object: &Object,
        headers: &HeaderMap,
        query: &BTreeMap<String, String>,
    ) -> Result<Response, Refused> {
        let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
        let content_type = query.get("response-content-type").unwrap_or(&object.content_type);
        let mut said = HeaderMap::new();
        said.extend(content_type.parse().ok().map(|text| (header::CONTENT_TYPE, text)));
        let disposition = query.get("response-content-disposition").and_then(|text| text.parse().ok());
        said.extend(disposition.map(|text| (header::CONTENT_DISPOSITION, text)));
        shelf::send(object, range, said).await.map_err(broken)
    }

    fn list(&self, query: &BTreeMap<String, String>) -> Response {
        let prefix = query.get("prefix").map_or("", String::as_str);
        let keys = self.shelf.keys().into_iter().filter(|key| key.starts_with(prefix));
        let items: Vec<Value> =
            keys.filter_map(|key| self.shelf.get(&key).map(|object| self.describe(&key, &object))).collect();
        json_response(&json!({ "kind": "storage#objects", "items": items }))
    }

    fn describe(&self, key: &str, object: &Object) -> Value {
        let name = utf8_percent_encode(key, NON_ALPHANUMERIC);
        let crc32c = object.bytes().map(|bytes| crc32c(&bytes)).unwrap_or_default();
        json!({
            "kind": "storage#object",
            "bucket": self.bucket,
            "name": key,
            "size": object.size.to_string(),
            "generation": object.version.to_string(),
            "metageneration": "1",
            "contentType": object.content_type,
            "metadata": object.metadata,
            "crc32c": crc32c,
            "mediaLink": format!("{}/download/storage/v1/b/{}/o/{name}?alt=media", self.base, self.bucket),
        })
    }
}

/// CRC-32C as Google writes it.
fn crc32c(bytes: &[u8]) -> String {
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes);
    STANDARD.encode(u32::try_from(crc).unwrap_or_default().to_be_bytes())
}

fn json_response(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json; charset=UTF-8")], value.to_string()).into_response()
}

fn refusal(status: StatusCode, reason: &str, message: &str) -> Refused {
    let error = json!({ "error": {
        "code": status.as_u16(), "message": message, "errors": [{ "domain": "global", "reason": reason, "message": message }],
    } });
    Box::new((status, [(header::CONTENT_TYPE, "application/json; charset=UTF-8")], error.to_string()).into_response())
}

fn unexpected(mut response: Refused) -> Refused {
    let why = format!("refused with {}", response.status());
    response.extensions_mut().insert(Unexpected(why));
    response
}

fn broken(error: io::Error) -> Refused {
    tracing::error!(%error, "sandbox: an object's file failed");
    Box::new(StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

impl Service for Objects {
    type Route = Route;

    fn aim(&self, head: &Parts) -> Option<(Route, String)> {
        let (_, place) = Self::place(head.uri.path())?;
        let query: BTreeMap<String, String> =
            form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let text = |name: &str| query.get(name).cloned().unwrap_or_default();
        let resumed = query.contains_key("upload_id");
        let ends = head.headers.get(header::CONTENT_RANGE).is_none_or(|range| !range.as_bytes().ends_with(b"/*"));
        Some(match (head.method.as_str(), place) {
            ("DELETE", Place::Upload) => (Route::AbortMultipart, text("name")),
            (_, Place::Upload) if resumed => {
                (if ends { Route::CompleteMultipart } else { Route::UploadPart }, text("name"))
            }
            (_, Place::Upload) if text("uploadType") == "resumable" => (Route::CreateMultipart, text("name")),
            (_, Place::Upload) => (Route::PutObject, text("name")),
            ("GET", Place::Objects(Some(key))) if text("alt") != "media" => (Route::Head, key),
            ("DELETE", Place::Objects(Some(key))) => (Route::Delete, key),
            (_, Place::Objects(Some(key)) | Place::Plain(key)) => (Route::Get, key),
            (_, Place::Objects(None)) => (Route::List, String::new()),
            (_, Place::Bucket) => (Route::Bucket, String::new()),
        })
    }

    fn own_error(&self, _route: Route, status: StatusCode) -> Response {
        let (reason, message) = match status {
            StatusCode::UNAUTHORIZED => ("authError", "Invalid Credentials"),
            StatusCode::FORBIDDEN => ("forbidden", "The account does not have the right."),
            StatusCode::NOT_FOUND => ("notFound", "The specified bucket does not exist."),
            StatusCode::CONFLICT => ("conflict", "Conflict"),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                ("rateLimitExceeded", "Too many requests")
            }
            _ => ("backendError", "Backend Error"),
        };
        *refusal(status, reason, message)
    }

    async fn answer(&self, request: axum::extract::Request) -> Response {
        self.carry_out(request).await.unwrap_or_else(|refused| *refused)
    }
}
