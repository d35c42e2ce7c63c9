//! A call as the provider tells of it, in its status callback and in its request for TwiML.

use callspool_domain::call::CallStatus;
use callspool_domain::{AccountSid, CallSid, Source};
use callspool_store::CallEvent;

use super::refusal::Refusal;
use super::said::{job, word};
use super::webhook::Webhook;

/// Reads what is said of the call. `AccountSid`, `CallSid` and `CallStatus` are required
/// (<https://www.twilio.com/docs/voice/api/call-resource#statuscallback>).
pub(super) fn read(webhook: &Webhook) -> Result<CallEvent, Refusal> {
    let Webhook { fields, query } = webhook;
    let required = |name: &'static str| fields.get(name)?.ok_or(Refusal::Missing(name));
    let account = AccountSid::parse(required("AccountSid")?)?;
    let call = CallSid::parse(required("CallSid")?)?;
    let status = CallStatus::new(word(required("CallStatus")?));
    Ok(CallEvent {
        job: job(query, call.as_str())?,
        source: query.get("source")?.map(Source::clean),
        parent: fields.get("ParentCallSid")?.map(CallSid::parse).transpose()?,
        direction: fields.get("Direction")?.map(word),
        from: fields.get("From")?.map(word),
        to: fields.get("To")?.map(word),
        // Seconds; `Duration` beside it is in minutes, as they are billed.
        duration_seconds: fields.get("CallDuration")?.and_then(|seconds| seconds.parse().ok()),
        account,
        call,
        status,
    })
}
