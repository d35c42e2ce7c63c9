//! Why a request of the provider was not taken, and what it is answered.

use std::time::Instant;

use axum::Json;
use axum::response::{IntoResponse, Response};
use callspool_domain::IdError;
use http::{StatusCode, header};
use serde_json::json;

use super::form::FormError;
use crate::lifecycle::metrics;

/// Why a request was not taken. `Display` is for who sent it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the body is larger than 64 KiB")]
    TooLarge,
    #[error("the body could not be read")]
    Unreadable,
    #[error("the body took longer than 15 s to arrive")]
    TooSlow,
    #[error("the signature is missing or does not match this URL and body")]
    Signature,
    #[error("X-Twilio-Webhooks-Signature-Settings names a key or an algorithm that is not configured here")]
    UnknownKey,
    #[error("no account with this AccountSid is configured")]
    UnknownAccount,
    #[error("no Auth Token is configured, so no request can be checked")]
    NoCredentials,
    #[error("{0}")]
    Form(#[from] FormError),
    #[error("{0}")]
    Id(#[from] IdError),
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("this path takes voice requests only (type=voice)")]
    NotVoice,
    #[error("this recording belongs to another account")]
    AnotherAccount,
    #[error("it could not be stored; please send it again")]
    NotStored,
}

impl Refusal {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Signature | Self::UnknownKey | Self::UnknownAccount | Self::NoCredentials | Self::AnotherAccount => {
                StatusCode::FORBIDDEN
            }
            Self::Unreadable | Self::Form(_) | Self::Id(_) | Self::Missing(_) | Self::NotVoice => {
                StatusCode::BAD_REQUEST
            }
            Self::NotStored => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "body_too_large",
            Self::Unreadable => "body_unreadable",
            Self::TooSlow => "body_too_slow",
            Self::Signature | Self::UnknownKey => "bad_signature",
            Self::UnknownAccount => "unknown_account",
            Self::NoCredentials => "no_credentials",
            Self::Form(_) => "malformed",
            Self::Id(_) => "malformed_id",
            Self::Missing(_) => "missing_field",
            Self::NotVoice => "not_voice",
            Self::AnotherAccount => "another_account",
            Self::NotStored => "not_stored",
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = Json(json!({"success": false, "error": {"code": self.code(), "message": self.to_string()}}));
        let mut response = (self.status(), body).into_response();
        if matches!(self, Self::NotStored) {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("5"));
        }
        response
    }
}

/// Answers, and counts the answer and the time it took under the kind of request.
pub(super) async fn measured(
    kind: &'static str,
    answer: impl Future<Output = Result<impl IntoResponse, Refusal>>,
) -> Response {
    let began = Instant::now();
    let answer = answer.await;
    let status = match &answer {
        Ok(_) => StatusCode::OK,
        Err(refusal) => refusal.status(),
    };
    metrics::callback(kind, status, began.elapsed());
    answer.map_or_else(IntoResponse::into_response, IntoResponse::into_response)
}
