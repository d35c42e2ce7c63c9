//! A brake on sign-ins that fail. Guessing a secret of 256 bits is hopeless at any rate; this keeps guessers out of the log.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use callspool_domain::Timestamp;

/// So many failures may come at once …
const BURST: u32 = 20;
/// … and one more for each of these.
const REFILL: Duration = Duration::from_secs(3);

/// Failures of late, over everybody: it takes the same memory however many guess, and never keeps a good token out.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<Option<Bucket>>);

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: u32,
    since: Timestamp,
}

impl Throttle {
    /// Notes a failure; false: there were too many of late.
    pub(crate) fn allows_failure(&self, now: Timestamp) -> bool {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Bucket { left, since } = bucket.unwrap_or(Bucket { left: BURST, since: now });
        let refills = u32::try_from(now.since(since).as_secs() / REFILL.as_secs()).unwrap_or(BURST).min(BURST);
        let left = left.saturating_add(refills).min(BURST);
        *bucket = Some(Bucket { left: left.saturating_sub(1), since: if refills > 0 { now } else { since } });
        left > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_limited_and_allowed_again_with_time() {
        let throttle = Throttle::default();
        let start = Timestamp::from_micros(0);
        assert_eq!((0..100).filter(|_| throttle.allows_failure(start)).count(), 20);
        assert!(!throttle.allows_failure(start + Duration::from_secs(2)));
        assert!(throttle.allows_failure(start + Duration::from_secs(3)));
        assert!(!throttle.allows_failure(start + Duration::from_secs(3)));
        assert_eq!((0..100).filter(|_| throttle.allows_failure(start + Duration::from_secs(3600))).count(), 20);
    }
}
