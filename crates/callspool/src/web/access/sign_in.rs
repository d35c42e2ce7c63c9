//! Signing in with a token, once, for a session; and out again. Tokens come in a form's body, never in an address.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use callspool_store::TokenRow;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::origin::Origin;
use super::{hash, session};
use crate::lifecycle::App;
use crate::web::pages;
use crate::web::params::{Params, Segments};
use crate::web::refusal::Refusal;
use crate::web::site::Site;

/// The routes of signing in and out; open, since they are the way in.
pub(crate) fn router() -> Router<Arc<Site>> {
    Router::new()
        .route("/sign-in", get(show).post(sign_in))
        .route("/sign-in/{ticket}", get(swap_ticket))
        .route("/sign-out", post(sign_out))
}

/// An address that signs in whoever opens it first within ten minutes, as the owner of the token. `None`: no such token.
pub async fn sign_in_address(app: &App, token: &str) -> callspool_store::Result<Option<String>> {
    let Some(token) = app.store.find_token(&hash(token)).await? else { return Ok(None) };
    let ticket = session::issue_ticket(app, &token.id).await?;
    Ok(Some(format!("{}/sign-in/{ticket}", app.config.server.app_url)))
}

async fn show(State(site): State<Arc<Site>>, mut params: Params) -> Result<Response, Refusal> {
    let next = params.text("next")?;
    let page = pages::sign_in(&site, &local(next.as_deref()), None);
    Ok(page.into_response())
}

async fn sign_in(State(site): State<Arc<Site>>, headers: HeaderMap, body: Bytes) -> Result<Response, Refusal> {
    if Origin::of(&headers, &site.origin) == Origin::Foreign {
        return Err(Refusal::cross_site());
    }
    let mut form = Params::read(&String::from_utf8_lossy(&body));
    let (token, next) = (form.text("token")?.unwrap_or_default(), form.text("next")?);
    let next = local(next.as_deref());
    match site.app.store.find_token(&hash(token.trim())).await? {
        Some(token) => enter(&site, &headers, &token, &next).await,
        None => refuse(&site, &next),
    }
}

fn refuse(site: &Site, next: &str) -> Result<Response, Refusal> {
    if !site.throttle.allows_failure(site.app.clock.now()) {
        let message = "too many sign-ins failed of late; wait a few seconds";
        return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", message).retry_after(5));
    }
    tracing::warn!("a sign-in failed: no such token");
    let page = pages::sign_in(site, next, Some("This is no valid token. A token begins with cs_."));
    Ok((StatusCode::UNAUTHORIZED, page).into_response())
}

async fn swap_ticket(
    State(site): State<Arc<Site>>,
    method: Method,
    headers: HeaderMap,
    Segments(ticket): Segments<String>,
) -> Result<Response, Refusal> {
    if method == Method::HEAD {
        // Previews of links ask by HEAD; the ticket is for whoever opens it.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    match session::take_ticket(&site, &ticket).await? {
        Some(token) => enter(&site, &headers, &token, "/").await,
        None => Ok(see_other(&site, "/")),
    }
}

/// Begins a session and goes on; a session that was there before ends.
async fn enter(site: &Site, headers: &HeaderMap, token: &TokenRow, next: &str) -> Result<Response, Refusal> {
    session::end(site, headers).await?;
    let cookie = session::begin(site, &token.id).await?;
    tracing::info!(token_id = token.id, name = token.name, "signed_in");
    Ok(([(header::SET_COOKIE, cookie)], see_other(site, next)).into_response())
}

async fn sign_out(State(site): State<Arc<Site>>, headers: HeaderMap) -> Result<Response, Refusal> {
    if Origin::of(&headers, &site.origin) != Origin::Ours {
        return Err(Refusal::cross_site());
    }
    let cookie = session::end(&site, &headers).await?;
    Ok(([(header::SET_COOKIE, cookie)], see_other(&site, "/sign-in")).into_response())
}

fn see_other(site: &Site, path: &str) -> Response {
    let location = HeaderValue::from_str(&site.href(path)).unwrap_or(HeaderValue::from_static("/"));
    let headers = [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// Where to go after signing in: a path of ours, or else the front page. Browsers read `//host`, `/\host` and control
/// characters in front of a slash as another site.
fn local(next: Option<&str>) -> String {
    let ours = |path: &&str| {
        path.starts_with('/')
            && !path.starts_with("//")
            && !path.contains('\\')
            && path.len() <= 2048
            && path.bytes().all(|byte| byte.is_ascii_graphic())
            && !path.starts_with("/sign-")
    };
    next.filter(ours).unwrap_or("/").to_owned()
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn only_paths_of_ours_are_gone_to() {
        for ours in ["/", "/r/RE1?x=1", "/recordings/RE1#steps"] {
            assert_eq!(local(Some(ours)), ours);
        }
        for foreign in [
            "https://evil.example/",
            "//evil.example/",
            "/\\evil.example/",
            "\\\\evil.example",
            "/\t/evil.example",
            "\n//evil.example",
            "javascript:alert(1)",
            "evil.example",
            "",
            "/sign-in",
            "/x\r\nSet-Cookie: a=b",
        ] {
            assert_eq!(local(Some(foreign)), "/", "{foreign:?}");
        }
        assert_eq!(local(None), "/");
    }
}
