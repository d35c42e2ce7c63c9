//! A step that failed: counted, explained, and due again as its verdict says.

use callspool_domain::{StepFailure, Timestamp};

use super::Lease;
use crate::{Result, Store};

/// What was wrong with the provider's bytes this time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadMedia {
    /// SHA-256 of the bytes, hexadecimal: the same for 24 h, and the recording has failed.
    pub sha256: String,
}

impl Store {
    /// Ends an attempt with a failure. `jitter` is a fresh random number from 0 to 999. False: the lease was lost.
    pub async fn fail(
        &self,
        lease: &Lease,
        failure: &StepFailure,
        bad: Option<BadMedia>,
        jitter: u16,
        now: Timestamp,
    ) -> Result<bool> {
        let _ = (lease, failure, bad, jitter, now);
        todo!()
    }
}
