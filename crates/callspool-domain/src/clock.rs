//! The clock, handed in: the machine's own, or one that a test turns by hand.
//!
//! Guarantee: with a manual clock nothing in the program waits for real time; whoever waits is woken by the turn.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::Timestamp;

/// Where the program gets the time from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that stands still until it is turned.
    Manual(ManualClock),
}

impl Clock {
    /// The time now.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            }
            Self::Manual(clock) => clock.now(),
        }
    }

    /// Begins to measure how much time passes.
    pub fn stopwatch(&self) -> Stopwatch {
        match self {
            Self::System => Stopwatch::Running(Instant::now()),
            Self::Manual(clock) => Stopwatch::Manual { began: clock.now(), clock: clock.clone() },
        }
    }
}

/// Measures how much time passes. On the machine's clock it is one that nobody can set, other than [`Clock::now`].
#[derive(Debug)]
pub enum Stopwatch {
    /// On the machine's clock.
    Running(Instant),
    /// On a clock for tests.
    Manual {
        /// What it showed.
        began: Timestamp,
        /// The clock.
        clock: ManualClock,
    },
}

impl Stopwatch {
    /// How much has passed since it was begun.
    pub fn elapsed(&self) -> Duration {
        match self {
            Self::Running(began) => began.elapsed(),
            Self::Manual { began, clock } => clock.now().since(*began),
        }
    }
}

/// A clock for tests: it stands still, and wakes those who wait when it is turned.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<Face>>);

#[derive(Debug)]
struct Face {
    now: Timestamp,
    waiting: Vec<(Timestamp, Waker)>,
}

impl ManualClock {
    /// A clock that shows `now`.
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Face { now, waiting: Vec::new() })))
    }

    /// What it shows.
    pub fn now(&self) -> Timestamp {
        self.face().now
    }

    /// Turns it forward and wakes everyone whose time has come.
    pub fn advance(&self, by: Duration) {
        let mut face = self.face();
        face.now = face.now + by;
        let now = face.now;
        let (due, waiting) = std::mem::take(&mut face.waiting).into_iter().partition(|(at, _)| *at <= now);
        face.waiting = waiting;
        drop(face);
        let due: Vec<(Timestamp, Waker)> = due;
        due.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// Waits until the clock shows `at` or later.
    pub async fn until(&self, at: Timestamp) {
        poll_fn(|context| {
            let mut face = self.face();
            if face.now >= at {
                return Poll::Ready(());
            }
            face.waiting.push((at, context.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    fn face(&self) -> std::sync::MutexGuard<'_, Face> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
