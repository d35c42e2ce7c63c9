//! Claiming, and keeping what was claimed.

use std::time::Duration;

use callspool_domain::{Lane, Timestamp};

use super::{Claimed, Lease};
use crate::{Result, Store};

impl Store {
    /// Claims up to `limit` due steps of a lane for `owner`, each for [`callspool_domain::step::LEASE`].
    /// `claim_id` is fresh for every call.
    ///
    /// In [`Lane::Records`] it is a batch of at most ten steps of one name, and none while another batch runs anywhere.
    pub async fn claim(
        &self,
        lane: Lane,
        limit: u32,
        owner: &str,
        claim_id: &str,
        now: Timestamp,
    ) -> Result<Vec<Claimed>> {
        let _ = (lane, limit, owner, claim_id, now);
        todo!()
    }

    /// When the next step of a lane can be claimed; `None` where nothing waits.
    pub async fn next_due(&self, lane: Lane) -> Result<Option<Timestamp>> {
        let _ = lane;
        todo!()
    }

    /// Extends a lease to its full length from now. False: it is lost, stop.
    pub async fn extend(&self, lease: &Lease, now: Timestamp) -> Result<bool> {
        let _ = (lease, now);
        todo!()
    }

    /// How long the lease still holds, by the clock that fences it; `None`: it is lost. Ask before what can't be undone.
    pub async fn lease_left(&self, lease: &Lease, now: Timestamp) -> Result<Option<Duration>> {
        let _ = (lease, now);
        todo!()
    }

    /// Gives a step back unfinished, without counting a failure; it waits until `due_at`. False: the lease was lost.
    pub async fn hand_back(&self, lease: &Lease, due_at: Timestamp, now: Timestamp) -> Result<bool> {
        let _ = (lease, due_at, now);
        todo!()
    }

    /// Closes a step that is found not to be wanted any more, and plans its call again. False: the lease was lost.
    pub async fn cancel_step(&self, lease: &Lease, now: Timestamp) -> Result<bool> {
        let _ = (lease, now);
        todo!()
    }
}
