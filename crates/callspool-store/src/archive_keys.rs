//! Archive keys: allocated once under a unique index, before the first byte.

use callspool_domain::{RecordingSid, Timestamp};

use crate::{Result, Store};

impl Store {
    /// The recording's archive key: the one allocated before, else the first free one of `candidates`, now allocated.
    pub async fn allocate_key(
        &self,
        recording: &RecordingSid,
        candidates: Vec<String>,
        now: Timestamp,
    ) -> Result<String> {
        let _ = (recording, candidates, now);
        todo!()
    }

    /// The next free key after `taken`, which was found to hold somebody else's object before any byte of ours.
    /// Returns the present key where `taken` is not the recording's key any more.
    pub async fn replace_key(
        &self,
        recording: &RecordingSid,
        taken: &str,
        candidates: Vec<String>,
        now: Timestamp,
    ) -> Result<String> {
        let _ = (recording, taken, candidates, now);
        todo!()
    }
}
