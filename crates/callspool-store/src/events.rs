//! The log of events: one fact each, appended once, numbered in commit order, so that a reader who resumes misses none.

use callspool_domain::{CallSid, JobId, RecordingSid, Timestamp};
use serde_json::Value;

use crate::db::{Json, Row, Statement, Tx, Value as Param, params, statements};
use crate::{Result, Store};

macro_rules! event_columns {
    () => {
        "SELECT seq, at, kind, recording_sid, call_sid, job_id, actor, data FROM events"
    };
}

statements! {
    ADD: "events" = "INSERT INTO events (at, kind, recording_sid, call_sid, job_id, actor, data) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    LAST: "events" = "SELECT COALESCE(MAX(seq), 0) FROM events";
    OF_RECORDING: "events" = concat!(
        event_columns!(), " WHERE recording_sid = $1 AND seq IS NOT NULL ORDER BY seq DESC LIMIT $2"
    );
}

/// The kinds of events.
#[expect(missing_docs, reason = "each is the name of the fact it reports")]
pub mod kind {
    pub const RECONCILED: &str = "reconciled";
    pub const RECORDING_ANNOUNCED: &str = "recording_announced";
    pub const RECORDING_STATUS: &str = "recording_status";
    pub const RECORDING_SETTLED: &str = "recording_settled";
    pub const RECORDING_MOVED: &str = "recording_moved";
    pub const RECORDING_STARTED: &str = "recording_started";
    pub const RECORDING_NOT_STARTED: &str = "recording_not_started";
    pub const RECORDING_STOPPED: &str = "recording_stopped";
    pub const CALL_STATUS: &str = "call_status";
    pub const CALL_TIED: &str = "call_tied";
    pub const JOB_FOUND: &str = "job_found";
    pub const ARCHIVE_VERIFIED: &str = "archive_verified";
    pub const RECORDING_SEALED: &str = "recording_sealed";
    pub const ACCEPTED: &str = "accepted";
    pub const LINE_OWED: &str = "line_owed";
    pub const LINE_CONFIRMED: &str = "line_confirmed";
    pub const RELEASE_SCHEDULED: &str = "release_scheduled";
    pub const RELEASED: &str = "released";
    pub const STEP_FAILED: &str = "step_failed";
    pub const STEP_PARKED: &str = "step_parked";
    pub const STEP_RETRIED: &str = "step_retried";
    pub const SERVICE_DOWN: &str = "service_down";
    pub const SERVICE_UP: &str = "service_up";
    pub const AUDIO_ACCESSED: &str = "audio_accessed";
    pub const TOKEN_CREATED: &str = "token_created";
    pub const TOKEN_REVOKED: &str = "token_revoked";
}

/// An event to be added.
#[derive(Debug, Clone, Default)]
pub struct NewEvent {
    /// One of [`kind`].
    pub kind: &'static str,
    /// The recording it is about.
    pub recording: Option<RecordingSid>,
    /// The call it is about.
    pub call: Option<CallSid>,
    /// The job it is about.
    pub job: Option<JobId>,
    /// Who did it, where a person or token did.
    pub actor: Option<String>,
    /// The rest; `null` for nothing.
    pub data: Value,
}

/// An event as it was stored.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRow {
    /// Its place in commit order; grows, without being gapless.
    pub seq: i64,
    /// When it happened.
    pub at: Timestamp,
    /// One of [`kind`].
    pub kind: String,
    /// The recording it is about.
    pub recording: Option<RecordingSid>,
    /// The call it is about.
    pub call: Option<CallSid>,
    /// The job it is about.
    pub job: Option<JobId>,
    /// Who did it, where a person or token did.
    pub actor: Option<String>,
    /// The rest.
    pub data: Value,
}

/// Which events; the default is all.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only this recording's.
    pub recording: Option<RecordingSid>,
    /// Only of this kind.
    pub kind: Option<String>,
}

impl Store {
    /// Adds one event.
    pub async fn add_event(&self, event: NewEvent, now: Timestamp) -> Result<()> {
        self.write((event, now), |tx, (event, now)| Box::pin(add(tx, event, *now))).await
    }

    /// The events after `seq`, oldest first, at most 1000.
    pub async fn events_after(&self, seq: i64, limit: u32, filter: EventFilter) -> Result<Vec<EventRow>> {
        self.number_events().await?;
        self.read((seq, limit.min(1000), filter), |tx, (seq, limit, filter)| Box::pin(after(tx, *seq, *limit, filter)))
            .await
    }

    /// The number of the last event; 0 where there is none.
    pub async fn last_seq(&self) -> Result<i64> {
        self.number_events().await?;
        let last =
            self.read((), |tx, ()| Box::pin(async move { tx.optional(&LAST, &[], |row| row.get(0)).await })).await?;
        Ok(last.unwrap_or(0))
    }

    /// A recording's last events, oldest first.
    pub async fn recording_events(&self, recording: &RecordingSid, limit: u32) -> Result<Vec<EventRow>> {
        self.number_events().await?;
        let args = (recording.clone(), limit.min(1000));
        let read = self.read(args, |tx, (recording, limit)| {
            Box::pin(async move { tx.rows(&OF_RECORDING, params![recording, *limit], read_event).await })
        });
        let mut events = read.await?;
        events.reverse();
        Ok(events)
    }
}

/// Adds an event to the transaction.
pub(crate) async fn add(tx: &Tx<'_>, event: &NewEvent, now: Timestamp) -> Result<()> {
    let data = event.data.to_string();
    let values = params![
        now,
        event.kind,
        event.recording.as_ref(),
        event.call.as_ref(),
        event.job.as_ref(),
        event.actor.as_ref(),
        data
    ];
    tx.news.events();
    tx.execute(&ADD, values).await.map(drop)
}

async fn after(tx: &Tx<'_>, seq: i64, limit: u32, filter: &EventFilter) -> Result<Vec<EventRow>> {
    let (statement, mut values) = (after_text(filter), vec![Param::from(seq), Param::from(limit)]);
    values.extend(filter.recording.as_ref().map(Param::from));
    values.extend(filter.kind.as_ref().map(Param::from));
    tx.rows(&statement, &values, read_event).await
}

/// The list's text for a filter; its parameters are the number, the limit, and what the filter has.
pub(crate) fn after_text(filter: &EventFilter) -> Statement {
    let mut text = concat!(event_columns!(), " WHERE seq > $1").to_owned();
    let mut next = 3;
    for (column, present) in [("recording_sid", filter.recording.is_some()), ("kind", filter.kind.is_some())] {
        if present {
            text.push_str(&format!(" AND {column} = ${next}"));
            next += 1;
        }
    }
    text.push_str(" ORDER BY seq LIMIT $2");
    Statement::dynamic("events", text)
}

fn read_event(row: &Row<'_>) -> Result<EventRow> {
    Ok(EventRow {
        seq: row.get(0)?,
        at: row.get(1)?,
        kind: row.get(2)?,
        recording: row.get(3)?,
        call: row.get(4)?,
        job: row.get(5)?,
        actor: row.get(6)?,
        data: row.get::<Json<Value>>(7)?.0,
    })
}
