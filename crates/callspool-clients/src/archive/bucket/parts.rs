//! A write to the store: one part in memory at a time, one request where that is all, a multipart upload beyond.
//!
//! A multipart upload that is dropped on the way is aborted in the background as far as possible; a rule of the bucket that
//! aborts incomplete uploads after some days is still needed, since a process can die.

use bytes::BytesMut;
use callspool_domain::audio::AudioFacts;
use callspool_domain::{Code, StepFailure};
use object_store::path::Path;

use super::Bucket;
use super::store::{Condition, Found, Label, Session, Store};
use crate::archive::budget::{Claim, PART_BYTES, PartBudget};
use crate::archive::fingerprint::Fingerprint;
use crate::archive::metadata::{self, ObjectFacts};
use crate::archive::upload::{Held, PutOutcome};

/// An object on its way.
#[derive(Debug)]
pub(in crate::archive) struct Parts {
    bucket: Bucket,
    path: Path,
    key: String,
    facts: ObjectFacts,
    part: BytesMut,
    part_bytes: usize,
    multipart: Option<Multipart>,
    _claim: Claim,
}

impl Parts {
    pub(super) async fn begin(
        bucket: Bucket,
        path: Path,
        key: String,
        facts: ObjectFacts,
        length: Option<u64>,
        budget: &PartBudget,
    ) -> Self {
        let part_bytes = length.and_then(|length| usize::try_from(length).ok()).unwrap_or(PART_BYTES).min(PART_BYTES);
        let claim = budget.claim(part_bytes).await;
        let part = BytesMut::with_capacity(part_bytes);
        Self { bucket, path, key, facts, part, part_bytes, multipart: None, _claim: claim }
    }

    /// Fills the part. It is sent when it is full and more comes, so that an object of exactly one part is one request.
    pub(in crate::archive) async fn write(&mut self, mut bytes: &[u8]) -> Result<(), StepFailure> {
        while !bytes.is_empty() {
            if self.part.len() == self.part_bytes {
                self.send_part(false).await?;
            }
            let room = self.part_bytes.saturating_sub(self.part.len());
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.part.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    pub(in crate::archive) async fn finish(&mut self) -> Result<(), StepFailure> {
        if self.multipart.is_some() { self.send_part(true).await } else { Ok(()) }
    }

    pub(in crate::archive) async fn publish(
        mut self,
        written: &Fingerprint,
        audio: Option<&AudioFacts>,
        held: Held,
    ) -> Result<PutOutcome, StepFailure> {
        match self.multipart.take() {
            Some(multipart) => self.complete(multipart, written, held).await,
            None => self.put(written, audio, held).await,
        }
    }

    pub(in crate::archive) async fn abort(mut self) -> Result<(), StepFailure> {
        match self.multipart.take() {
            Some(multipart) => multipart.abort(&self.what()).await,
            None => Ok(()),
        }
    }

    async fn send_part(&mut self, is_last: bool) -> Result<(), StepFailure> {
        let what = self.what();
        let store = &self.bucket.store;
        store.credentials().await.map_err(|trouble| trouble.failure(&what))?;
        let multipart = match self.multipart.take() {
            Some(multipart) => multipart,
            None => Multipart::begin(store, &self.path, label(&self.facts, Vec::new()), &what).await?,
        };
        let part = self.part.split().freeze();
        self.multipart.insert(multipart).send(part, is_last, &what).await?;
        if !is_last {
            // The part just sent is gone by now, so this takes its memory again.
            self.part.reserve(self.part_bytes);
        }
        Ok(())
    }

    /// Completes a multipart upload. It looks first, since not every store can be told to spare what is there.
    async fn complete(
        self,
        multipart: Multipart,
        written: &Fingerprint,
        held: Held,
    ) -> Result<PutOutcome, StepFailure> {
        let what = self.what();
        let found = self.look_before_writing().await?;
        if let Some(found) = &found
            && let Some(outcome) = self.taken(found, written, held).await?
        {
            multipart.abort(&what).await?;
            return Ok(outcome);
        }
        multipart.complete(&found.map_or(Condition::Absent, Condition::Unchanged), &what).await?;
        Ok(PutOutcome::Stored)
    }

    /// Sends the whole in one request that spares what is there.
    async fn put(
        mut self,
        written: &Fingerprint,
        audio: Option<&AudioFacts>,
        held: Held,
    ) -> Result<PutOutcome, StepFailure> {
        let what = self.what();
        let (store, path) = (&self.bucket.store, &self.path);
        store.credentials().await.map_err(|trouble| trouble.failure(&what))?;
        let body = self.part.split().freeze();
        let label = label(&self.facts, metadata::of_the_whole(written, audio));
        let Err(trouble) = store.put(path, body.clone(), &label, &Condition::Absent).await else {
            return Ok(PutOutcome::Stored);
        };
        let found = if trouble.is_taken() {
            Some(self.bucket.look(&self.key).await?.ok_or_else(|| {
                let detail = format!("{what}: what was under the key a moment ago is gone; it is tried again");
                StepFailure::new(Code::ArchiveConflict, detail)
            })?)
        } else if trouble.is_unknown_condition() {
            self.look_before_writing().await?
        } else {
            return Err(trouble.failure(&what));
        };
        if let Some(found) = &found
            && let Some(outcome) = self.taken(found, written, held).await?
        {
            return Ok(outcome);
        }
        let on = Condition::Unchanged(found.unwrap_or_default());
        store.put(path, body, &label, &on).await.map_err(|trouble| trouble.failure(&what))?;
        Ok(PutOutcome::Stored)
    }

    /// Without the right to list, a key that is not there answers 403; the write that follows settles it.
    async fn look_before_writing(&self) -> Result<Option<Found>, StepFailure> {
        match self.bucket.look(&self.key).await {
            Err(failure) if failure.code == Code::ArchiveUnauthorized => Ok(None),
            looked => looked,
        }
    }

    /// What to do about an object that is there: an outcome, or `None` to overwrite it.
    async fn taken(&self, found: &Found, written: &Fingerprint, held: Held) -> Result<Option<PutOutcome>, StepFailure> {
        if found.recording.as_deref() != Some(self.facts.recording.as_str()) {
            return Ok(Some(PutOutcome::Foreign));
        }
        // Its bytes tell, and not what it says about itself: they may have been damaged since.
        let same = found.bytes == written.bytes && self.bucket.fingerprint(&self.key).await? == *written;
        Ok(match held {
            _ if same => Some(PutOutcome::AlreadyOurs),
            Held::Verified => Some(PutOutcome::OursDifferent),
            Held::Nothing | Held::Unverified => None,
        })
    }

    fn what(&self) -> String {
        format!("writing {}", self.key)
    }
}

fn label(facts: &ObjectFacts, more: Vec<(&'static str, String)>) -> Label {
    Label { contents: facts.contents.clone(), metadata: facts.metadata().into_iter().chain(more).collect() }
}

/// An upload in parts that is under way.
#[derive(Debug)]
struct Multipart {
    store: Store,
    path: Path,
    /// `None` once it is completed, or being aborted by somebody who waits for it.
    session: Option<Session>,
}

impl Multipart {
    async fn begin(store: &Store, path: &Path, label: Label, what: &str) -> Result<Self, StepFailure> {
        let session = store.begin(path, label).await.map_err(|trouble| trouble.failure(what))?;
        Ok(Self { store: store.clone(), path: path.clone(), session: Some(session) })
    }

    async fn send(&mut self, part: bytes::Bytes, is_last: bool, what: &str) -> Result<(), StepFailure> {
        let Some(session) = &mut self.session else { return Ok(()) };
        let sent = self.store.send_part(&self.path, session, part, is_last).await;
        sent.map_err(|trouble| trouble.failure(what))
    }

    async fn complete(mut self, on: &Condition, what: &str) -> Result<(), StepFailure> {
        let Some(session) = &mut self.session else { return Ok(()) };
        let completed = self.store.complete(&self.path, session, on).await;
        completed.map_err(|trouble| trouble.failure(what))?;
        self.session = None;
        Ok(())
    }

    async fn abort(mut self, what: &str) -> Result<(), StepFailure> {
        let Some(session) = self.session.take() else { return Ok(()) };
        self.store.abort(&self.path, &session).await.map_err(|trouble| trouble.failure(what))
    }
}

impl Drop for Multipart {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let Some(session) = self.session.take() else { return };
        let (store, path) = (self.store.clone(), self.path.clone());
        runtime.spawn(async move {
            // Where the reply to a completion was lost there is nothing to abort any more.
            if let Err(trouble) = store.abort(&path, &session).await
                && !trouble.is_no_such_upload()
            {
                tracing::warn!(key = %path, %trouble, "a broken upload stays until the bucket's rule removes it");
            }
        });
    }
}
