//! The audit at the demo's end, from the outside: what the provider made, what lies in the archive, what the job says.

use std::time::Duration;

use callspool_domain::RecordingSid;
use callspool_sandbox::twilio::PlacedCall;
use sha2::{Digest as _, Sha256};

use super::super::{Failure, say};
use super::stage::Stage;
use crate::lifecycle::App;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Audit {
    placed: usize,
    archived: usize,
    linked: usize,
    released: usize,
    findings: Vec<String>,
}

impl Audit {
    /// True where every placed call is archived and linked.
    pub(super) fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// Prints it.
    pub(super) fn print(&self) {
        let Self { placed, archived, linked, released, findings } = self;
        say(&format!("{placed} call(s) placed, {archived} archived, {linked} linked, {released} released so far"));
        findings.iter().for_each(|finding| say(finding));
    }
}

/// Audits until everything is well, at most for so long.
pub(super) async fn wait(
    stage: &Stage,
    app: &App,
    placed: &[PlacedCall],
    patience: Duration,
) -> Result<Audit, Failure> {
    let end = app.clock.now() + patience;
    loop {
        let audit = audit(stage, app, placed).await?;
        let now = app.clock.now();
        if audit.is_clean() || now >= end {
            return Ok(audit);
        }
        app.sleep_until(now + Duration::from_millis(500)).await;
    }
}

async fn audit(stage: &Stage, app: &App, placed: &[PlacedCall]) -> Result<Audit, Failure> {
    let mut audit = Audit { placed: placed.len(), released: stage.released(), ..Audit::default() };
    for (n, call) in placed.iter().enumerate() {
        let recording = &call.recording_sid;
        match is_archived(stage, app, recording).await? {
            Ok(()) => audit.archived += 1,
            Err(why) => audit.findings.push(format!("{recording}: {why}")),
        }
        match lines(&stage.history(n), recording) {
            1 => audit.linked += 1,
            lines => audit.findings.push(format!("{recording}: {lines} history lines instead of 1")),
        }
    }
    Ok(audit)
}

/// Compares the file in the archive with what the provider made.
async fn is_archived(stage: &Stage, app: &App, recording: &RecordingSid) -> Result<Result<(), String>, Failure> {
    let row = app.store.recording(recording).await?;
    let Some(archive) = row.and_then(|row| row.archive) else { return Ok(Err("it has no archive copy".to_owned())) };
    Ok(match std::fs::read(stage.archived(&archive.object_key)) {
        Ok(bytes) if stage.provider_sha256(recording).as_deref() == Some(&hex::encode(Sha256::digest(&bytes))) => {
            Ok(())
        }
        Ok(_) => Err("the archive copy differs from what the provider made".to_owned()),
        Err(error) => Err(format!("the archive copy can't be read: {error}")),
    })
}

fn lines(history: &str, recording: &RecordingSid) -> usize {
    history.lines().filter(|line| line.contains("Event: Recording |") && line.contains(recording.as_str())).count()
}
