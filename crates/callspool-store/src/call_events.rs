//! What the provider says about a call itself: its state, its ends, its parent.
//!
//! Guarantee: repeats and disorder are harmless. A call moves only to a more final word, and what is known is never
//! overwritten.

use callspool_domain::audio::AudioFormat;
use callspool_domain::call::CallStatus;
use callspool_domain::recording::Track;
use callspool_domain::{AccountSid, CallSid, JobId, Policy, Source, Timestamp};
use serde_json::json;

use crate::calls::{self, Met};
use crate::db::{Tx, params, statements};
use crate::events::{self, NewEvent, kind};
use crate::planning::replan;
use crate::ties::{TiedBy, tie};
use crate::{Result, Store, starts};

statements! {
    STATUS: "calls" = "SELECT status FROM calls WHERE call_sid = $1";
    SET_STATUS: "calls" = "UPDATE calls SET status = $2 WHERE call_sid = $1";
    FILL_IN: "calls" = "UPDATE calls SET parent_sid = COALESCE(parent_sid, $2), direction = COALESCE(direction, $3), \
        from_number = COALESCE(from_number, $4), to_number = COALESCE(to_number, $5) WHERE call_sid = $1";
}

/// One event of a call, or a request for its TwiML, whose signature has been verified.
#[derive(Debug, Clone)]
pub struct CallEvent {
    /// The call.
    pub call: CallSid,
    /// Its account.
    pub account: AccountSid,
    /// The call it is a leg of.
    pub parent: Option<CallSid>,
    /// The provider's word for its state.
    pub status: CallStatus,
    /// `inbound`, `outbound-api` or `outbound-dial`, as it came.
    pub direction: Option<String>,
    /// Who called, as it came.
    pub from: Option<String>,
    /// Who was called, as it came.
    pub to: Option<String>,
    /// Whole seconds, once it has ended.
    pub duration_seconds: Option<u64>,
    /// `?job=`.
    pub job: Option<JobId>,
    /// `?source=`.
    pub source: Option<Source>,
    /// Which voices to record by a request, where the configuration says so.
    pub record: Option<Track>,
    /// The container to fetch, where the configuration says so for its number or assistant.
    pub format: Option<AudioFormat>,
}

impl Store {
    /// Stores what an event says; durable on `Ok`.
    pub async fn record_call_event(&self, event: CallEvent, now: Timestamp) -> Result<()> {
        self.write((event, self.shared_policy(), now), |tx, (event, policy, now)| {
            Box::pin(take_in(tx, event, policy, *now))
        })
        .await
    }
}

async fn take_in(tx: &Tx<'_>, event: &CallEvent, policy: &Policy, now: Timestamp) -> Result<()> {
    let CallEvent { call, account, source, duration_seconds, .. } = event;
    let met = Met { account: Some(account), source: source.as_ref(), duration_seconds: *duration_seconds };
    calls::know(tx, call, met, now).await?;
    let values =
        params![call, event.parent.as_ref(), event.direction.as_deref(), event.from.as_deref(), event.to.as_deref()];
    tx.execute(&FILL_IN, values).await?;
    starts::want(tx, call, event.record, event.format).await?;
    move_on(tx, event, now).await?;
    if let Some(job) = &event.job {
        tie(tx, call, job, TiedBy::Callback, now).await?;
    }
    replan(tx, policy, call, now).await
}

async fn move_on(tx: &Tx<'_>, event: &CallEvent, now: Timestamp) -> Result<()> {
    let before: Option<String> = tx.optional(&STATUS, params![&event.call], |row| row.get(0)).await?.flatten();
    let known = before.clone().map(CallStatus::new);
    if known.is_some_and(|known| known.finality() >= event.status.finality()) {
        return Ok(());
    }
    tx.execute(&SET_STATUS, params![&event.call, event.status.as_str()]).await?;
    starts::hurry(tx, &event.call, now).await?;
    let data = json!({ "from": before, "to": event.status.as_str(), "duration_seconds": event.duration_seconds });
    let event = NewEvent { kind: kind::CALL_STATUS, call: Some(event.call.clone()), data, ..NewEvent::default() };
    events::add(tx, &event, now).await
}
