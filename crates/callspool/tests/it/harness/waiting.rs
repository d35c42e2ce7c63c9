//! Time in a story: the clock is turned by hand, and what became due is waited for.

use std::time::Duration;

use callspool_domain::{Lane, StepState};
use callspool_store::QueueCount;

use super::World;

/// How long a story waits for something before it fails; nothing takes this long.
const PATIENCE: Duration = Duration::from_secs(240);

impl World {
    /// Waits until no step runs and none is due at the present time of the clock.
    pub(crate) async fn settle(&self) {
        self.eventually("the queue to be idle", async || {
            let now = self.clock.now();
            let mut busy = false;
            for lane in Lane::ALL {
                // A step that is to probe a service is due too, before anybody has said so in its row.
                let due = self.app().store.next_due(*lane).await.expect("the store answers");
                busy |= due.is_some_and(|due| due <= now);
            }
            // The queue comes last and is a snapshot: from a moment at which nothing is due or runs, nothing begins.
            let queue = self.app().store.queue().await.expect("the store answers");
            let stirs = |count: &QueueCount| match count.state {
                StepState::Running => true,
                StepState::Waiting => count.oldest_due <= now,
                _ => false,
            };
            !busy && !queue.iter().any(stirs)
        })
        .await;
    }

    /// Waits until no call is due for planning.
    pub(crate) async fn sweep(&self) {
        while self.app().store.sweep(self.clock.now(), 100).await.expect("the store answers") > 0 {}
    }

    /// Turns the clock and waits until everything that became due has run.
    pub(crate) async fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.settle().await;
    }

    /// Waits until something holds, looking whenever a step has changed.
    pub(crate) async fn eventually(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let mut changed = self.app().store.steps_changed();
        let wait = async {
            loop {
                changed.mark_unchanged();
                if holds().await {
                    return;
                }
                // A hint may be lost between nodes; the look is cheap.
                drop(tokio::time::timeout(Duration::from_millis(50), changed.changed()).await);
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            let queue = self.app().store.queue().await;
            panic!("waited in vain for {what}; the queue: {queue:#?}");
        }
    }
}
