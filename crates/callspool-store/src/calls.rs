//! Calls: the row that is locked before anything under a call is written, and the list of them.

use callspool_domain::plan::LOOK_AGAIN;
use callspool_domain::{AccountSid, CallSid, JobId, RecordingSid, Source, Timestamp};

use crate::db::{Row, Tx, params, statements};
use crate::ties::TiedBy;
use crate::{Result, Store};

macro_rules! call_columns {
    () => {
        "SELECT call_sid, account_sid, parent_sid, job_id, tied_by, source, duration_seconds, created_at, \
         status, direction, from_number, to_number FROM calls"
    };
}
pub(crate) use call_columns;

statements! {
    // On PostgreSQL this locks the row too, where it is there already.
    KNOW: "calls" = "INSERT INTO calls (call_sid, account_sid, source, duration_seconds, created_at, plan_due_at) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (call_sid) DO UPDATE SET \
        account_sid = COALESCE(calls.account_sid, excluded.account_sid), \
        source = COALESCE(calls.source, excluded.source), \
        duration_seconds = COALESCE(calls.duration_seconds, excluded.duration_seconds)";
    LOCK: "calls" = "SELECT call_sid FROM calls WHERE call_sid = $1 FOR UPDATE";
    OF_RECORDING: "recordings" = "SELECT call_sid FROM recordings WHERE recording_sid = $1";
    NOTE_PARENT: "calls" = "UPDATE calls SET parent_sid = $2 WHERE call_sid = $1 AND parent_sid IS NULL";
    GET: "calls" = concat!(call_columns!(), " WHERE call_sid = $1");
}

/// A call as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRow {
    /// Its id, or the placeholder's.
    pub sid: CallSid,
    /// Its account, once a recording told.
    pub account: Option<AccountSid>,
    /// The call it is a leg of.
    pub parent: Option<CallSid>,
    /// The job it belongs to.
    pub job: Option<JobId>,
    /// Who said so.
    pub tied_by: Option<TiedBy>,
    /// Who made its recordings, in the customer's words.
    pub source: Source,
    /// Whole seconds.
    pub duration_seconds: Option<u64>,
    /// When it became known.
    pub created_at: Timestamp,
    /// The provider's word for its state, once an event told.
    pub status: Option<String>,
    /// `inbound`, `outbound-api` or `outbound-dial`, as it came.
    pub direction: Option<String>,
    /// Who called, as it came.
    pub from: Option<String>,
    /// Who was called, as it came.
    pub to: Option<String>,
}

impl Store {
    /// One call.
    pub async fn call(&self, call: &CallSid) -> Result<Option<CallRow>> {
        self.read(call.clone(), |tx, call| Box::pin(get(tx, call))).await
    }

    /// These calls with their parents, for a look-up of their job; calls that are not known are left out.
    pub async fn calls_for_find_job(&self, calls: &[CallSid]) -> Result<Vec<(CallSid, Option<CallSid>)>> {
        self.read(calls.to_vec(), |tx, calls| {
            Box::pin(async move {
                let mut found = Vec::with_capacity(calls.len());
                for call in calls {
                    found.extend(get(tx, call).await?.map(|row| (row.sid, row.parent)));
                }
                Ok(found)
            })
        })
        .await
    }

    /// Notes the call that `call` is a leg of, where that was not known yet.
    pub async fn note_parent(&self, call: &CallSid, parent: &CallSid) -> Result<()> {
        self.write((call.clone(), parent.clone()), |tx, (call, parent)| {
            Box::pin(async move { tx.execute(&NOTE_PARENT, params![call, parent]).await.map(drop) })
        })
        .await
    }
}

/// What is said about a call when it is met.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Met<'a> {
    pub(crate) account: Option<&'a AccountSid>,
    pub(crate) source: Option<&'a Source>,
    pub(crate) duration_seconds: Option<u64>,
}

/// Creates the call or fills in what was not known of it, and locks its row.
pub(crate) async fn know(tx: &Tx<'_>, call: &CallSid, met: Met<'_>, now: Timestamp) -> Result<()> {
    let values = params![call, met.account, met.source, met.duration_seconds, now, now + LOOK_AGAIN];
    tx.execute(&KNOW, values).await.map(drop)
}

/// Locks the call's row, so that nobody else writes under the call meanwhile. SQLite has one writer anyway.
pub(crate) async fn lock(tx: &Tx<'_>, call: &CallSid) -> Result<()> {
    if tx.is_postgres() {
        tx.exists(&LOCK, params![call]).await?;
    }
    Ok(())
}

/// Locks the row of the call a recording hangs under; `None` where the recording is not known.
pub(crate) async fn lock_of(tx: &Tx<'_>, recording: &RecordingSid) -> Result<Option<CallSid>> {
    let call = of(tx, recording).await?;
    if let Some(call) = &call {
        lock(tx, call).await?;
        // It may have moved from a placeholder to its call while we waited.
        if tx.is_postgres() && of(tx, recording).await?.as_ref() != Some(call) {
            return Err(tx.raced("recordings"));
        }
    }
    Ok(call)
}

pub(crate) async fn of(tx: &Tx<'_>, recording: &RecordingSid) -> Result<Option<CallSid>> {
    tx.optional(&OF_RECORDING, params![recording], |row| row.get(0)).await
}

async fn get(tx: &Tx<'_>, call: &CallSid) -> Result<Option<CallRow>> {
    tx.optional(&GET, params![call], read_call).await
}

pub(crate) fn read_call(row: &Row<'_>) -> Result<CallRow> {
    Ok(CallRow {
        sid: row.get(0)?,
        account: row.get(1)?,
        parent: row.get(2)?,
        job: row.get(3)?,
        tied_by: row.get(4)?,
        source: row.get::<Option<Source>>(5)?.unwrap_or_default(),
        duration_seconds: row.get(6)?,
        created_at: row.get(7)?,
        status: row.get(8)?,
        direction: row.get(9)?,
        from: row.get(10)?,
        to: row.get(11)?,
    })
}
