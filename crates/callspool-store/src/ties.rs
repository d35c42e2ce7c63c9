//! Which job a call belongs to: `PUT` beats `?job=` beats look-up, and no line is ever taken from a job.

use callspool_domain::{CallSid, JobId, Timestamp};

use crate::{Result, Store};

/// Who says which job a call belongs to, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TiedBy {
    /// Found in the job records by the call's sid.
    LookUp,
    /// `?job=` on the callback URL.
    Callback,
    /// `PUT /api/v1/calls/{call}`.
    Put,
}

/// What became of a tie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tied {
    /// The call now belongs to the job.
    New,
    /// It did before.
    Same,
    /// It stays with another job: a line is owed or written there already, or a stronger word tied it.
    Conflict {
        /// That job.
        job: JobId,
    },
}

impl Store {
    /// Ties a call to a job; creates the call where it is not known yet.
    pub async fn tie_call(&self, call: &CallSid, job: &JobId, by: TiedBy, now: Timestamp) -> Result<Tied> {
        let _ = (call, job, by, now);
        todo!()
    }
}
