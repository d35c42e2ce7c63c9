//! A call as the provider tells of it, in its status callback and in its request for TwiML.

use callspool_domain::call::CallStatus;
use callspool_domain::{AccountSid, CallSid, Source};
use callspool_store::CallEvent;

use super::refusal::Refusal;
use super::said::{job, word};
use super::webhook::Webhook;
use crate::config::VoiceRule;

/// What a call is that asks what to do (<https://www.twilio.com/docs/voice/twiml#callstatus-values>).
const UNANSWERED: &str = "ringing";

/// Reads what is said of the call. `AccountSid`, `CallSid` and `CallStatus` are required
/// (<https://www.twilio.com/docs/voice/api/call-resource#statuscallback>).
pub(super) fn read(webhook: &Webhook) -> Result<CallEvent, Refusal> {
    let fields = &webhook.fields;
    let status = fields.get("CallStatus")?.ok_or(Refusal::Missing("CallStatus"))?;
    let parent = fields.get("ParentCallSid")?.map(CallSid::parse).transpose()?;
    event(webhook, status, parent)
}

/// The same of a caller who waits for an answer, for which neither its status nor its parent is needed.
pub(super) fn read_forgiving(webhook: &Webhook) -> Result<CallEvent, Refusal> {
    let fields = &webhook.fields;
    let status = fields.get("CallStatus")?.unwrap_or(UNANSWERED);
    let parent = fields.get("ParentCallSid")?.and_then(|parent| CallSid::parse(parent).ok());
    event(webhook, status, parent)
}

fn event(webhook: &Webhook, status: &str, parent: Option<CallSid>) -> Result<CallEvent, Refusal> {
    let Webhook { fields, query } = webhook;
    let required = |name: &'static str| fields.get(name)?.ok_or(Refusal::Missing(name));
    let account = AccountSid::parse(required("AccountSid")?)?;
    let call = CallSid::parse(required("CallSid")?)?;
    let status = CallStatus::new(word(status));
    Ok(CallEvent {
        job: job(query, call.as_str())?,
        source: query.get("source")?.map(Source::clean),
        parent,
        direction: fields.get("Direction")?.map(word),
        from: fields.get("From")?.map(word),
        to: fields.get("To")?.map(word),
        // Seconds; `Duration` beside it is in minutes, as they are billed.
        duration_seconds: fields.get("CallDuration")?.and_then(|seconds| seconds.parse().ok()),
        // What the configuration says of this call is added by who knows whether it is to be recorded.
        record: None,
        format: None,
        account,
        call,
        status,
    })
}

/// The number of ours in a call: the one that was called, or that we called from.
pub(super) fn our_number(event: &CallEvent) -> Option<&str> {
    let is_outbound = event.direction.as_deref().is_some_and(|direction| direction.starts_with("outbound"));
    if is_outbound { event.from.as_deref() } else { event.to.as_deref() }
}

/// Adds how the call is to be recorded and fetched. A leg of another call is recorded with that.
pub(super) fn follow(rule: Option<&VoiceRule>, event: &mut CallEvent) {
    let Some(rule) = rule.filter(|_| event.parent.is_none()) else { return };
    event.format = rule.format;
    event.record = rule.track.filter(|_| rule.is_by_request());
}
