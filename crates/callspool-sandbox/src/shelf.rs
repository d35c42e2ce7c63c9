//! Objects for the stand-ins of stores: bytes in files, what is said about them in memory.
//!
//! Guarantee: an object appears, changes and goes in one move, so nobody reads half of one.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

/// More than any part that is sent.
const LARGEST_BODY: usize = 64 * 1024 * 1024;

/// A refusal on its way out.
pub(crate) type Refused = Box<Response>;

/// One object.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    file: PathBuf,
    pub(crate) size: u64,
    /// Grows with every write to any key.
    pub(crate) version: u64,
    pub(crate) content_type: String,
    pub(crate) metadata: BTreeMap<String, String>,
}

impl Object {
    pub(crate) fn bytes(&self) -> io::Result<Vec<u8>> {
        std::fs::read(&self.file)
    }
}

/// What a write says beside the bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Label {
    pub(crate) content_type: String,
    pub(crate) metadata: BTreeMap<String, String>,
}

/// Bytes that are on their way to an object.
#[derive(Debug)]
pub(crate) struct Draft {
    file: PathBuf,
    pub(crate) size: u64,
}

/// All objects of one bucket.
#[derive(Debug)]
pub(crate) struct Shelf {
    folder: TempDir,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Object>,
    count: u64,
}

impl Shelf {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { folder: tempfile::tempdir()?, state: Mutex::default() })
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.state().objects.keys().cloned().collect()
    }

    pub(crate) fn get(&self, key: &str) -> Option<Object> {
        self.state().objects.get(key).cloned()
    }

    /// Begins new bytes.
    pub(crate) fn draft(&self) -> io::Result<Draft> {
        let file = {
            let mut state = self.state();
            state.count += 1;
            self.folder.path().join(state.count.to_string())
        };
        std::fs::File::create(&file)?;
        Ok(Draft { file, size: 0 })
    }

    pub(crate) fn append(&self, draft: &mut Draft, bytes: &[u8]) -> io::Result<()> {
        std::fs::OpenOptions::new().append(true).open(&draft.file)?.write_all(bytes)?;
        draft.size += bytes.len() as u64;
        Ok(())
    }

    /// Puts a draft under its key if what is there now is accepted; else it says what is there.
    pub(crate) fn publish(
        &self,
        key: &str,
        draft: Draft,
        label: Label,
        accepts: impl FnOnce(Option<&Object>) -> bool,
    ) -> Result<Object, Option<Object>> {
        let mut state = self.state();
        let there = state.objects.get(key);
        if !accepts(there) {
            return Err(there.cloned());
        }
        state.count += 1;
        let Label { content_type, metadata } = label;
        let object = Object { file: draft.file, size: draft.size, version: state.count, content_type, metadata };
        state.objects.insert(key.to_owned(), object.clone());
        Ok(object)
    }

    /// Writes an object behind everybody's back: someone else's, or other bytes under a key of ours, whose description
    /// stays what it was.
    pub(crate) fn overwrite(&self, key: &str, bytes: &[u8]) -> io::Result<()> {
        let mut draft = self.draft()?;
        self.append(&mut draft, bytes)?;
        let mut state = self.state();
        let version = state.count;
        let new = Object {
            file: PathBuf::new(),
            size: 0,
            version,
            content_type: "application/octet-stream".to_owned(),
            metadata: BTreeMap::new(),
        };
        let object = state.objects.entry(key.to_owned()).or_insert(new);
        (object.file, object.size) = (draft.file, draft.size);
        Ok(())
    }

    /// Removes an object.
    pub(crate) fn remove(&self, key: &str) -> io::Result<()> {
        self.state().objects.remove(key).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request's body.
pub(crate) async fn body(body: Body) -> Result<Bytes, Refused> {
    let collected = http_body_util::Limited::new(body, LARGEST_BODY).collect().await;
    collected
        .map(http_body_util::Collected::to_bytes)
        .map_err(|_broken| Box::new(StatusCode::BAD_REQUEST.into_response()))
}

/// An object's bytes, or the part of them that `Range` names.
pub(crate) async fn send(object: &Object, range: Option<&str>, headers: HeaderMap) -> io::Result<Response> {
    let wanted = range.and_then(|range| part(range, object.size));
    if range.is_some() && wanted.is_none() {
        return Ok(StatusCode::RANGE_NOT_SATISFIABLE.into_response());
    }
    let (start, end) = wanted.unwrap_or((0, object.size));
    let mut file = tokio::fs::File::open(&object.file).await?;
    file.seek(io::SeekFrom::Start(start)).await?;
    let mut response = Response::new(Body::from_stream(ReaderStream::new(file.take(end - start))));
    response.headers_mut().extend(headers);
    response.headers_mut().insert(header::CONTENT_LENGTH, (end - start).into());
    if wanted.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let range = format!("bytes {start}-{}/{}", end - 1, object.size);
        response.headers_mut().extend(range.parse().ok().map(|range| (header::CONTENT_RANGE, range)));
    }
    Ok(response)
}

/// The first byte and the one behind the last, of `bytes=1-9` or `bytes=1-`.
fn part(range: &str, size: u64) -> Option<(u64, u64)> {
    let (start, end) = range.strip_prefix("bytes=")?.split_once('-')?;
    let start: u64 = start.parse().ok()?;
    let end = if end.is_empty() { size } else { end.parse::<u64>().ok()?.saturating_add(1).min(size) };
    (start < end).then_some((start, end))
}
