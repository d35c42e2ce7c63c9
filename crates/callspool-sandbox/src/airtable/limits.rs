//! The rate limit: so many requests a second and base, and who exceeds it gets 429 to everything for 30 s
//! (<https://airtable.com/developers/web/api/rate-limits>).

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use callspool_domain::Timestamp;

const WINDOW: Duration = Duration::from_secs(1);
const PENALTY: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Limiter {
    per_second: Option<u32>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// The requests of the last second.
    recent: VecDeque<Timestamp>,
    penalty_until: Option<Timestamp>,
    penalties: u64,
}

impl Limiter {
    pub(super) fn new(per_second: Option<u32>) -> Self {
        Self { per_second, seen: Mutex::default() }
    }

    /// True where a request at `now` is answered; every request counts once.
    pub(super) fn admits(&self, now: Timestamp) -> bool {
        let Some(per_second) = self.per_second else { return true };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.penalty_until.is_some_and(|until| now < until) {
            return false;
        }
        seen.recent.retain(|at| now.since(*at) < WINDOW);
        if seen.recent.len() >= usize::try_from(per_second).unwrap_or(usize::MAX) {
            seen.penalty_until = Some(now + PENALTY);
            seen.penalties += 1;
            return false;
        }
        seen.recent.push_back(now);
        true
    }

    pub(super) fn penalties(&self) -> u64 {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).penalties
    }
}
