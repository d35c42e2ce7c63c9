//! A stand-in for Azure Blob Storage: block blobs of one container.
//!
//! It follows <https://learn.microsoft.com/en-us/rest/api/storageservices/blob-service-rest-api>: signatures are checked,
//! conditions and the CRC-64 of what arrives hold, and a blob appears with its list of blocks. The account stands in the
//! path, as with other stand-ins.

mod key;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use callspool_domain::Secret;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use percent_encoding::percent_decode_str;

use self::key::Key;
pub use crate::s3::{Rights, Route};
use crate::server::{Server, Service, Unexpected};
use crate::shelf::{self, Label, Object, Refused, Shelf};

/// A running stand-in for Azure Blob Storage.
pub type Azure = Server<Blobs>;

/// How an [`Azure`] is set up.
#[derive(Debug, Clone)]
pub struct AzureOptions {
    /// The port; 0 lets the system choose.
    pub port: u16,
    /// The storage account.
    pub account: String,
    /// Its key, in base64.
    pub key: Secret,
    /// The container there is.
    pub container: String,
}

impl Default for AzureOptions {
    fn default() -> Self {
        Self {
            port: 0,
            account: "sandbox".to_owned(),
            key: Secret::new(STANDARD.encode("the key of the sandbox's account")),
            container: "recordings".to_owned(),
        }
    }
}

/// What answers in an [`Azure`].
pub struct Blobs {
    container: String,
    key: Key,
    shelf: Shelf,
    /// Blocks that no list has named yet, by key and id.
    blocks: Mutex<BTreeMap<String, HashMap<String, Bytes>>>,
    rights: Mutex<Rights>,
}

impl Azure {
    /// Starts it on 127.0.0.1 with its container.
    ///
    /// # Errors
    /// When the port or a folder can't be had.
    pub async fn start(options: AzureOptions) -> io::Result<Self> {
        Self::open(options.port, |_| {
            Ok(Blobs {
                container: options.container,
                key: Key { account: options.account, secret: options.key, token: Mutex::default() },
                shelf: Shelf::new()?,
                blocks: Mutex::default(),
                rights: Mutex::default(),
            })
        })
        .await
    }

    /// The account's address.
    pub fn endpoint(&self) -> String {
        format!("{}/{}", self.base_url(), self.service().key.account)
    }

    /// Takes this token of Entra's from now on, too.
    pub fn trust(&self, token: Secret) {
        *self.service().key.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
    }

    /// Gives the credentials these rights from now on. What is missing is told apart from what is forbidden all the same.
    pub fn set_rights(&self, rights: Rights) {
        *self.service().rights.lock().unwrap_or_else(PoisonError::into_inner) = rights;
    }

    pub(crate) fn shelf(&self) -> &Shelf {
        &self.service().shelf
    }

    /// The keys that have blocks which no list has named.
    pub fn keys_with_blocks(&self) -> Vec<String> {
        self.service().blocks().keys().cloned().collect()
    }
}

impl Blobs {
    fn blocks(&self) -> MutexGuard<'_, BTreeMap<String, HashMap<String, Bytes>>> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The container and the blob of `/{account}/{container}/{blob}`.
    fn place(&self, path: &str) -> Option<(String, Option<String>)> {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let rest = path.trim_start_matches('/').strip_prefix(&self.key.account)?.strip_prefix('/')?;
        Some(match rest.split_once('/') {
            Some((container, key)) if !key.is_empty() => (decoded(container), Some(decoded(key))),
            _ => (decoded(rest.trim_end_matches('/')), None),
        })
    }

    async fn carry_out(&self, request: axum::extract::Request) -> Result<Response, Refused> {
        let (head, body) = request.into_parts();
        let body = shelf::body(body).await?;
        if !self.key.knows(&head) {
            return Err(unexpected(refusal(StatusCode::FORBIDDEN, "AuthenticationFailed")));
        }
        let Some((container, key)) = self.place(head.uri.path()) else {
            return Err(unexpected(refusal(StatusCode::BAD_REQUEST, "InvalidUri")));
        };
        if container != self.container {
            return Err(refusal(StatusCode::NOT_FOUND, "ContainerNotFound"));
        }
        let rights = *self.rights.lock().unwrap_or_else(PoisonError::into_inner);
        if self.aim(&head).is_some_and(|(route, _)| !rights.allow(route)) {
            return Err(refusal(StatusCode::FORBIDDEN, "AuthorizationPermissionMismatch"));
        }
        let query: BTreeMap<String, String> =
            form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let comp = query.get("comp").map(String::as_str);
        match (&head.method, key, comp) {
            (&Method::GET, None, Some("list")) => Ok(self.list(&query)),
            (&Method::GET | &Method::HEAD, Some(key), None) => self.read(&head, &self.find(&key)?, &query).await,
            (&Method::PUT, Some(key), Some("block")) => self.block(&head, &key, &query, body),
            (&Method::PUT, Some(key), Some("blocklist")) => self.block_list(&head, &key, &body),
            (&Method::PUT, Some(key), None) => self.put(&head, &key, &body),
            (&Method::DELETE, Some(key), None) => {
                self.find(&key)?;
                self.shelf.remove(&key).map_err(broken)?;
                Ok(StatusCode::ACCEPTED.into_response())
            }
            _ => Err(unexpected(refusal(StatusCode::METHOD_NOT_ALLOWED, "UnsupportedHttpVerb"))),
        }
    }

    fn find(&self, key: &str) -> Result<Object, Refused> {
        self.shelf.get(key).ok_or_else(|| refusal(StatusCode::NOT_FOUND, "BlobNotFound"))
    }

    async fn read(&self, head: &Parts, object: &Object, query: &BTreeMap<String, String>) -> Result<Response, Refused> {
        let range = ["x-ms-range", "range"].into_iter().find_map(|name| head.headers.get(name)?.to_str().ok());
        let mut said = HeaderMap::new();
        let content_type = query.get("rsct").unwrap_or(&object.content_type);
        said.extend(content_type.parse().ok().map(|text| (header::CONTENT_TYPE, text)));
        said.extend(
            query.get("rscd").and_then(|text| text.parse().ok()).map(|text| (header::CONTENT_DISPOSITION, text)),
        );
        said.extend(etag(object).parse().ok().map(|text| (header::ETAG, text)));
        said.insert("x-ms-blob-type", HeaderValue::from_static("BlockBlob"));
        said.insert(header::LAST_MODIFIED, HeaderValue::from_static("Fri, 15 Mar 2024 14:30:22 GMT"));
        for (name, text) in &object.metadata {
            let name = HeaderName::try_from(format!("x-ms-meta-{name}"));
            said.extend(name.ok().zip(text.parse().ok()));
        }
        shelf::send(object, range, said).await.map_err(broken)
    }

    fn put(&self, head: &Parts, key: &str, body: &Bytes) -> Result<Response, Refused> {
        if head.headers.get("x-ms-blob-type").is_none_or(|kind| kind != "BlockBlob") {
            return Err(unexpected(refusal(StatusCode::BAD_REQUEST, "InvalidHeaderValue")));
        }
        check_crc64(head, body)?;
        let object = self.write(head, key, [body])?;
        self.blocks().remove(key);
        Ok(written(&object))
    }

    fn block(
        &self,
        head: &Parts,
        key: &str,
        query: &BTreeMap<String, String>,
        body: Bytes,
    ) -> Result<Response, Refused> {
        check_crc64(head, &body)?;
        let id = query.get("blockid").cloned().unwrap_or_default();
        let mut blocks = self.blocks();
        let of_key = blocks.entry(key.to_owned()).or_default();
        if STANDARD.decode(&id).is_err() || of_key.keys().any(|other| other.len() != id.len()) {
            return Err(unexpected(refusal(StatusCode::BAD_REQUEST, "InvalidBlobOrBlock")));
        }
        of_key.insert(id, body);
        Ok(StatusCode::CREATED.into_response())
    }

    /// The blocks of the list become the blob, and every other block of the key goes.
    fn block_list(&self, head: &Parts, key: &str, body: &Bytes) -> Result<Response, Refused> {
        let text = String::from_utf8_lossy(body);
        let listed: Vec<&str> = ["<Uncommitted>", "<Latest>"]
            .into_iter()
            .flat_map(|tag| text.split(tag).skip(1))
            .filter_map(|rest| rest.split_once("</").map(|(id, _)| id))
            .collect();
        let mut blocks = self.blocks();
        let of_key = blocks.get(key).cloned().unwrap_or_default();
        let bytes: Option<Vec<&Bytes>> = listed.iter().map(|id| of_key.get(*id)).collect();
        let bytes = bytes.ok_or_else(|| refusal(StatusCode::BAD_REQUEST, "InvalidBlockList"))?;
        let object = self.write(head, key, bytes)?;
        blocks.remove(key);
        Ok(written(&object))
    }

    /// Makes the blob, if what is there is what the request's conditions say.
    fn write<'a>(
        &self,
        head: &Parts,
        key: &str,
        bytes: impl IntoIterator<Item = &'a Bytes>,
    ) -> Result<Object, Refused> {
        let text = |name: &str| head.headers.get(name).and_then(|text| text.to_str().ok()).map(str::to_owned);
        let metadata = head.headers.iter().filter_map(|(name, text)| {
            Some((name.as_str().strip_prefix("x-ms-meta-")?.to_owned(), text.to_str().ok()?.to_owned()))
        });
        let metadata: BTreeMap<String, String> = metadata.collect();
        // Names are identifiers of C#.
        if metadata.keys().any(|name| name.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_')) {
            return Err(unexpected(refusal(StatusCode::BAD_REQUEST, "InvalidMetadata")));
        }
        let content_type = text("x-ms-blob-content-type").unwrap_or_else(|| "application/octet-stream".to_owned());
        let mut draft = self.shelf.draft().map_err(broken)?;
        for bytes in bytes {
            self.shelf.append(&mut draft, bytes).map_err(broken)?;
        }
        let (only_new, only_this) = (text("if-none-match").is_some_and(|of| of == "*"), text("if-match"));
        let accepts = |there: Option<&Object>| match there {
            Some(object) => !only_new && only_this.is_none_or(|wanted| wanted == "*" || wanted == etag(object)),
            None => only_this.is_none(),
        };
        self.shelf.publish(key, draft, Label { content_type, metadata }, accepts).map_err(|there| {
            if only_new && there.is_some() {
                refusal(StatusCode::CONFLICT, "BlobAlreadyExists")
            } else {
                refusal(StatusCode::PRECONDITION_FAILED, "ConditionNotMet")
            }
        })
    }

    fn list(&self, query: &BTreeMap<String, String>) -> Response {
        let prefix = query.get("prefix").map_or("", String::as_str);
        let keys = self.shelf.keys().into_iter().filter(|key| key.starts_with(prefix));
        let blobs: String = keys
            .filter_map(|key| {
                let size = self.shelf.get(&key)?.size;
                Some(format!(
                    "<Blob><Name>{key}</Name><Properties><Content-Length>{size}</Content-Length>\
                     <BlobType>BlockBlob</BlobType></Properties></Blob>"
                ))
            })
            .collect();
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Blobs>{blobs}</Blobs><NextMarker/>\
             </EnumerationResults>"
        );
        ([(header::CONTENT_TYPE, "application/xml")], body).into_response()
    }
}

fn etag(object: &Object) -> String {
    format!("\"0x{:X}\"", object.version)
}

fn written(object: &Object) -> Response {
    let headers = [(header::ETAG, etag(object)), (header::LAST_MODIFIED, "Fri, 15 Mar 2024 14:30:22 GMT".to_owned())];
    (StatusCode::CREATED, headers).into_response()
}

fn check_crc64(head: &Parts, body: &Bytes) -> Result<(), Refused> {
    let Some(said) = head.headers.get("x-ms-content-crc64") else { return Ok(()) };
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, body);
    if said.to_str().ok() == Some(STANDARD.encode(crc.to_le_bytes()).as_str()) {
        return Ok(());
    }
    Err(unexpected(refusal(StatusCode::BAD_REQUEST, "Crc64Mismatch")))
}

fn refusal(status: StatusCode, code: &str) -> Refused {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{status}</Message></Error>"
    );
    let headers = [(header::CONTENT_TYPE.as_str(), "application/xml"), ("x-ms-error-code", code)];
    Box::new((status, headers, body).into_response())
}

fn unexpected(mut response: Refused) -> Refused {
    let why = format!("refused with {}", response.status());
    response.extensions_mut().insert(Unexpected(why));
    response
}

fn broken(error: io::Error) -> Refused {
    tracing::error!(%error, "sandbox: a blob's file failed");
    Box::new(StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

impl Service for Blobs {
    type Route = Route;

    fn aim(&self, head: &Parts) -> Option<(Route, String)> {
        let (_, key) = self.place(head.uri.path())?;
        let comp = form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes())
            .find(|(name, _)| name == "comp")
            .map(|(_, comp)| comp.into_owned());
        let Some(key) = key else {
            return Some((if comp.as_deref() == Some("list") { Route::List } else { Route::Bucket }, String::new()));
        };
        let route = match (head.method.as_str(), comp.as_deref()) {
            ("PUT", Some("block")) => Route::UploadPart,
            ("PUT", Some("blocklist")) => Route::CompleteMultipart,
            ("PUT", _) => Route::PutObject,
            ("HEAD", _) => Route::Head,
            ("DELETE", _) => Route::Delete,
            _ => Route::Get,
        };
        Some((route, key))
    }

    fn own_error(&self, _route: Route, status: StatusCode) -> Response {
        let code = match status {
            StatusCode::UNAUTHORIZED => "NoAuthenticationInformation",
            StatusCode::FORBIDDEN => "AuthorizationPermissionMismatch",
            StatusCode::NOT_FOUND => "ContainerNotFound",
            StatusCode::CONFLICT => "LeaseIdMissing",
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => "ServerBusy",
            _ => "InternalError",
        };
        *refusal(status, code)
    }

    async fn answer(&self, request: axum::extract::Request) -> Response {
        self.carry_out(request).await.unwrap_or_else(|refused| *refused)
    }
}
