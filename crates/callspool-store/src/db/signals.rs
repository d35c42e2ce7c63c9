//! What a commit means to those who wait: steps may have become due, events were added, rows were changed.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Notify, watch};

/// What one transaction did that others wait for.
#[derive(Debug, Default)]
pub(crate) struct News {
    steps: AtomicBool,
    events: AtomicBool,
    changes: AtomicBool,
}

impl News {
    pub(crate) fn changes(&self) {
        self.changes.store(true, Ordering::Relaxed);
    }

    /// Whether any row was changed.
    pub(crate) fn has_changes(&self) -> bool {
        self.changes.load(Ordering::Relaxed)
    }

    pub(crate) fn steps(&self) {
        self.steps.store(true, Ordering::Relaxed);
    }

    pub(crate) fn events(&self) {
        self.events.store(true, Ordering::Relaxed);
    }

    /// Adds another transaction's news to these.
    pub(crate) fn add(&self, other: &Self) {
        self.steps.fetch_or(other.steps.load(Ordering::Relaxed), Ordering::Relaxed);
        self.events.fetch_or(other.events.load(Ordering::Relaxed), Ordering::Relaxed);
        self.changes.fetch_or(other.changes.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// Wakes those who wait, here; and the postman, who tells other nodes.
#[derive(Debug)]
pub(crate) struct Signals {
    steps: watch::Sender<u64>,
    events: watch::Sender<u64>,
    untold_steps: AtomicBool,
    post: Notify,
}

impl Default for Signals {
    fn default() -> Self {
        Self {
            steps: watch::Sender::new(0),
            events: watch::Sender::new(0),
            untold_steps: AtomicBool::new(false),
            post: Notify::new(),
        }
    }
}

impl Signals {
    pub(crate) fn watch_steps(&self) -> watch::Receiver<u64> {
        self.steps.subscribe()
    }

    pub(crate) fn watch_events(&self) -> watch::Receiver<u64> {
        self.events.subscribe()
    }

    pub(crate) fn wake_steps(&self) {
        self.steps.send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(crate) fn wake_events(&self) {
        self.events.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// After a commit on SQLite: everything is visible and numbered.
    pub(crate) fn committed(&self, news: &News) {
        if news.steps.load(Ordering::Relaxed) {
            self.wake_steps();
        }
        if news.events.load(Ordering::Relaxed) {
            self.wake_events();
        }
    }

    /// After a commit on PostgreSQL: events have yet to be numbered, other nodes to be told.
    pub(crate) fn committed_among_nodes(&self, news: &News) {
        let steps = news.steps.load(Ordering::Relaxed);
        if steps {
            self.wake_steps();
            self.untold_steps.store(true, Ordering::Release);
        }
        if steps || news.events.load(Ordering::Relaxed) {
            self.post.notify_one();
        }
    }

    /// Waits for a commit that the postman has to do something about.
    pub(crate) async fn mail(&self) {
        self.post.notified().await;
    }

    /// Whether other nodes have yet to be told of due steps; they count as told from now on.
    pub(crate) fn take_untold_steps(&self) -> bool {
        self.untold_steps.swap(false, Ordering::AcqRel)
    }
}
