//! Reconciliation: what a difference between the provider's list and the ledger means.
//!
//! Guarantee: a function of what both say, so that a scan that is repeated finds nothing new.

use std::time::Duration;

use crate::recording::{Announcement, ProviderStatus, Status};
use crate::stored::stored_names;
use crate::time::Timestamp;

/// How far back the first scan of an account looks, and how far each later one looks behind the start of the last complete
/// one, unless `RECONCILE_WINDOW` says otherwise. A recording lasts 24 h at most
/// (<https://www.twilio.com/docs/voice/api/recording>), so one that was still running then is seen again.
pub const WINDOW: Duration = Duration::from_secs(48 * 3600);

/// How long after its end a recording's callback may still be on its way: one that is found sooner is left to it.
pub const ON_ITS_WAY: Duration = Duration::from_secs(10 * 60);

stored_names! {
    /// Why the ledger did not know what the provider knows.
    Cause {
        /// The provider's word never came, or was not kept.
        CallbackLost = "callback lost",
        /// The provider's copy was gone before there was one of ours.
        DeletedBeforeArchived = "deleted at the provider before it was archived",
    }
}

/// What the provider's word means where the ledger knows this, or nothing, of the recording. `None`: nothing is amiss, or it
/// is too soon to tell.
pub fn difference(known: Option<(Status, &ProviderStatus)>, said: &Announcement, now: Timestamp) -> Option<Cause> {
    let word = &said.status;
    let is_news = match known {
        // Of a recording that runs, most accounts are told nothing until it is over.
        None => word.finality() >= 2,
        Some((Status::Announced | Status::Absent | Status::Failed | Status::Missing, before)) => {
            word.finality() > before.finality()
        }
        Some((Status::Archived | Status::Sealed | Status::Expired, _)) => false,
    };
    match word.settles() {
        _ if !is_news => None,
        Some(Status::Missing) => Some(Cause::DeletedBeforeArchived),
        _ if may_be_on_its_way(said, now) => None,
        _ => Some(Cause::CallbackLost),
    }
}

fn may_be_on_its_way(said: &Announcement, now: Timestamp) -> bool {
    let ended = said.started_at.map(|at| at + Duration::from_secs(said.duration_seconds.unwrap_or_default()));
    ended.is_some_and(|ended| ended + ON_ITS_WAY > now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AccountSid, CallSid, RecordingSid};

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    fn said(word: &str, ended: Duration) -> Announcement {
        let recording = RecordingSid::parse(&format!("RE{}", "0".repeat(32))).expect("a sid");
        Announcement {
            account: AccountSid::parse(&format!("AC{}", "0".repeat(32))).expect("a sid"),
            call: CallSid::placeholder(None, &recording),
            recording,
            status: ProviderStatus::new(word),
            provider_source: None,
            track: crate::recording::Track::Mixed,
            duration_seconds: Some(60),
            channels: None,
            started_at: Some(Timestamp::from_micros(
                1_700_000_000_000_000 - 60_000_000 - i64::try_from(ended.as_micros()).expect("small"),
            )),
            error_code: None,
            encrypted: false,
            encryption: None,
        }
    }

    #[test]
    fn what_is_over_and_unknown_was_not_told() {
        let of = |word: &str, ended| difference(None, &said(word, ended), NOW);
        assert_eq!(of("completed", ON_ITS_WAY), Some(Cause::CallbackLost));
        assert_eq!(of("absent", ON_ITS_WAY), Some(Cause::CallbackLost));
        assert_eq!(of("completed", Duration::ZERO), None, "its callback may be on its way");
        assert_eq!(of("deleted", Duration::ZERO), Some(Cause::DeletedBeforeArchived));
        assert_eq!(of("processing", Duration::from_secs(3600)), None, "it may still run");
    }

    #[test]
    fn what_is_kept_has_no_difference_and_what_is_waited_for_has() {
        let hour = Duration::from_secs(3600);
        let of = |status, before: &str, word: &str| {
            difference(Some((status, &ProviderStatus::new(before))), &said(word, hour), NOW)
        };
        assert_eq!(of(Status::Announced, "in-progress", "completed"), Some(Cause::CallbackLost));
        assert_eq!(of(Status::Absent, "absent", "completed"), Some(Cause::CallbackLost));
        assert_eq!(of(Status::Announced, "in-progress", "deleted"), Some(Cause::DeletedBeforeArchived));
        assert_eq!(of(Status::Announced, "completed", "completed"), None, "it is under way");
        assert_eq!(of(Status::Announced, "completed", "deleted"), None, "its own step finds that out");
        for status in [Status::Archived, Status::Sealed, Status::Expired] {
            assert_eq!(of(status, "in-progress", "deleted"), None);
        }
    }
}
