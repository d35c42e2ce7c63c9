//! Lists for the page and the API: newest first, in pages that cost the same however long the list is.

use callspool_domain::recording::Status;
use callspool_domain::{AccountSid, CallSid, JobId, RecordingSid, Timestamp};

use crate::calls::{CallRow, call_columns, read_call};
use crate::db::{Statement, Value};
use crate::jobs::{JobRow, read_job};
use crate::recordings::{RecordingRow, read_recording, recording_columns};
use crate::{Result, Store};

/// The longest page.
const PAGE: u32 = 1000;

/// Which recordings; the default is all.
#[derive(Debug, Clone, Default)]
pub struct RecordingFilter {
    /// Standing there, in our words.
    pub status: Option<Status>,
    /// Standing there, in the provider's words.
    pub provider_status: Option<String>,
    /// Of this call.
    pub call: Option<CallSid>,
    /// Of this job.
    pub job: Option<JobId>,
    /// Of this account.
    pub account: Option<AccountSid>,
    /// Announced at or after.
    pub since: Option<Timestamp>,
    /// Announced before.
    pub until: Option<Timestamp>,
}

/// The last recording of the page before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingCursor {
    /// When it was announced.
    pub announced_at: Timestamp,
    /// Which it was.
    pub recording: RecordingSid,
}

/// Which calls; the default is all.
#[derive(Debug, Clone, Default)]
pub struct CallFilter {
    /// Of this job.
    pub job: Option<JobId>,
}

/// The last call of the page before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallCursor {
    /// When it became known.
    pub created_at: Timestamp,
    /// Which it was.
    pub call: CallSid,
}

/// The last job of the page before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobCursor {
    /// When it became known.
    pub created_at: Timestamp,
    /// Which it was.
    pub job: JobId,
}

impl Store {
    /// A page of recordings, at most 1000.
    pub async fn list_recordings(
        &self,
        filter: RecordingFilter,
        after: Option<RecordingCursor>,
        limit: u32,
    ) -> Result<Vec<RecordingRow>> {
        self.read((filter, after, limit), |tx, (filter, after, limit)| {
            Box::pin(async move {
                let (statement, values) = recordings_query(filter, after.as_ref(), *limit);
                tx.rows(&statement, &values, read_recording).await
            })
        })
        .await
    }

    /// A page of calls, at most 1000.
    pub async fn list_calls(&self, filter: CallFilter, after: Option<CallCursor>, limit: u32) -> Result<Vec<CallRow>> {
        self.read((filter, after, limit), |tx, (filter, after, limit)| {
            Box::pin(async move {
                let (statement, values) = calls_query(filter, after.as_ref(), *limit);
                tx.rows(&statement, &values, read_call).await
            })
        })
        .await
    }

    /// A page of jobs, at most 1000.
    pub async fn list_jobs(&self, after: Option<JobCursor>, limit: u32) -> Result<Vec<JobRow>> {
        self.read((after, limit), |tx, (after, limit)| {
            Box::pin(async move {
                let (statement, values) = jobs_query(after.as_ref(), *limit);
                tx.rows(&statement, &values, read_job).await
            })
        })
        .await
    }
}

/// A list's text and its parameters, as they come together.
struct Query<'v> {
    text: String,
    values: Vec<Value<'v>>,
}

impl<'v> Query<'v> {
    fn new(select: &str) -> Self {
        Self { text: select.to_owned(), values: Vec::new() }
    }

    /// Narrows the list by `condition`, in which each `?` stands for the next value.
    fn narrow<const N: usize>(&mut self, condition: &str, values: [Value<'v>; N]) {
        self.text.push_str(if self.values.is_empty() { " WHERE " } else { " AND " });
        let mut parts = condition.split('?');
        self.text.push_str(parts.next().unwrap_or_default());
        for (value, rest) in values.into_iter().zip(parts) {
            self.values.push(value);
            self.text.push_str(&format!("${}{rest}", self.values.len()));
        }
    }

    fn newest_first(mut self, table: &'static str, order: &str, limit: u32) -> (Statement, Vec<Value<'v>>) {
        self.values.push(Value::from(limit.min(PAGE)));
        self.text.push_str(&format!(" ORDER BY {order} LIMIT ${}", self.values.len()));
        (Statement::dynamic(table, self.text), self.values)
    }
}

pub(crate) fn recordings_query<'v>(
    filter: &'v RecordingFilter,
    after: Option<&'v RecordingCursor>,
    limit: u32,
) -> (Statement, Vec<Value<'v>>) {
    let RecordingFilter { status, provider_status, call, job, account, since, until } = filter;
    let mut query = Query::new(recording_columns!());
    if let Some(status) = status {
        query.narrow("r.status = ?", [(*status).into()]);
    }
    if let Some(word) = provider_status {
        query.narrow("r.provider_status = ?", [word.into()]);
    }
    if let Some(call) = call {
        query.narrow("r.call_sid = ?", [call.into()]);
    }
    if let Some(job) = job {
        query.narrow("r.call_sid IN (SELECT call_sid FROM calls WHERE job_id = ?)", [job.into()]);
    }
    if let Some(account) = account {
        query.narrow("r.account_sid = ?", [account.into()]);
    }
    if let Some(since) = since {
        query.narrow("r.announced_at >= ?", [(*since).into()]);
    }
    if let Some(until) = until {
        query.narrow("r.announced_at < ?", [(*until).into()]);
    }
    if let Some(RecordingCursor { announced_at, recording }) = after {
        query.narrow("(r.announced_at, r.recording_sid) < (?, ?)", [(*announced_at).into(), recording.into()]);
    }
    query.newest_first("recordings", "r.announced_at DESC, r.recording_sid DESC", limit)
}

pub(crate) fn calls_query<'v>(
    filter: &'v CallFilter,
    after: Option<&'v CallCursor>,
    limit: u32,
) -> (Statement, Vec<Value<'v>>) {
    let mut query = Query::new(call_columns!());
    if let Some(job) = &filter.job {
        query.narrow("job_id = ?", [job.into()]);
    }
    if let Some(CallCursor { created_at, call }) = after {
        query.narrow("(created_at, call_sid) < (?, ?)", [(*created_at).into(), call.into()]);
    }
    query.newest_first("calls", "created_at DESC, call_sid DESC", limit)
}

pub(crate) fn jobs_query(after: Option<&JobCursor>, limit: u32) -> (Statement, Vec<Value<'_>>) {
    let mut query = Query::new("SELECT job_id, record_id, job_history, url, created_at FROM jobs");
    if let Some(JobCursor { created_at, job }) = after {
        query.narrow("(created_at, job_id) < (?, ?)", [(*created_at).into(), job.into()]);
    }
    query.newest_first("jobs", "created_at DESC, job_id DESC", limit)
}
