//! Why a step did not succeed: a stable code, whose service it was, and the verdict on what happens next.
//!
//! A failure can't be built without a code, and the verdict follows from the code, so an unclassified error does not
//! compile into a step. Every code has a page in `docs/errors/`.

use std::fmt;
use std::time::Duration;

/// An outside service that can be out as a whole; its waiting steps share one probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// The provider's API and media.
    Provider,
    /// The customer's object store or folder.
    Archive,
    /// The customer's job records.
    Records,
}

impl Service {
    /// The stored name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Archive => "archive",
            Self::Records => "records",
        }
    }

    /// All of them.
    pub const ALL: [Self; 3] = [Self::Provider, Self::Archive, Self::Records];

    /// Reads the stored name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.as_str() == name)
    }
}

/// What happens after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The service as a whole is out or refuses us: try again with a back-off of at most 60 s, behind the shared probe.
    Outage,
    /// This subject alone fails: try again on its own clock, with a back-off of at most 5 minutes.
    Retry,
    /// Only a person can decide; it waits for `retry`.
    Park,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $service:expr, $verdict:ident;)*) => {
        /// The stable name of a failure: stored, shown, counted, documented in `docs/errors/<code>.md`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// All of them, for the catalogue of pages.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The stored name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Whose failure it is, where it is an outside service's.
            pub fn service(self) -> Option<Service> {
                match self { $(Self::$name => $service,)* }
            }

            /// What happens next.
            pub fn verdict(self) -> Verdict {
                match self { $(Self::$name => Verdict::$verdict,)* }
            }
        }
    };
}

codes! {
    /// No configured account has this AccountSid.
    AccountUnknown = "account_unknown", None, Retry;
    /// 401: the provider does not accept our credentials.
    ProviderUnauthorized = "provider_unauthorized", Some(Service::Provider), Outage;
    /// 403: our credentials may not do this.
    ProviderForbidden = "provider_forbidden", Some(Service::Provider), Outage;
    /// 429: too many requests.
    ProviderThrottled = "provider_throttled", Some(Service::Provider), Outage;
    /// 5xx.
    ProviderUnavailable = "provider_unavailable", Some(Service::Provider), Outage;
    /// No connection: refused, unknown name, failed TLS.
    ProviderUnreachable = "provider_unreachable", Some(Service::Provider), Outage;
    /// The connection broke in the middle of an answer.
    ProviderReset = "provider_reset", Some(Service::Provider), Retry;
    /// No byte for the time allowed.
    ProviderStalled = "provider_stalled", Some(Service::Provider), Retry;
    /// Another 4xx than expected, or a redirect: the request is wrong for this provider.
    ProviderRejected = "provider_rejected", Some(Service::Provider), Retry;
    /// The provider's answer is not what its API documents.
    ProviderUnreadable = "provider_unreadable", Some(Service::Provider), Retry;
    /// The call that is to be recorded has not been answered yet.
    CallNotInProgress = "call_not_in_progress", None, Retry;
    /// 404 for the media while the provider says the recording exists: not ready yet.
    MediaNotReady = "media_not_ready", None, Retry;
    /// The bytes are no audio (XML, JSON, HTML or anything else).
    MediaNotAudio = "media_not_audio", None, Retry;
    /// The body is empty or holds no sample.
    MediaEmpty = "media_empty", None, Retry;
    /// Fewer bytes than the answer or the file's own header said.
    MediaTruncated = "media_truncated", None, Retry;
    /// More bytes than the file's own header said.
    MediaOverlong = "media_overlong", None, Retry;
    /// The file's header makes no sense.
    MediaMalformed = "media_malformed", None, Retry;
    /// The provider encrypted it, and does not say what it takes to open it: kept at the provider.
    MediaEncrypted = "media_encrypted", None, Park;
    /// The private key configured for its public key does not open it; what came is kept sealed.
    MediaKeyWrong = "media_key_wrong", None, Park;
    /// It was opened with the right key, and its bytes are not those that the provider encrypted.
    MediaDamaged = "media_damaged", None, Retry;
    /// 401 or 403, or credentials that can't be had.
    ArchiveUnauthorized = "archive_unauthorized", Some(Service::Archive), Outage;
    /// 429 or 503 SlowDown.
    ArchiveThrottled = "archive_throttled", Some(Service::Archive), Outage;
    /// 5xx.
    ArchiveUnavailable = "archive_unavailable", Some(Service::Archive), Outage;
    /// No connection.
    ArchiveUnreachable = "archive_unreachable", Some(Service::Archive), Outage;
    /// No progress for the time allowed.
    ArchiveStalled = "archive_stalled", Some(Service::Archive), Outage;
    /// No space, no quota, or a read-only file system.
    ArchiveFull = "archive_full", Some(Service::Archive), Outage;
    /// The store refused this request (no such bucket, another 4xx).
    ArchiveRejected = "archive_rejected", Some(Service::Archive), Outage;
    /// Another write to this key was under way (409).
    ArchiveConflict = "archive_conflict", None, Retry;
    /// What was read back is not what was written.
    ArchiveMismatch = "archive_mismatch", None, Retry;
    /// The verified archive object is no longer there.
    ArchiveObjectGone = "archive_object_gone", None, Retry;
    /// 401: Airtable does not accept our token.
    RecordsUnauthorized = "records_unauthorized", Some(Service::Records), Outage;
    /// 403: the token may not reach this base or table.
    RecordsForbidden = "records_forbidden", Some(Service::Records), Outage;
    /// 429: over the rate; nothing is sent for 30 s.
    RecordsThrottled = "records_throttled", Some(Service::Records), Outage;
    /// 5xx.
    RecordsUnavailable = "records_unavailable", Some(Service::Records), Outage;
    /// No connection, or the reply was lost.
    RecordsUnreachable = "records_unreachable", Some(Service::Records), Outage;
    /// No answer for the time allowed.
    RecordsStalled = "records_stalled", Some(Service::Records), Outage;
    /// 404 or 422 that names the base, table or a field: the configuration is wrong for every record.
    RecordsMisconfigured = "records_misconfigured", Some(Service::Records), Outage;
    /// What was read is too old to be written back.
    RecordsStale = "records_stale", None, Retry;
    /// The record refuses this write.
    RecordsRejected = "records_rejected", None, Park;
    /// The answer is not what the API documents.
    RecordsUnreadable = "records_unreadable", Some(Service::Records), Retry;
    /// The line is not there when read back; another writer may have taken it away.
    HistoryLineMissing = "history_line_missing", None, Retry;
    /// The cell's 100,000 characters are used up.
    HistoryFull = "history_full", None, Park;
    /// No record matches the job yet; looked up again on a schedule that ends after 7 days.
    JobNotFound = "job_not_found", None, Retry;
    /// No record matched for 7 days; waits for `PUT` or `retry`.
    JobUnknown = "job_unknown", None, Park;
    /// More than one record matches.
    JobAmbiguous = "job_ambiguous", None, Park;
    /// The database did not answer.
    StoreUnavailable = "store_unavailable", None, Retry;
    /// The step's own code failed; a bug.
    StepPanicked = "step_panicked", None, Retry;
}

impl Code {
    /// Reads the stored name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == name)
    }

    /// True where credentials are refused: never parked, always alarmed.
    pub fn is_refused_credentials(self) -> bool {
        matches!(
            self,
            Self::ProviderUnauthorized
                | Self::ProviderForbidden
                | Self::ArchiveUnauthorized
                | Self::RecordsUnauthorized
                | Self::RecordsForbidden
        )
    }

    /// True where the provider's bytes are bad: not archived, not linked, fetched again, failed after 24 identical hours.
    pub fn is_bad_audio(self) -> bool {
        matches!(
            self,
            Self::MediaNotAudio
                | Self::MediaEmpty
                | Self::MediaTruncated
                | Self::MediaOverlong
                | Self::MediaMalformed
                | Self::MediaDamaged
        )
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A step's failure: the code, how long the service asked us to wait, and the cause in words for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct StepFailure {
    /// The stable name.
    pub code: Code,
    /// What happened, to which thing; never a secret.
    pub detail: String,
    /// The service's own `Retry-After`; it wins over our back-off.
    pub retry_after: Option<Duration>,
}

impl StepFailure {
    /// A failure without a wait asked for.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), retry_after: None }
    }

    /// Adds the service's `Retry-After`.
    #[must_use]
    pub fn after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_read_back() {
        let names: HashSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|code| Code::parse(code.as_str()) == Some(*code)));
    }

    #[test]
    fn refused_credentials_and_outages_are_never_parked() {
        for code in Code::ALL.iter().filter(|code| code.is_refused_credentials()) {
            assert_eq!(code.verdict(), Verdict::Outage, "{code}");
        }
        for code in Code::ALL.iter().filter(|code| code.verdict() == Verdict::Outage) {
            assert!(code.service().is_some(), "{code} has no service to probe");
        }
    }
}
