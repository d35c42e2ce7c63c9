//! Reconciliation with the provider: what its list knows and the ledger does not is taken in as if its callback had come.
//!
//! Guarantee: repeatable and bounded; a page is compared by reading alone, and only what differs is written.

use callspool_clients::provider::RecordingsPage;
use callspool_domain::recording::Announcement;
use callspool_domain::{AccountSid, Timestamp};
use callspool_store::{Difference, Error};
use futures::future::try_join_all;

use crate::lifecycle::App;

/// Takes in what the page tells and the ledger does not know. What belongs to another account than the one that was asked is
/// left to that one.
pub(crate) async fn take_in(app: &App, account: &AccountSid, page: RecordingsPage) -> Result<Vec<Difference>, Error> {
    for what in &page.unreadable {
        tracing::error!(account_sid = %account, what, "reconcile_unreadable");
    }
    let own = |said: &Announcement| said.account == *account;
    let said: Vec<Announcement> = page.recordings.into_iter().filter(own).collect();
    let now = app.clock.now();
    let differing = app.store.differing(said, now).await?;
    let taken = try_join_all(differing.into_iter().map(|said| take_in_one(app, said, now))).await?;
    let differences: Vec<Difference> = taken.into_iter().flatten().collect();
    for Difference { recording, cause } in &differences {
        tracing::warn!(recording_sid = %recording, account_sid = %account, cause = cause.as_str(), "reconciled");
    }
    Ok(differences)
}

/// One that the ledger has under another account holds up no other.
async fn take_in_one(app: &App, said: Announcement, now: Timestamp) -> Result<Option<Difference>, Error> {
    let account = said.account.clone();
    match app.store.take_in_found(said, now).await {
        Err(error @ Error::AnotherAccount { .. }) => {
            tracing::error!(account_sid = %account, what = %error, "reconcile_unreadable");
            Ok(None)
        }
        found => found,
    }
}
