//! Where recordings that we start are announced: our own callback, with what is known of the call, and how it was started.

use callspool_domain::recording::StartedBy;
use callspool_domain::{JobId, Source};

use crate::config::Config;
use crate::intake::PATHS;

/// The URL for one recording. Its fragment asks for retries
/// (<https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides>).
pub(crate) fn callback_url(config: &Config, job: Option<&JobId>, source: Option<&Source>, by: StartedBy) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(job.map(JobId::as_str).map(|job| ("job", job)));
    query.extend_pairs(source.map(|source| ("source", source.as_str())));
    query.append_pair("started", by.as_str());
    let retry = if config.voice.callback_retry { "#rc=5&rp=all" } else { "" };
    format!("{}{}?{}{retry}", config.server.app_url, PATHS[0], query.finish())
}
