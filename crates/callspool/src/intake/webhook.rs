//! A request of the provider, in any form it has: read within bounds, proven genuine, taken apart.
//!
//! Guarantee: nothing a request says is believed before its signature is proven, but which account and key it names; these
//! choose the secret, and no other is tried
//! (<https://www.twilio.com/docs/usage/webhooks/webhooks-security>).

use std::time::Duration;

use axum::body::{Body as HttpBody, Bytes};
use axum::extract::Request;
use callspool_domain::{AccountSid, Secret};
use http::request::Parts;
use http::{Method, header};
use tokio::time::timeout;

use super::form::{Fields, Form};
use super::json;
use super::refusal::Refusal;
use super::signature::{Algorithm, Body, is_genuine};
use crate::lifecycle::App;

/// Twilio waits 15 s for an answer (<https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides>); a body
/// that takes longer to arrive is nobody's.
const PATIENCE: Duration = Duration::from_secs(15);
const LARGEST_BODY: usize = 64 * 1024;

const SIGNATURE: &str = "x-twilio-signature";
/// Which key signed, where it is not the Auth Token: `key=<id>,algorithm=HMAC_SHA1|HMAC_SHA256`
/// (<https://www.twilio.com/docs/usage/webhooks/webhook-settings>).
const SIGNATURE_SETTINGS: &str = "x-twilio-webhooks-signature-settings";

/// A genuine request.
pub(super) struct Webhook {
    /// What the provider says, wherever it put it.
    pub(super) fields: Fields,
    /// What stands in the query: on GET the provider's parameters too.
    pub(super) query: Fields,
}

/// Where the provider put its parameters.
enum Content {
    /// GET: in the query.
    Query,
    Form(Form),
    Json(Bytes),
}

/// Reads a request and proves it. The order of the refusals is part of the interface: size, signature, form.
pub(super) async fn receive(app: &App, request: Request) -> Result<Webhook, Refusal> {
    let (content, query) = genuine(app, request).await?;
    let query = query.text()?;
    let fields = match content {
        Content::Query => query.clone(),
        Content::Form(form) => form.text()?,
        Content::Json(body) => json::fields(&body)?,
    };
    Ok(Webhook { fields, query })
}

/// The same where somebody waits at the telephone: a field that can't be read as it came is read as far as it can be,
/// since refusing the request would end the call.
pub(super) async fn receive_forgiving(app: &App, request: Request) -> Result<Webhook, Refusal> {
    let (content, query) = genuine(app, request).await?;
    let query = query.forgiving();
    let fields = match content {
        Content::Query => query.clone(),
        Content::Form(form) => form.forgiving(),
        Content::Json(body) => json::forgiving(&body)?,
    };
    Ok(Webhook { fields, query })
}

/// Reads a request and proves it; returns what it holds, and its query.
async fn genuine(app: &App, request: Request) -> Result<(Content, Form), Refusal> {
    let (parts, body) = request.into_parts();
    let body = timeout(PATIENCE, read(body)).await.unwrap_or(Err(Refusal::TooSlow))?;
    let query = Form::decode(parts.uri.query().unwrap_or_default().as_bytes());
    let content = Content::of(&parts, body);
    prove(app, &parts, &content, &query)?;
    Ok((content, query))
}

async fn read(body: HttpBody) -> Result<Bytes, Refusal> {
    axum::body::to_bytes(body, LARGEST_BODY).await.map_err(|error| {
        let too_large =
            std::error::Error::source(&error).is_some_and(|cause| cause.is::<http_body_util::LengthLimitError>());
        if too_large { Refusal::TooLarge } else { Refusal::Unreadable }
    })
}

impl Content {
    fn of(parts: &Parts, body: Bytes) -> Self {
        let kind = parts.headers.get(header::CONTENT_TYPE).map(|kind| kind.as_bytes().to_ascii_lowercase());
        if parts.method == Method::GET {
            Self::Query
        } else if kind.is_none_or(|kind| kind.starts_with(b"application/x-www-form-urlencoded")) {
            Self::Form(Form::decode(&body))
        } else {
            Self::Json(body)
        }
    }

    /// The account that is named, believed for nothing but the choice of the secret. An empty name is none.
    fn account(&self, query: &Form) -> Option<Vec<u8>> {
        let named = match self {
            Self::Query => query.first("AccountSid").map(<[u8]>::to_vec),
            Self::Form(form) => form.first("AccountSid").map(<[u8]>::to_vec),
            Self::Json(body) => json::account(body),
        };
        named.filter(|sid| !sid.is_empty())
    }
}

fn prove(app: &App, parts: &Parts, content: &Content, query: &Form) -> Result<(), Refusal> {
    let header = |name| parts.headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let tokens = tokens(app, content.account(query))?;
    let (algorithm, secrets) = match header(SIGNATURE_SETTINGS).map(str::trim).filter(|text| !text.is_empty()) {
        None if tokens.is_empty() => return Err(Refusal::NoCredentials),
        None => (Algorithm::Sha1, tokens),
        Some(settings) => shared_key(app, settings)?,
    };
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let url = format!("{}{path}", app.config.server.app_url);
    let nothing = Form::decode(b"");
    let body = match content {
        Content::Query => Body::Form(&nothing),
        Content::Form(form) => Body::Form(form),
        Content::Json(body) => Body::Raw(body),
    };
    let signature = header(SIGNATURE).unwrap_or_default();
    if is_genuine(signature, &url, body, algorithm, &secrets) { Ok(()) } else { Err(Refusal::Signature) }
}

/// The Auth Tokens of the account that is named, or every one where none is.
fn tokens(app: &App, named: Option<Vec<u8>>) -> Result<Vec<Secret>, Refusal> {
    let Some(sid) = named else {
        return Ok(app.accounts().flat_map(|account| account.settings.tokens.clone()).collect());
    };
    let sid = std::str::from_utf8(&sid).ok().and_then(|sid| AccountSid::parse(sid).ok());
    match sid.and_then(|sid| app.account(&sid)) {
        Some(account) => Ok(account.settings.tokens.clone()),
        None if app.accounts().next().is_none() => Err(Refusal::NoCredentials),
        None => Err(Refusal::UnknownAccount),
    }
}

/// The secret of the key that signed. What names no key, or no algorithm we know, is refused: falling back to the Auth Token
/// would let whoever has one of them choose.
fn shared_key(app: &App, settings: &str) -> Result<(Algorithm, Vec<Secret>), Refusal> {
    let pairs = || settings.split(',').filter_map(|pair| pair.split_once('='));
    let value = |name: &str| {
        pairs().map(|(key, value)| (key.trim(), value.trim())).find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let algorithm = match value("algorithm").map(str::to_ascii_uppercase).as_deref() {
        Some("HMAC_SHA1") => Algorithm::Sha1,
        Some("HMAC_SHA256") => Algorithm::Sha256,
        Some(_) | None => return Err(Refusal::UnknownKey),
    };
    let key = app.config.webhook_keys.iter().find(|key| Some(key.id.as_str()) == value("key"));
    key.map(|key| (algorithm, vec![key.secret.clone()])).ok_or(Refusal::UnknownKey)
}
