//! Rate limits over all nodes: whoever sends to a limited service first reserves a slot here.

use std::time::Duration;

use callspool_domain::Timestamp;

use crate::{Result, Store};

impl Store {
    /// Reserves the next slot of `name`, slots being `interval` apart; returns how long to wait for it.
    pub async fn reserve(&self, name: &str, interval: Duration, now: Timestamp) -> Result<Duration> {
        let _ = (name, interval, now);
        todo!()
    }

    /// Gives out no slot of `name` before `until`.
    pub async fn block(&self, name: &str, until: Timestamp) -> Result<()> {
        let _ = (name, until);
        todo!()
    }
}
