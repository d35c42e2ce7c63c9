//! Reconciliation with the provider: what its list knows and the ledger does not is taken in as if its callback had come.
//!
//! Guarantee: repeatable and bounded; a page is compared by reading alone, and only what differs is written.

use callspool_clients::provider::RecordingsPage;
use callspool_domain::recording::Announcement;
use callspool_domain::{AccountSid, Timestamp};
use callspool_store::{Difference, Error};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::lifecycle::App;

/// How many are taken in at a time: callbacks need the database too.
const AT_A_TIME: usize = 4;

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
    let taken = stream::iter(differing).map(|said| take_in_one(app, said, now)).buffer_unordered(AT_A_TIME);
    let taken: Vec<Option<Difference>> = taken.try_collect().await?;
    let differences: Vec<Difference> = taken.into_iter().flatten().collect();
    for Difference { recording, cause } in &differences {
        tracing::warn!(recording_sid = %recording, account_sid = %account, cause = cause.as_str(), "reconciled");
    }
    Ok(differences)
}

/// One that can't be taken in, for whatever reason of its own, holds up no other: the ledger has it under another account,
/// say, or its row is damaged.
async fn take_in_one(app: &App, said: Announcement, now: Timestamp) -> Result<Option<Difference>, Error> {
    let account = said.account.clone();
    match app.store.take_in_found(said, now).await {
        Err(Error::Unavailable(why)) => Err(Error::Unavailable(why)),
        Err(error) => {
            tracing::error!(account_sid = %account, what = %error, "reconcile_unreadable");
            Ok(None)
        }
        found => found,
    }
}
