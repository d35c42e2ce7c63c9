//! The scan step: an account's recordings at the provider are compared with the ledger, on schedule, for ever.
//!
//! Guarantee: a lost callback is found by the next scan, which begins where the last complete one began, however long ago
//! (invariant 5). One that is interrupted goes on at its page; its cost grows with the window, and not with history.

use callspool_domain::failure::Verdict;
use callspool_domain::{AccountSid, StepFailure};
use callspool_store::Lease;

use super::{Stop, fenced};
use crate::intake::reconcile;
use crate::lifecycle::App;

pub(super) async fn run(app: &App, lease: &Lease, sid: &AccountSid) -> Result<(), Stop> {
    let settings = &app.config.reconcile;
    let (Some(account), Some(every)) = (app.account(sid), settings.every) else {
        return fenced(app.store.cancel_step(lease, app.clock.now()).await?);
    };
    let mut scan = app.store.begin_scan(sid, settings.window, app.clock.now()).await?;
    let (mut pages, mut recordings, mut differences) = (0_u64, 0, 0);
    loop {
        let page = match account.client.recordings_page(scan.since, None, scan.page.as_deref()).await {
            Err(failure) if scan.page.is_some() && is_refused(&failure) => {
                // The place may be too old to be known there.
                app.store.note_page(sid, &scan, None).await?;
                return Err(failure.into());
            }
            page => page?,
        };
        pages += 1;
        recordings += page.recordings.len();
        scan.page = page.next.clone();
        differences += reconcile::take_in(app, sid, page).await?.len();
        if scan.page.is_none() {
            break;
        }
        app.store.note_page(sid, &scan, scan.page.as_deref()).await?;
    }
    let now = app.clock.now();
    tracing::debug!(account_sid = %sid, pages, recordings, differences, "scanned");
    fenced(app.store.finish_scan(lease, sid, &scan, scan.began_at.max(now - every) + every, now).await?)
}

/// Whether the provider has understood the request and does not carry it out.
fn is_refused(failure: &StepFailure) -> bool {
    failure.code.verdict() != Verdict::Outage
}
