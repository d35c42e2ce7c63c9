//! History lines: owed once per recording and job, confirmed by reading them back.

use callspool_domain::line::{Event, Line, LineState, permanent_link};
use callspool_domain::{CallSid, JobId, RecordingSid, Source, StepName, Subject, Timestamp};

use crate::db::{Row, Tx, params, statements};
use crate::events::{self, NewEvent, kind};
use crate::steps::step_id;
use crate::{Result, Store, counters};

statements! {
    OWE: "lines" = "INSERT INTO lines (job_id, recording_sid, event, state, source, owed_at) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (job_id, recording_sid, event) DO NOTHING";
    OWED: "lines" = "SELECT l.recording_sid, l.job_id, j.record_id, r.call_sid, l.event, l.owed_at, l.source FROM lines l \
        JOIN recordings r ON r.recording_sid = l.recording_sid LEFT JOIN jobs j ON j.job_id = l.job_id \
        WHERE l.job_id = $1 AND l.state = 'owed' ORDER BY l.owed_at, l.recording_sid";
    LOOK_AGAIN: "steps" = "UPDATE steps SET state = 'waiting', due_at = $2, failures = 0, misses = 0, first_miss_at = NULL, \
        code = NULL, detail = NULL, service = NULL WHERE step_id = $1 AND state IN ('waiting', 'parked') \
        AND code IN ('job_not_found', 'job_unknown', 'job_ambiguous')";
    ANY_OWED: "lines" = "SELECT 1 FROM lines WHERE job_id = $1 AND state = 'owed' LIMIT 1";
    CONFIRM: "lines" = "UPDATE lines SET state = 'confirmed', confirmed_at = $4 \
        WHERE job_id = $1 AND recording_sid = $2 AND event = $3 AND state = 'owed'";
}

/// A line that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwedLine {
    /// The job whose history it belongs to.
    pub job: JobId,
    /// The job's record id, where a write before found it.
    pub record_id: Option<String>,
    /// The call of the recording.
    pub call: CallSid,
    /// The line.
    pub line: Line,
}

impl Store {
    /// The lines these jobs are owed: job by job, in the order in which they came to be owed.
    pub async fn owed_lines(&self, jobs: &[JobId]) -> Result<Vec<OwedLine>> {
        let read = self.read(jobs.to_vec(), |tx, jobs| {
            Box::pin(async move {
                let mut owed = Vec::new();
                for job in jobs {
                    owed.extend(tx.rows(&OWED, params![job], read_owed).await?);
                }
                Ok(owed)
            })
        });
        let mut owed = read.await?;
        for owed in &mut owed {
            owed.line.url = permanent_link(&self.policy().app_url, &owed.line.recording);
        }
        Ok(owed)
    }
}

/// The line's URL is made from the configuration when it is read, not stored.
fn read_owed(row: &Row<'_>) -> Result<OwedLine> {
    let line =
        Line { recording: row.get(0)?, event: row.get(4)?, at: row.get(5)?, source: row.get(6)?, url: String::new() };
    Ok(OwedLine { job: row.get(1)?, record_id: row.get(2)?, call: row.get(3)?, line })
}

/// Owes the recording's line to the job, once; a job that was looked for in vain is looked up at once.
pub(crate) async fn owe(
    tx: &Tx<'_>,
    (call, job, recording): (&CallSid, &JobId, &RecordingSid),
    source: &Source,
    now: Timestamp,
) -> Result<()> {
    let values = params![job, recording, Event::Recording, LineState::Owed, source, now];
    if tx.execute(&OWE, values).await? == 0 {
        return Ok(());
    }
    let event = NewEvent {
        kind: kind::LINE_OWED,
        recording: Some(recording.clone()),
        call: Some(call.clone()),
        job: Some(job.clone()),
        ..NewEvent::default()
    };
    events::add(tx, &event, now).await?;
    look_again(tx, job, now).await
}

/// A job of which no single record was found is looked up now, and its schedule begins afresh.
pub(crate) async fn look_again(tx: &Tx<'_>, job: &JobId, now: Timestamp) -> Result<()> {
    let link = step_id(StepName::Link, &Subject::Job(job.clone()));
    if tx.execute(&LOOK_AGAIN, params![link, now]).await? > 0 {
        tx.news.steps();
    }
    Ok(())
}

/// Marks a line as read back; a second time changes nothing.
pub(crate) async fn confirm(tx: &Tx<'_>, call: &CallSid, job: &JobId, line: &Line, now: Timestamp) -> Result<()> {
    if tx.execute(&CONFIRM, params![job, &line.recording, line.event, now]).await? == 0 {
        return Ok(());
    }
    counters::line_confirmed(tx, &line.recording).await?;
    let event = NewEvent {
        kind: kind::LINE_CONFIRMED,
        recording: Some(line.recording.clone()),
        call: Some(call.clone()),
        job: Some(job.clone()),
        ..NewEvent::default()
    };
    events::add(tx, &event, now).await
}

/// Whether the job is still owed a line.
pub(crate) async fn any_owed(tx: &Tx<'_>, job: &JobId) -> Result<bool> {
    tx.exists(&ANY_OWED, params![job]).await
}
