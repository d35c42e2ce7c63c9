//! Intake: what the outside says about a recording becomes facts, durable when the function returns.

use callspool_domain::recording::Announcement;
use callspool_domain::{JobId, Source, Timestamp};

use crate::{Result, Store};

/// One recording status callback whose signature has been verified.
#[derive(Debug, Clone)]
pub struct Callback {
    /// What it says.
    pub announcement: Announcement,
    /// `?job=`.
    pub job: Option<JobId>,
    /// `?source=`.
    pub source: Option<Source>,
    /// Every field of the body as it came, in order, unknown ones and repeats included.
    pub fields: Vec<(String, String)>,
}

/// What became of an announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// False where exactly this callback was stored before.
    pub new: bool,
}

impl Store {
    /// Stores one callback and everything that follows from it; durable on `Ok`. Repeats and disorder are harmless.
    pub async fn record_callback(&self, callback: Callback, now: Timestamp) -> Result<Recorded> {
        let _ = (callback, now);
        todo!()
    }

    /// The same for a resource that was fetched from the provider: no callback is stored.
    pub async fn announce(&self, announcement: Announcement, now: Timestamp) -> Result<Recorded> {
        let _ = (announcement, now);
        todo!()
    }
}
