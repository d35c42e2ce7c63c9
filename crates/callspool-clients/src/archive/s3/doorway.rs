//! The door through which `object_store` reaches the network: our own [`Http`], with its time-outs and without redirects.
//!
//! Whatever is no success comes back as an error that keeps the store's answer, so that the code is read here and not
//! guessed from a text; `object_store` itself then tries again only where no connection could be made.

use async_trait::async_trait;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use reqwest::{Body, Request};
use url::Url;

use super::failure::Refusal;
use crate::http::{Breakage, Http};

/// The store answers writes and credential requests with a few hundred bytes.
const ANSWER_BYTES: usize = 1024 * 1024;

#[derive(Debug, Clone)]
pub(super) struct Doorway(Http);

impl Doorway {
    pub(super) fn new(http: &Http) -> Self {
        Self(http.clone())
    }
}

impl HttpConnector for Doorway {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Doorway {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let url: Url =
            parts.uri.to_string().parse().map_err(|error| HttpError::new(HttpErrorKind::Unknown, UrlError(error)))?;
        let length = body.content_length() as u64;
        let mut request = Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        *request.body_mut() = Some(Body::wrap(body));
        let answer = self.0.upload(request, length, ANSWER_BYTES).await.map_err(|broken| {
            let unsent = broken.how == Breakage::Unreachable;
            HttpError::new(if unsent { HttpErrorKind::Connect } else { HttpErrorKind::Unknown }, broken)
        })?;
        if let Some(refusal) = Refusal::of(&answer) {
            return Err(HttpError::new(HttpErrorKind::Unknown, refusal));
        }
        let mut response = HttpResponse::new(HttpResponseBody::from(answer.body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no URL for a request: {0}")]
struct UrlError(url::ParseError);
