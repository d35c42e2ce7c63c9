//! URLs that play one recording until a moment, without further rights: signed by the store where it can, else by us.
//!
//! Our signature is HMAC-SHA256 over the recording and the moment, under a key of the installation that is in the ledger.

use std::time::Duration;

use callspool_domain::line::permanent_link;
use callspool_domain::{RecordingSid, Timestamp};
use callspool_store::RecordingRow;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::archive_copy::format;
use super::listening::{Audience, Manner, note};
use crate::lifecycle::random;
use crate::web::access::Actor;
use crate::web::dossier;
use crate::web::params::Params;
use crate::web::refusal::Refusal;
use crate::web::site::Site;

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

    /// The installation's key; the first node to ask makes it.
    async fn of(site: &Site) -> Result<&Self, Refusal> {
        let read = async || site.app.store.meta_set_if_absent(KEY, &random::secret()).await.map(|key| Self::new(&key));
        Ok(site.link_key.get_or_try_init(read).await?)
    }

    fn sign(&self, recording: &RecordingSid, expires: i64) -> String {
        let mut mac = self.0.clone();
        mac.update(format!("callspool link 1\n{recording}\n{expires}").as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }
}

/// A signature as it came in a URL.
#[derive(Debug)]
pub(crate) struct Signature {
    expires: i64,
    sig: String,
}

impl Signature {
    /// Takes `expires` and `sig`; `None` where neither is there.
    pub(crate) fn take(params: &mut Params) -> Result<Option<Self>, Refusal> {
        match (params.parsed("expires")?, params.text("sig")?) {
            (None, None) => Ok(None),
            (Some(expires), Some(sig)) => Ok(Some(Self { expires, sig })),
            _ => Err(Refusal::malformed("expires and sig belong together")),
        }
    }

    /// Refuses what we have not signed, what is over, and what would live longer than anything we sign.
    pub(crate) async fn check(&self, site: &Site, recording: &RecordingSid) -> Result<(), Refusal> {
        let genuine = LinkKey::of(site).await?.sign(recording, self.expires);
        let forbidden = |code, message| Err(Refusal::new(http::StatusCode::FORBIDDEN, code, message));
        if !bool::from(genuine.as_bytes().ct_eq(self.sig.as_bytes())) {
            return forbidden("bad_link", "this link was changed on its way; ask for a new one");
        }
        let (now, expires) = (site.app.clock.now(), from_seconds(self.expires));
        if expires <= now || expires.since(now) > LONGEST_LIFE {
            return forbidden("link_expired", "this link has expired; ask for a new one");
        }
        Ok(())
    }
}

fn from_seconds(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds.saturating_mul(1_000_000))
}

/// A URL for `actor` that plays the recording until a moment, and that moment; `None` where there is nothing to play yet.
pub(crate) async fn fresh_link(
    site: &Site,
    row: &RecordingRow,
    life: Duration,
    actor: Actor,
) -> Result<Option<(String, Timestamp)>, Refusal> {
    let app = &site.app;
    let until = app.clock.now() + life;
    if dossier::verified_copy(row).is_none() && !dossier::is_at_provider(app, row) {
        return Ok(None);
    }
    note(app, row, "link", &Audience::Actor(actor)).await?;
    if let Some(archive) = dossier::verified_copy(row) {
        let format = format(app, archive);
        let url = app.archive.sign(&archive.object_key, life, &Manner::Play.disposition(row, format), format).await;
        if let Some(url) = url.map_err(|failure| Refusal::service_failed(&failure))? {
            return Ok(Some((url.into(), until)));
        }
    }
    let expires = until.as_micros() / 1_000_000;
    let sig = LinkKey::of(site).await?.sign(&row.sid, expires);
    let link = permanent_link(&app.config.server.app_url, &row.sid);
    Ok(Some((format!("{link}?expires={expires}&sig={sig}"), from_seconds(expires))))
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
