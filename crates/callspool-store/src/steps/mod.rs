//! The queue: steps wait for their time, run under a lease, and end exactly once.
//!
//! A lease is fenced by the step's attempt: whoever lost it writes nothing. Everything that ends a step is one transaction
//! with the facts that follow from it.

pub(crate) mod claim;
pub(crate) mod claim_own;
pub(crate) mod close;
pub(crate) mod fail;
pub(crate) mod finish;
pub(crate) mod queue;
pub(crate) mod retry;
pub(crate) mod services;
pub(crate) mod sweep;

use callspool_domain::{Code, StepName, Subject, Timestamp};

use crate::db::Row;
use crate::{Error, Result};

/// The right to end one attempt of a step.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The step's id.
    pub step: String,
    /// The attempt it is for.
    pub attempt: i64,
}

/// A step that was claimed and is to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The right to end it.
    pub lease: Lease,
    /// What it works on.
    pub subject: Subject,
    /// What it does.
    pub name: StepName,
    /// Failures since the last success.
    pub failures: u32,
    /// The last failure's code.
    pub code: Option<Code>,
    /// How often its job was not found.
    pub misses: u32,
    /// When its job was not found first.
    pub first_miss_at: Option<Timestamp>,
}

/// A step's id: its name and its subject's id. A name has one kind of subject, so that says it all.
pub(crate) fn step_id(name: StepName, subject: &Subject) -> String {
    format!("{name}/{}", subject.id())
}

/// Reads a subject from its two columns.
pub(crate) fn read_subject(row: &Row<'_>, kind: usize, id: usize) -> Result<Subject> {
    let (kind, id): (String, String) = (row.get(kind)?, row.get(id)?);
    Subject::parse(&kind, &id).ok_or(Error::Inconsistent { table: "steps", column: "subject_id".to_owned(), row: id })
}
