//! A stand-in for S3: the published server `s3s` on a folder, which checks signatures, with what it lacks added and
//! faults in front.
//!
//! It follows <https://docs.aws.amazon.com/AmazonS3/latest/API/>; how other stores differ is a matter of [`Quirks`].

mod store;

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use callspool_domain::Secret;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use percent_encoding::percent_decode_str;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tempfile::TempDir;

use crate::server::{self, Server, Service, Unexpected};
use store::Store;

/// A running stand-in for S3.
pub type S3 = Server<Objects>;

/// How an [`S3`] is set up.
#[derive(Debug, Clone)]
pub struct S3Options {
    /// The port; 0 lets the system choose.
    pub port: u16,
    /// Where the objects are kept; `None` is a folder of its own that goes when the server goes.
    pub folder: Option<PathBuf>,
    /// The bucket there is, of at least three characters.
    pub bucket: String,
    /// The access key it knows.
    pub access_key: String,
    /// Its secret.
    pub secret_key: Secret,
}

impl Default for S3Options {
    fn default() -> Self {
        Self {
            port: 0,
            folder: None,
            bucket: "recordings".to_owned(),
            access_key: "sandbox".to_owned(),
            secret_key: Secret::new("sandbox-secret"),
        }
    }
}

/// How a store differs from Amazon's. The default differs in nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quirks {
    /// It neither checks nor returns checksums.
    pub without_checksums: bool,
    /// It refuses `If-None-Match`.
    pub if_none_match: IfNoneMatch,
    /// The credentials lack the right to list: what is missing is 403, not 404.
    pub missing_is_forbidden: bool,
}

/// What the credentials may do. The default is everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// `s3:PutObject`.
    pub put: bool,
    /// `s3:GetObject`, which HEAD needs as well.
    pub get: bool,
    /// `s3:ListBucket`; without it what is missing is 403, not 404.
    pub list: bool,
    /// `s3:DeleteObject`.
    pub delete: bool,
}

impl Default for Rights {
    fn default() -> Self {
        Self { put: true, get: true, list: true, delete: true }
    }
}

impl Rights {
    pub(crate) fn allow(self, route: Route) -> bool {
        match route {
            Route::PutObject | Route::CreateMultipart | Route::UploadPart | Route::CompleteMultipart => self.put,
            Route::Head | Route::Get => self.get,
            Route::List => self.list,
            Route::Delete => self.delete,
            Route::AbortMultipart | Route::Bucket => true,
        }
    }
}

/// What a store makes of `If-None-Match: *`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IfNoneMatch {
    /// 412 where the key exists, 409 while another conditional write to it is under way.
    #[default]
    Honoured,
    /// 501 `NotImplemented`.
    NotImplemented,
    /// 400 `InvalidArgument`.
    BadRequest,
}

/// A refused body is read up to here.
const LARGEST_REFUSED: usize = 16 << 20;

/// The kinds of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// Writing an object in one request.
    PutObject,
    /// Beginning a multipart upload.
    CreateMultipart,
    /// Writing one part.
    UploadPart,
    /// Ending a multipart upload with an object.
    CompleteMultipart,
    /// Ending a multipart upload without one.
    AbortMultipart,
    /// An object's metadata.
    Head,
    /// An object's bytes.
    Get,
    /// A list of objects.
    List,
    /// Deleting one object or many.
    Delete,
    /// Anything about the bucket as a whole.
    Bucket,
}

impl server::Route for Route {
    const ALL: &'static [Self] = &[
        Self::PutObject,
        Self::CreateMultipart,
        Self::UploadPart,
        Self::CompleteMultipart,
        Self::AbortMultipart,
        Self::Head,
        Self::Get,
        Self::List,
        Self::Delete,
        Self::Bucket,
    ];
}

/// What answers in an [`S3`].
pub struct Objects {
    service: S3Service,
    open: Arc<Open>,
    bucket: PathBuf,
    /// The folder, where it is ours to remove.
    _own: Option<TempDir>,
}

/// What the front and the store share.
#[derive(Debug, Default)]
struct Open {
    quirks: Mutex<Quirks>,
    rights: Mutex<Rights>,
    /// The encryption that was asked for, by key.
    encryption: Mutex<BTreeMap<String, String>>,
    /// The multipart uploads that have neither been completed nor aborted, by id.
    uploads: Mutex<BTreeMap<String, Upload>>,
}

#[derive(Debug)]
struct Upload {
    key: String,
    /// Each part's ETag, by number.
    parts: BTreeMap<i32, String>,
}

impl Open {
    fn quirks(&self) -> Quirks {
        *self.quirks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rights(&self) -> Rights {
        *self.rights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether what is missing looks forbidden.
    fn hides_missing(&self) -> bool {
        self.quirks().missing_is_forbidden || !self.rights().list
    }

    fn uploads(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Upload>> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl S3 {
    /// Starts it on 127.0.0.1 with its bucket.
    ///
    /// # Errors
    /// When the port or the folder can't be had.
    pub async fn start(options: S3Options) -> io::Result<Self> {
        Self::open(options.port, |_| Objects::new(options)).await
    }

    /// Makes it differ from Amazon's from now on.
    pub fn set_quirks(&self, quirks: Quirks) {
        *self.service().open.quirks.lock().unwrap_or_else(PoisonError::into_inner) = quirks;
    }

    /// Gives the credentials these rights from now on. What they lack is refused as a policy does it, whoever asks.
    pub fn set_rights(&self, rights: Rights) {
        *self.service().open.rights.lock().unwrap_or_else(PoisonError::into_inner) = rights;
    }

    /// The keys of all objects, sorted.
    pub fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        let mut folders = vec![self.service().bucket.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if let Ok(key) = path.strip_prefix(&self.service().bucket) {
                    keys.push(key.to_string_lossy().into_owned());
                }
            }
        }
        keys.sort();
        keys
    }

    /// An object's bytes.
    pub fn object(&self, key: &str) -> Option<Vec<u8>> {
        std::fs::read(self.service().path(key)?).ok()
    }

    /// Writes an object behind everybody's back: someone else's, or other bytes under a key of ours. Its ETag and
    /// metadata stay what they were.
    ///
    /// # Errors
    /// When the key is no file name, or the file can't be written.
    pub fn overwrite(&self, key: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.service().path(key).ok_or(io::ErrorKind::InvalidInput)?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, bytes)
    }

    /// Removes an object behind everybody's back.
    ///
    /// # Errors
    /// When there is none.
    pub fn remove(&self, key: &str) -> io::Result<()> {
        std::fs::remove_file(self.service().path(key).ok_or(io::ErrorKind::InvalidInput)?)
    }

    /// The encryption that the latest write to a key asked for: the algorithm, and the key's id behind a blank.
    pub fn encryption_asked_for(&self, key: &str) -> Option<String> {
        self.service().open.encryption.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// The keys of multipart uploads that were neither completed nor aborted.
    pub fn open_uploads(&self) -> Vec<String> {
        self.service().open.uploads().values().map(|upload| upload.key.clone()).collect()
    }
}

impl Objects {
    fn new(options: S3Options) -> io::Result<Self> {
        let own = if options.folder.is_none() { Some(tempfile::tempdir()?) } else { None };
        let root = match (&options.folder, &own) {
            (Some(folder), _) => folder.clone(),
            (None, Some(own)) => own.path().to_owned(),
            (None, None) => return Err(io::ErrorKind::NotFound.into()),
        };
        let bucket = root.join(&options.bucket);
        std::fs::create_dir_all(&bucket)?;
        let open = Arc::new(Open::default());
        let mut builder = S3ServiceBuilder::new(Store::new(&root, Arc::clone(&open))?);
        builder.set_auth(SimpleAuth::from_single(options.access_key, options.secret_key.expose()));
        Ok(Self { service: builder.build(), open, bucket, _own: own })
    }

    fn path(&self, key: &str) -> Option<PathBuf> {
        let inside = Path::new(key).components().all(|part| matches!(part, Component::Normal(_)));
        inside.then(|| self.bucket.join(key))
    }

    /// Refusals that a correct client never sees, unless a quirk made them.
    fn is_unexpected(&self, status: StatusCode, method: &Method, headers: &HeaderMap) -> bool {
        let quirks = self.open.quirks();
        match status {
            StatusCode::FORBIDDEN if self.open.hides_missing() => method != Method::GET && method != Method::HEAD,
            StatusCode::BAD_REQUEST | StatusCode::NOT_IMPLEMENTED => {
                quirks.if_none_match == IfNoneMatch::Honoured || !headers.contains_key(header::IF_NONE_MATCH)
            }
            StatusCode::FORBIDDEN | StatusCode::METHOD_NOT_ALLOWED => true,
            _ => false,
        }
    }
}

/// What a request says of encryption.
fn encryption(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name).and_then(|text| text.to_str().ok());
    let algorithm = text("x-amz-server-side-encryption")?;
    let key = text("x-amz-server-side-encryption-aws-kms-key-id");
    Some(key.map_or_else(|| algorithm.to_owned(), |key| format!("{algorithm} {key}")))
}

/// The headers of encryption are for requests that begin an object
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html>,
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>).
fn encryption_refused() -> Response {
    let body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>InvalidArgument</Code><Message>\
                x-amz-server-side-encryption header is not supported for this operation.</Message></Error>";
    let mut response = (StatusCode::BAD_REQUEST, [(header::CONTENT_TYPE, "application/xml")], body).into_response();
    response.extensions_mut().insert(Unexpected("asks for encryption where nothing begins".to_owned()));
    response
}

/// The answer to the request to delete many keys is no error, whatever became of each
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>).
fn none_deleted(request: &[u8]) -> Response {
    let text = String::from_utf8_lossy(request);
    let keys = text.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>").map(|(key, _)| key));
    let errors: String = keys
        .map(|key| format!("<Error><Key>{key}</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"))
        .collect();
    let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DeleteResult>{errors}</DeleteResult>");
    ([(header::CONTENT_TYPE, "application/xml")], body).into_response()
}

impl Service for Objects {
    type Route = Route;

    fn aim(&self, head: &Parts) -> Option<(Route, String)> {
        let path = head.uri.path().trim_start_matches('/');
        let key = path.split_once('/').map_or("", |(_, key)| key);
        let query: Vec<String> = form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes())
            .map(|(name, _)| name.into_owned())
            .collect();
        let asks = |name: &str| query.iter().any(|given| given == name);
        let route = match (head.method.as_str(), key.is_empty()) {
            ("PUT", false) if asks("partNumber") => Route::UploadPart,
            ("PUT", false) => Route::PutObject,
            ("POST", false) if asks("uploads") => Route::CreateMultipart,
            ("POST", false) => Route::CompleteMultipart,
            ("DELETE", false) if asks("uploadId") => Route::AbortMultipart,
            ("DELETE", false) => Route::Delete,
            ("HEAD", false) => Route::Head,
            ("GET", false) => Route::Get,
            ("POST", true) if asks("delete") => Route::Delete,
            ("GET", true) if !asks("location") => Route::List,
            _ => Route::Bucket,
        };
        Some((route, percent_decode_str(key).decode_utf8_lossy().into_owned()))
    }

    fn own_error(&self, route: Route, status: StatusCode) -> Response {
        let code = match status {
            StatusCode::BAD_REQUEST => "InvalidRequest",
            StatusCode::FORBIDDEN => "AccessDenied",
            StatusCode::NOT_FOUND => "NoSuchKey",
            StatusCode::CONFLICT => "ConditionalRequestConflict",
            StatusCode::PRECONDITION_FAILED => "PreconditionFailed",
            StatusCode::NOT_IMPLEMENTED => "NotImplemented",
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => "SlowDown",
            _ => "InternalError",
        };
        if route == Route::Head {
            return status.into_response();
        }
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{status}</Message>\
             <RequestId>SANDBOX</RequestId></Error>"
        );
        (status, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
    }

    async fn answer(&self, request: axum::extract::Request) -> Response {
        let (head, body) = request.into_parts();
        if let Some(asked) = encryption(&head.headers) {
            if let Some((Route::PutObject | Route::CreateMultipart, key)) = self.aim(&head) {
                self.open.encryption.lock().unwrap_or_else(PoisonError::into_inner).insert(key, asked);
            } else {
                drop(axum::body::to_bytes(body, LARGEST_REFUSED).await);
                return encryption_refused();
            }
        }
        if let Some((route, _)) = self.aim(&head)
            && !self.open.rights().allow(route)
        {
            // Its body is read: a policy is evaluated when the request is there.
            let body = axum::body::to_bytes(body, LARGEST_REFUSED).await.unwrap_or_default();
            if route == Route::Delete && head.method == Method::POST {
                return none_deleted(&body);
            }
            return self.own_error(route, StatusCode::FORBIDDEN);
        }
        let request = axum::extract::Request::from_parts(head, body);
        let (method, headers) = (request.method().clone(), request.headers().clone());
        let answer = self.service.call(request.map(s3s::Body::http_body_unsync)).await;
        let mut response = match answer {
            Ok(response) => response.map(Body::new),
            Err(error) => {
                tracing::error!(?error, "sandbox: the S3 server failed");
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            }
        };
        if self.is_unexpected(response.status(), &method, &headers) {
            let why = format!("refused with {}", response.status());
            response.extensions_mut().insert(Unexpected(why));
        }
        if method != Method::GET && method != Method::HEAD && !response.status().is_success() {
            // Its body may not have been read: the client is told to send nothing more on this connection.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
