//! The provider asks what to do with a call: record it in the background, then what the configuration says
//! (<https://www.twilio.com/docs/voice/twiml/recording>).
//!
//! Guarantee: whoever calls gets an answer, whatever of ours is broken: what can't be stored now comes again with the
//! recording's callback, which carries the job and the source.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use callspool_domain::recording::{StartedBy, Track};
use callspool_store::CallEvent;
use http::header;
use tokio::time::timeout;

use super::refusal::{Refusal, measured};
use super::twiml::Twiml;
use super::{call, webhook};
use crate::callback_url::callback_url;
use crate::config::{Config, Then, VoiceRule};
use crate::lifecycle::App;

/// Every path of the voice webhook; the later two are those of earlier systems.
pub(crate) const PATHS: [&str; 3] = ["/api/twilio/voice", "/api/twilio-webhook", "/twiml"];

/// A caller hears nothing meanwhile.
const STORING: Duration = Duration::from_secs(1);

/// What a caller hears where nobody has said what to do.
const NOT_CONFIGURED: &str = "This number has not been set up yet. Please call again later.";

pub(super) async fn answer(State(app): State<Arc<App>>, request: Request) -> Response {
    measured("voice", async {
        let webhook = webhook::receive_forgiving(&app, request).await?;
        // The path of an earlier system had other uses, told apart by `type`.
        if webhook.query.get("type")?.is_some_and(|kind| kind != "voice") {
            return Err(Refusal::NotVoice);
        }
        let mut event = call::read_forgiving(&webhook)?;
        let rule = app.config.voice.rule_for(&event.account, call::our_number(&event), webhook.query.get("assistant")?);
        if rule.is_none() {
            tracing::error!(call_sid = %event.call, "voice_not_configured");
        }
        let document = document(&app.config, &event, rule);
        // The answer is what makes a call be answered, so a request may be made from now on.
        call::follow(rule, &mut event);
        note(&app, event).await;
        Ok(([(header::CONTENT_TYPE, "text/xml; charset=utf-8")], document).into_response())
    })
    .await
}

async fn note(app: &App, event: CallEvent) {
    let sid = event.call.clone();
    match timeout(STORING, app.store.record_call_event(event, app.clock.now())).await {
        Ok(Ok(())) => tracing::info!(call_sid = %sid, "call_answered"),
        Ok(Err(error)) => tracing::error!(call_sid = %sid, %error, "a call was answered but could not be stored"),
        Err(_elapsed) => tracing::error!(call_sid = %sid, "a call was answered but not stored in time"),
    }
}

/// What is answered to a call that this rule is for, or none.
pub(crate) fn document(config: &Config, event: &CallEvent, rule: Option<&VoiceRule>) -> String {
    let mut twiml = Twiml::new();
    if let Some(track) = rule.map_or(Some(Track::Mixed), in_twiml) {
        let url = callback_url(config, event.job.as_ref(), event.source.as_ref(), StartedBy::Twiml);
        let attributes = [
            ("recordingStatusCallback", url.as_str()),
            ("recordingStatusCallbackMethod", "POST"),
            ("recordingStatusCallbackEvent", "in-progress completed absent"),
            ("channels", "dual"),
            ("track", track.provider_word()),
            ("trim", config.voice.trim),
        ];
        twiml.open("Start", &[]).open("Recording", &attributes).close("Recording").close("Start");
    }
    match rule.and_then(|rule| rule.then.as_ref()) {
        Some(Then::Stream(url)) => {
            twiml.open("Connect", &[]).open("Stream", &[("url", url.as_str())]).close("Stream").close("Connect");
        }
        Some(Then::Dial(to)) => {
            twiml.open("Dial", &[]).open(to.noun(), &[]).text(to.address()).close(to.noun()).close("Dial");
        }
        Some(Then::Redirect(url)) => {
            twiml.open("Redirect", &[("method", "POST")]).text(url.as_str()).close("Redirect");
        }
        Some(Then::Say(text)) => {
            twiml.open("Say", &[]).text(text).close("Say");
        }
        None => {
            twiml.open("Say", &[]).text(NOT_CONFIGURED).close("Say");
        }
    }
    twiml.finish()
}

/// Which voices the document has recorded.
fn in_twiml(rule: &VoiceRule) -> Option<Track> {
    rule.track.filter(|_| rule.start == StartedBy::Twiml)
}
