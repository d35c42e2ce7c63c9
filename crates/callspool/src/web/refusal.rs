//! Answers that are no success: `{"error": {"code", "message"}}` with a stable code and a sentence for people.
//!
//! Guarantee: the sentence names what happened and what to do, and holds no internal text; causes go to the log.

use axum::Json;
use axum::response::{IntoResponse, Response};
use callspool_domain::{Code, StepFailure};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

/// An answer that is no success. The response carries it as an extension, so that a page can be made of it.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// The stable code.
    pub code: &'static str,
    /// What happened and what to do.
    pub message: String,
    /// Where more is told: a path of ours.
    pub see: Option<String>,
    retry_after: Option<u32>,
}

/// The body of an answer that is no success.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    error: ProblemText,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
struct ProblemText {
    /// Stable, for programs.
    #[schema(example = "not_found")]
    code: &'static str,
    /// For people.
    message: String,
}

impl Refusal {
    /// A refusal with a status, a code and a sentence.
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), see: None, retry_after: None }
    }

    /// 400: the request makes no sense; the sentence names the field.
    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", message)
    }

    /// 401: nobody is signed in.
    pub(crate) fn sign_in_first() -> Self {
        let message = "an API token (Authorization: Bearer …) or a signed-in session is needed; callspool token create makes a token";
        Self::new(StatusCode::UNAUTHORIZED, "sign_in_first", message)
    }

    /// 403: who is signed in may not do this.
    pub(crate) fn role_too_low(needed: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "role_too_low", format!("this needs the role {needed}"))
    }

    /// 403: a browser sent this from another site's page.
    pub(crate) fn cross_site() -> Self {
        let message =
            "this request did not come from a page of ours; open callspool at its APP_URL, or use an API token";
        Self::new(StatusCode::FORBIDDEN, "cross_site", message)
    }

    /// 404.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 405.
    pub(crate) fn method_not_allowed() -> Self {
        let message = "this address does not take this method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
    }

    /// An outside service that an answer needs failed; its code is told, its words go to the log.
    pub(crate) fn service_failed(failure: &StepFailure) -> Self {
        tracing::warn!(code = failure.code.as_str(), detail = failure.detail, "audio_unavailable");
        let message = if failure.code.is_bad_audio() || failure.code == Code::ArchiveMismatch {
            "what is kept as this recording can't be played as it is; try again later, or ask an operator to look"
        } else {
            "where the audio is kept does not answer; try again in a moment"
        };
        Self::new(StatusCode::SERVICE_UNAVAILABLE, failure.code.as_str(), message).retry_after(5)
    }

    /// Tells where more is told.
    pub(crate) fn see(mut self, path: String) -> Self {
        self.see = Some(path);
        self
    }

    /// Tells when to try again, in seconds.
    pub(crate) fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl From<callspool_store::Error> for Refusal {
    fn from(error: callspool_store::Error) -> Self {
        if matches!(error, callspool_store::Error::Unavailable(_)) {
            tracing::warn!(%error, "the database did not answer a page or API request");
            let message = "the database does not answer; try again in a moment";
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", message).retry_after(2);
        }
        tracing::error!(%error, "a page or API request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "callspool failed to answer; the cause is in its log")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = Problem { error: ProblemText { code: self.code, message: self.message.clone() } };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(self);
        response
    }
}
