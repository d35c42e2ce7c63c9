//! The plan inside a transaction: what is stored under a call is read, `callspool_domain::plan` decides, and what it wants
//! is there when the transaction commits.

use callspool_domain::plan::{Ensure, Next, plan};
use callspool_domain::recording::{CopyState, EncryptionDetails, StartedBy, Track};
use callspool_domain::view::{ArchiveView, CallView, LineView, RecordingView};
use callspool_domain::{CallSid, Policy, RecordingSid, Source, StepName, Subject, Timestamp};
use serde_json::json;

use crate::db::{Json, Row, Tx, params, statements};
use crate::events::{self, NewEvent, kind};
use crate::steps::step_id;
use crate::{Result, lines};

statements! {
    CALL: "calls" = "SELECT c.call_sid, c.job_id, c.source, c.plan_due_at, s.state, c.record_track, c.record_outcome, \
        sr.state FROM calls c LEFT JOIN steps s ON s.step_id = 'find-job/' || c.call_sid \
        LEFT JOIN steps sr ON sr.step_id = 'record/' || c.call_sid WHERE c.call_sid = $1";
    RECORDINGS: "recordings" = "SELECT r.recording_sid, r.status, r.provider_status, p.gone_at, \
        a.state, a.verified_at, a.findings, a.accepted_at, sa.state, sa.created_at, sa.failures, sr.state, \
        EXISTS (SELECT 1 FROM lines l WHERE l.recording_sid = r.recording_sid), \
        r.started_by, r.stopped_at, COALESCE(r.started_at, r.announced_at), ss.state, r.encryption FROM recordings r \
        LEFT JOIN copies p ON p.recording_sid = r.recording_sid AND p.place = 'provider' \
        LEFT JOIN copies a ON a.recording_sid = r.recording_sid AND a.place = 'archive' \
        LEFT JOIN steps sa ON sa.step_id = 'archive/' || r.recording_sid \
        LEFT JOIN steps sr ON sr.step_id = 'release/' || r.recording_sid \
        LEFT JOIN steps ss ON ss.step_id = 'stop/' || r.recording_sid \
        WHERE r.call_sid = $1 ORDER BY r.announced_at, r.recording_sid";
    LINES: "lines" = "SELECT job_id, event, state FROM lines WHERE recording_sid = $1 ORDER BY job_id, event";
    // Always touches the row, so that on PostgreSQL whoever is about to end this step sees what made us want it.
    ENSURE: "steps" = "INSERT INTO steps \
        (step_id, subject_kind, subject_id, name, state, due_at, attempt, failures, jitter, misses, created_at) \
        VALUES ($1, $2, $3, $4, 'waiting', $5, 0, 0, 0, 0, $6) ON CONFLICT (step_id) DO UPDATE SET \
        state = 'waiting', due_at = excluded.due_at, failures = 0, misses = 0, first_miss_at = NULL, \
        code = NULL, detail = NULL, service = NULL WHERE steps.state IN ('done', 'cancelled') \
        OR (steps.state = 'waiting' AND steps.failures = 0 AND steps.name IN ('release', 'stop') AND steps.due_at <> excluded.due_at) \
        OR (steps.state = 'waiting' AND steps.attempt = 0 AND steps.name = 'archive' AND steps.due_at > excluded.due_at)";
    CANCEL: "steps" = "UPDATE steps SET state = 'cancelled' WHERE step_id = $1 AND state IN ('waiting', 'parked')";
    LOOK_AGAIN_AT: "calls" = "UPDATE calls SET plan_due_at = $2 WHERE call_sid = $1";
}

/// A call as the plan sees it, and what only this module needs.
struct Loaded {
    view: CallView,
    source: Source,
    plan_due_at: Option<Timestamp>,
}

/// Makes true what should happen next to this call. Its row is locked.
pub(crate) async fn replan(tx: &Tx<'_>, policy: &Policy, call: &CallSid, now: Timestamp) -> Result<()> {
    let Some(Loaded { view, source, plan_due_at }) = load(tx, call).await? else { return Ok(()) };
    let plan = plan(&view, policy, now);
    for line in &plan.lines {
        lines::owe(tx, call, line, &source, now).await?;
    }
    if let Some(job) = &view.job {
        for recording in &plan.back {
            lines::forget_move(tx, job, recording).await?;
        }
    }
    for wanted in &plan.ensure {
        ensure(tx, call, wanted, now).await?;
    }
    for (subject, name) in &plan.cancel {
        tx.execute(&CANCEL, params![step_id(*name, subject)]).await?;
    }
    let look_at = match plan.next {
        Next::Settled => None,
        // An earlier look does no harm, so most plans need not write this.
        Next::LookAgain(at) => plan_due_at.filter(|due| *due > now && *due <= at).or(Some(at)),
    };
    if look_at != plan_due_at {
        tx.execute(&LOOK_AGAIN_AT, params![call, look_at]).await?;
    }
    Ok(())
}

/// The call and everything under it; `None` where it is not known.
pub(crate) async fn call_view(tx: &Tx<'_>, call: &CallSid) -> Result<Option<CallView>> {
    Ok(load(tx, call).await?.map(|loaded| loaded.view))
}

async fn load(tx: &Tx<'_>, call: &CallSid) -> Result<Option<Loaded>> {
    let Some(mut loaded) = tx.optional(&CALL, params![call], read_call).await? else { return Ok(None) };
    let found = tx.rows(&RECORDINGS, params![call], |row| Ok((read_recording(row)?, row.get::<bool>(12)?))).await?;
    for (mut recording, has_lines) in found {
        // Most plans run before there is any.
        if has_lines {
            recording.lines = lines_of(tx, &recording.sid).await?;
        }
        loaded.view.recordings.push(recording);
    }
    Ok(Some(loaded))
}

async fn lines_of(tx: &Tx<'_>, recording: &RecordingSid) -> Result<Vec<LineView>> {
    tx.rows(&LINES, params![recording], |row| Ok(LineView { job: row.get(0)?, event: row.get(1)?, state: row.get(2)? }))
        .await
}

fn read_call(row: &Row<'_>) -> Result<Loaded> {
    Ok(Loaded {
        view: CallView {
            sid: row.get(0)?,
            job: row.get(1)?,
            find_job: row.get(4)?,
            record_wanted: row.get::<Option<Track>>(5)?.is_some() && row.get::<Option<String>>(6)?.is_none(),
            record_step: row.get(7)?,
            recordings: Vec::new(),
        },
        source: row.get::<Option<Source>>(2)?.unwrap_or_default(),
        plan_due_at: row.get(3)?,
    })
}

fn read_recording(row: &Row<'_>) -> Result<RecordingView> {
    let findings: Option<String> = row.get(6)?;
    let archive = row.get::<Option<CopyState>>(4)?.map(|state| -> Result<_> {
        Ok(ArchiveView {
            state,
            verified_at: row.get(5)?,
            doubtful: findings.is_some_and(|findings| findings != "[]"),
            accepted: row.get::<Option<Timestamp>>(7)?.is_some(),
        })
    });
    let is_ours = row.get::<Option<StartedBy>>(13)?.is_some() && row.get::<Option<Timestamp>>(14)?.is_none();
    let since: Timestamp = row.get(15)?;
    Ok(RecordingView {
        sid: row.get(0)?,
        status: row.get(1)?,
        provider_status: row.get(2)?,
        provider_copy_gone: row.get::<Option<Timestamp>>(3)?.is_some(),
        archive: archive.transpose()?,
        lines: Vec::new(),
        archive_step: row.get(8)?,
        archive_wanted_at: row.get(9)?,
        archive_has_failed: row.get::<Option<u32>>(10)?.is_some_and(|failures| failures > 0),
        release_step: row.get(11)?,
        ours_since: is_ours.then_some(since),
        stop_step: row.get(16)?,
        public_key: row.get::<Option<Json<EncryptionDetails>>>(17)?.map(|Json(details)| details.public_key_sid),
    })
}

async fn ensure(tx: &Tx<'_>, call: &CallSid, wanted: &Ensure, now: Timestamp) -> Result<()> {
    let Ensure { subject, step, due_at } = wanted;
    let values = params![step_id(*step, subject), subject.kind(), subject.id(), *step, *due_at, now];
    if tx.execute(&ENSURE, values).await? == 0 {
        return Ok(());
    }
    tx.news.steps();
    match (step, subject) {
        (StepName::Release, Subject::Recording(recording)) => {
            let event = NewEvent {
                kind: kind::RELEASE_SCHEDULED,
                recording: Some(recording.clone()),
                call: Some(call.clone()),
                data: json!({ "due_at": due_at.rfc3339() }),
                ..NewEvent::default()
            };
            events::add(tx, &event, now).await
        }
        _ => Ok(()),
    }
}
