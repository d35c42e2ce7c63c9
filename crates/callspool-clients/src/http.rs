//! The only HTTP client: TLS by rustls, no redirects, no cookies, a time-out on every silence, bodies read with a cap.
//!
//! Guarantee: credentials and bytes go to the host that was asked for and nowhere else, and no answer, however long or
//! slow, holds more than its cap of memory or hangs for longer than the time allowed.

use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use callspool_domain::StepFailure;
use futures::stream::BoxStream;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Request, Response};

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
    /// How long a service may be silent, before its answer or within it.
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
    /// For requests without a body worth mentioning: any silence counts.
    client: Client,
    /// For uploads, during which the service is silent by nature: the whole exchange has a time of its own.
    uploads: Client,
    read_timeout: Duration,
}

impl Http {
    /// Builds it.
    pub fn new(options: &HttpOptions) -> Result<Self, SetupError> {
        let builder = || {
            let builder = Client::builder()
                .redirect(Policy::none())
                .connect_timeout(options.connect_timeout)
                .user_agent(&options.user_agent)
                .referer(false);
            if options.system_proxy { builder } else { builder.no_proxy() }
        };
        let client = builder().read_timeout(options.read_timeout).build()?;
        let uploads = builder().build()?;
        Ok(Self { client, uploads, read_timeout: options.read_timeout })
    }

    /// Begins a request.
    pub(crate) fn request(&self, method: Method, url: url::Url) -> reqwest::RequestBuilder {
        self.client.request(method, url)
    }

    /// Sends a request. GET and HEAD are sent once more, at once, where no connection could be made.
    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Result<Response, Broken> {
        let request = request.build().map_err(|error| Broken::from(&error))?;
        let again = matches!(*request.method(), Method::GET | Method::HEAD).then(|| request.try_clone()).flatten();
        match (self.client.execute(request).await, again) {
            (Err(error), Some(again)) if error.is_connect() && !error.is_timeout() => {
                self.client.execute(again).await.map_err(|error| Broken::from(&error))
            }
            (answer, _) => answer.map_err(|error| Broken::from(&error)),
        }
    }

    /// Sends a request with a body of `length` bytes and reads the whole answer, at most `max` bytes of it.
    pub(crate) async fn upload(&self, request: Request, length: u64, max: usize) -> Result<Answer, Broken> {
        let patience = self.read_timeout + Duration::from_secs(length / SLOWEST_UPLOAD_BYTES_PER_SECOND);
        let exchange = async {
            let response = self.uploads.execute(request).await.map_err(|error| Broken::from(&error))?;
            let (status, headers) = (response.status(), response.headers().clone());
            let body = read_capped(response, max).await.map_err(ReadError::into_broken)?;
            Ok(Answer { status, headers, body })
        };
        tokio::time::timeout(patience, exchange).await.unwrap_or_else(|_elapsed| {
            Err(Broken { how: Breakage::Stalled, cause: format!("no answer within {} s", patience.as_secs()) })
        })
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

/// Why a body could not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// It is longer than the cap.
    #[error("the body is longer than {0} bytes")]
    TooLong(usize),
    /// The connection failed on the way; the text says how.
    #[error("{0}")]
    Broken(String),
    /// Silence for too long.
    #[error("the body stalled")]
    Stalled,
}

impl ReadError {
    fn into_broken(self) -> Broken {
        let how = if matches!(self, Self::Stalled) { Breakage::Stalled } else { Breakage::Reset };
        Broken { how, cause: self.to_string() }
    }
}

/// Reads a body of at most `max` bytes; no more than that is ever held.
pub async fn read_capped(mut response: Response, max: usize) -> Result<Bytes, ReadError> {
    let mut body = BytesMut::new();
    loop {
        let chunk = response.chunk().await.map_err(|error| match Broken::from(&error) {
            Broken { how: Breakage::Stalled, .. } => ReadError::Stalled,
            broken => ReadError::Broken(broken.cause),
        })?;
        let Some(chunk) = chunk else { return Ok(body.freeze()) };
        if body.len() + chunk.len() > max {
            return Err(ReadError::TooLong(max));
        }
        body.extend_from_slice(&chunk);
    }
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
