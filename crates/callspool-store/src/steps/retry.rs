//! Steps that a person wants to run now.

use callspool_domain::{RecordingSid, Timestamp};

use crate::{Result, Store};

/// What to run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetryWhat {
    /// Everything of this recording that is parked, given up, or waiting after an error.
    Recording(RecordingSid),
    /// The same of all recordings.
    Failed,
}

impl Store {
    /// Makes steps due that are parked, given up, or waiting after an error; returns how many.
    pub async fn retry(&self, what: RetryWhat, now: Timestamp) -> Result<u64> {
        let _ = (what, now);
        todo!()
    }

    /// Makes every waiting step of a recording, its call and its job due; returns how many.
    pub async fn make_due(&self, recording: &RecordingSid, now: Timestamp) -> Result<u64> {
        let _ = (recording, now);
        todo!()
    }
}
