//! The provider's recording status callback: size, signature, form, ledger, answer, in this order.
//!
//! Guarantee: 200 only once the facts are durable; 503 with `Retry-After` if they could not be stored. Repeats and
//! disorder are harmless, and a status nobody has heard of is stored as it came
//! (<https://www.twilio.com/docs/voice/api/recording#recordingstatuscallback>).

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body as HttpBody, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use callspool_domain::id::ConferenceSid;
use callspool_domain::line::permanent_link;
use callspool_domain::recording::{Announcement, ProviderStatus, Track};
use callspool_domain::{AccountSid, CallSid, IdError, JobId, RecordingSid, Secret, Source, Timestamp};
use callspool_store::Callback;
use http::{StatusCode, header};
use serde_json::json;
use tokio::time::timeout;

use super::form::{Fields, Form, FormError};
use super::signature::{Body, is_genuine};
use crate::lifecycle::App;

/// Every path of the recording callback; the later two are those of earlier systems.
pub const PATHS: [&str; 3] = ["/api/twilio/recording", "/api/twilio/recording-status", "/recording/status"];

/// Twilio waits 15 s for an answer (<https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides>); a body
/// that takes longer to arrive is nobody's.
const PATIENCE: Duration = Duration::from_secs(15);
/// After this the provider is asked to send again; what is stored later all the same does no harm when it is repeated.
const STORING: Duration = Duration::from_secs(8);
const LARGEST_BODY: usize = 64 * 1024;
/// Words longer than any provider's are cut: they are shown and filtered by, never followed.
const LONGEST_WORD: usize = 64;

/// The routes of the callbacks; open, since their signature is the access.
pub fn router(app: Arc<App>) -> Router {
    PATHS.iter().fold(Router::new(), |router, path| router.route(path, post(answer))).with_state(app)
}

async fn answer(State(app): State<Arc<App>>, request: Request) -> Response {
    let began = Instant::now();
    let answer = receive(&app, request).await;
    let status = match &answer {
        Ok(_) => StatusCode::OK,
        Err(refusal) => refusal.status(),
    };
    metrics::counter!("callspool_callbacks_total", "status" => status.as_str().to_owned()).increment(1);
    metrics::histogram!("callspool_callback_seconds").record(began.elapsed().as_secs_f64());
    match answer {
        Ok(link) => {
            Json(json!({"success": true, "message": "recording callback stored", "recordingUrl": link})).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// Why a callback was not taken.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("the body is larger than 64 KiB")]
    TooLarge,
    #[error("the body could not be read")]
    Unreadable,
    #[error("the body took longer than 15 s to arrive")]
    TooSlow,
    #[error("the signature is missing or does not match this URL and body")]
    Signature,
    #[error("no account with this AccountSid is configured")]
    UnknownAccount,
    #[error("no Auth Token is configured, so no callback can be checked")]
    NoCredentials,
    #[error("{0}")]
    Form(#[from] FormError),
    #[error("{0}")]
    Id(#[from] IdError),
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("the callback could not be stored; please send it again")]
    NotStored,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Signature | Self::UnknownAccount | Self::NoCredentials => StatusCode::FORBIDDEN,
            Self::Unreadable | Self::Form(_) | Self::Id(_) | Self::Missing(_) => StatusCode::BAD_REQUEST,
            Self::NotStored => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "body_too_large",
            Self::Unreadable => "body_unreadable",
            Self::TooSlow => "body_too_slow",
            Self::Signature => "bad_signature",
            Self::UnknownAccount => "unknown_account",
            Self::NoCredentials => "no_credentials",
            Self::Form(_) => "malformed",
            Self::Id(_) => "malformed_id",
            Self::Missing(_) => "missing_field",
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

async fn receive(app: &App, request: Request) -> Result<String, Refusal> {
    let (parts, body) = request.into_parts();
    let body = timeout(PATIENCE, read(body)).await.unwrap_or(Err(Refusal::TooSlow))?;
    let form = Form::decode(&body);
    let path_and_query = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let signature = parts.headers.get("x-twilio-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_form = parts
        .headers
        .get(header::CONTENT_TYPE)
        .is_none_or(|kind| kind.as_bytes().to_ascii_lowercase().starts_with(b"application/x-www-form-urlencoded"));
    let signed = if is_form { Body::Form(&form) } else { Body::Raw(&body) };
    check_signature(app, path_and_query, signature, signed, &form)?;
    let callback = read_callback(&form.text()?, parts.uri.query().unwrap_or_default())?;
    store(app, callback).await
}

async fn read(body: HttpBody) -> Result<Bytes, Refusal> {
    axum::body::to_bytes(body, LARGEST_BODY).await.map_err(|error| {
        let too_large =
            std::error::Error::source(&error).is_some_and(|cause| cause.is::<http_body_util::LengthLimitError>());
        if too_large { Refusal::TooLarge } else { Refusal::Unreadable }
    })
}

/// The account named in the body decides which tokens may have signed; a body without one is checked against all.
fn check_signature(app: &App, path: &str, signature: &str, body: Body<'_>, form: &Form) -> Result<(), Refusal> {
    let named = match body {
        Body::Form(_) => form.first("AccountSid").filter(|sid| !sid.is_empty()),
        Body::Raw(_) => None,
    };
    let tokens: Vec<Secret> = match named {
        Some(sid) => {
            let sid = std::str::from_utf8(sid).ok().and_then(|sid| AccountSid::parse(sid).ok());
            let account = sid.and_then(|sid| app.account(&sid));
            match account {
                Some(account) => account.settings.tokens.clone(),
                None if app.accounts().next().is_none() => return Err(Refusal::NoCredentials),
                None => return Err(Refusal::UnknownAccount),
            }
        }
        None => app.accounts().flat_map(|account| account.settings.tokens.clone()).collect(),
    };
    if tokens.is_empty() {
        return Err(Refusal::NoCredentials);
    }
    let url = format!("{}{path}", app.config.server.app_url);
    if is_genuine(signature, &url, body, &tokens) { Ok(()) } else { Err(Refusal::Signature) }
}

fn read_callback(fields: &Fields, query: &str) -> Result<Callback, Refusal> {
    let query = Form::decode(query.as_bytes()).text()?;
    let announcement = read_announcement(fields)?;
    Ok(Callback {
        job: read_job(&query, &announcement.recording)?,
        source: query.get("source")?.map(Source::clean),
        announcement,
        fields: fields.pairs().to_vec(),
    })
}

fn read_announcement(fields: &Fields) -> Result<Announcement, Refusal> {
    let required = |name: &'static str| fields.get(name)?.ok_or(Refusal::Missing(name));
    let account = AccountSid::parse(required("AccountSid")?)?;
    let recording = RecordingSid::parse(required("RecordingSid")?)?;
    let status = ProviderStatus::new(word(required("RecordingStatus")?));
    let conference = fields.get("ConferenceSid")?.map(ConferenceSid::parse).transpose()?;
    let call = match fields.get("CallSid")? {
        Some(sid) => CallSid::parse(sid)?,
        None => CallSid::placeholder(conference.as_ref(), &recording),
    };
    Ok(Announcement {
        account,
        call,
        status,
        provider_source: fields.get("RecordingSource")?.map(word),
        track: read_track(fields.get("RecordingTrack")?),
        duration_seconds: fields.get("RecordingDuration")?.and_then(|seconds| seconds.parse().ok()),
        channels: fields
            .get("RecordingChannels")?
            .and_then(|channels| channels.parse().ok())
            .filter(|n| (1..=8).contains(n)),
        started_at: fields.get("RecordingStartTime")?.and_then(Timestamp::from_rfc2822),
        error_code: fields.get("ErrorCode")?.and_then(|code| code.parse().ok()).filter(|code| *code != 0),
        encrypted: fields.get("EncryptionDetails")?.is_some_and(|details| details != "null"),
        recording,
    })
}

/// A job id that can't be one must not cost the recording: it is told, and the call is tied later.
fn read_job(query: &Fields, recording: &RecordingSid) -> Result<Option<JobId>, Refusal> {
    let job = query.get("job")?.map(JobId::parse).transpose();
    Ok(job.unwrap_or_else(|error| {
        tracing::warn!(recording_sid = %recording, %error, "job_id_refused");
        None
    }))
}

fn read_track(track: Option<&str>) -> Track {
    match track {
        Some("inbound") => Track::User,
        Some("outbound") => Track::Assistant,
        _ => Track::Mixed,
    }
}

fn word(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST_WORD).collect()
}

async fn store(app: &App, callback: Callback) -> Result<String, Refusal> {
    let announcement = &callback.announcement;
    let (recording, call) = (announcement.recording.clone(), announcement.call.clone());
    let status = announcement.status.as_str().to_owned();
    let stored = timeout(STORING, app.store.record_callback(callback, app.clock.now())).await;
    let late = || callspool_store::Error::Unavailable(format!("not stored within {} s", STORING.as_secs()));
    match stored.unwrap_or_else(|_| Err(late())) {
        Ok(recorded) => {
            tracing::info!(recording_sid = %recording, call_sid = %call, status, repeated = !recorded.new, "recording_callback");
            Ok(permanent_link(&app.config.server.app_url, &recording))
        }
        Err(error) => {
            tracing::error!(recording_sid = %recording, call_sid = %call, status, %error, "a callback could not be stored; answered 503");
            Err(Refusal::NotStored)
        }
    }
}
