//! Claiming the steps of certain recordings only: a command's own, while other nodes do the rest.

use callspool_domain::step::LEASE;
use callspool_domain::{CallSid, JobId, Lane, RecordingSid, StepName, Subject, Timestamp};

use super::claim::{self, Claim, batch_runs, in_order, lease_clock, names_of, read_claimed, take};
use super::{Claimed, services, step_id};
use crate::db::{Tx, params, statements};
use crate::{Result, Store};

statements! {
    CALL_AND_JOB: "recordings" = "SELECT c.call_sid, c.job_id FROM recordings r \
        JOIN calls c ON c.call_sid = r.call_sid WHERE r.recording_sid = $1";
    TAKE_ONE: "steps" = take!(
        "step_id = $7 AND (state = 'waiting' AND due_at <= $2 OR state = 'running' AND lease_until <= $8)"
    );
}

impl Store {
    /// The same as [`Store::claim`], but only of steps on these recordings, their calls and their jobs.
    pub async fn claim_own(
        &self,
        recordings: &[RecordingSid],
        lane: Lane,
        limit: u32,
        owner: &str,
        claim_id: &str,
        now: Timestamp,
    ) -> Result<Vec<Claimed>> {
        let claim = Claim { lane, limit, owner: owner.to_owned(), claim_id: claim_id.to_owned() };
        self.write((claim, recordings.to_vec(), now), |tx, (claim, recordings, now)| {
            Box::pin(take_own(tx, claim, recordings, *now))
        })
        .await
    }
}

async fn take_own(tx: &Tx<'_>, claim: &Claim, recordings: &[RecordingSid], now: Timestamp) -> Result<Vec<Claimed>> {
    let held = claim::held(tx, claim).await?;
    if !held.is_empty() {
        return Ok(held);
    }
    services::make_probes_due(tx, claim.lane, now).await?;
    let clock = lease_clock(tx, now).await?;
    if claim.lane == Lane::Records && batch_runs(tx, clock).await? {
        return Ok(Vec::new());
    }
    let subjects = subjects(tx, recordings).await?;
    let mut taken = Vec::new();
    for name in names_of(claim.lane) {
        for subject in subjects.iter().filter(|subject| works_on(name, subject)) {
            if taken.len() >= claim.limit as usize {
                break;
            }
            let one = 1_u32;
            let id = step_id(name, subject);
            let values = params![name, now, one, &claim.owner, &claim.claim_id, clock + LEASE, id, clock];
            taken.extend(tx.rows(&TAKE_ONE, values, read_claimed).await?);
        }
        // A batch of job records is of one kind.
        if claim.lane == Lane::Records && !taken.is_empty() {
            break;
        }
    }
    Ok(in_order(taken))
}

/// The recordings, their calls and their jobs, each once.
async fn subjects(tx: &Tx<'_>, recordings: &[RecordingSid]) -> Result<Vec<Subject>> {
    let mut subjects = Vec::new();
    for recording in recordings {
        subjects.push(Subject::Recording(recording.clone()));
        let found = tx.optional(&CALL_AND_JOB, params![recording], |row| Ok((row.get(0)?, row.get(1)?))).await?;
        let (call, job): (Option<CallSid>, Option<JobId>) = found.unwrap_or_default();
        let more = call.map(Subject::Call).into_iter().chain(job.map(Subject::Job));
        for subject in more {
            if !subjects.contains(&subject) {
                subjects.push(subject);
            }
        }
    }
    Ok(subjects)
}

fn works_on(name: StepName, subject: &Subject) -> bool {
    matches!(
        (name, subject),
        (StepName::Archive | StepName::Stop | StepName::Release, Subject::Recording(_))
            | (StepName::FindJob | StepName::Record, Subject::Call(_))
            | (StepName::Link, Subject::Job(_))
    )
}
