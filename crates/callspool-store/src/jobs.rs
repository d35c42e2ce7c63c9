//! Jobs, and the built-in job records: an append-only history of our own.

use callspool_domain::line::Line;
use callspool_domain::{JobId, Timestamp};

use crate::{Result, Store};

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
    /// Adds the lines that are missing to the job's built-in history, creating the job where it is not known; returns the
    /// history after. What stood there before stays byte for byte. `url` replaces the URL field.
    pub async fn append_job_history(
        &self,
        job: &JobId,
        lines: &[Line],
        url: Option<&str>,
        now: Timestamp,
    ) -> Result<String> {
        let _ = (job, lines, url, now);
        todo!()
    }

    /// One job.
    pub async fn job(&self, job: &JobId) -> Result<Option<JobRow>> {
        let _ = job;
        todo!()
    }
}
