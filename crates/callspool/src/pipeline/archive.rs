//! The archive step: a recording's bytes go from the provider into the archive, are checked on the way, and are read back.
//!
//! Guarantee: bounded memory whatever the size (invariant 6); what is called archived is parseable audio, as long as its
//! headers say, and was read back from the store equal to what came (invariant 9), and what the provider encrypted and
//! nobody can open is kept as it came and called sealed; a second recording never overwrites a first (invariant 10); any
//! error leaves no visible object.

mod inspector;
mod source;

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use callspool_clients::archive::{Fingerprint, Held, ObjectFacts, PutOutcome, ReadBack, Ready, Upload};
use callspool_clients::provider::Media;
use callspool_domain::audio::{AudioFacts, judge};
use callspool_domain::failure::Code;
use callspool_domain::key::KeyFields;
use callspool_domain::recording::{Contents, CopyState, Place, Status};
use callspool_domain::step::HEARTBEAT;
use callspool_domain::{RecordingSid, StepFailure, Timestamp};
use callspool_store::{Archived, BadMedia, Lease, RecordingRow, Sealed, VerifiedBy};
use futures::StreamExt as _;
use tokio::join;

use self::inspector::{Bad, Inspector};
use self::source::{Object, Source};
use super::{Stop, account_of, fenced, report};
use crate::lifecycle::log::recording_settled;
use crate::lifecycle::{Account, App, metrics};

/// How many keys are tried for one recording before its step fails.
const KEYS: u32 = 20;
/// Bad bytes that stay the same for this long settle the recording as failed.
const BAD_FOR: Duration = Duration::from_secs(24 * 3600);
/// Bad bytes are read on to the end of the next whole piece of this length, at most: a body may have no end.
const BAD_BYTES: u64 = 16 * 1024 * 1024;
/// Stands for the bytes of a recording that the provider does not know; one that stays so for this long is missing.
const UNKNOWN: &str = "unknown to the provider";
const UNKNOWN_FOR: Duration = Duration::from_secs(24 * 3600);

pub(super) async fn run(app: &App, lease: &Lease, sid: &RecordingSid) -> Result<(), Stop> {
    let began = app.clock.now();
    let Some(recording) = app.store.recording(sid).await? else {
        return Err(StepFailure::new(Code::StepPanicked, format!("{sid} is not in the ledger; this is a bug")).into());
    };
    if !matches!(recording.status, Status::Announced | Status::Sealed) {
        return fenced(app.store.cancel_step(lease, app.clock.now()).await?);
    }
    let account = account_of(app, &recording.account, sid)?;
    let made_at = made_at(account, &recording).await;
    let step = Transfer { app, lease, began, recording: &recording, made_at, account };
    let mut taken = None;
    while let Moved::KeyTaken(place, key) = step.run(taken.take()).await? {
        tracing::warn!(recording_sid = %sid, key, "the key holds a foreign object; taking the next");
        taken = Some((place, key));
    }
    Ok(())
}

/// The date in the key: the recording's start, else its creation, for which the provider has to be asked, else its arrival.
async fn made_at(account: &Account, recording: &RecordingRow) -> Timestamp {
    if let Some(started_at) = recording.started_at {
        return started_at;
    }
    let known = match account.client.recording(&recording.sid).await {
        Ok(Some(resource)) => resource.announcement.started_at.or(resource.created_at),
        // What this costs is a date in a name; where the provider is out, the fetch that follows says so.
        Ok(None) | Err(_) => None,
    };
    known.unwrap_or(recording.announced_at)
}

/// One attempt to bring one recording over.
struct Transfer<'a> {
    app: &'a App,
    lease: &'a Lease,
    began: Timestamp,
    recording: &'a RecordingRow,
    made_at: Timestamp,
    account: &'a Account,
}

/// How an attempt ended, where it did not fail.
enum Moved {
    /// The step is closed: archived or settled.
    Closed,
    /// Somebody else's object is at the key of this copy.
    KeyTaken(Place, String),
}

impl Transfer<'_> {
    /// The keys to try, the template's own first.
    fn keys(&self, contents: &Contents) -> Vec<String> {
        let recording = self.recording;
        let settings = &self.app.config.recording;
        let fields = KeyFields {
            at: self.made_at,
            account: &recording.account,
            call: &recording.call,
            job: recording.job.as_ref(),
            recording: &recording.sid,
            track: recording.track,
            contents,
        };
        settings.key.candidates(&fields, KEYS)
    }

    /// `taken` is a key that was found to hold somebody else's object.
    async fn run(&self, taken: Option<(Place, String)>) -> Result<Moved, Stop> {
        let Some(way) = source::way(self.app, self.account, self.recording).await? else {
            fenced(self.app.store.cancel_step(self.lease, self.app.clock.now()).await?)?;
            return Ok(Moved::Closed);
        };
        let Source { media, inspector, object } = match source::open(self.app, self.account, self.recording, way).await
        {
            Err(Stop::Failed(failure)) if failure.code == Code::MediaNotReady => {
                return self.not_ready(failure).await;
            }
            source => source?,
        };
        let key = &self.key(&object, taken).await?;
        let length = media.content_length.map(|length| inspector.length(length));
        let upload = self.app.archive.put(key, self.facts(&object), length, &self.app.parts).await?;
        let (ready, judged) = self.stream(media, inspector, upload).await?;
        let audio = match judged {
            Ok(audio) => audio,
            Err(failure) => return self.refuse(ready, failure).await,
        };
        // An upload that took long must not become visible after another attempt has taken over. One that took less than a
        // heartbeat can't have lost its lease, which lasts for several.
        let now = self.app.clock.now();
        if now.since(self.began) >= HEARTBEAT {
            fenced(self.app.store.extend(self.lease, now).await?)?;
        }
        let written = ready.fingerprint().clone();
        match ready.publish(audio.as_ref(), self.held(object.place())).await? {
            PutOutcome::Stored | PutOutcome::AlreadyOurs => self.verify(key, written, audio, &object).await,
            PutOutcome::Foreign => Ok(Moved::KeyTaken(object.place(), key.clone())),
            PutOutcome::OursDifferent => Err(StepFailure::new(
                Code::ArchiveMismatch,
                format!("{key} holds other, verified bytes of {}; they stay as they are", self.recording.sid),
            )
            .into()),
        }
    }

    /// The key of this copy, or the one after it where it is taken.
    async fn key(&self, object: &Object, taken: Option<(Place, String)>) -> Result<String, Stop> {
        let (sid, place, now) = (&self.recording.sid, object.place(), self.app.clock.now());
        let keys = self.keys(&object.contents);
        let key = match taken {
            Some((of, taken)) if of == place => self.app.store.replace_key(sid, place, &taken, keys, now).await?,
            _ => self.app.store.allocate_key(sid, place, keys, now).await?,
        };
        Ok(key)
    }

    fn facts(&self, object: &Object) -> ObjectFacts {
        let recording = self.recording;
        ObjectFacts {
            recording: recording.sid.clone(),
            call: recording.call.clone(),
            account: recording.account.clone(),
            source: recording.source.clone(),
            job: recording.job.clone(),
            contents: object.contents.clone(),
        }
    }

    fn held(&self, place: Place) -> Held {
        let recording = self.recording;
        let state = match place {
            Place::Sealed => recording.sealed.as_ref().map(|sealed| sealed.state),
            Place::Archive | Place::Provider => recording.archive.as_ref().map(|archive| archive.state),
        };
        match state {
            Some(CopyState::Verified) => Held::Verified,
            Some(CopyState::Present) => Held::Unverified,
            Some(CopyState::Allocated | CopyState::Gone) | None => Held::Nothing,
        }
    }

    /// Moves every byte, judging and opening them on the way. Bad bytes are read on all the same: only the whole, or much of
    /// it, tells whether they are the same as last time.
    async fn stream(
        &self,
        mut media: Media,
        mut inspector: Inspector,
        mut upload: Upload,
    ) -> Result<(Ready, Result<Option<AudioFacts>, StepFailure>), Stop> {
        let (mut broken, mut passed, mut end) = (None, 0, u64::MAX);
        while passed < end
            && let Some(chunk) = media.body.next().await
        {
            match chunk {
                Ok(mut chunk) => {
                    chunk.truncate(usize::try_from(end - passed).unwrap_or(usize::MAX));
                    let opened = inspector.pass(&chunk);
                    upload.write(opened.as_deref().unwrap_or(&chunk)).await?;
                    passed += chunk.len() as u64;
                    if end == u64::MAX && inspector.is_bad() {
                        end = (passed / BAD_BYTES + 2) * BAD_BYTES;
                    }
                }
                Err(failure) if failure.code.is_bad_audio() => {
                    broken = Some(failure);
                    break;
                }
                Err(failure) => return Err(failure.into()),
            }
        }
        let ready = upload.finish().await?;
        let judged = match (inspector.finish(), broken) {
            (_, Some(failure)) => Err(failure),
            (judged, None) => judged.map_err(|bad| self.bad(&bad)),
        };
        Ok((ready, judged))
    }

    fn bad(&self, bad: &Bad) -> StepFailure {
        let detail = format!("the provider's copy of {} is bad: {}; it is fetched again", self.recording.sid, bad.why);
        StepFailure::new(bad.code, detail)
    }

    /// Leaves no object, and settles the recording once the same bad bytes have come for a day.
    async fn refuse(&self, ready: Ready, failure: StepFailure) -> Result<Moved, Stop> {
        let sha256 = ready.fingerprint().sha256.clone();
        ready.abort().await?;
        if failure.code == Code::MediaNotAudio
            && let Err(again @ Stop::NotYet(_)) =
                source::is_encrypted_after_all(self.app, self.account, self.recording).await
        {
            return Err(again);
        }
        if self.has_been(&sha256, BAD_FOR) {
            let reason = format!("{} for 24 h, always the same bytes", failure.code);
            return self.settle(Status::Failed, &reason).await;
        }
        Err(Stop::BadMedia(failure, BadMedia { sha256 }))
    }

    /// Whether the provider's bytes have been bad in this very way for so long.
    fn has_been(&self, sha256: &str, time: Duration) -> bool {
        let now = self.app.clock.now();
        self.recording.bad_sha256.as_deref() == Some(sha256)
            && self.recording.bad_since.is_some_and(|since| now.since(since) >= time)
    }

    /// The media is not there: what the provider says about the recording decides whether it will ever be.
    async fn not_ready(&self, failure: StepFailure) -> Result<Moved, Stop> {
        let sid = &self.recording.sid;
        match self.account.client.recording(sid).await? {
            Some(resource) if resource.deleted => {
                self.settle(Status::Missing, "deleted at the provider before it was archived").await
            }
            Some(resource) => match resource.announcement.status.settles() {
                Some(status) => {
                    self.settle(status, &format!("the provider says {}", resource.announcement.status.as_str())).await
                }
                None => Err(failure.into()),
            },
            None if self.has_been(UNKNOWN, UNKNOWN_FOR) => {
                self.settle(Status::Missing, "the provider has not known it for 24 h").await
            }
            None => Err(Stop::BadMedia(failure, BadMedia { sha256: UNKNOWN.to_owned() })),
        }
    }

    async fn settle(&self, status: Status, reason: &str) -> Result<Moved, Stop> {
        let sid = &self.recording.sid;
        fenced(self.app.store.finish_settled(self.lease, sid, status, reason, self.app.clock.now()).await?)?;
        recording_settled(sid, &self.recording.call, status, reason);
        Ok(Moved::Closed)
    }

    async fn verify(
        &self,
        key: &str,
        written: Fingerprint,
        audio: Option<AudioFacts>,
        object: &Object,
    ) -> Result<Moved, Stop> {
        let (noted, read_back) = join!(
            // Only from now on may anything replace what is at the key: before, it could be somebody else's.
            self.app.store.note_written(&self.recording.sid, key),
            self.app.archive.read_back(key, &written, self.app.config.archive.read_back),
        );
        noted?;
        let verified_by = match read_back? {
            ReadBack::Checksum => VerifiedBy::Checksum,
            ReadBack::Read => VerifiedBy::Read,
        };
        let crc64 = crc64(&written.crc64nvme)?;
        let written = Written { key, bytes: written.bytes, sha256: written.sha256, crc64, verified_by };
        match audio {
            Some(audio) => self.archived(written, audio, object).await?,
            None => self.sealed(written, object).await?,
        }
        Ok(Moved::Closed)
    }

    async fn archived(&self, written: Written<'_>, audio: AudioFacts, object: &Object) -> Result<(), Stop> {
        let recording = self.recording;
        let findings = judge(&audio, object.expected(recording));
        let Written { key, bytes, sha256, crc64, verified_by } = written;
        let (seconds, instead) = (audio.duration_ms / 1000, object.instead(source::asked(self.app, self.recording)));
        let archived = Archived {
            recording: recording.sid.clone(),
            object_key: key.to_owned(),
            bytes,
            sha256,
            crc64,
            audio,
            findings: findings.clone(),
            verified_by,
            instead: instead.clone(),
        };
        fenced(self.app.store.finish_archived(self.lease, archived, self.app.clock.now()).await?)?;
        let names: Vec<&str> = findings.iter().map(|finding| finding.as_str()).collect();
        tracing::info!(
            recording_sid = %recording.sid, call_sid = %recording.call, job_id = recording.job.as_ref().map(|job| job.as_str()),
            key, bytes, seconds, doubtful = names.join(","), instead = instead.join(","), "recording_s3_upload_success"
        );
        metrics::archived(bytes, self.app.clock.now().since(self.began));
        report::release_plans(self.app, &recording.sid).await;
        Ok(())
    }

    async fn sealed(&self, written: Written<'_>, object: &Object) -> Result<(), Stop> {
        let recording = self.recording;
        let Written { key, bytes, sha256, crc64, verified_by } = written;
        let because = object.because();
        let sealed = Sealed {
            recording: recording.sid.clone(),
            object_key: key.to_owned(),
            bytes,
            sha256,
            crc64,
            verified_by,
            because: because.clone(),
        };
        fenced(self.app.store.finish_sealed(self.lease, sealed, self.app.clock.now()).await?)?;
        tracing::warn!(
            recording_sid = %recording.sid, call_sid = %recording.call, job_id = recording.job.as_ref().map(|job| job.as_str()),
            key, bytes, because, "recording_sealed"
        );
        metrics::sealed();
        Ok(())
    }
}

/// A copy that was written and read back.
struct Written<'a> {
    key: &'a str,
    bytes: u64,
    sha256: String,
    crc64: u64,
    verified_by: VerifiedBy,
}

/// The number in S3's writing of a CRC-64/NVME.
fn crc64(base64: &str) -> Result<u64, Stop> {
    let bytes = BASE64_STANDARD.decode(base64).ok().and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
    let Some(bytes) = bytes else {
        return Err(StepFailure::new(Code::StepPanicked, format!("{base64} is no CRC-64/NVME; this is a bug")).into());
    };
    Ok(u64::from_be_bytes(bytes))
}
