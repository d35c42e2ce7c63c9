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
mod scan;
mod stop;

pub use runner::Runner;

use std::fmt::Display;
use std::time::Duration;

use callspool_domain::failure::Code;
use callspool_domain::{AccountSid, StepFailure, Timestamp};
use callspool_store::BadMedia;

use crate::lifecycle::{Account, App};

/// The longest a request that changes something at the provider may take; shorter than a lease, so that no other attempt
/// can begin meanwhile.
const REQUEST: Duration = Duration::from_secs(15);

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

/// The account that owns `subject`; only a configured one can be asked.
fn account_of<'a>(app: &'a App, account: &AccountSid, subject: impl Display) -> Result<&'a Account, StepFailure> {
    app.account(account).ok_or_else(|| {
        let detail = format!("{subject} belongs to {account}, which is not configured; configure that account");
        StepFailure::new(Code::AccountUnknown, detail)
    })
}

/// Waits for a request that changes something at the provider, as long as the lease certainly holds.
async fn within_lease<T>(
    what: String,
    request: impl Future<Output = Result<T, StepFailure>>,
) -> Result<T, StepFailure> {
    tokio::time::timeout(REQUEST, request).await.unwrap_or_else(|_elapsed| {
        let detail = format!("{what} took longer than {} s; it is tried again", REQUEST.as_secs());
        Err(StepFailure::new(Code::ProviderStalled, detail))
    })
}
