//! Where a recording plays: the permanent link, a URL signed until a moment (by the store where it can, else by us), or
//! the store's public address; and which of them is written into the job's record (`RECORDING_LINK`).
//!
//! Guarantee: every URL that is written into a record names its recording, so that its line can be recognised. Our own
//! signature is HMAC-SHA256 over the recording and the moment, under a key of the installation that is in the ledger.

use std::time::Duration;

use callspool_domain::audio::AudioFormat;
use callspool_domain::failure::Code;
use callspool_domain::line::permanent_link;
use callspool_domain::recording::{CopyState, Status};
use callspool_domain::{RecordingSid, StepFailure, Timestamp};
use callspool_store::{ArchiveRow, RecordingRow};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::config::LinkStyle;
use crate::lifecycle::{App, random};

/// No signed URL lives longer; S3's don't either
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html>).
pub(crate) const LONGEST_LIFE: Duration = Duration::from_secs(7 * 86_400);
/// The key's name in the ledger.
const KEY: &str = "link_signing_key";

/// The key that signs our own URLs.
#[derive(Clone)]
pub(crate) struct LinkKey(Hmac<Sha256>);

impl std::fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkKey([redacted])")
    }
}

impl LinkKey {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    fn new(secret: &str) -> Self {
        Self(Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length"))
    }

    /// The installation's key; the first process to ask makes it.
    async fn of(app: &App) -> callspool_store::Result<&Self> {
        let read = async || app.store.meta_set_if_absent(KEY, &random::secret()).await.map(|key| Self::new(&key));
        app.link_key.get_or_try_init(read).await
    }

    fn sign(&self, recording: &RecordingSid, expires: i64) -> String {
        let mut mac = self.0.clone();
        mac.update(format!("callspool link 1\n{recording}\n{expires}").as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }
}

/// Whether this is what we signed for the recording and this moment (in seconds since 1970).
pub(crate) async fn is_genuine(
    app: &App,
    recording: &RecordingSid,
    expires: i64,
    sig: &str,
) -> callspool_store::Result<bool> {
    let genuine = LinkKey::of(app).await?.sign(recording, expires);
    Ok(genuine.as_bytes().ct_eq(sig.as_bytes()).into())
}

/// The archive copy, where it can be played.
pub(crate) fn verified_copy(row: &RecordingRow) -> Option<&ArchiveRow> {
    row.archive.as_ref().filter(|archive| row.status == Status::Archived && archive.state == CopyState::Verified)
}

/// True where the provider has audio that it would give us and anybody could play.
pub(crate) fn is_at_provider(app: &App, row: &RecordingRow) -> bool {
    !row.encrypted && is_kept_by_provider(app, row)
}

/// True where the provider has a copy, be it encrypted, that it would give us.
pub(crate) fn is_kept_by_provider(app: &App, row: &RecordingRow) -> bool {
    let settled = matches!(row.status, Status::Absent | Status::Missing);
    row.provider_status.is_completed()
        && row.provider_gone_at.is_none()
        && !settled
        && app.account(&row.account).is_some()
}

/// True where somebody with access can hear it now.
pub(crate) fn is_playable(app: &App, row: &RecordingRow) -> bool {
    verified_copy(row).is_some() || is_at_provider(app, row)
}

/// The container the copy is in.
pub(crate) fn format(app: &App, archive: &ArchiveRow) -> AudioFormat {
    archive.audio.as_ref().map_or(app.config.recording.format, |audio| audio.format)
}

/// The `Content-Disposition` of audio. Both ids passed their grammar, so the file's name needs no quoting.
pub(crate) fn disposition(word: &str, row: &RecordingRow, format: AudioFormat) -> String {
    format!("{word}; filename=\"{}-{}.{}\"", row.call, row.sid, format.extension())
}

/// A URL that plays the recording without further rights for so long, and until when. Whoever has it can listen: it is
/// never logged, and handing it out is an event of its own.
pub(crate) async fn signed(app: &App, row: &RecordingRow, life: Duration) -> Result<(String, Timestamp), StepFailure> {
    let until = app.clock.now() + life;
    if let Some(archive) = verified_copy(row) {
        let format = format(app, archive);
        let inline = disposition("inline", row, format);
        if let Some(url) = app.archive.sign(&archive.object_key, life, &inline, format).await? {
            return Ok((url.into(), until));
        }
    }
    let expires = until.as_micros() / 1_000_000;
    let key = LinkKey::of(app).await;
    let key = key.map_err(|error| StepFailure::new(Code::StoreUnavailable, error.to_string()))?;
    let (link, sig) = (permanent_link(&app.config.server.app_url, &row.sid), key.sign(&row.sid, expires));
    Ok((format!("{link}?expires={expires}&sig={sig}"), Timestamp::from_micros(expires.saturating_mul(1_000_000))))
}

/// The URL that goes into the job's record: the archive's copy in the configured style, and the provider's own address
/// while there is none.
pub(crate) async fn for_record(app: &App, recording: &RecordingSid) -> Result<String, StepFailure> {
    let style = app.config.recording.link;
    if style == LinkStyle::Permanent {
        return Ok(permanent_link(&app.config.server.app_url, recording));
    }
    let row = app.store.recording(recording).await;
    let row = row.map_err(|error| StepFailure::new(Code::StoreUnavailable, error.to_string()))?;
    let url = match row.as_ref().map(|row| (row, verified_copy(row))) {
        // The provider's address would play noise; the permanent link says what it is, and plays once it is opened.
        Some((row, None)) if row.status == Status::Sealed => None,
        Some((row, None)) => app.account(&row.account).and_then(|account| account.client.address_of(recording)),
        Some((row, Some(_))) if style == LinkStyle::Signed => {
            Some(signed(app, row, app.config.recording.link_ttl).await?.0)
        }
        Some((_, Some(archive))) => app.archive.public_url(&archive.object_key).await?.map(String::from),
        None => None,
    };
    let url = url.unwrap_or_else(|| permanent_link(&app.config.server.app_url, recording));
    // A fragment is never sent; it marks the line as ours whatever the URL looks like.
    Ok(format!("{url}#{recording}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_for_one_recording_and_one_moment_under_one_key() {
        let recording = |digit: &str| RecordingSid::parse(&format!("RE{}", digit.repeat(32))).expect("sid");
        let key = LinkKey::new("k1");
        let signature = key.sign(&recording("1"), 1000);
        assert_eq!(signature, key.sign(&recording("1"), 1000));
        assert_ne!(signature, key.sign(&recording("2"), 1000));
        assert_ne!(signature, key.sign(&recording("1"), 1001));
        assert_ne!(signature, LinkKey::new("k2").sign(&recording("1"), 1000));
        assert_eq!(format!("{key:?}"), "LinkKey([redacted])");
    }
}
