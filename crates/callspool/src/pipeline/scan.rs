//! The scan step: an account's recordings at the provider are compared with the ledger, on schedule, for ever.
//!
//! Guarantee: a lost callback is found by the next scan, which begins where the last complete one began, however long ago
//! (invariant 5). One that is interrupted goes on at its page; its cost grows with the window, and not with history. After
//! each page the step stands back, so that nobody waits for a long list.

use std::time::Duration;

use callspool_domain::recording::Status;
use callspool_domain::{AccountSid, Code};
use callspool_store::Lease;

use super::{Stop, fenced};
use crate::intake::reconcile;
use crate::lifecycle::App;

/// How long a scan that this node does not do is left to others.
const NOT_OURS: Duration = Duration::from_secs(15 * 60);

pub(super) async fn run(app: &App, lease: &Lease, sid: &AccountSid) -> Result<(), Stop> {
    let settings = &app.config.reconcile;
    let (Some(account), Some(every)) = (app.account(sid), settings.every) else {
        return Err(Stop::NotYet(app.clock.now() + NOT_OURS));
    };
    let mut scan = app.store.begin_scan(sid, settings.window, app.clock.now()).await?;
    let mut page = match account.client.recordings_page(scan.since, None, scan.page.as_deref()).await {
        Err(failure) if matches!(failure.code, Code::ProviderRejected | Code::ProviderUnreadable) => {
            // The place may be too old to be known there.
            app.store.note_page(sid, &scan, None).await?;
            return Err(failure.into());
        }
        page => page?,
    };
    if scan.is_first {
        // Whoever kept the recordings before callspool was there has deleted what he had.
        page.recordings.retain(|said| said.status.settles() != Some(Status::Missing));
    }
    scan.page = page.next.clone();
    let recordings = page.recordings.len();
    let differences = reconcile::take_in(app, sid, page).await?.len();
    let now = app.clock.now();
    tracing::debug!(account_sid = %sid, recordings, differences, is_last = scan.page.is_none(), "scanned");
    if scan.page.is_some() {
        app.store.note_page(sid, &scan, scan.page.as_deref()).await?;
        return Err(Stop::NotYet(now));
    }
    fenced(app.store.finish_scan(lease, sid, &scan, scan.began_at.max(now - every) + every, now).await?)
}
