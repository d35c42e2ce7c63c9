//! What every answer has in common: a limit in time, headers that keep browsers strict, a count, and no panic that escapes.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};

use super::refusal::Refusal;
use super::site::Site;
use crate::lifecycle::metrics;

/// How long a request may take until its answer begins; a stream may then go on.
const LONGEST_REQUEST: Duration = Duration::from_secs(30);

/// Ends requests that take too long.
pub(crate) async fn limit_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(LONGEST_REQUEST, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let message = "the answer took too long; try again in a moment";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "timed_out", message).retry_after(5).into_response()
        }
    }
}

/// Answers for a handler that panicked; the panic's own text is in the log.
pub(crate) fn panicked(_: Box<dyn Any + Send>) -> Response {
    let message = "callspool failed to answer; this is a bug, and its log tells more";
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message).into_response()
}

/// Sets the headers that keep browsers strict.
///
/// The referrer is kept from other sites only: under `no-referrer` browsers send `Origin: null` with our own forms, and the
/// check against foreign forms could not tell ours.
pub(crate) async fn set_headers(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let mut set = |name: HeaderName, value: HeaderValue| drop(response.headers_mut().insert(name, value));
    set(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    set(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    set(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    if let Ok(policy) = HeaderValue::from_str(&site.content_policy) {
        set(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Counts answers by route and known method, never by the address or method as it came: that would let strangers make new
/// time series.
pub(crate) async fn count(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = match *request.method() {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        _ => "other",
    };
    let response = next.run(request).await;
    metrics::http_request(route, method, response.status());
    response
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::routing::get;
    use tower::ServiceExt as _;
    use tower_http::catch_panic::CatchPanicLayer;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_answered_without_its_text() {
        let broken = async || -> StatusCode { panic!("the password is hunter2") };
        let router: Router = Router::new().route("/", get(broken)).layer(CatchPanicLayer::custom(panicked));
        let answer = router.oneshot(Request::new(Body::empty())).await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = to_bytes(answer.into_body(), 1000).await.expect("a body");
        let text = String::from_utf8_lossy(&body);
        assert!(text.contains("\"internal\"") && !text.contains("hunter2"), "{text}");
    }
}
