//! A step: one durable unit of work on a subject. Which ones exist, where they run, and when a failed one runs again.

use std::fmt;
use std::time::Duration;

use crate::failure::{Code, StepFailure, Verdict};
use crate::id::{AccountSid, CallSid, JobId, RecordingSid};
use crate::stored::stored_names;
use crate::time::Timestamp;

stored_names! {
    /// What a step does.
    StepName {
        /// Brings a recording's bytes from the provider into the archive and reads them back. Subject: recording.
        Archive = "archive",
        /// Starts the recording of a call by a request, where TwiML can't. Subject: call.
        Record = "record",
        /// Stops a recording that we started and that has run for too long. Subject: recording.
        Stop = "stop",
        /// Looks for the job of a call that has none. Subject: call.
        FindJob = "find-job",
        /// Writes a job's outstanding history lines and reads them back. Subject: job.
        Link = "link",
        /// Deletes the provider's copy, through the gate. Subject: recording.
        Release = "release",
        /// Compares an account's recordings at the provider with the ledger, again and again. Subject: account.
        Scan = "scan",
    }
}

stored_names! {
    /// Which queue a step waits in; each lane has its own concurrency.
    Lane {
        /// Moves audio.
        Transfer = "transfer",
        /// Small requests to the provider.
        Api = "api",
        /// Requests to the job records, in batches, one batch at a time.
        Records = "records",
    }
}

stored_names! {
    /// Where a step stands.
    StepState {
        /// Waits for its time.
        Waiting = "waiting",
        /// Somebody holds its lease.
        Running = "running",
        /// Succeeded.
        Done = "done",
        /// Waits for a person.
        Parked = "parked",
        /// No longer wanted.
        Cancelled = "cancelled",
    }
}

impl StepName {
    /// The queue it waits in.
    pub fn lane(self) -> Lane {
        match self {
            Self::Archive => Lane::Transfer,
            Self::Record | Self::Stop | Self::Release | Self::Scan => Lane::Api,
            Self::FindJob | Self::Link => Lane::Records,
        }
    }
}

/// What a step works on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A recording.
    Recording(RecordingSid),
    /// A call.
    Call(CallSid),
    /// A job.
    Job(JobId),
    /// An account at the provider.
    Account(AccountSid),
}

impl Subject {
    /// The stored kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Recording(_) => "recording",
            Self::Call(_) => "call",
            Self::Job(_) => "job",
            Self::Account(_) => "account",
        }
    }

    /// The stored id.
    pub fn id(&self) -> &str {
        match self {
            Self::Recording(sid) => sid.as_str(),
            Self::Call(sid) => sid.as_str(),
            Self::Job(id) => id.as_str(),
            Self::Account(sid) => sid.as_str(),
        }
    }

    /// Reads kind and id as they are stored.
    pub fn parse(kind: &str, id: &str) -> Option<Self> {
        match kind {
            "recording" => RecordingSid::parse(id).ok().map(Self::Recording),
            "call" => CallSid::parse(id).ok().map(Self::Call),
            "job" => JobId::parse(id).ok().map(Self::Job),
            "account" => AccountSid::parse(id).ok().map(Self::Account),
            _ => None,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.id())
    }
}

/// How long a lease lasts before others may take the step over.
pub const LEASE: Duration = Duration::from_secs(30);
/// How often a running step's lease is extended.
pub const HEARTBEAT: Duration = Duration::from_secs(10);
/// How often one waiting step of a service that is out tries it.
pub const PROBE_EVERY: Duration = Duration::from_secs(5);

const FIRST_DELAY: Duration = Duration::from_secs(2);
const OUTAGE_CEILING: Duration = Duration::from_secs(60);
const RETRY_CEILING: Duration = Duration::from_secs(300);
/// When a job that matched no record is looked up again, counted from the first look; daily after the last, to day 7.
const LOOK_UPS: [Duration; 5] = [
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
    Duration::from_secs(3600),
    Duration::from_secs(6 * 3600),
];
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Until when a job that matched no record is looked up by itself.
pub const LOOK_UP_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

/// When a failed step runs again; `None` means that it waits for a person.
///
/// `failures` counts the failures since the last success, this one included. `jitter` is a fresh random number from
/// 0 to 999: back-off is spread over the upper half of its span. There is no limit on the number of attempts.
pub fn next_run(failure: &StepFailure, failures: u32, jitter: u16, now: Timestamp) -> Option<Timestamp> {
    let ceiling = match failure.code.verdict() {
        Verdict::Park => return None,
        Verdict::Outage => OUTAGE_CEILING,
        Verdict::Retry => RETRY_CEILING,
    };
    if let Some(wait) = failure.retry_after {
        return Some(now + wait.min(DAY) + FIRST_DELAY * u32::from(jitter) / 1000);
    }
    let span = FIRST_DELAY.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(ceiling);
    Some(now + span / 2 + span / 2 * u32::from(jitter) / 1000)
}

/// The failure of a look-up that matched nothing at `now`, the first such look-up having been at `first`: wait for the next
/// moment of the schedule (1, 5, 15 minutes, 1 and 6 hours, then daily to day 7), then a person.
pub fn no_match(detail: impl Into<String>, first: Timestamp, now: Timestamp) -> StepFailure {
    let next =
        LOOK_UPS.iter().copied().chain((1..=7).map(|day| DAY * day)).map(|wait| first + wait).find(|at| *at > now);
    match next {
        Some(at) if now.since(first) < LOOK_UP_FOR => {
            StepFailure::new(Code::JobNotFound, detail).after(Some(at.since(now)))
        }
        _ => StepFailure::new(Code::JobUnknown, detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    fn wait(code: Code, failures: u32, jitter: u16) -> Option<Duration> {
        next_run(&StepFailure::new(code, ""), failures, jitter, T0).map(|at| at.since(T0))
    }

    #[test]
    fn three_quick_tries_then_a_ceiling_and_no_limit() {
        assert_eq!(wait(Code::MediaNotReady, 1, 999).map(|d| d.as_secs()), Some(1));
        assert!(wait(Code::MediaNotReady, 4, 0) >= Some(Duration::from_secs(8)));
        for failures in [9, 100, u32::MAX] {
            assert_eq!(wait(Code::MediaNotReady, failures, 0), Some(Duration::from_secs(150)));
            assert!(wait(Code::MediaNotReady, failures, 999) <= Some(Duration::from_secs(300)));
            assert!(wait(Code::ArchiveUnreachable, failures, 999) <= Some(Duration::from_secs(60)));
        }
        assert_eq!(wait(Code::JobAmbiguous, 1, 0), None);
    }

    #[test]
    fn retry_after_wins() {
        let failure = StepFailure::new(Code::ProviderThrottled, "").after(Some(Duration::from_secs(600)));
        assert_eq!(next_run(&failure, 1, 0, T0), Some(T0 + Duration::from_secs(600)));
    }

    #[test]
    fn a_job_is_looked_up_for_seven_days() {
        let mut now = T0;
        let mut looks = Vec::new();
        while let Some(wait) = no_match("", T0, now).retry_after {
            now = now + wait;
            looks.push(now.since(T0).as_secs());
        }
        let day = 86_400;
        assert_eq!(looks, [60, 300, 900, 3600, 21_600, day, 2 * day, 3 * day, 4 * day, 5 * day, 6 * day, 7 * day]);
        assert_eq!(no_match("", T0, now).code, Code::JobUnknown);
    }
}
