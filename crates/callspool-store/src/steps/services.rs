//! Services that are out as a whole: one waiting step of each is due every few seconds as its probe, and the first success
//! makes the others due, spread out.

use callspool_domain::{Code, Service, Timestamp};

use crate::{Result, Store};

/// A service that was out at least once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceState {
    /// Which.
    pub service: Service,
    /// Since when it has been out; `None` while it works.
    pub down_since: Option<Timestamp>,
    /// How it failed last.
    pub code: Code,
    /// The cause in words.
    pub detail: String,
}

impl Store {
    /// Every service that was out at least once.
    pub async fn services(&self) -> Result<Vec<ServiceState>> {
        todo!()
    }
}
