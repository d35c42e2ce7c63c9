//! Answers that are no success, in Airtable's several shapes
//! (<https://airtable.com/developers/web/api/errors>): mostly `{"error":{"type","message"}}`, a bare string for what is
//! not there, and a list for too many requests.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};

use crate::server::Unexpected;

#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    body: Value,
    /// Why no correct client would have asked, where that is so.
    unexpected: Option<String>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, kind: &str, message: &str) -> Self {
        Self { status, body: json!({ "error": { "type": kind, "message": message } }), unexpected: None }
    }

    /// 422: the request is understood and not possible.
    pub(super) fn invalid(kind: &str, message: &str) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, kind, message)
    }

    /// 422 for what no correct client sends.
    pub(super) fn malformed(kind: &str, message: &str) -> Self {
        Self::invalid(kind, message).unexpected(message)
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "AUTHENTICATION_REQUIRED", "Authentication required")
    }

    pub(super) fn forbidden() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND",
            "Invalid permissions, or the requested model was not found. Check that both your user and your token have \
             the required permissions, and that the model names and/or ids are correct.",
        )
    }

    pub(super) fn not_found() -> Self {
        Self { status: StatusCode::NOT_FOUND, body: json!({ "error": "NOT_FOUND" }), unexpected: None }
    }

    pub(super) fn too_large(what: &str) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "REQUEST_TOO_LARGE", what).unexpected(what)
    }

    pub(super) fn throttled() -> Self {
        let message = "Rate limit exceeded. Please try again later";
        let body = json!({ "errors": [{ "error": "RATE_LIMIT_REACHED", "message": message }] });
        Self { status: StatusCode::TOO_MANY_REQUESTS, body, unexpected: None }
    }

    pub(super) fn unexpected(self, why: &str) -> Self {
        Self { unexpected: Some(why.to_owned()), ..self }
    }

    pub(super) fn answer(self) -> Response {
        let head = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
        let mut response = (self.status, head, self.body.to_string()).into_response();
        if let Some(why) = self.unexpected {
            response.extensions_mut().insert(Unexpected(why));
        }
        response
    }
}
