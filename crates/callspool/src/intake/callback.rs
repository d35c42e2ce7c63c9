//! The provider's recording status callback: proven genuine, read, stored, answered, in this order.
//!
//! Guarantee: 200 only once the facts are durable; 503 with `Retry-After` if they could not be stored. Repeats and
//! disorder are harmless, and a status nobody has heard of is stored as it came
//! (<https://www.twilio.com/docs/voice/api/recording#recordingstatuscallback>).

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::Response;
use callspool_domain::id::ConferenceSid;
use callspool_domain::line::permanent_link;
use callspool_domain::recording::{Announcement, ProviderStatus, StartedBy, Track};
use callspool_domain::{AccountSid, CallSid, RecordingSid, Source, Timestamp};
use callspool_store::Callback;
use serde_json::json;
use tokio::time::timeout;

use super::form::Fields;
use super::refusal::{Refusal, measured};
use super::said::{job, word};
use super::webhook::{self, Webhook};
use crate::lifecycle::App;
use crate::lifecycle::log::recording_settled;

/// Every path of the recording callback; the later two are those of earlier systems.
pub const PATHS: [&str; 3] = ["/api/twilio/recording", "/api/twilio/recording-status", "/recording/status"];

/// After this the provider is asked to send again; what is stored later all the same does no harm when it is repeated.
const STORING: Duration = Duration::from_secs(8);

pub(super) async fn answer(State(app): State<Arc<App>>, request: Request) -> Response {
    measured("recording", async {
        let link = receive(&app, request).await?;
        Ok(Json(json!({"success": true, "message": "recording callback stored", "recordingUrl": link})))
    })
    .await
}

async fn receive(app: &App, request: Request) -> Result<String, Refusal> {
    let callback = read_callback(&webhook::receive(app, request).await?)?;
    store(app, callback).await
}

pub(super) fn read_callback(webhook: &Webhook) -> Result<Callback, Refusal> {
    let Webhook { fields, query } = webhook;
    let announcement = read_announcement(fields)?;
    Ok(Callback {
        job: job(query, announcement.recording.as_str())?,
        source: query.get("source")?.map(Source::clean),
        started: query.get("started")?.and_then(StartedBy::parse),
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
    let encryption = fields.get("EncryptionDetails")?.filter(|details| *details != "null");
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
        encrypted: encryption.is_some(),
        encryption: encryption.and_then(|details| serde_json::from_str(details).ok()),
        recording,
    })
}

fn read_track(track: Option<&str>) -> Track {
    match track {
        Some("inbound") => Track::User,
        Some("outbound") => Track::Assistant,
        _ => Track::Mixed,
    }
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
            if let Some(settled) = recorded.settled {
                recording_settled(&recording, &call, settled.status, &settled.reason);
            }
            Ok(permanent_link(&app.config.server.app_url, &recording))
        }
        Err(error @ callspool_store::Error::AnotherAccount { .. }) => {
            tracing::warn!(recording_sid = %recording, call_sid = %call, status, %error, "recording_callback_refused");
            Err(Refusal::AnotherAccount)
        }
        Err(error) => {
            tracing::error!(recording_sid = %recording, call_sid = %call, status, %error, "a callback could not be stored; answered 503");
            Err(Refusal::NotStored)
        }
    }
}
