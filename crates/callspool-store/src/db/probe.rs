//! A hook around commits: how a test holds a process, or lets it die, at exactly one of them.
//!
//! Guarantee: nobody hears of a commit, and no other follows on SQLite, before the probe has let it pass. Free where there
//! is none.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::signals::News;

/// On which side of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitMoment {
    /// Everything is written, nothing is committed.
    Before,
    /// It is committed, nobody knows.
    After,
}

/// Asked before and after every commit that changes a row. While its future waits, so does the commit; where the runtime
/// ends meanwhile, what was not committed is rolled back, as when the process dies.
#[derive(Clone)]
pub struct CommitProbe(Arc<Ask>);

type Ask = dyn Fn(CommitMoment) -> BoxFuture<'static, ()> + Send + Sync;

impl CommitProbe {
    /// A probe that asks `ask`.
    pub fn new(ask: impl Fn(CommitMoment) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }
}

impl fmt::Debug for CommitProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CommitProbe")
    }
}

/// Where the commits of one database pass its probe.
#[derive(Debug)]
pub(crate) struct Checkpoint(Option<(CommitProbe, Handle)>);

impl Checkpoint {
    /// In the runtime that the database is opened in; without a probe, or outside of any, everything passes.
    pub(crate) fn new(probe: Option<&CommitProbe>) -> Self {
        Self(probe.cloned().zip(Handle::try_current().ok()))
    }

    /// Waits until a commit that brings this news may pass.
    pub(crate) async fn pass(&self, moment: CommitMoment, news: &News) {
        if let Some((probe, _)) = &self.0
            && news.has_changes()
        {
            (probe.0)(moment).await;
        }
    }

    /// The same on a thread outside the runtime. False: the runtime has ended, and with it everybody who waited.
    pub(crate) fn pass_blocking(&self, moment: CommitMoment, news: &News) -> bool {
        let Some((probe, runtime)) = self.0.as_ref().filter(|_| news.has_changes()) else { return true };
        let (pass, passed) = oneshot::channel();
        let asked = (probe.0)(moment);
        runtime.spawn(async move {
            asked.await;
            pass.send(()).unwrap_or_default();
        });
        passed.blocking_recv().is_ok()
    }
}
