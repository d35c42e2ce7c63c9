//! The archive step: a recording's bytes go from the provider into the archive, are checked on the way, and are read back.
//!
//! Guarantee: bounded memory whatever the size (invariant 6); what is called archived is parseable audio, as long as its
//! headers say, and was read back from the store equal to what came (invariant 9); a second recording never overwrites a
//! first (invariant 10); any error leaves no visible object.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use callspool_audio::{AudioError, Parser};
use callspool_clients::archive::{Fingerprint, Held, ObjectFacts, PutOutcome, ReadBack, Ready, Upload};
use callspool_clients::provider::{Channels, Media, MediaForm};
use callspool_domain::audio::{AudioFacts, AudioFormat, Expected, judge};
use callspool_domain::failure::Code;
use callspool_domain::key::KeyFields;
use callspool_domain::recording::{CopyState, Status};
use callspool_domain::step::HEARTBEAT;
use callspool_domain::{RecordingSid, StepFailure, Timestamp};
use callspool_store::{Archived, BadMedia, Lease, RecordingRow, VerifiedBy};
use futures::StreamExt as _;
use tokio::join;

use super::{Stop, fenced, report};
use crate::lifecycle::{Account, App, metrics};

/// How many keys are tried for one recording before its step fails.
const KEYS: u32 = 20;
/// Bad bytes that stay the same for this long settle the recording as failed.
const BAD_FOR: Duration = Duration::from_secs(24 * 3600);
/// Stands for the bytes of a recording that the provider does not know; one that stays so for this long is missing.
const UNKNOWN: &str = "unknown to the provider";
const UNKNOWN_FOR: Duration = Duration::from_secs(24 * 3600);

pub(super) async fn run(app: &App, lease: &Lease, sid: &RecordingSid) -> Result<(), Stop> {
    let began = app.clock.now();
    let Some(recording) = app.store.recording(sid).await? else {
        return Err(StepFailure::new(Code::StepPanicked, format!("{sid} is not in the ledger; this is a bug")).into());
    };
    if recording.status != Status::Announced {
        return fenced(app.store.cancel_step(lease, app.clock.now()).await?);
    }
    if recording.encrypted {
        let detail =
            format!("{sid} is encrypted by the provider; it stays there until a private key can be configured");
        return Err(StepFailure::new(Code::MediaEncrypted, detail).into());
    }
    let account = app.account(&recording.account).ok_or_else(|| unknown_account(&recording))?;
    let made_at = made_at(account, &recording).await;
    let step = Transfer { app, lease, began, recording: &recording, made_at, account };
    let mut key = app.store.allocate_key(sid, step.keys(), app.clock.now()).await?;
    while let Moved::KeyTaken = step.run(&key).await? {
        tracing::warn!(recording_sid = %sid, key, "the key holds a foreign object; taking the next");
        key = app.store.replace_key(sid, &key, step.keys(), app.clock.now()).await?;
    }
    Ok(())
}

fn unknown_account(recording: &RecordingRow) -> StepFailure {
    let (sid, account) = (&recording.sid, &recording.account);
    let detail = format!("{sid} belongs to {account}, which is not configured; configure that account");
    StepFailure::new(Code::AccountUnknown, detail)
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
    /// Somebody else's object is at the key.
    KeyTaken,
}

impl Transfer<'_> {
    /// The keys to try, the template's own first.
    fn keys(&self) -> Vec<String> {
        let recording = self.recording;
        let settings = &self.app.config.recording;
        let fields = KeyFields {
            at: self.made_at,
            account: &recording.account,
            call: &recording.call,
            job: recording.job.as_ref(),
            recording: &recording.sid,
            track: recording.track,
            format: self.format(),
        };
        (0..KEYS).map(|n| settings.key.candidate(&fields, n)).collect()
    }

    /// The container to fetch: the one of the call's number or assistant, else the one for all.
    fn format(&self) -> AudioFormat {
        self.recording.format.unwrap_or(self.app.config.recording.format)
    }

    async fn run(&self, key: &str) -> Result<Moved, Stop> {
        let form = MediaForm { format: self.format(), channels: self.app.config.recording.channels };
        let media = match self.account.client.media(&self.recording.sid, form).await {
            Ok(media) => media,
            Err(failure) if failure.code == Code::MediaNotReady => return self.not_ready(failure).await,
            Err(failure) => return Err(failure.into()),
        };
        let upload = self.app.archive.put(key, self.facts(), media.content_length, &self.app.parts).await?;
        let (ready, audio) = self.stream(media, upload).await?;
        let audio = match audio {
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
        match ready.publish(&audio, self.held()).await? {
            PutOutcome::Stored | PutOutcome::AlreadyOurs => self.verify(key, written, audio).await,
            PutOutcome::Foreign => Ok(Moved::KeyTaken),
            PutOutcome::OursDifferent => Err(StepFailure::new(
                Code::ArchiveMismatch,
                format!("{key} holds other, verified bytes of {}; they stay as they are", self.recording.sid),
            )
            .into()),
        }
    }

    fn facts(&self) -> ObjectFacts {
        let recording = self.recording;
        ObjectFacts {
            recording: recording.sid.clone(),
            call: recording.call.clone(),
            account: recording.account.clone(),
            source: recording.source.clone(),
            job: recording.job.clone(),
            format: self.format(),
        }
    }

    fn held(&self) -> Held {
        match self.recording.archive.as_ref().map(|archive| archive.state) {
            Some(CopyState::Verified) => Held::Verified,
            Some(CopyState::Present) => Held::Unverified,
            Some(CopyState::Allocated | CopyState::Gone) | None => Held::Nothing,
        }
    }

    /// Moves every byte, judging them on the way. Bad bytes are read to their end all the same: only the whole tells
    /// whether they are the same as last time.
    async fn stream(
        &self,
        mut media: Media,
        mut upload: Upload,
    ) -> Result<(Ready, Result<AudioFacts, StepFailure>), Stop> {
        let mut parser = Parser::new(self.format());
        let mut bad = None;
        while let Some(chunk) = media.body.next().await {
            match chunk {
                Ok(chunk) => {
                    upload.write(&chunk).await?;
                    if bad.is_none() {
                        bad = parser.push(&chunk).err().map(|error| self.bad_audio(&error));
                    }
                }
                Err(failure) if failure.code.is_bad_audio() => {
                    bad.get_or_insert(failure);
                    break;
                }
                Err(failure) => return Err(failure.into()),
            }
        }
        let ready = upload.finish().await?;
        let audio = match bad {
            Some(failure) => Err(failure),
            None => parser.finish().map_err(|error| self.bad_audio(&error)),
        };
        Ok((ready, audio))
    }

    fn bad_audio(&self, error: &AudioError) -> StepFailure {
        let code = match error {
            AudioError::NotAudio { .. } => Code::MediaNotAudio,
            AudioError::Empty => Code::MediaEmpty,
            AudioError::Truncated { .. } => Code::MediaTruncated,
            AudioError::Overlong { .. } => Code::MediaOverlong,
            AudioError::Malformed { .. } => Code::MediaMalformed,
        };
        StepFailure::new(
            code,
            format!("the provider's copy of {} is bad: {error}; it is fetched again", self.recording.sid),
        )
    }

    /// Leaves no object, and settles the recording once the same bad bytes have come for a day.
    async fn refuse(&self, ready: Ready, failure: StepFailure) -> Result<Moved, Stop> {
        let sha256 = ready.fingerprint().sha256.clone();
        ready.abort().await?;
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
        tracing::warn!(recording_sid = %sid, call_sid = %self.recording.call, status = status.as_str(), reason, "recording_settled");
        fenced(self.app.store.finish_settled(self.lease, sid, status, reason, self.app.clock.now()).await?)?;
        Ok(Moved::Closed)
    }

    async fn verify(&self, key: &str, written: Fingerprint, audio: AudioFacts) -> Result<Moved, Stop> {
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
        let findings = judge(&audio, self.expected());
        let recording = self.recording;
        let (bytes, seconds) = (written.bytes, audio.duration_ms / 1000);
        let archived = Archived {
            recording: recording.sid.clone(),
            object_key: key.to_owned(),
            bytes,
            sha256: written.sha256,
            crc64: crc64(&written.crc64nvme)?,
            audio,
            findings: findings.clone(),
            verified_by,
        };
        fenced(self.app.store.finish_archived(self.lease, archived, self.app.clock.now()).await?)?;
        let names: Vec<&str> = findings.iter().map(|finding| finding.as_str()).collect();
        tracing::info!(
            recording_sid = %recording.sid, call_sid = %recording.call, job_id = recording.job.as_ref().map(|job| job.as_str()),
            key, bytes, seconds, doubtful = names.join(","), "recording_s3_upload_success"
        );
        metrics::archived(bytes, self.app.clock.now().since(self.began));
        report::release_plans(self.app, &recording.sid).await;
        Ok(Moved::Closed)
    }

    /// What the provider said, as far as it applies to the form that was fetched: conferences are served mono unless asked
    /// otherwise (<https://www.twilio.com/docs/voice/api/recording#fetch-a-recordings-media-file>).
    fn expected(&self) -> Expected {
        let conference = self.recording.provider_source.as_deref().is_some_and(|source| source.contains("Conference"));
        let channels = match self.app.config.recording.channels {
            Channels::Mono => Some(1),
            Channels::AsRecorded if conference => None,
            Channels::AsRecorded | Channels::Dual => self.recording.channels,
        };
        Expected { duration_seconds: self.recording.duration_seconds, channels }
    }
}

/// The number in S3's writing of a CRC-64/NVME.
fn crc64(base64: &str) -> Result<u64, Stop> {
    let bytes = BASE64_STANDARD.decode(base64).ok().and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
    let Some(bytes) = bytes else {
        return Err(StepFailure::new(Code::StepPanicked, format!("{base64} is no CRC-64/NVME; this is a bug")).into());
    };
    Ok(u64::from_be_bytes(bytes))
}
