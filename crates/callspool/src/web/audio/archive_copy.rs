//! The archive's copy: by a fresh signed URL where the store can sign, else through us, whole or in part.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use callspool_domain::{Code, StepFailure};
use callspool_store::{ArchiveRow, RecordingRow};
use http::{HeaderValue, Method, StatusCode, header};

use super::checked::{Check, checked};
use super::listening::{Listening, Way, set_text};
use super::range::{Part, wanted};
use crate::links::format;
use crate::web::refusal::Refusal;
use crate::web::site::Site;

/// What came of asking the archive.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// An answer for the listener.
    Answered(Response),
    /// There is no object at the key.
    Gone,
    /// The archive failed.
    Failed(StepFailure),
}

/// Answers from the archive's copy.
pub(crate) async fn serve(
    site: &Site,
    row: &RecordingRow,
    archive: &ArchiveRow,
    listening: &Listening,
) -> Result<Outcome, Refusal> {
    if listening.way == Way::Redirect
        && let Some(response) = redirect(site, row, archive, listening).await?
    {
        return Ok(Outcome::Answered(response));
    }
    stream(site, row, archive, listening).await
}

/// Sends the listener to the store; `None` where it can't sign, or can't just now.
pub(crate) async fn redirect(
    site: &Site,
    row: &RecordingRow,
    archive: &ArchiveRow,
    listening: &Listening,
) -> Result<Option<Response>, Refusal> {
    let format = format(&site.app, archive);
    let disposition = listening.manner.disposition(row, format);
    let life = site.app.config.recording.link_ttl;
    let url = match site.app.archive.sign(&archive.object_key, life, &disposition, format).await {
        Ok(Some(url)) => url,
        Ok(None) => return Ok(None),
        Err(failure) => {
            tracing::warn!(recording_sid = %row.sid, code = failure.code.as_str(), detail = failure.detail, "link_not_signed");
            return Ok(None);
        }
    };
    // The URL is the audio, also for who only asked for its headers.
    listening.note(&site.app, row).await?;
    let mut response = StatusCode::FOUND.into_response();
    set_text(&mut response, header::LOCATION, url.as_str());
    set_text(&mut response, header::CACHE_CONTROL, "no-store");
    Ok(Some(response))
}

/// Sends the bytes that are asked for.
async fn stream(
    site: &Site,
    row: &RecordingRow,
    archive: &ArchiveRow,
    listening: &Listening,
) -> Result<Outcome, Refusal> {
    let (Some(size), Some(sha256)) = (archive.bytes, &archive.sha256) else { return Ok(Outcome::Gone) };
    let tag = HeaderValue::from_str(&format!("\"{sha256}\"")).unwrap_or(HeaderValue::from_static("\"\""));
    if listening.headers.get(header::IF_NONE_MATCH) == Some(&tag) {
        return Ok(Outcome::Answered((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response()));
    }
    let (status, range) = match wanted(&listening.headers, size, &tag) {
        Part::Whole => (StatusCode::OK, 0..size),
        Part::Bytes(range) => (StatusCode::PARTIAL_CONTENT, range),
        Part::Unsatisfiable => {
            let content_range = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
            return Ok(Outcome::Answered((StatusCode::RANGE_NOT_SATISFIABLE, content_range).into_response()));
        }
    };
    let mut response = status.into_response();
    if listening.method != Method::HEAD {
        let object = match site.app.archive.read(&archive.object_key, Some(range.clone())).await {
            Ok(Some(object)) => object,
            Ok(None) => return Ok(Outcome::Gone),
            Err(failure) => return Ok(Outcome::Failed(failure)),
        };
        if object.size != size {
            let detail = format!("the object has {} bytes and {size} were archived", object.size);
            return Ok(Outcome::Failed(StepFailure::new(Code::ArchiveMismatch, detail)));
        }
        // A part alone can't be judged.
        let body = if range == (0..size) {
            match checked(object.body, Check::exactly(size, sha256)).await {
                Ok(body) => body,
                Err(failure) => return Ok(Outcome::Failed(failure)),
            }
        } else {
            object.body
        };
        listening.note(&site.app, row).await?;
        *response.body_mut() = Body::from_stream(body);
    }
    if status == StatusCode::PARTIAL_CONTENT {
        let content_range = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        set_text(&mut response, header::CONTENT_RANGE, &content_range);
    }
    response.headers_mut().insert(header::CONTENT_LENGTH, (range.end - range.start).into());
    response.headers_mut().insert(header::ETAG, tag);
    listening.describe(&mut response, format(&site.app, archive), row);
    Ok(Outcome::Answered(response))
}
