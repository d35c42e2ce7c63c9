//! The queue as people look at it.

use callspool_domain::{Code, Lane, Service, StepName, StepState, Subject, Timestamp};

use super::read_subject;
use crate::db::{Row, Tx, params, statements};
use crate::steps::step_id;
use crate::{Result, Store};

macro_rules! step_columns {
    () => {
        "SELECT step_id, subject_kind, subject_id, name, state, due_at, attempt, failures, code, detail, service, owner, \
         lease_until, created_at FROM steps WHERE "
    };
}

macro_rules! count {
    ($state:literal) => {
        concat!(
            "SELECT name, state, code, COUNT(*), MIN(due_at) FROM steps WHERE state = '",
            $state,
            "' GROUP BY name, state, code ORDER BY name, code"
        )
    };
}

statements! {
    COUNT_WAITING: "steps" = count!("waiting");
    COUNT_RUNNING: "steps" = count!("running");
    COUNT_PARKED: "steps" = count!("parked");
    STEP: "steps" = concat!(step_columns!(), "step_id = $1");
    PARKED: "steps" = concat!(step_columns!(), "state = 'parked' ORDER BY name, code, due_at LIMIT $1");
    AFTER_FAILURE: "steps" =
        concat!(step_columns!(), "state = 'waiting' AND code IS NOT NULL ORDER BY due_at, step_id LIMIT $1");
}

/// A step as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRow {
    /// Its id.
    pub id: String,
    /// What it works on.
    pub subject: Subject,
    /// What it does.
    pub name: StepName,
    /// Where it stands.
    pub state: StepState,
    /// When it is or was due.
    pub due_at: Timestamp,
    /// How often it was claimed.
    pub attempt: i64,
    /// Failures since the last success.
    pub failures: u32,
    /// The last failure's code, until it succeeds.
    pub code: Option<Code>,
    /// The last failure's cause, in words.
    pub detail: Option<String>,
    /// The service that is out, where it waits for one.
    pub service: Option<Service>,
    /// Who runs it.
    pub owner: Option<String>,
    /// Until when.
    pub lease_until: Option<Timestamp>,
    /// When it was first wanted.
    pub created_at: Timestamp,
}

/// How many steps are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueCount {
    /// Their lane.
    pub lane: Lane,
    /// What they do.
    pub name: StepName,
    /// Where they stand: waiting, running or parked.
    pub state: StepState,
    /// Their last failure.
    pub code: Option<Code>,
    /// How many.
    pub steps: u64,
    /// When the first of them is or was due.
    pub oldest_due: Timestamp,
}

impl Store {
    /// What waits, runs and is parked. Costs as much as is queued, whatever is done.
    pub async fn queue(&self) -> Result<Vec<QueueCount>> {
        self.read((), |tx, ()| {
            Box::pin(async move {
                let mut counts = Vec::new();
                for statement in [&COUNT_WAITING, &COUNT_RUNNING, &COUNT_PARKED] {
                    counts.extend(tx.rows(statement, &[], read_count).await?);
                }
                Ok(counts)
            })
        })
        .await
    }

    /// Every step there ever was on a subject.
    pub async fn steps_of(&self, subject: &Subject) -> Result<Vec<StepRow>> {
        self.read(subject.clone(), |tx, subject| Box::pin(steps_of(tx, subject))).await
    }

    /// Steps that are parked or wait after a failure, parked ones first, at most 1000.
    pub async fn troubled_steps(&self, limit: u32) -> Result<Vec<StepRow>> {
        self.read(limit.min(1000), |tx, limit| {
            Box::pin(async move {
                let mut steps = tx.rows(&PARKED, params![*limit], read_step).await?;
                let left = limit.saturating_sub(u32::try_from(steps.len()).unwrap_or(u32::MAX));
                steps.extend(tx.rows(&AFTER_FAILURE, params![left], read_step).await?);
                Ok(steps)
            })
        })
        .await
    }
}

async fn steps_of(tx: &Tx<'_>, subject: &Subject) -> Result<Vec<StepRow>> {
    let mut steps = Vec::new();
    for name in StepName::ALL {
        // The id alone may be another kind of subject's: a placeholder call has its recording's.
        let step = tx.optional(&STEP, params![step_id(*name, subject)], read_step).await?;
        steps.extend(step.filter(|step| step.subject == *subject));
    }
    Ok(steps)
}

fn read_count(row: &Row<'_>) -> Result<QueueCount> {
    let name: StepName = row.get(0)?;
    Ok(QueueCount {
        lane: name.lane(),
        name,
        state: row.get(1)?,
        code: row.get(2)?,
        steps: row.get(3)?,
        oldest_due: row.get(4)?,
    })
}

fn read_step(row: &Row<'_>) -> Result<StepRow> {
    Ok(StepRow {
        id: row.get(0)?,
        subject: read_subject(row, 1, 2)?,
        name: row.get(3)?,
        state: row.get(4)?,
        due_at: row.get(5)?,
        attempt: row.get(6)?,
        failures: row.get(7)?,
        code: row.get(8)?,
        detail: row.get(9)?,
        service: row.get(10)?,
        owner: row.get(11)?,
        lease_until: row.get(12)?,
        created_at: row.get(13)?,
    })
}
