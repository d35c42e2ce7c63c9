//! The queue as people look at it.

use callspool_domain::{Code, Lane, Service, StepName, StepState, Subject, Timestamp};

use crate::{Result, Store};

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
        todo!()
    }

    /// Every step there ever was on a subject.
    pub async fn steps_of(&self, subject: &Subject) -> Result<Vec<StepRow>> {
        let _ = subject;
        todo!()
    }

    /// Steps that are parked or wait after a failure, parked ones first, at most 1000.
    pub async fn troubled_steps(&self, limit: u32) -> Result<Vec<StepRow>> {
        let _ = limit;
        todo!()
    }
}
