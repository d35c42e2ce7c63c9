//! The memory of all transfers together.
//!
//! Guarantee: a transfer claims what its part needs before the part's first byte and claims nothing more while it holds
//! it, so transfers wait for each other but never in a circle.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The length of a part of a multipart upload; up to this an object is sent in one request.
pub const PART_BYTES: usize = 8 * 1024 * 1024;

const UNIT_BYTES: usize = 64 * 1024;
const DEFAULT_BYTES: usize = 96 * 1024 * 1024;

/// What all transfers of this process may hold at once. Clones share it.
#[derive(Debug, Clone)]
pub struct PartBudget {
    units: Arc<Semaphore>,
    total: usize,
}

impl PartBudget {
    /// A budget of this many bytes, rounded down to 64 KiB, and at least one part.
    pub fn new(bytes: usize) -> Self {
        let total = bytes.max(PART_BYTES) / UNIT_BYTES;
        Self { units: Arc::new(Semaphore::new(total)), total }
    }

    /// What nobody holds at the moment, in bytes.
    pub fn available_bytes(&self) -> usize {
        self.units.available_permits() * UNIT_BYTES
    }

    /// Waits for room for this many bytes.
    pub(super) async fn claim(&self, bytes: usize) -> Claim {
        let units = bytes.div_ceil(UNIT_BYTES).clamp(1, self.total);
        // The semaphore is never closed, so this always holds a permit.
        let permit = Arc::clone(&self.units).acquire_many_owned(u32::try_from(units).unwrap_or(u32::MAX)).await;
        Claim { _permit: permit.ok() }
    }
}

impl Default for PartBudget {
    fn default() -> Self {
        Self::new(DEFAULT_BYTES)
    }
}

/// Room in the budget, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    _permit: Option<OwnedSemaphorePermit>,
}
