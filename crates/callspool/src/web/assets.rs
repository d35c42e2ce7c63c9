//! The pages' style and script: files of `assets/`, built into the program.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use rust_embed::RustEmbed;

use super::params::Segments;
use super::refusal::Refusal;

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Assets;

/// Serves one file; browsers keep it and ask whether it has changed.
pub(crate) async fn serve(headers: HeaderMap, Segments(name): Segments<String>) -> Result<Response, Refusal> {
    let file = Assets::get(&name).ok_or_else(|| Refusal::not_found("there is no such file"))?;
    let kind = match name.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => "application/octet-stream",
    };
    let tag = format!("\"{}\"", hex::encode(file.metadata.sha256_hash()));
    let keep = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, "public, no-cache".to_owned())];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return Ok((StatusCode::NOT_MODIFIED, keep).into_response());
    }
    let mut response = (keep, file.data.into_owned()).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(response)
}
