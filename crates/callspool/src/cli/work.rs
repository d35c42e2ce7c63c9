//! Work that a command asked for: the running service does it, and without one the command does it itself.

use std::time::Duration;

use callspool_domain::{RecordingSid, StepState, Subject, Timestamp};
use callspool_store::{Error, QueueCount, StepRow};

use super::{Failure, SharedApp, complain};
use crate::lifecycle::random;
use crate::pipeline::Runner;

/// How long a step that still runs when the command ends may go on.
const GRACE: Duration = Duration::from_secs(20);

/// Sees to it that the due steps of these recordings are run: here, unless another process works on this database.
/// Returns false where that other process does it.
pub(super) async fn run_due(app: &SharedApp, recordings: &[RecordingSid]) -> Result<bool, Failure> {
    run_while(app, Some(recordings), async |now| {
        for recording in recordings {
            if steps(app, recording).await?.iter().any(|step| is_active(step, now)) {
                return Ok(true);
            }
        }
        Ok(false)
    })
    .await
}

/// The same for every step there is.
pub(super) async fn run_all_due(app: &SharedApp) -> Result<bool, Failure> {
    run_while(app, None, async |now| {
        let active = |count: &QueueCount| match count.state {
            StepState::Running => true,
            StepState::Waiting => count.oldest_due <= now,
            _ => false,
        };
        Ok(app.store.queue().await?.iter().any(active))
    })
    .await
}

fn is_active(step: &StepRow, now: Timestamp) -> bool {
    step.state == StepState::Running || (step.state == StepState::Waiting && step.due_at <= now)
}

/// Runs steps here while there is something to do; what waits for a later time is left to it.
async fn run_while(
    app: &SharedApp,
    own: Option<&[RecordingSid]>,
    busy: impl AsyncFn(Timestamp) -> Result<bool, Failure>,
) -> Result<bool, Failure> {
    let node = random::id(app.clock.now());
    let _lock = match app.store.begin_work(&node).await {
        Ok(lock) => lock,
        Err(Error::Locked(_)) => {
            // Beside the result, which may be JSON.
            complain("the running callspool does the work; see callspool show");
            return Ok(false);
        }
        Err(error) => return Err(error.into()),
    };
    let runner = match own {
        Some(recordings) => Runner::start_for(app.clone(), &node, recordings),
        None => Runner::start(app.clone(), &node),
    };
    let result = wait_while(app, busy).await;
    runner.stop(GRACE).await;
    result.map(|()| true)
}

async fn wait_while(app: &SharedApp, busy: impl AsyncFn(Timestamp) -> Result<bool, Failure>) -> Result<(), Failure> {
    let mut changed = app.store.steps_changed();
    loop {
        changed.mark_unchanged();
        let now = app.clock.now();
        if !busy(now).await? {
            return Ok(());
        }
        tokio::select! {
            _ = changed.changed() => {}
            () = app.sleep_until(now + Duration::from_millis(200)) => {}
        }
    }
}

/// The steps on a recording, its call and its job.
pub(super) async fn steps(app: &SharedApp, recording: &RecordingSid) -> Result<Vec<StepRow>, Failure> {
    let Some(row) = app.store.recording(recording).await? else { return Ok(Vec::new()) };
    let mut steps = app.store.steps_of(&Subject::Recording(recording.clone())).await?;
    steps.extend(app.store.steps_of(&Subject::Call(row.call)).await?);
    if let Some(job) = row.job {
        steps.extend(app.store.steps_of(&Subject::Job(job)).await?);
    }
    Ok(steps)
}
