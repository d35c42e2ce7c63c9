//! The door to the network: our own [`Http`], with its time-outs and without redirects, for `object_store` and for us.
//!
//! Whatever is no success comes back as an error that keeps the store's answer, so that the code is read here and not
//! guessed from a text; `object_store` itself then tries again only where no connection could be made.

use std::time::Duration;

use async_trait::async_trait;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use reqwest::{Body, Request};
use url::Url;

use super::failure::{Kind, Refusal, Trouble};
use crate::http::{Answer, Breakage, Broken, Http, Response};

/// The store answers writes and credential requests with a few hundred bytes.
const ANSWER_BYTES: usize = 1024 * 1024;

/// The door to one kind of store.
#[derive(Debug, Clone)]
pub(super) struct Doorway {
    http: Http,
    kind: Kind,
}

impl Doorway {
    pub(super) fn new(http: &Http, kind: Kind) -> Self {
        Self { http: http.clone(), kind }
    }

    /// Sends a request with its body and reads the whole answer, whatever it is.
    pub(super) async fn send(&self, request: HttpRequest) -> Result<Answer, Trouble> {
        let (parts, body) = request.into_parts();
        let length = body.content_length() as u64;
        let mut request = Request::new(parts.method, url(&parts.uri)?);
        *request.headers_mut() = parts.headers;
        *request.body_mut() = Some(Body::wrap(body));
        Ok(self.http.upload(request, length, ANSWER_BYTES).await?)
    }

    /// The same where any success will do.
    pub(super) async fn succeed(&self, request: HttpRequest) -> Result<Answer, Trouble> {
        let answer = self.send(request).await?;
        match Refusal::of(&answer, self.kind) {
            Some(refusal) => Err(Trouble::Refused(refusal)),
            None => Ok(answer),
        }
    }

    /// Sends a request without a body; the answer's body is left on its way.
    pub(super) async fn ask(&self, request: HttpRequest) -> Result<Response, Trouble> {
        let (parts, _empty) = request.into_parts();
        let request = self.http.request(parts.method, url(&parts.uri)?).headers(parts.headers);
        Ok(self.http.send(request).await?)
    }

    /// The refusal that a whole answer is.
    pub(super) fn refused(&self, answer: &Answer) -> Trouble {
        Trouble::Refused(Refusal::new(self.kind, answer.status, &answer.headers, &answer.body))
    }

    /// The refusal that an answer is.
    pub(super) async fn refusal(&self, response: Response) -> Trouble {
        Trouble::Refused(Refusal::read(response, self.kind).await)
    }
}

/// One more try is made where no connection could be had at once; a second outlasts the queue's patience.
pub(super) fn one_more_try() -> RetryConfig {
    RetryConfig { max_retries: 1, retry_timeout: Duration::from_secs(2), backoff: BackoffConfig::default() }
}

fn url(uri: &http::Uri) -> Result<Url, Trouble> {
    uri.to_string().parse().map_err(|error| Trouble::Other(format!("no URL for a request: {error}")))
}

impl HttpConnector for Doorway {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Doorway {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = self.succeed(request).await.map_err(|trouble| match trouble {
            Trouble::Broken(broken) => HttpError::new(unsent(&broken), broken),
            Trouble::Refused(refusal) => HttpError::new(HttpErrorKind::Unknown, refusal),
            other => HttpError::new(HttpErrorKind::Unknown, Unsendable(other.to_string())),
        })?;
        let mut response = HttpResponse::new(HttpResponseBody::from(answer.body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

fn unsent(broken: &Broken) -> HttpErrorKind {
    if broken.how == Breakage::Unreachable { HttpErrorKind::Connect } else { HttpErrorKind::Unknown }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unsendable(String);
