//! Fate: counts the moments at which a process can die or be held up, and strikes at the chosen ones.
//!
//! A moment is a side of a commit that changes something, or of a request to the outside. Commits report theirs through
//! the ledger's probe, requests through the stand-ins'.

use std::collections::VecDeque;
use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};

use callspool_sandbox::{RequestMoment, RequestProbe};
use callspool_store::{CommitMoment, CommitProbe};
use futures::FutureExt as _;
use tokio::sync::watch;

/// The n-th time that a moment of its kind came, in a world's life.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// What it was.
    pub(super) side: Side,
    /// How many like it came before.
    before: usize,
}

impl Moment {
    /// The method and path, where it is a side of a request.
    pub(super) fn request(&self) -> Option<&str> {
        match &self.side {
            Side::Request(.., request) => Some(request),
            Side::Commit(_) => None,
        }
    }
}

/// A side of something that happens.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Side {
    /// A side of a commit.
    Commit(CommitMoment),
    /// A side of a request, with who was asked, and its method and path.
    Request(RequestMoment, &'static str, String),
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} (number {})", self.side, self.before + 1)
    }
}

impl fmt::Debug for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Commit(CommitMoment::Before) => f.write_str("before a commit"),
            Self::Commit(CommitMoment::After) => f.write_str("after a commit"),
            Self::Request(RequestMoment::Arrived, asked, what) => write!(f, "before {asked}'s {what}"),
            Self::Request(RequestMoment::CarriedOut, asked, what) => write!(f, "after {asked}'s {what}"),
        }
    }
}

/// What fate does to a process at its moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    /// It takes no further step.
    Death,
    /// Whoever came to the moment waits until [`Fate::let_go`]; everything else goes on.
    Pause,
}

/// The fate of one process and its successors. Clones share it.
#[derive(Clone)]
pub(super) struct Fate(Arc<Book>);

struct Book {
    blow: Blow,
    page: Mutex<Page>,
    struck: watch::Sender<bool>,
    going: watch::Sender<bool>,
}

struct Page {
    /// Every moment so far.
    moments: Vec<Moment>,
    /// The blows to come.
    blows: VecDeque<When>,
    /// How many moments have passed since the last blow.
    since: usize,
    /// Where the blows fell.
    struck: Vec<Moment>,
}

/// When a blow falls.
enum When {
    At(Moment),
    /// After so many moments from the blow before.
    After(usize),
}

impl Fate {
    /// Nothing happens.
    pub(super) fn kind() -> Self {
        Self::new(Blow::Death, VecDeque::new())
    }

    /// Death at this moment.
    pub(super) fn death_at(moment: &Moment) -> Self {
        Self::new(Blow::Death, VecDeque::from([When::At(moment.clone())]))
    }

    /// And again after so many moments more.
    pub(super) fn and_after(self, moments: usize) -> Self {
        self.page().blows.push_back(When::After(moments));
        self
    }

    /// Whoever comes to this moment is held there.
    pub(super) fn pause_at(moment: &Moment) -> Self {
        Self::new(Blow::Pause, VecDeque::from([When::At(moment.clone())]))
    }

    fn new(blow: Blow, blows: VecDeque<When>) -> Self {
        let page = Mutex::new(Page { moments: Vec::new(), blows, since: 0, struck: Vec::new() });
        Self(Arc::new(Book { blow, page, struck: watch::Sender::new(false), going: watch::Sender::new(false) }))
    }

    /// What tells of commits.
    pub(super) fn of_commits(&self) -> CommitProbe {
        let fate = self.clone();
        CommitProbe::new(move |moment| fate.clone().meet(Side::Commit(moment)).boxed())
    }

    /// What tells of requests to a stand-in.
    pub(super) fn of_requests(&self, asked: &'static str) -> RequestProbe {
        let fate = self.clone();
        RequestProbe::new(move |moment, request| {
            let path = request.split_once('?').map_or(request, |(path, _)| path);
            fate.clone().meet(Side::Request(moment, asked, path.to_owned())).boxed()
        })
    }

    async fn meet(self, side: Side) {
        let struck_before = *self.0.struck.borrow();
        if struck_before && self.0.blow == Blow::Death {
            return pending().await;
        }
        if self.page().meets_blow(side) {
            self.0.struck.send_replace(true);
            match self.0.blow {
                Blow::Death => pending().await,
                Blow::Pause => drop(self.0.going.subscribe().wait_for(|going| *going).await),
            }
        }
    }

    /// Waits for the blow.
    pub(super) async fn strikes(&self) {
        // The sender lives as long as we do.
        drop(self.0.struck.subscribe().wait_for(|struck| *struck).await);
    }

    /// Whether it has struck, and the process has not risen since.
    pub(super) fn has_struck(&self) -> bool {
        *self.0.struck.borrow()
    }

    /// The dead process is gone; the next one has a fate of its own.
    pub(super) fn begin_anew(&self) {
        self.0.struck.send_replace(false);
    }

    /// Lets whoever was held go on.
    pub(super) fn let_go(&self) {
        self.0.going.send_replace(true);
    }

    /// Every moment so far.
    pub(super) fn moments(&self) -> Vec<Moment> {
        self.page().moments.clone()
    }

    /// Where it has struck so far.
    pub(super) fn blows(&self) -> Vec<Moment> {
        self.page().struck.clone()
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        self.0.page.lock().expect("nobody panicked")
    }
}

impl Page {
    /// Notes a moment; true where the blow falls on it.
    fn meets_blow(&mut self, side: Side) -> bool {
        let before = self.moments.iter().filter(|moment| moment.side == side).count();
        let moment = Moment { side, before };
        self.moments.push(moment.clone());
        let strikes = self.blows.front().is_some_and(|when| match when {
            When::At(chosen) => *chosen == moment,
            When::After(moments) => *moments == self.since,
        });
        self.since += 1;
        if strikes {
            self.blows.pop_front();
            self.since = 0;
            self.struck.push(moment);
        }
        strikes
    }
}
