//! A write to the store: one part in memory at a time, one request where that is all, a multipart upload beyond.
//!
//! A multipart upload that is dropped on the way is aborted in the background as far as possible; a rule of the bucket that
//! aborts incomplete uploads after some days is still needed, since a process can die.

use bytes::BytesMut;
use callspool_domain::audio::AudioFacts;
use callspool_domain::{Code, StepFailure};
use object_store::aws::AmazonS3;
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, MultipartId, ObjectStore as _, PutMode, PutMultipartOptions, PutOptions, PutPayload,
};

use super::failure::{Refusal, store_failure};
use super::{Found, S3Bucket};
use crate::archive::budget::{Claim, PART_BYTES, PartBudget};
use crate::archive::fingerprint::Fingerprint;
use crate::archive::metadata::{self, ObjectFacts};
use crate::archive::upload::{Held, PutOutcome};

/// An object on its way.
#[derive(Debug)]
pub(in crate::archive) struct Parts {
    bucket: S3Bucket,
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
        bucket: S3Bucket,
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
                self.send_part().await?;
            }
            let room = self.part_bytes.saturating_sub(self.part.len());
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.part.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    pub(in crate::archive) async fn finish(&mut self) -> Result<(), StepFailure> {
        if self.multipart.is_some() { self.send_part().await } else { Ok(()) }
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

    async fn send_part(&mut self) -> Result<(), StepFailure> {
        let what = self.what();
        self.bucket.credentials(&what).await?;
        let multipart = match self.multipart.take() {
            Some(multipart) => multipart,
            None => {
                Multipart::begin(&self.bucket.store, &self.path, attributes(&self.facts, Vec::new()), &what).await?
            }
        };
        let part = self.part.split().freeze();
        self.multipart.insert(multipart).send(PutPayload::from(part), &what).await?;
        // The part just sent is gone by now, so this takes its memory again.
        self.part.reserve(self.part_bytes);
        Ok(())
    }

    /// Completes a multipart upload, which can't be told to spare what is there: it looks first.
    async fn complete(
        self,
        multipart: Multipart,
        written: &Fingerprint,
        held: Held,
    ) -> Result<PutOutcome, StepFailure> {
        let what = self.what();
        if let Some(found) = self.look_before_writing().await?
            && let Some(outcome) = self.taken(&found, written, held).await?
        {
            multipart.abort(&what).await?;
            return Ok(outcome);
        }
        multipart.complete(&what).await.map(|()| PutOutcome::Stored)
    }

    /// Sends the whole in one request that spares what is there.
    async fn put(
        mut self,
        written: &Fingerprint,
        audio: Option<&AudioFacts>,
        held: Held,
    ) -> Result<PutOutcome, StepFailure> {
        let what = self.what();
        self.bucket.credentials(&what).await?;
        let payload = PutPayload::from(self.part.split().freeze());
        let attributes = attributes(&self.facts, metadata::of_the_whole(written, audio));
        let send = async |mode: PutMode| {
            let options = PutOptions { mode, attributes: attributes.clone(), ..PutOptions::default() };
            self.bucket.store.put_opts(&self.path, payload.clone(), options).await
        };
        let Err(error) = send(PutMode::Create).await else { return Ok(PutOutcome::Stored) };
        let found = match Refusal::behind(&error) {
            Some(refusal) if refusal.is_taken() => Some(self.bucket.look(&self.key).await?.ok_or_else(|| {
                let detail = format!("{what}: what was under the key a moment ago is gone; it is tried again");
                StepFailure::new(Code::ArchiveConflict, detail)
            })?),
            Some(refusal) if refusal.is_unknown_condition() => self.look_before_writing().await?,
            _ => return Err(store_failure(&error, &what)),
        };
        if let Some(found) = found
            && let Some(outcome) = self.taken(&found, written, held).await?
        {
            return Ok(outcome);
        }
        send(PutMode::Overwrite).await.map_err(|error| store_failure(&error, &what))?;
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

fn attributes(facts: &ObjectFacts, more: Vec<(&'static str, String)>) -> Attributes {
    let mut attributes = Attributes::new();
    attributes.insert(Attribute::ContentType, facts.contents.content_type().into());
    for (name, value) in facts.metadata().into_iter().chain(more) {
        attributes.insert(Attribute::Metadata(name.into()), value.into());
    }
    attributes
}

/// A multipart upload that is under way.
#[derive(Debug)]
struct Multipart {
    store: AmazonS3,
    path: Path,
    id: MultipartId,
    parts: Vec<PartId>,
    /// Completed, or being aborted by somebody who waits for it.
    over: bool,
}

impl Multipart {
    async fn begin(store: &AmazonS3, path: &Path, attributes: Attributes, what: &str) -> Result<Self, StepFailure> {
        let options = PutMultipartOptions { attributes, ..PutMultipartOptions::default() };
        let id = store.create_multipart_opts(path, options).await.map_err(|error| store_failure(&error, what))?;
        Ok(Self { store: store.clone(), path: path.clone(), id, parts: Vec::new(), over: false })
    }

    async fn send(&mut self, part: PutPayload, what: &str) -> Result<(), StepFailure> {
        let sent = self.store.put_part(&self.path, &self.id, self.parts.len(), part).await;
        self.parts.push(sent.map_err(|error| store_failure(&error, what))?);
        Ok(())
    }

    async fn complete(mut self, what: &str) -> Result<(), StepFailure> {
        let parts = std::mem::take(&mut self.parts);
        let completed = self.store.complete_multipart(&self.path, &self.id, parts).await;
        completed.map_err(|error| store_failure(&error, what))?;
        self.over = true;
        Ok(())
    }

    async fn abort(mut self, what: &str) -> Result<(), StepFailure> {
        self.over = true;
        self.store.abort_multipart(&self.path, &self.id).await.map_err(|error| store_failure(&error, what))
    }
}

impl Drop for Multipart {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.over {
            return;
        }
        let (store, path, id) = (self.store.clone(), self.path.clone(), std::mem::take(&mut self.id));
        runtime.spawn(async move {
            // Where the reply to a completion was lost there is nothing to abort any more.
            if let Err(error) = store.abort_multipart(&path, &id).await
                && !Refusal::behind(&error).is_some_and(Refusal::is_no_such_upload)
            {
                tracing::warn!(key = %path, %error, "a broken upload stays until the bucket's rule removes it");
            }
        });
    }
}
