//! The provider's call status callback: what became of a call, and, where the call was placed with `Record=true`, its
//! recording (<https://www.twilio.com/docs/voice/api/call-resource#statuscallback>).
//!
//! Guarantee: 200 only once the facts are durable. A recording that is named here is archived although its own callback
//! should never come.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::Response;
use callspool_domain::RecordingSid;
use callspool_domain::recording::{Announcement, ProviderStatus, Track};
use callspool_store::CallEvent;
use serde_json::json;
use tokio::time::timeout;

use super::call;
use super::refusal::{Refusal, measured};
use super::webhook::{self, Webhook};
use crate::lifecycle::App;

/// Where the provider is told to send it.
pub(crate) const PATH: &str = "/api/twilio/status";

/// After this the provider is asked to send again.
const STORING: Duration = Duration::from_secs(8);

pub(super) async fn answer(State(app): State<Arc<App>>, request: Request) -> Response {
    measured("call", async {
        let webhook = webhook::receive(&app, request).await?;
        let mut event = call::read(&webhook)?;
        let assistant = webhook.query.get("assistant")?;
        // One that nobody has answered is no call to record.
        if event.status.was_answered() {
            call::follow(app.config.voice.rule_for(&event.account, call::our_number(&event), assistant), &mut event);
        }
        let recording = read_recording(&webhook, &event)?;
        let (sid, status) = (event.call.clone(), event.status.as_str().to_owned());
        let stored = timeout(STORING, store(&app, event, recording)).await;
        let late = || callspool_store::Error::Unavailable(format!("not stored within {} s", STORING.as_secs()));
        stored.unwrap_or_else(|_elapsed| Err(late())).map_err(|error| {
            tracing::error!(call_sid = %sid, status, %error, "a call event could not be stored; answered 503");
            Refusal::NotStored
        })?;
        tracing::info!(call_sid = %sid, status, "call_event");
        Ok(Json(json!({"success": true, "message": "call event stored"})))
    })
    .await
}

/// The recording of the call, which is there or will be: its file is waited for.
pub(super) fn read_recording(webhook: &Webhook, event: &CallEvent) -> Result<Option<Announcement>, Refusal> {
    let fields = &webhook.fields;
    let Some(recording) = fields.get("RecordingSid")?.map(RecordingSid::parse).transpose()? else { return Ok(None) };
    Ok(Some(Announcement {
        recording,
        account: event.account.clone(),
        // Recordings are filed under the parent of a call with two legs.
        call: event.parent.clone().unwrap_or_else(|| event.call.clone()),
        status: ProviderStatus::new("completed"),
        provider_source: None,
        track: Track::Mixed,
        duration_seconds: fields.get("RecordingDuration")?.and_then(|seconds| seconds.parse().ok()),
        channels: None,
        started_at: None,
        error_code: None,
        encrypted: false,
        encryption: None,
    }))
}

async fn store(app: &App, event: CallEvent, recording: Option<Announcement>) -> callspool_store::Result<()> {
    let now = app.clock.now();
    app.store.record_call_event(event, now).await?;
    if let Some(announcement) = recording {
        app.store.announce(announcement, now).await?;
    }
    Ok(())
}
