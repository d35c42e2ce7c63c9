//! The runner: claims due steps lane by lane, keeps their leases while they run, and records failures.
//!
//! Guarantee: whatever happens to a step (error, panic, lost lease, shutdown, death of the process), the stored step is
//! either finished by exactly one attempt or becomes due again.

use std::sync::Arc;
use std::time::Duration;

use callspool_domain::failure::Code;
use callspool_domain::step::{HEARTBEAT, LEASE};
use callspool_domain::{AccountSid, Lane, RecordingSid, StepFailure, StepName, Subject, Timestamp};
use callspool_store::{Claimed, Lease};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Stop, archive, find_job, link, record, release, scan, stop};
use crate::lifecycle::{App, metrics, random};

/// How often a lane looks for due steps although nobody told it.
const POLL: Duration = Duration::from_secs(1);
/// How long work may take to return once its lease is over; everything it could still do is fenced.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How soon a lane looks again for a step that is due but held by somebody else.
const SOON: Duration = Duration::from_millis(10);
/// How often calls due for planning are looked for.
const SWEEP: Duration = Duration::from_secs(1);
/// How many calls one sweep plans in one transaction.
const SWEEP_CALLS: u32 = 200;

/// Runs the steps of one process.
#[derive(Debug, Clone)]
pub struct Runner {
    app: Arc<App>,
    owner: Arc<str>,
    /// The recordings whose steps alone are run; `None` runs every step.
    own: Option<Arc<[RecordingSid]>>,
    tasks: TaskTracker,
    /// No new claims once cancelled.
    stop: CancellationToken,
    /// Running steps are handed back once cancelled.
    abandon: CancellationToken,
}

impl Runner {
    /// Starts the lanes and the sweep. `owner` names this process in leases.
    pub fn start(app: Arc<App>, owner: &str) -> Self {
        Self::start_with(app, owner, None)
    }

    /// The same for the steps of these recordings alone, with those of their calls and jobs: other nodes, which may be
    /// configured differently, do the rest.
    pub fn start_for(app: Arc<App>, owner: &str, recordings: &[RecordingSid]) -> Self {
        Self::start_with(app, owner, Some(recordings.into()))
    }

    fn start_with(app: Arc<App>, owner: &str, own: Option<Arc<[RecordingSid]>>) -> Self {
        let runner = Self {
            app,
            owner: owner.into(),
            own,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            abandon: CancellationToken::new(),
        };
        for lane in Lane::ALL {
            runner.tasks.spawn(runner.clone().run_lane(*lane));
        }
        runner.tasks.spawn(runner.clone().run_sweep());
        runner
    }

    /// Stops claiming, lets running steps finish for `grace`, then hands the rest back.
    pub async fn stop(self, grace: Duration) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_err() {
            self.abandon.cancel();
            self.tasks.wait().await;
        }
    }

    async fn run_lane(self, lane: Lane) {
        let slots = Arc::new(Semaphore::new(self.app.slots(lane)));
        let mut changed = self.app.store.steps_changed();
        while !self.stop.is_cancelled() {
            changed.mark_unchanged();
            let free = tokio::select! {
                free = Arc::clone(&slots).acquire_owned() => free,
                () = self.stop.cancelled() => break,
            };
            let Ok(first) = free else { break };
            let looked_at = self.app.clock.now();
            if self.claim_and_spawn(lane, first, &slots, looked_at).await {
                continue;
            }
            // What others are to do says nothing about when there is something for us.
            let due = if self.own.is_some() { None } else { self.app.store.next_due(lane).await.ok().flatten() };
            tokio::select! {
                _ = changed.changed() => {}
                () = self.next_look(due, looked_at) => {}
                () = self.stop.cancelled() => {}
            }
        }
    }

    /// Waits until it is time to look again, where nothing could be claimed at `looked_at` and the next step is due at `due`.
    async fn next_look(&self, due: Option<Timestamp>, looked_at: Timestamp) {
        let poll_at = looked_at + POLL;
        match due {
            // A transaction of somebody else's holds it, and lets go in real time, whatever the clock shows.
            Some(due) if due <= looked_at => tokio::time::sleep(SOON).await,
            due => self.app.sleep_until(due.map_or(poll_at, |due| due.min(poll_at))).await,
        }
    }

    /// Claims as many steps as there are free slots and starts them. Returns whether there was any.
    async fn claim_and_spawn(
        &self,
        lane: Lane,
        first: OwnedSemaphorePermit,
        slots: &Arc<Semaphore>,
        now: Timestamp,
    ) -> bool {
        let limit =
            if lane == Lane::Records { link::BATCH } else { u32::try_from(slots.available_permits() + 1).unwrap_or(1) };
        let claim_id = random::id(now);
        let store = &self.app.store;
        let claimed = match &self.own {
            None => store.claim(lane, limit, &self.owner, &claim_id, now).await,
            Some(own) => store.claim_own(own, lane, limit, &self.owner, &claim_id, now).await,
        };
        let claimed = match claimed {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::error!(lane = lane.as_str(), %error, "steps could not be claimed; trying again");
                return false;
            }
        };
        if claimed.is_empty() {
            return false;
        }
        if lane == Lane::Records {
            self.tasks.spawn(self.clone().run_batch(claimed, first));
            return true;
        }
        let mut slot = Some(first);
        for step in claimed {
            let slot = slot.take().or_else(|| Arc::clone(slots).try_acquire_owned().ok());
            self.tasks.spawn(self.clone().run_one(step, slot));
        }
        true
    }

    async fn run_one(self, step: Claimed, slot: Option<OwnedSemaphorePermit>) {
        let (app, name, lease) = (Arc::clone(&self.app), step.name, step.lease.clone());
        let work = tokio::spawn(async move {
            match (step.name, &step.subject) {
                (StepName::Archive, Subject::Recording(sid)) => archive::run(&app, &step.lease, sid).await,
                (StepName::Record, Subject::Call(sid)) => record::run(&app, &step.lease, sid).await,
                (StepName::Stop, Subject::Recording(sid)) => stop::run(&app, &step.lease, sid).await,
                (StepName::Release, Subject::Recording(sid)) => release::run(&app, &step.lease, sid).await,
                (StepName::Scan, Subject::Account(sid)) => scan::run(&app, &step.lease, sid).await,
                (name, subject) => {
                    Err(StepFailure::new(Code::StepPanicked, format!("{name} can't work on {subject}; this is a bug"))
                        .into())
                }
            }
        });
        let ended = self.keep_lease(vec![lease.clone()], work).await;
        self.record(name, &lease, ended.unwrap_or_else(|ended| Err(ended.into_stop()))).await;
        drop(slot);
    }

    /// Runs one batch of job-record steps; each of them is closed on its own inside.
    async fn run_batch(self, steps: Vec<Claimed>, slot: OwnedSemaphorePermit) {
        let leases: Vec<Lease> = steps.iter().map(|step| step.lease.clone()).collect();
        let app = Arc::clone(&self.app);
        let find_job = steps.iter().all(|step| step.name == StepName::FindJob);
        let name = if find_job { StepName::FindJob } else { StepName::Link };
        let work = tokio::spawn(async move {
            if find_job { find_job::run_batch(&app, &steps).await } else { link::run_batch(&app, &steps).await }
        });
        match self.keep_lease(leases.clone(), work).await {
            Ok(results) => {
                for (lease, result) in leases.iter().zip(results) {
                    self.record(name, lease, result).await;
                }
            }
            Err(ended) => {
                for lease in &leases {
                    self.record(name, lease, Err(ended.into_stop())).await;
                }
            }
        }
        drop(slot);
    }

    /// Waits for the work while extending its leases; cuts it off when one is lost or the process must end.
    async fn keep_lease<T>(&self, leases: Vec<Lease>, mut work: tokio::task::JoinHandle<T>) -> Result<T, Ended> {
        let ended = loop {
            let next_beat = self.app.clock.now() + HEARTBEAT;
            tokio::select! {
                result = &mut work => return result.map_err(|_| Ended::Panicked),
                () = self.abandon.cancelled() => break Ended::Abandoned,
                () = self.app.sleep_until(next_beat) => {
                    let kept = tokio::select! {
                        kept = self.extend(&leases) => kept,
                        () = self.abandon.cancelled() => break Ended::Abandoned,
                    };
                    if !kept {
                        // All are over: lost, or just closed by the work itself, which is about to return then.
                        if let Ok(result) = tokio::time::timeout(LAST_WORDS, &mut work).await {
                            return result.map_err(|_| Ended::Panicked);
                        }
                        break Ended::LeaseLost;
                    }
                }
            }
        };
        work.abort();
        // Waits until it is really gone: what it held (an upload, a connection) is closed before the step is given away.
        drop(work.await);
        Err(ended)
    }

    /// Extends what still runs of these leases. False where nothing does.
    async fn extend(&self, leases: &[Lease]) -> bool {
        let mut any = false;
        for lease in leases {
            any |= match self.app.store.extend(lease, self.app.clock.now()).await {
                Ok(kept) => kept,
                Err(error) => {
                    // The lease outlives two missed beats; the finish is fenced in any case.
                    tracing::warn!(%error, step = lease.step, "a lease could not be extended; trying again");
                    true
                }
            };
        }
        any
    }

    async fn record(&self, name: StepName, lease: &Lease, result: Result<(), Stop>) {
        let now = self.app.clock.now();
        let written = match result {
            Ok(()) => Ok(true),
            Err(Stop::LeaseLost) => {
                tracing::warn!(step = lease.step, "the lease was lost; another attempt has taken over");
                Ok(true)
            }
            Err(Stop::Abandoned) => self.app.store.hand_back(lease, now, now).await,
            Err(Stop::NotYet(at)) => self.app.store.hand_back(lease, at, now).await,
            Err(Stop::Failed(failure)) => self.record_failure(name, lease, failure, None, now).await,
            Err(Stop::BadMedia(failure, bad)) => self.record_failure(name, lease, failure, Some(bad), now).await,
        };
        if let Err(error) = written {
            tracing::error!(step = lease.step, %error, "the end of a step could not be stored; it is taken over in {} s", LEASE.as_secs());
        }
    }

    async fn record_failure(
        &self,
        name: StepName,
        lease: &Lease,
        failure: StepFailure,
        bad: Option<callspool_store::BadMedia>,
        now: Timestamp,
    ) -> Result<bool, callspool_store::Error> {
        metrics::step_failed(name, failure.code);
        tracing::warn!(step = lease.step, code = failure.code.as_str(), detail = failure.detail, "step_failed");
        self.app.store.fail(lease, &failure, bad, random::jitter(), now).await
    }

    async fn run_sweep(self) {
        let mut scheduled = self.own.is_some();
        while !self.stop.is_cancelled() {
            let now = self.app.clock.now();
            scheduled = scheduled || self.schedule_scans(now).await;
            let planned = self.app.store.sweep(now, SWEEP_CALLS).await;
            if let Err(error) = &planned {
                tracing::error!(%error, "calls due for planning could not be read; trying again");
            }
            if planned.is_ok_and(|planned| planned >= u64::from(SWEEP_CALLS)) {
                continue;
            }
            tokio::select! {
                () = self.app.sleep_until(now + SWEEP) => {}
                () = self.stop.cancelled() => {}
            }
        }
    }

    /// Sees to it that every account is compared with the ledger. Returns whether that is stored.
    async fn schedule_scans(&self, now: Timestamp) -> bool {
        let Some(every) = self.app.config.reconcile.every else { return true };
        let accounts: Vec<AccountSid> = self.app.accounts().map(|account| account.settings.sid.clone()).collect();
        let stored = self.app.store.ensure_scans(&accounts, every, now).await;
        stored.inspect_err(|error| tracing::error!(%error, "scans could not be scheduled; trying again")).is_ok()
    }
}

/// Why running work was cut off.
#[derive(Debug, Clone, Copy)]
enum Ended {
    Panicked,
    LeaseLost,
    Abandoned,
}

impl Ended {
    fn into_stop(self) -> Stop {
        match self {
            Self::Panicked => Stop::Failed(StepFailure::new(
                Code::StepPanicked,
                "the step's code failed; this is a bug, please report it",
            )),
            Self::LeaseLost => Stop::LeaseLost,
            Self::Abandoned => Stop::Abandoned,
        }
    }
}
