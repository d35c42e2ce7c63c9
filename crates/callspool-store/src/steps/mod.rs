//! The queue: steps wait for their time, run under a lease, and end exactly once.
//!
//! A lease is fenced by the step's attempt: whoever lost it writes nothing. Everything that ends a step is one transaction
//! with the facts that follow from it.

pub(crate) mod claim;
pub(crate) mod fail;
pub(crate) mod finish;
pub(crate) mod queue;
pub(crate) mod retry;
pub(crate) mod services;
pub(crate) mod sweep;

use callspool_domain::{Code, StepName, Subject, Timestamp};

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
