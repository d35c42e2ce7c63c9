//! History lines: owed once per recording, job and event, confirmed by reading them back.

use callspool_domain::line::{Event, Line};
use callspool_domain::plan::NewLine;
use callspool_domain::recording::Status;
use callspool_domain::{CallSid, JobId, RecordingSid, Source, StepName, Subject, Timestamp};
use serde_json::json;

use crate::db::{Row, Tx, params, statements};
use crate::events::{self, NewEvent, kind};
use crate::planning::replan;
use crate::steps::step_id;
use crate::{Result, Store, calls, counters};

statements! {
    OWE: "lines" = "INSERT INTO lines (job_id, recording_sid, event, state, source, owed_at, moved_to) \
        VALUES ($1, $2, $3, 'owed', $4, $5, $6) ON CONFLICT (job_id, recording_sid, event) DO NOTHING";
    OWE_AGAIN: "lines" = "INSERT INTO lines (job_id, recording_sid, event, state, source, owed_at) \
        VALUES ($1, $2, $3, 'owed', $4, $5) ON CONFLICT (job_id, recording_sid, event) DO UPDATE SET \
        state = 'owed', owed_at = excluded.owed_at, confirmed_at = NULL";
    // Of lines owed at one moment the one about the recording comes before the one about its leaving.
    OWED: "lines" = "SELECT l.recording_sid, l.job_id, r.call_sid, r.status, r.reason, r.error_code, \
        l.event, l.owed_at, l.source, l.moved_to, s.created_at FROM lines l \
        JOIN recordings r ON r.recording_sid = l.recording_sid \
        LEFT JOIN steps s ON s.step_id = 'archive/' || l.recording_sid \
        WHERE l.job_id = $1 AND l.state = 'owed' ORDER BY l.owed_at, l.recording_sid, l.event DESC";
    SOURCE: "calls" = "SELECT job_id, source FROM calls WHERE call_sid = $1";
    FORGET_MOVE: "lines" = "DELETE FROM lines WHERE job_id = $1 AND recording_sid = $2 AND event = 'Moved'";
    LOOK_AGAIN: "steps" = "UPDATE steps SET state = 'waiting', due_at = $2, failures = 0, misses = 0, first_miss_at = NULL, \
        code = NULL, detail = NULL, service = NULL WHERE step_id = $1 AND state IN ('waiting', 'parked') \
        AND code IN ('job_not_found', 'job_unknown', 'job_ambiguous')";
    ANY_OWED: "lines" = "SELECT 1 FROM lines WHERE job_id = $1 AND state = 'owed' LIMIT 1";
    // One that is owed anew since it was read has another time.
    CONFIRM: "lines" = "UPDATE lines SET state = 'confirmed', confirmed_at = $5 \
        WHERE job_id = $1 AND recording_sid = $2 AND event = $3 AND owed_at = $4 AND state = 'owed'";
}

/// A line that is to be written, and what is known of its recording by now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwedLine {
    /// The recording.
    pub recording: RecordingSid,
    /// The job whose history it belongs to.
    pub job: JobId,
    /// The call of the recording.
    pub call: CallSid,
    /// Where the recording stands.
    pub status: Status,
    /// Why, where it is absent, failed or missing.
    pub reason: Option<String>,
    /// The provider's error code.
    pub error_code: Option<i64>,
    /// What the line reports.
    pub event: Event,
    /// When it was owed.
    pub at: Timestamp,
    /// Who made the recording.
    pub source: Source,
    /// The job the call belongs to now, where the line reports that.
    pub moved_to: Option<JobId>,
    /// When the recording was announced as finished: its archive step was first wanted then.
    pub finished_at: Option<Timestamp>,
}

/// What came of asking for a renewed link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewed {
    /// A line is owed to this job.
    Owed {
        /// The call's job.
        job: JobId,
    },
    /// There is no such recording, or no verified copy that a link could lead to.
    NotArchived,
    /// Its call has no job.
    NoJob,
}

impl Store {
    /// The lines these jobs are owed: job by job, in the order in which they came to be owed.
    pub async fn owed_lines(&self, jobs: &[JobId]) -> Result<Vec<OwedLine>> {
        self.read(jobs.to_vec(), |tx, jobs| {
            Box::pin(async move {
                let mut owed = Vec::new();
                for job in jobs {
                    owed.extend(tx.rows(&OWED, params![job], read_owed).await?);
                }
                Ok(owed)
            })
        })
        .await
    }

    /// Owes the recording's job one more line with a fresh link.
    pub async fn renew_link(&self, recording: &RecordingSid, now: Timestamp) -> Result<Renewed> {
        self.write((recording.clone(), self.shared_policy(), now), |tx, (recording, policy, now)| {
            Box::pin(async move {
                let Some(call) = calls::lock_of(tx, recording).await? else { return Ok(Renewed::NotArchived) };
                let renewed = renew(tx, &call, recording, *now).await?;
                replan(tx, policy, &call, *now).await?;
                Ok(renewed)
            })
        })
        .await
    }
}

fn read_owed(row: &Row<'_>) -> Result<OwedLine> {
    Ok(OwedLine {
        recording: row.get(0)?,
        job: row.get(1)?,
        call: row.get(2)?,
        status: row.get(3)?,
        reason: row.get(4)?,
        error_code: row.get(5)?,
        event: row.get(6)?,
        at: row.get(7)?,
        source: row.get(8)?,
        moved_to: row.get(9)?,
        finished_at: row.get(10)?,
    })
}

async fn renew(tx: &Tx<'_>, call: &CallSid, recording: &RecordingSid, now: Timestamp) -> Result<Renewed> {
    if crate::steps::finish::status(tx, recording).await? != Status::Archived {
        return Ok(Renewed::NotArchived);
    }
    let tied = tx.optional(&SOURCE, params![call], |row| Ok((row.get(0)?, row.get(1)?))).await?;
    let (job, source): (Option<JobId>, Option<Source>) = tied.unwrap_or_default();
    let Some(job) = job else { return Ok(Renewed::NoJob) };
    let source = source.unwrap_or_default();
    let values = params![&job, recording, Event::LinkRenewed, &source, now];
    tx.execute(&OWE_AGAIN, values).await?;
    tell(tx, kind::LINE_OWED, (call, &job, recording), Event::LinkRenewed, now).await?;
    Ok(Renewed::Owed { job })
}

/// Owes a line, once; a job that was looked for in vain is looked up at once.
pub(crate) async fn owe(tx: &Tx<'_>, call: &CallSid, line: &NewLine, source: &Source, now: Timestamp) -> Result<()> {
    let NewLine { job, recording, event, moved_to } = line;
    if tx.execute(&OWE, params![job, recording, *event, source, now, moved_to.as_ref()]).await? == 0 {
        return Ok(());
    }
    tell(tx, kind::LINE_OWED, (call, job, recording), *event, now).await?;
    look_again(tx, job, now).await
}

/// The recording is back in the job: that it left is not remembered, so that its next leaving is news again.
pub(crate) async fn forget_move(tx: &Tx<'_>, job: &JobId, recording: &RecordingSid) -> Result<()> {
    tx.execute(&FORGET_MOVE, params![job, recording]).await.map(drop)
}

async fn tell(
    tx: &Tx<'_>,
    kind: &'static str,
    (call, job, recording): (&CallSid, &JobId, &RecordingSid),
    line: Event,
    now: Timestamp,
) -> Result<()> {
    let event = NewEvent {
        kind,
        recording: Some(recording.clone()),
        call: Some(call.clone()),
        job: Some(job.clone()),
        data: json!({ "line": line }),
        ..NewEvent::default()
    };
    events::add(tx, &event, now).await
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
    if tx.execute(&CONFIRM, params![job, &line.recording, line.event(), line.at, now]).await? == 0 {
        return Ok(());
    }
    counters::line_confirmed(tx, &line.recording).await?;
    tell(tx, kind::LINE_CONFIRMED, (call, job, &line.recording), line.event(), now).await
}

/// Whether the job is still owed a line.
pub(crate) async fn any_owed(tx: &Tx<'_>, job: &JobId) -> Result<bool> {
    tx.exists(&ANY_OWED, params![job]).await
}
