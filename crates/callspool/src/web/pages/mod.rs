//! The pages people look at: every recording and where it stands, live; one recording in full; signing in.
//!
//! Pages work without their script; with it they follow the log of events. Refusals become pages for people, and the way
//! to the sign-in page where that helps.

mod first_steps;
mod layout;
mod live;
mod problem;
mod recording;
mod sign_in;
mod story;
mod summary;
mod table;
mod waveform;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderValue, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::refusal::Refusal;
use super::site::Site;
pub(crate) use sign_in::sign_in;

/// The pages behind access.
pub(crate) fn router() -> Router<Arc<Site>> {
    Router::new()
        .route("/", get(live::show))
        .route("/fragments/recordings", get(live::fragment))
        .route("/recordings/{recording}", get(recording::show))
        .route("/fragments/recordings/{recording}", get(recording::fragment))
        .route("/recordings/{recording}/retry", post(recording::retry))
}

/// Makes pages of refusals for people, and leads who is not signed in to where he can be.
pub(crate) async fn dress(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let for_people = is_for_people(&request);
    let reads = request.method().is_safe();
    let here = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let mut response = next.run(request).await;
    let Some(refusal) = response.extensions_mut().remove::<Refusal>().filter(|_| for_people) else { return response };
    if refusal.status == StatusCode::UNAUTHORIZED && reads {
        return to_sign_in(&site, &here);
    }
    let (mut parts, _) = response.into_parts();
    let page = problem::page(&site, &refusal).into_response();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.extend(page.headers().clone());
    Response::from_parts(parts, page.into_body())
}

/// Browsers ask for HTML by name when somebody follows a link; programs don't.
fn is_for_people(request: &Request) -> bool {
    let path = request.uri().path();
    let for_programs =
        ["/api/", "/metrics", "/openapi.json", "/fragments/"].iter().any(|prefix| path.starts_with(prefix));
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    !for_programs && accept.is_some_and(|accept| accept.contains("text/html"))
}

fn to_sign_in(site: &Site, here: &str) -> Response {
    let next = utf8_percent_encode(here, NON_ALPHANUMERIC);
    let location = HeaderValue::from_str(&site.href(&format!("/sign-in?next={next}")));
    let location = location.unwrap_or(HeaderValue::from_static("/sign-in"));
    let headers = [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::SEE_OTHER, headers).into_response()
}
