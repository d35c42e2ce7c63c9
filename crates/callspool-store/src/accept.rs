//! A person's word that a doubtful recording is good after all.

use callspool_domain::{RecordingSid, Timestamp};

use crate::{Result, Store};

/// What became of an acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It counts as good from now on (or did already).
    Accepted,
    /// Its audio is not doubtful.
    NotDoubtful,
    /// It is not archived, or not known at all.
    NotArchived,
}

impl Store {
    /// Accepts a doubtful recording, so that it may be released.
    pub async fn accept(
        &self,
        recording: &RecordingSid,
        reason: &str,
        actor: &str,
        now: Timestamp,
    ) -> Result<Accepted> {
        let _ = (recording, reason, actor, now);
        todo!()
    }
}
