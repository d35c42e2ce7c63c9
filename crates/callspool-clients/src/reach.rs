//! Our own public address, asked from outside as the provider would ask it.
//!
//! Guarantee: redirects are not followed, an answer is read up to a cap, and what is sent is what the caller gave.

use bytes::Bytes;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder};
use url::Url;

use crate::http::{Breakage, Broken, Http, read_capped};

/// An answer is read up to here.
const ANSWER_BYTES: usize = 64 * 1024;

/// What answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body; empty where it is longer than 64 KiB or broke off.
    pub body: Bytes,
}

/// Nothing answered: why. Never a URL.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Unanswered(String);

/// Posts this form with these headers.
pub async fn post(
    http: &Http,
    url: &Url,
    form: &[(&str, &str)],
    headers: &[(HeaderName, HeaderValue)],
) -> Result<Answer, Unanswered> {
    ask(http, http.request(Method::POST, url.clone()).form(form).headers(headers.iter().cloned().collect())).await
}

/// Reads what is there.
pub async fn get(http: &Http, url: &Url) -> Result<Answer, Unanswered> {
    ask(http, http.request(Method::GET, url.clone())).await
}

async fn ask(http: &Http, request: RequestBuilder) -> Result<Answer, Unanswered> {
    let response = http.send(request).await.map_err(|broken| unanswered(&broken))?;
    let status = response.status().as_u16();
    let body = read_capped(response, ANSWER_BYTES).await.unwrap_or_default();
    Ok(Answer { status, body })
}

fn unanswered(broken: &Broken) -> Unanswered {
    let how = match broken.how {
        Breakage::Unreachable => "no connection",
        Breakage::Reset | Breakage::EndedEarly => "the connection broke",
        Breakage::Stalled => "silence",
    };
    Unanswered(format!("{how} ({})", broken.cause))
}
