//! The provider's copy, streamed through us while there is none of ours: with our credentials, from the host we configured.

use axum::body::Body;
use axum::response::Response;
use callspool_clients::http::ByteStream;
use callspool_clients::provider::{Media, MediaForm, RangedMedia};
use callspool_domain::Code;
use callspool_store::RecordingRow;
use http::{HeaderValue, Method, StatusCode, header};

use super::checked::{Check, checked};
use super::listening::Listening;
use super::play::not_available;
use crate::web::params::unknown_recording;
use crate::web::refusal::Refusal;
use crate::web::site::Site;

/// Streams the provider's copy, or the part of it that is asked for.
pub(crate) async fn serve(site: &Site, row: &RecordingRow, listening: &Listening) -> Result<Response, Refusal> {
    let app = &site.app;
    let account = app.account(&row.account).ok_or_else(unknown_recording)?;
    let mut response = Response::default();
    let form = MediaForm { format: app.config.recording.format, channels: app.config.recording.channels };
    listening.describe(&mut response, form.format, row);
    if listening.method == Method::HEAD {
        return Ok(response);
    }
    // The provider gives no version that a later range could be compared with.
    let range = listening.headers.get(header::RANGE).filter(|_| !listening.headers.contains_key(header::IF_RANGE));
    let media = match account.client.media_range(&row.sid, form, range).await {
        Ok(media) => media,
        Err(failure) if failure.code == Code::MediaNotReady => return Err(not_available(site, row).await),
        Err(failure) => return Err(Refusal::service_failed(&failure)),
    };
    match media {
        RangedMedia::Whole(Media { content_length, form, body, .. }) => {
            let body = checked(body, Check::audio(form.format)).await;
            let body = body.map_err(|failure| Refusal::service_failed(&failure))?;
            fill(&mut response, content_length, body);
        }
        RangedMedia::Part { media, content_range } => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            response.headers_mut().insert(header::CONTENT_RANGE, content_range);
            fill(&mut response, media.content_length, media.body);
        }
        RangedMedia::Unsatisfiable { content_range } => {
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            let unknown = HeaderValue::from_static("bytes */*");
            response.headers_mut().insert(header::CONTENT_RANGE, content_range.unwrap_or(unknown));
            return Ok(response);
        }
    }
    if listening.method != Method::HEAD {
        listening.note(app, row).await?;
    }
    Ok(response)
}

fn fill(response: &mut Response, length: Option<u64>, body: ByteStream) {
    if let Some(length) = length {
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    *response.body_mut() = Body::from_stream(body);
}
