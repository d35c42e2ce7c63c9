//! The pipeline: durable steps on stored facts. One file a step; the runner claims them, keeps their leases and records how
//! they ended.
//!
//! Guarantee: a step runs at least once and has one effect, since every effect is repeatable by name and every commit is
//! fenced by the attempt that claimed it.

mod archive;
mod find_job;
mod link;
mod record;
mod release;
mod report;
mod runner;
mod stop;

pub use runner::Runner;

use callspool_domain::failure::Code;
use callspool_domain::{StepFailure, Timestamp};
use callspool_store::BadMedia;

/// Why a step stopped without having finished its work.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It failed; the verdict follows from the code.
    Failed(StepFailure),
    /// The provider's bytes are bad; remembered, so that 24 identical hours settle the recording.
    BadMedia(StepFailure, BadMedia),
    /// It is not due yet after all.
    NotYet(Timestamp),
    /// This process ends; the step is handed back.
    Abandoned,
    /// Somebody else has taken it over; nothing more may be written or sent.
    LeaseLost,
}

impl From<StepFailure> for Stop {
    fn from(failure: StepFailure) -> Self {
        Self::Failed(failure)
    }
}

impl From<callspool_store::Error> for Stop {
    fn from(error: callspool_store::Error) -> Self {
        Self::Failed(StepFailure::new(Code::StoreUnavailable, error.to_string()))
    }
}

/// Turns the store's "the lease is lost" into a stop.
pub(crate) fn fenced(kept: bool) -> Result<(), Stop> {
    if kept { Ok(()) } else { Err(Stop::LeaseLost) }
}
