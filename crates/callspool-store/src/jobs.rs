//! Jobs, and the built-in job records: an append-only history of our own.

use callspool_domain::line::{self, Line};
use callspool_domain::{JobId, Timestamp};

use crate::db::{Row, Tx, params, statements};
use crate::{Error, Result, Store};

statements! {
    KNOW: "jobs" = "INSERT INTO jobs (job_id, job_history, created_at) VALUES ($1, '', $2) ON CONFLICT (job_id) DO NOTHING";
    GET: "jobs" = "SELECT job_id, record_id, job_history, url, created_at FROM jobs WHERE job_id = $1";
    LOCK_HISTORY: "jobs" = "SELECT job_history FROM jobs WHERE job_id = $1 FOR UPDATE";
    WRITE: "jobs" =
        "UPDATE jobs SET job_history = $2, url = COALESCE($3, url) WHERE job_id = $1 RETURNING job_history";
    NOTE_RECORD: "jobs" = "UPDATE jobs SET record_id = $2 WHERE job_id = $1 AND record_id IS DISTINCT FROM $2";
}

/// A job as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    /// The customer's name for it.
    pub id: JobId,
    /// Its record in the job records, where they have ids of their own (Airtable).
    pub record_id: Option<String>,
    /// The built-in job records' history.
    pub history: String,
    /// The built-in job records' URL field: the latest recording.
    pub url: Option<String>,
    /// When it became known.
    pub created_at: Timestamp,
}

impl Store {
    /// One job.
    pub async fn job(&self, job: &JobId) -> Result<Option<JobRow>> {
        self.read(job.clone(), |tx, job| Box::pin(async move { tx.optional(&GET, params![job], read_job).await })).await
    }
}

/// Adds the lines that are missing to the job's built-in history; what stood there before stays byte for byte. `url`
/// replaces the URL field. Fails where a line does not stand in what the database has then.
pub(crate) async fn append(tx: &Tx<'_>, job: &JobId, lines: &[Line], url: Option<&str>, now: Timestamp) -> Result<()> {
    know(tx, job, now).await?;
    let before: String = tx.optional(&LOCK_HISTORY, params![job], |row| row.get(0)).await?.unwrap_or_default();
    let after = line::append(&before, lines).unwrap_or(before);
    let written: Option<String> = tx.optional(&WRITE, params![job, &after, url], |row| row.get(0)).await?;
    match lines.iter().find(|line| !line.is_in(written.as_deref().unwrap_or_default())) {
        Some(line) => Err(Error::Defect(format!("the line of {} is not in the history of {job}", line.recording))),
        None => Ok(()),
    }
}

/// Makes sure that the job is listed.
pub(crate) async fn know(tx: &Tx<'_>, job: &JobId, now: Timestamp) -> Result<()> {
    tx.execute(&KNOW, params![job, now]).await.map(drop)
}

/// Notes which record of the job records it is.
pub(crate) async fn note_record(tx: &Tx<'_>, job: &JobId, record_id: &str) -> Result<()> {
    tx.execute(&NOTE_RECORD, params![job, record_id]).await.map(drop)
}

pub(crate) fn read_job(row: &Row<'_>) -> Result<JobRow> {
    Ok(JobRow {
        id: row.get(0)?,
        record_id: row.get(1)?,
        history: row.get(2)?,
        url: row.get(3)?,
        created_at: row.get(4)?,
    })
}
