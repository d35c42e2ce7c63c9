//! The only HTTP client: TLS by rustls, no redirects, no cookies, a time-out on every silence, bodies read with a cap.
//!
//! Guarantee: credentials and bytes go to the host that was asked for and nowhere else, and no answer, however long or
//! slow, holds more than its cap of memory or hangs for longer than the time allowed.

mod response;

use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use callspool_domain::StepFailure;
use futures::stream::BoxStream;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Request};

pub use response::{ReadError, Response, read_capped};

/// The bytes of a recording on their way; a failure ends it.
pub type ByteStream = BoxStream<'static, Result<Bytes, StepFailure>>;

/// An upload slower than this on average counts as stalled.
const SLOWEST_UPLOAD_BYTES_PER_SECOND: u64 = 64 * 1024;
/// How much of a service's own words an operator gets to see.
const QUOTED_CHARACTERS: usize = 200;

/// How the client behaves.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// How long a connection may take to stand, TLS included.
    pub connect_timeout: Duration,
    /// How long a service may be silent while we wait, for its answer or within it.
    pub read_timeout: Duration,
    /// How we introduce ourselves.
    pub user_agent: String,
    /// Whether the system's proxy settings (`HTTPS_PROXY`, `NO_PROXY` …) are honoured, as installations behind a proxy
    /// need. The demo and the tests, which talk to loopback alone, turn it off.
    pub system_proxy: bool,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(20),
            user_agent: concat!("callspool/", env!("CARGO_PKG_VERSION")).to_owned(),
            system_proxy: true,
        }
    }
}

/// Why no client could be built: the machine's TLS roots or a setting.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client can't be set up; check the machine's root certificates")]
pub struct SetupError(#[from] reqwest::Error);

/// The client. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client,
    /// With connections of its own: a service that refuses an upload unread closes the connection, and what is sent on it
    /// next would be lost.
    uploads: Client,
    /// Kept here and not by the client, which would count the time between two reads as the service's silence.
    read_timeout: Duration,
}

impl Http {
    /// Builds it.
    pub fn new(options: &HttpOptions) -> Result<Self, SetupError> {
        let client = || {
            let builder = Client::builder()
                .redirect(Policy::none())
                .connect_timeout(options.connect_timeout)
                .user_agent(&options.user_agent)
                .referer(false);
            if options.system_proxy { builder.build() } else { builder.no_proxy().build() }
        };
        Ok(Self { client: client()?, uploads: client()?, read_timeout: options.read_timeout })
    }

    /// Begins a request.
    pub(crate) fn request(&self, method: Method, url: url::Url) -> reqwest::RequestBuilder {
        self.client.request(method, url)
    }

    /// Sends a request. GET and HEAD are sent once more, at once, where no connection could be made.
    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Result<Response, Broken> {
        let request = request.build().map_err(|error| Broken::from(&error))?;
        let again = matches!(*request.method(), Method::GET | Method::HEAD).then(|| request.try_clone()).flatten();
        let exchange = async {
            match (self.client.execute(request).await, again) {
                (Err(error), Some(again)) if error.is_connect() && !error.is_timeout() => {
                    self.client.execute(again).await
                }
                (answer, _) => answer,
            }
        };
        let answer = tokio::time::timeout(self.read_timeout, exchange).await;
        let answer = answer.map_err(|_elapsed| Broken::stalled(self.read_timeout))?;
        Ok(Response::new(answer.map_err(|error| Broken::from(&error))?, self.read_timeout))
    }

    /// Sends a request with a body of `length` bytes and reads the whole answer, at most `max` bytes of it.
    pub(crate) async fn upload(&self, request: Request, length: u64, max: usize) -> Result<Answer, Broken> {
        let patience = self.read_timeout + Duration::from_secs(length / SLOWEST_UPLOAD_BYTES_PER_SECOND);
        let exchange = async {
            let response = self.uploads.execute(request).await.map_err(|error| Broken::from(&error))?;
            let response = Response::new(response, patience);
            let (status, headers) = (response.status(), response.headers().clone());
            let body = read_capped(response, max).await.map_err(ReadError::into_broken)?;
            Ok(Answer { status, headers, body })
        };
        tokio::time::timeout(patience, exchange).await.unwrap_or_else(|_elapsed| Err(Broken::stalled(patience)))
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: reqwest::StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// How an exchange ended before its answer was whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breakage {
    /// No connection: refused, unknown name, failed TLS, or not in time.
    Unreachable,
    /// The connection broke.
    Reset,
    /// The connection ended in good order before all was there.
    EndedEarly,
    /// Silence for too long.
    Stalled,
}

/// An exchange that ended before its answer was whole, with the cause in words (never a URL: it may be signed).
#[derive(Debug, Clone, thiserror::Error)]
#[error("{cause}")]
pub(crate) struct Broken {
    pub(crate) how: Breakage,
    pub(crate) cause: String,
}

impl Broken {
    /// The exchange ended in a way that is as good as a broken connection.
    pub(crate) fn reset(cause: impl Into<String>) -> Self {
        Self { how: Breakage::Reset, cause: cause.into() }
    }

    fn stalled(patience: Duration) -> Self {
        Self { how: Breakage::Stalled, cause: format!("no answer within {} s", patience.as_secs_f32()) }
    }
}

impl From<&reqwest::Error> for Broken {
    fn from(error: &reqwest::Error) -> Self {
        let how = if error.is_connect() {
            Breakage::Unreachable
        } else if error.is_timeout() {
            Breakage::Stalled
        } else if causes(error).any(is_unexpected_end) {
            Breakage::EndedEarly
        } else {
            Breakage::Reset
        };
        Self { how, cause: describe(error) }
    }
}

/// An error's causes, outermost first.
pub(crate) fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}

fn is_unexpected_end(cause: &(dyn Error + 'static)) -> bool {
    cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::UnexpectedEof)
}

/// The causes behind a reqwest error, outermost first; its own text is left out, since it holds the URL.
fn describe(error: &reqwest::Error) -> String {
    let mut text = String::new();
    for cause in causes(error) {
        let separator = if text.is_empty() { "" } else { ": " };
        // Writing into a String can't fail.
        write!(text, "{separator}{cause}").unwrap_or_default();
    }
    if text.is_empty() { "the request failed".to_owned() } else { quote(&text) }
}

/// A service's own words, fit for a log line: no control characters, at most 200 characters.
pub(crate) fn quote(text: &str) -> String {
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let clean: String = printable.take(QUOTED_CHARACTERS * 4).collect();
    let words: Vec<&str> = clean.split_whitespace().collect();
    words.join(" ").chars().take(QUOTED_CHARACTERS).collect()
}

/// The wait a service asks for, where it says it in seconds. The other form, a date, is left to our own back-off: it
/// would need both clocks to agree.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_words_are_short_and_printable() {
        assert_eq!(quote("a\r\n\tb\u{1b}[31m c"), "a b [31m c");
        assert_eq!(quote(&"é".repeat(5000)).chars().count(), 200);
    }

    #[test]
    fn retry_after_is_read_in_seconds_alone() {
        let wait = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, reqwest::header::HeaderValue::from_static(value));
            retry_after(&headers)
        };
        assert_eq!(wait("120"), Some(Duration::from_secs(120)));
        assert_eq!(wait("Fri, 31 Dec 1999 23:59:59 GMT"), None);
        assert_eq!(wait("-1"), None);
    }
}
