//! Writes to a [`Gcs`](super::Gcs): in one request of two parts, or resumable in chunks.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::request::Parts;
use http::{Method, StatusCode, header};
use serde_json::Value;

use super::{Objects, broken, crc32c, json_response, refusal, unexpected};
use crate::shelf::{Draft, Label, Refused};

/// Every chunk but the last is a multiple of this.
const CHUNK_UNIT: u64 = 256 * 1024;

/// A resumable upload under way.
pub(super) struct Pending {
    key: String,
    condition: Option<u64>,
    label: Label,
    draft: Draft,
    /// The checksum that the whole must have, where one was said.
    crc32c: Option<String>,
}

impl Pending {
    pub(super) fn key(&self) -> &str {
        &self.key
    }
}

impl Objects {
    pub(super) fn upload(
        &self,
        head: &Parts,
        query: &BTreeMap<String, String>,
        body: &Bytes,
    ) -> Result<Response, Refused> {
        let condition = match query.get("ifGenerationMatch").map(|text| text.parse::<u64>()) {
            None => None,
            Some(Ok(generation)) => Some(generation),
            Some(Err(_)) => return Err(invalid("ifGenerationMatch is no number")),
        };
        let kind = query.get("uploadType").map_or("", String::as_str);
        match (&head.method, kind, query.get("upload_id")) {
            (&Method::POST, "multipart", None) => {
                let (description, content) = parts(head, body).ok_or_else(|| invalid("no two parts"))?;
                let mut draft = self.shelf.draft().map_err(broken)?;
                self.shelf.append(&mut draft, &content).map_err(broken)?;
                self.end(pending(query, &description, condition, draft)?, &crc32c(&content))
            }
            (&Method::POST, "resumable", None) => {
                let description = serde_json::from_slice(body).unwrap_or_default();
                let draft = self.shelf.draft().map_err(broken)?;
                let pending = pending(query, &description, condition, draft)?;
                let there = self.shelf.get(&pending.key).map_or(0, |object| object.version);
                if condition.is_some_and(|wanted| wanted != there) {
                    return Err(not_met());
                }
                let id = format!("session-{}", self.begun.fetch_add(1, Ordering::Relaxed));
                let location =
                    format!("{}/upload/storage/v1/b/{}/o?uploadType=resumable&upload_id={id}", self.base, self.bucket);
                self.uploads().insert(id, pending);
                Ok((StatusCode::OK, [(header::LOCATION, location)]).into_response())
            }
            (&Method::PUT, _, Some(id)) => self.chunk(id, head, body),
            (&Method::DELETE, _, Some(id)) => match self.uploads().remove(id) {
                Some(_) => Ok(StatusCode::from_u16(499).unwrap_or_default().into_response()),
                None => Err(refusal(StatusCode::NOT_FOUND, "notFound", "No such upload")),
            },
            _ => Err(invalid("no such kind of upload")),
        }
    }

    /// `Content-Range: bytes 0-262143/*`, or with the whole's length in the last one.
    fn chunk(&self, id: &str, head: &Parts, body: &Bytes) -> Result<Response, Refused> {
        let range =
            head.headers.get(header::CONTENT_RANGE).and_then(|range| range.to_str().ok()?.strip_prefix("bytes "));
        let (span, whole) = range.and_then(|range| range.split_once('/')).ok_or_else(|| invalid("no Content-Range"))?;
        let mut uploads = self.uploads();
        let upload = uploads.get_mut(id).ok_or_else(|| refusal(StatusCode::GONE, "gone", "No such upload"))?;
        if span != "*" {
            let start = span.split_once('-').and_then(|(start, _)| start.parse::<u64>().ok());
            if start != Some(upload.draft.size) {
                return Err(invalid("a chunk that does not follow the one before"));
            }
            if whole == "*" && !(body.len() as u64).is_multiple_of(CHUNK_UNIT) {
                return Err(invalid("a chunk of an odd length"));
            }
            self.shelf.append(&mut upload.draft, body).map_err(broken)?;
        }
        if whole == "*" {
            let kept = format!("bytes=0-{}", upload.draft.size.saturating_sub(1));
            return Ok((StatusCode::PERMANENT_REDIRECT, [(header::RANGE, kept)]).into_response());
        }
        if whole.parse() != Ok(upload.draft.size) {
            return Err(invalid("a whole of another length"));
        }
        let Some(upload) = uploads.remove(id) else { return Err(invalid("no such upload")) };
        drop(uploads);
        self.end(upload, "")
    }

    /// The object appears, if what was there is what was expected and the bytes are what was said.
    fn end(&self, upload: Pending, crc32c: &str) -> Result<Response, Refused> {
        if upload.crc32c.is_some_and(|said| !crc32c.is_empty() && said != crc32c) {
            return Err(unexpected(refusal(
                StatusCode::BAD_REQUEST,
                "invalid",
                "Provided CRC32C doesn't match calculated CRC32C.",
            )));
        }
        let accepts = |there: Option<&crate::shelf::Object>| {
            upload.condition.is_none_or(|wanted| wanted == there.map_or(0, |object| object.version))
        };
        let object =
            self.shelf.publish(&upload.key, upload.draft, upload.label, accepts).map_err(|_there| not_met())?;
        Ok(json_response(&self.describe(&upload.key, &object)))
    }
}

fn pending(
    query: &BTreeMap<String, String>,
    description: &Value,
    condition: Option<u64>,
    draft: Draft,
) -> Result<Pending, Refused> {
    let key = query.get("name").cloned().or_else(|| description["name"].as_str().map(str::to_owned));
    let metadata = description["metadata"].as_object().into_iter().flatten();
    let metadata = metadata.map(|(name, text)| (name.clone(), text.as_str().unwrap_or_default().to_owned())).collect();
    let content_type = description["contentType"].as_str().unwrap_or("application/octet-stream").to_owned();
    Ok(Pending {
        key: key.filter(|key| !key.is_empty()).ok_or_else(|| invalid("no name"))?,
        condition,
        label: Label { content_type, metadata },
        draft,
        crc32c: description["crc32c"].as_str().map(str::to_owned),
    })
}

/// The description and the bytes of a `multipart/related` body.
fn parts(head: &Parts, body: &Bytes) -> Option<(Value, Bytes)> {
    let kind = head.headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let boundary = kind.split_once("boundary=")?.1.trim_matches(['"', '\'']);
    let (delimiter, end) = (format!("--{boundary}\r\n"), format!("\r\n--{boundary}--"));
    let find = |from: usize, wanted: &[u8]| {
        body.get(from..)?.windows(wanted.len()).position(|window| window == wanted).map(|at| from + at)
    };
    let first = find(0, b"\r\n\r\n")? + 4;
    let second = find(first, delimiter.as_bytes())?;
    let content = find(second, b"\r\n\r\n")? + 4;
    let tail = body.len().checked_sub(end.len() + 2)?;
    // Some clients end with a line break and some don't.
    let last = if body.get(tail..)?.starts_with(end.as_bytes()) { tail } else { tail + 2 };
    let description = serde_json::from_slice(body.get(first..second)?.trim_ascii_end()).ok()?;
    (body.get(last..)?.starts_with(end.as_bytes())).then(|| (description, body.slice(content..last)))
}

fn invalid(message: &str) -> Refused {
    unexpected(refusal(StatusCode::BAD_REQUEST, "invalid", message))
}

fn not_met() -> Refused {
    refusal(StatusCode::PRECONDITION_FAILED, "conditionNotMet", "At least one of the pre-conditions did not hold.")
}
