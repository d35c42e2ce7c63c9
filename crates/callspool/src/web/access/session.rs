//! Sessions and tickets: random secrets in a browser's hands, of which only hashes are stored.
//!
//! A session lives in a cookie for 12 hours. A ticket is a session that can only be swapped, once and within ten minutes,
//! for a real one: it may stand in an address, where a token must not.

use std::time::Duration;

use callspool_store::TokenRow;
use http::{HeaderMap, HeaderValue, header};

use super::hash;
use crate::lifecycle::{App, random};
use crate::web::refusal::Refusal;
use crate::web::site::Site;

const COOKIE: &str = "callspool_session";
const SESSION: Duration = Duration::from_secs(12 * 3600);
const TICKET: Duration = Duration::from_secs(600);

/// The hash of the session a request carries.
pub(crate) fn hash_of(headers: &HeaderMap) -> Option<String> {
    secret_of(headers).map(hash)
}

fn secret_of(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, secret)| secret)
}

/// Begins a session of a token; returns the cookie.
pub(crate) async fn begin(site: &Site, token_id: &str) -> Result<HeaderValue, Refusal> {
    let (secret, now) = (random::secret(), site.app.clock.now());
    site.app.store.create_session(&hash(&secret), token_id, now + SESSION, now).await?;
    Ok(cookie(&site.base, site.is_https(), &secret, SESSION))
}

/// Ends the session a request carries, if it does; returns the cookie that takes it out of the browser.
pub(crate) async fn end(site: &Site, headers: &HeaderMap) -> Result<HeaderValue, Refusal> {
    if let Some(hash) = hash_of(headers) {
        site.app.store.delete_session(&hash).await?;
    }
    Ok(cookie(&site.base, site.is_https(), "", Duration::ZERO))
}

fn cookie(base: &str, is_https: bool, secret: &str, life: Duration) -> HeaderValue {
    let path = if base.is_empty() { "/" } else { base };
    let secure = if is_https { "; Secure" } else { "" };
    let age = life.as_secs();
    let text = format!("{COOKIE}={secret}; Path={path}; Max-Age={age}; HttpOnly; SameSite=Lax{secure}");
    // The path comes from a parsed URL and the secret is hexadecimal, so this is always a header's text.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// Makes a ticket for a token.
pub(crate) async fn issue_ticket(app: &App, token_id: &str) -> callspool_store::Result<String> {
    let (ticket, now) = (random::secret(), app.clock.now());
    app.store.create_session(&hash_of_ticket(&ticket), token_id, now + TICKET, now).await?;
    Ok(ticket)
}

/// Takes a ticket: the first to come gets its token, everybody later nothing.
pub(crate) async fn take_ticket(site: &Site, ticket: &str) -> Result<Option<TokenRow>, Refusal> {
    let hash = hash_of_ticket(ticket);
    let token = site.app.store.find_session(&hash, site.app.clock.now()).await?;
    if token.is_none() || !site.app.store.delete_session(&hash).await? {
        return Ok(None);
    }
    Ok(token)
}

/// Another hash than a session's, so that neither passes for the other.
fn hash_of_ticket(ticket: &str) -> String {
    hash(&format!("ticket:{ticket}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_is_found_among_other_cookies() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("theme=dark; callspool_session=s1; x"));
        assert_eq!(secret_of(&headers), Some("s1"));
        assert_ne!(hash("s1"), hash_of_ticket("s1"));
        headers.insert(header::COOKIE, HeaderValue::from_static("not_callspool_session=s1"));
        assert_eq!(secret_of(&headers), None);
    }

    #[test]
    fn the_cookie_goes_only_where_callspool_is() {
        let set = cookie("/calls", true, "s1", SESSION);
        assert_eq!(set, "callspool_session=s1; Path=/calls; Max-Age=43200; HttpOnly; SameSite=Lax; Secure");
    }
}
