//! A write in two phases: the bytes stream in, then, once the caller has accepted the whole, it becomes visible at once.
//!
//! Between the phases the caller judges the audio and makes sure that its lease still stands. Whatever is dropped or
//! aborted before leaves nothing behind.

use callspool_domain::audio::AudioFacts;
use callspool_domain::{Code, StepFailure};

use super::fingerprint::{Fingerprint, Fingerprinter};
use super::{bucket, local};

/// What the ledger knows of bytes of ours under the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// None are known to be there: what is there is ours only where its metadata says so, or where it is the same.
    Nothing,
    /// Some were written and never verified: others may replace them.
    Unverified,
    /// Some were verified: nothing replaces them.
    Verified,
}

/// What came of making an object visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutOutcome {
    /// It is there now; an unverified one of ours, where there was one, is replaced.
    Stored,
    /// The very same bytes of ours were there already, from an earlier attempt.
    AlreadyOurs,
    /// A verified object of ours with other bytes is there, and stays.
    OursDifferent,
    /// An object of somebody else is there, and stays: another key must be taken.
    Foreign,
}

/// An object on its way into the archive.
#[derive(Debug)]
pub struct Upload {
    place: Place,
    passed: Box<Fingerprinter>,
    length: Option<u64>,
}

#[derive(Debug)]
pub(super) enum Place {
    Local(Box<local::Temporary>),
    Bucket(Box<bucket::Parts>),
}

impl Upload {
    pub(super) fn new(place: Place, length: Option<u64>) -> Self {
        Self { place, passed: Box::default(), length }
    }

    /// Takes the next bytes. It waits while the store takes in a part, so that the source is not read meanwhile.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), StepFailure> {
        if let Some(length) = self.length
            && self.passed.bytes() + bytes.len() as u64 > length
        {
            let detail = format!("more than the {length} bytes announced came; it is fetched again");
            return Err(StepFailure::new(Code::MediaOverlong, detail));
        }
        self.passed.update(bytes);
        match &mut self.place {
            Place::Local(file) => file.write(bytes).await,
            Place::Bucket(parts) => parts.write(bytes).await,
        }
    }

    /// Ends the first phase: everything is on stable storage or held in one part; nothing is visible.
    pub async fn finish(mut self) -> Result<Ready, StepFailure> {
        match &mut self.place {
            Place::Local(file) => file.finish().await?,
            Place::Bucket(parts) => parts.finish().await?,
        }
        Ok(Ready { place: self.place, fingerprint: self.passed.finish() })
    }

    /// Gives up and removes what was written, telling of trouble in doing so. Dropping it does the same, silently.
    pub async fn abort(self) -> Result<(), StepFailure> {
        self.place.abort().await
    }
}

/// A whole object, not visible yet.
#[derive(Debug)]
pub struct Ready {
    place: Place,
    fingerprint: Fingerprint,
}

impl Ready {
    /// What was written.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Makes it visible. The caller has accepted the audio, or the ciphertext that has none, and made sure that its lease
    /// stands.
    pub async fn publish<'a>(
        self,
        audio: impl Into<Option<&'a AudioFacts>>,
        held: Held,
    ) -> Result<PutOutcome, StepFailure> {
        match self.place {
            Place::Local(file) => file.publish(self.fingerprint, held).await,
            Place::Bucket(parts) => parts.publish(&self.fingerprint, audio.into(), held).await,
        }
    }

    /// Gives up and removes what was written, telling of trouble in doing so. Dropping it does the same, silently.
    pub async fn abort(self) -> Result<(), StepFailure> {
        self.place.abort().await
    }
}

impl Place {
    async fn abort(self) -> Result<(), StepFailure> {
        match self {
            Self::Local(file) => file.abort().await,
            Self::Bucket(parts) => parts.abort().await,
        }
    }
}
