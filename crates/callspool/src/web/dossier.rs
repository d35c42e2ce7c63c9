//! Everything known about one recording, gathered for the API and its page; and what a recording waits for, for lists.

use callspool_domain::gate::{self, Closed};
use callspool_domain::line::{Event, LineState};
use callspool_domain::recording::Status;
use callspool_domain::{RecordingSid, StepState, Subject, Timestamp};
use callspool_store::{EventRow, RecordingRow, Result, StepRow};

use crate::lifecycle::App;

/// So many of a recording's last events are shown.
const EVENTS: u32 = 100;

/// Everything known about one recording.
#[derive(Debug)]
pub(crate) struct Dossier {
    /// What is stored of it.
    pub row: RecordingRow,
    /// Every step on it, on its call, and on its job.
    pub steps: Vec<StepRow>,
    /// Its last events, oldest first.
    pub events: Vec<EventRow>,
    /// Why it would not be released now; empty where it would.
    pub closed: Vec<Closed>,
    /// When the release delay is over.
    pub opens_at: Option<Timestamp>,
    /// Its line in the job's built-in history, as it stands there.
    pub line: Option<String>,
}

impl Dossier {
    /// Gathers it; `None` where nobody has announced the recording.
    pub(crate) async fn gather(app: &App, recording: &RecordingSid) -> Result<Option<Self>> {
        let Some(row) = app.store.recording(recording).await? else { return Ok(None) };
        let mut steps = Vec::new();
        for subject in subjects(&row) {
            steps.append(&mut app.store.steps_of(&subject).await?);
        }
        let events = app.store.recording_events(recording, EVENTS).await?;
        let (closed, opens_at) = match app.store.release_view(recording).await? {
            Some(view) => {
                let policy = app.store.policy();
                let closed = gate::closed(&view.call, &view.recording, policy, app.clock.now());
                (closed, gate::opens_at(&view.recording, policy))
            }
            None => (vec![gate::without_audio(row.status)], None),
        };
        let line = line_of(app, &row).await?;
        Ok(Some(Self { row, steps, events, closed, opens_at, line }))
    }
}

/// What steps on this recording's behalf work on.
fn subjects(row: &RecordingRow) -> Vec<Subject> {
    let mut subjects = vec![Subject::Recording(row.sid.clone()), Subject::Call(row.call.clone())];
    subjects.extend(row.job.clone().map(Subject::Job));
    subjects
}

async fn line_of(app: &App, row: &RecordingRow) -> Result<Option<String>> {
    let Some(job) = &row.job else { return Ok(None) };
    let Some(job) = app.store.job(job).await? else { return Ok(None) };
    let event = format!(" | Event: {} | ", Event::Recording.as_str());
    let ours = |line: &&str| line.contains(&event) && line.contains(row.sid.as_str());
    Ok(job.history.lines().find(ours).map(str::to_owned))
}

/// The step a recording waits for most: a parked one before a running one before the next due. `None` where nothing is to
/// be done; asks the ledger only where something may be.
pub(crate) async fn awaited_step(app: &App, row: &RecordingRow) -> Result<Option<StepRow>> {
    let mut steps = Vec::new();
    for subject in awaited_subjects(app, row) {
        steps.append(&mut app.store.steps_of(&subject).await?);
    }
    Ok(steps
        .into_iter()
        .filter_map(|step| Some((urgency(&step)?, step)))
        .min_by_key(|(urgency, _)| *urgency)
        .map(|(_, step)| step))
}

fn awaited_subjects(app: &App, row: &RecordingRow) -> Vec<Subject> {
    let policy = app.store.policy();
    let archived = row.status == Status::Archived;
    let line_is_due = (archived || row.status == Status::Sealed) && row.line != Some(LineState::Confirmed);
    let release_is_due = archived && policy.delete_after.is_some() && row.provider_gone_at.is_none();
    let mut subjects = Vec::new();
    if matches!(row.status, Status::Announced | Status::Sealed) || release_is_due {
        subjects.push(Subject::Recording(row.sid.clone()));
    }
    match &row.job {
        Some(job) if line_is_due => subjects.push(Subject::Job(job.clone())),
        None if line_is_due && policy.find_jobs => subjects.push(Subject::Call(row.call.clone())),
        _ => {}
    }
    subjects
}

/// The least comes first; `None` for a step that is over.
fn urgency(step: &StepRow) -> Option<(u8, Timestamp)> {
    let by_state = match step.state {
        StepState::Parked => 0,
        StepState::Running => 1,
        StepState::Waiting => 2,
        StepState::Done | StepState::Cancelled => return None,
    };
    Some((by_state, step.due_at))
}
