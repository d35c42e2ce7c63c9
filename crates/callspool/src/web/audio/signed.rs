//! URLs that play one recording until a moment, without further rights: made for somebody who asks, and checked when
//! they come back to us.

use std::time::Duration;

use callspool_domain::{RecordingSid, Timestamp};
use callspool_store::RecordingRow;

use super::listening::{Audience, note};
use crate::links::{self, LONGEST_LIFE};
use crate::web::access::Actor;
use crate::web::params::Params;
use crate::web::refusal::Refusal;
use crate::web::site::Site;

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
        let forbidden = |code, message| Err(Refusal::new(http::StatusCode::FORBIDDEN, code, message));
        if !links::is_genuine(&site.app, recording, self.expires, &self.sig).await? {
            return forbidden("bad_link", "this link was changed on its way; ask for a new one");
        }
        let expires = Timestamp::from_micros(self.expires.saturating_mul(1_000_000));
        let now = site.app.clock.now();
        if expires <= now || expires.since(now) > LONGEST_LIFE {
            return forbidden("link_expired", "this link has expired; ask for a new one");
        }
        Ok(())
    }
}

/// A URL for `actor` that plays the recording until a moment, and that moment; `None` where there is nothing to play yet.
pub(crate) async fn fresh_link(
    site: &Site,
    row: &RecordingRow,
    life: Duration,
    actor: Actor,
) -> Result<Option<(String, Timestamp)>, Refusal> {
    let app = &site.app;
    if !links::is_playable(app, row) {
        return Ok(None);
    }
    note(app, row, "link", &Audience::Actor(actor)).await?;
    links::signed(app, row, life).await.map(Some).map_err(|failure| Refusal::service_failed(&failure))
}
