//! Claiming, and keeping what was claimed.
//!
//! Guarantee: a step is held by one at a time, for as long as its lease lasts; on PostgreSQL leases run by the database's
//! clock, so that nodes may disagree about the time. A claim costs the same however many steps are due.

use std::time::Duration;

use callspool_domain::step::LEASE;
use callspool_domain::{Lane, Policy, StepName, StepState, Subject, Timestamp};

use super::close::{self, Fence};
use super::{Claimed, Lease, read_subject, services};
use crate::db::{Row, Statement, Tx, Value, params, statements};
use crate::planning::replan;
use crate::{Result, Store, lines};

/// The most steps of one batch in [`Lane::Records`]: what Airtable patches by one request.
const BATCH: u32 = 10;

macro_rules! take {
    ($due:literal) => {
        concat!(
            "WITH due AS (SELECT step_id FROM steps WHERE name = $1 AND ", $due, " LIMIT $3 FOR UPDATE SKIP LOCKED) \
             UPDATE steps SET state = 'running', attempt = attempt + 1, owner = $4, claim_id = $5, lease_until = $6 \
             WHERE step_id IN (SELECT step_id FROM due) \
             RETURNING step_id, attempt, subject_kind, subject_id, name, failures, code, misses, first_miss_at, due_at"
        )
    };
}

pub(super) use take;

statements! {
    HELD: "steps" = "SELECT step_id, attempt, subject_kind, subject_id, name, failures, code, misses, first_miss_at, due_at \
        FROM steps WHERE state = 'running' AND claim_id = $1";
    TAKE_EXPIRED: "steps" = take!("state = 'running' AND lease_until <= $2 ORDER BY lease_until");
    TAKE_DUE: "steps" = take!("state = 'waiting' AND due_at <= $2 ORDER BY due_at, step_id");
    FIRST_DUE: "steps" = "SELECT MIN(due_at) FROM steps WHERE name = $1 AND state = 'waiting'";
    FIRST_EXPIRY: "steps" = "SELECT MIN(lease_until) FROM steps WHERE name = $1 AND state = 'running'";
    LAST_EXPIRY: "steps" = "SELECT MAX(lease_until) FROM steps WHERE name = $1 AND state = 'running'";
    LOCK_LANE: "exclusive_keys" = "SELECT name FROM exclusive_keys WHERE name = $1 FOR UPDATE";
    EXTEND: "steps" = "UPDATE steps SET lease_until = $3 WHERE step_id = $1 AND attempt = $2 AND state = 'running'";
    LEASE_UNTIL: "steps" = "SELECT lease_until FROM steps WHERE step_id = $1 AND attempt = $2 AND state = 'running'";
    VOID: "steps" = "UPDATE steps SET state = 'waiting', owner = NULL, claim_id = NULL, lease_until = NULL \
        WHERE state = 'running'";
}

/// Prepared on PostgreSQL only: the clock that leases run by there.
pub(crate) const POSTGRES_STATEMENTS: &[Statement] = &[CLOCK];
const CLOCK: Statement =
    Statement::new("the clock", "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)");

/// Who claims, how many steps of which lane.
pub(super) struct Claim {
    pub(super) lane: Lane,
    pub(super) limit: u32,
    pub(super) owner: String,
    pub(super) claim_id: String,
}

/// What an earlier try of this very claim took: its answer was lost.
pub(super) async fn held(tx: &Tx<'_>, claim: &Claim) -> Result<Vec<Claimed>> {
    Ok(in_order(tx.rows(&HELD, params![&claim.claim_id], read_claimed).await?))
}

/// Whether a batch of the records lane runs anywhere. Holds the lane's row until the end of the transaction, so that no two
/// nodes come to the same conclusion.
pub(super) async fn batch_runs(tx: &Tx<'_>, clock: Timestamp) -> Result<bool> {
    tx.exists(&LOCK_LANE, params![Lane::Records]).await?;
    for name in names_of(Lane::Records) {
        if first(tx, &LAST_EXPIRY, name).await?.is_some_and(|until| until > clock) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Store {
    /// Claims up to `limit` due steps of a lane for `owner`, each for [`LEASE`]. `claim_id` is fresh for every call.
    ///
    /// In [`Lane::Records`] it is a batch of at most ten steps of one name, and none while another batch runs anywhere.
    pub async fn claim(
        &self,
        lane: Lane,
        limit: u32,
        owner: &str,
        claim_id: &str,
        now: Timestamp,
    ) -> Result<Vec<Claimed>> {
        let claim = Claim { lane, limit, owner: owner.to_owned(), claim_id: claim_id.to_owned() };
        self.write((claim, now), |tx, (claim, now)| Box::pin(take_any(tx, claim, *now))).await
    }

    /// When the next step of a lane can be claimed; `None` where nothing waits or runs.
    pub async fn next_due(&self, lane: Lane) -> Result<Option<Timestamp>> {
        self.read(lane, |tx, lane| Box::pin(next_due(tx, *lane))).await
    }

    /// Extends a lease to its full length from now. False: it is lost, stop.
    pub async fn extend(&self, lease: &Lease, now: Timestamp) -> Result<bool> {
        self.write((lease.clone(), now), |tx, (lease, now)| {
            Box::pin(async move {
                let until = lease_clock(tx, *now).await? + LEASE;
                Ok(tx.execute(&EXTEND, params![&lease.step, lease.attempt, until]).await? == 1)
            })
        })
        .await
    }

    /// How long the lease still holds, by the clock that fences it; `None`: it is lost. Ask before what can't be undone.
    pub async fn lease_left(&self, lease: &Lease, now: Timestamp) -> Result<Option<Duration>> {
        self.read((lease.clone(), now), |tx, (lease, now)| {
            Box::pin(async move {
                let until = tx.optional(&LEASE_UNTIL, params![&lease.step, lease.attempt], read_time).await?;
                let now = lease_clock(tx, *now).await?;
                Ok(until.flatten().map(|until| until.since(now)).filter(|left| !left.is_zero()))
            })
        })
        .await
    }

    /// Gives a step back unfinished, without counting a failure, and plans its call again: it waits until `due_at`, or is
    /// cancelled where it is not wanted any more. False: the lease was lost.
    pub async fn hand_back(&self, lease: &Lease, due_at: Timestamp, now: Timestamp) -> Result<bool> {
        self.write((lease.clone(), due_at, self.shared_policy(), now), |tx, (lease, due_at, policy, now)| {
            Box::pin(hand_back(tx, lease, *due_at, policy, *now))
        })
        .await
    }

    /// Closes a step that is found not to be wanted any more, and plans its call again. False: the lease was lost.
    pub async fn cancel_step(&self, lease: &Lease, now: Timestamp) -> Result<bool> {
        self.write((lease.clone(), self.shared_policy(), now), |tx, (lease, policy, now)| {
            Box::pin(cancel(tx, lease, policy, *now))
        })
        .await
    }
}

async fn take_any(tx: &Tx<'_>, claim: &Claim, now: Timestamp) -> Result<Vec<Claimed>> {
    let held = held(tx, claim).await?;
    if !held.is_empty() {
        return Ok(held);
    }
    services::make_probes_due(tx, claim.lane, now).await?;
    let clock = lease_clock(tx, now).await?;
    let (names, limit) = match claim.lane {
        Lane::Records => match batch_name(tx, clock, now).await? {
            Some(name) => (vec![name], claim.limit.min(BATCH)),
            None => return Ok(Vec::new()),
        },
        Lane::Transfer | Lane::Api => (names_of(claim.lane).collect(), claim.limit),
    };
    let mut taken = Vec::new();
    for name in names {
        for (statement, until) in [(&TAKE_EXPIRED, clock), (&TAKE_DUE, now)] {
            let left = limit.saturating_sub(u32::try_from(taken.len()).unwrap_or(u32::MAX));
            if left > 0 {
                let values = params![name, until, left, &claim.owner, &claim.claim_id, clock + LEASE];
                taken.extend(tx.rows(statement, values, read_claimed).await?);
            }
        }
    }
    Ok(in_order(taken))
}

/// Which steps of the records lane are next, unless a batch of them runs already.
async fn batch_name(tx: &Tx<'_>, clock: Timestamp, now: Timestamp) -> Result<Option<StepName>> {
    if batch_runs(tx, clock).await? {
        return Ok(None);
    }
    let mut next: Option<(Timestamp, StepName)> = None;
    for name in names_of(Lane::Records) {
        let expired = first(tx, &FIRST_EXPIRY, name).await?;
        let due = first(tx, &FIRST_DUE, name).await?.filter(|due| *due <= now);
        let candidate = expired.into_iter().chain(due).min().map(|at| (at, name));
        next = next.into_iter().chain(candidate).min();
    }
    Ok(next.map(|(_, name)| name))
}

async fn next_due(tx: &Tx<'_>, lane: Lane) -> Result<Option<Timestamp>> {
    let (mut waiting, mut running) = (Vec::new(), Vec::new());
    for name in names_of(lane) {
        waiting.extend(first(tx, &FIRST_DUE, name).await?);
        waiting.extend(services::next_probe(tx, name).await?);
        running.extend(first(tx, &FIRST_EXPIRY, name).await?);
    }
    if lane == Lane::Records && !running.is_empty() {
        return Ok(running.into_iter().min());
    }
    Ok(waiting.into_iter().chain(running).min())
}

async fn hand_back(tx: &Tx<'_>, lease: &Lease, due_at: Timestamp, policy: &Policy, now: Timestamp) -> Result<bool> {
    let Some((_, call)) = close::lock_subject(tx, lease).await? else { return Ok(false) };
    let fence = close::hand_back(tx, lease, due_at).await?;
    if let Some(call) = call.filter(|_| fence == Fence::Held) {
        replan(tx, policy, &call, now).await?;
    }
    Ok(fence.is_kept())
}

async fn cancel(tx: &Tx<'_>, lease: &Lease, policy: &Policy, now: Timestamp) -> Result<bool> {
    let Some((subject, call)) = close::lock_subject(tx, lease).await? else { return Ok(false) };
    let fence = close::close(tx, lease, StepState::Cancelled, "cancelled").await?;
    if fence != Fence::Held {
        return Ok(fence.is_kept());
    }
    if let Some(call) = call {
        replan(tx, policy, &call, now).await?;
    }
    if let Subject::Job(job) = subject
        && lines::any_owed(tx, &job).await?
    {
        close::reopen(tx, lease, now).await?;
    }
    Ok(true)
}

/// Nobody of an earlier process is there any more: what it held waits again.
pub(crate) async fn void_leases(tx: &Tx<'_>) -> Result<()> {
    tx.news.steps();
    tx.execute(&VOID, &[]).await.map(drop)
}

/// The clock that leases run by: the database's where nodes share it, else ours.
pub(super) async fn lease_clock(tx: &Tx<'_>, now: Timestamp) -> Result<Timestamp> {
    if tx.is_postgres() { Ok(tx.optional(&CLOCK, &[], read_time).await?.flatten().unwrap_or(now)) } else { Ok(now) }
}

/// The names whose steps wait in a lane.
pub(crate) fn names_of(lane: Lane) -> impl Iterator<Item = StepName> {
    StepName::ALL.iter().copied().filter(move |name| name.lane() == lane)
}

async fn first(tx: &Tx<'_>, statement: &Statement, name: StepName) -> Result<Option<Timestamp>> {
    Ok(tx.optional(statement, &[Value::from(name)], read_time).await?.flatten())
}

fn read_time(row: &Row<'_>) -> Result<Option<Timestamp>> {
    row.get(0)
}

pub(super) fn read_claimed(row: &Row<'_>) -> Result<(Timestamp, Claimed)> {
    let claimed = Claimed {
        lease: Lease { step: row.get(0)?, attempt: row.get(1)? },
        subject: read_subject(row, 2, 3)?,
        name: row.get(4)?,
        failures: row.get(5)?,
        code: row.get(6)?,
        misses: row.get(7)?,
        first_miss_at: row.get(8)?,
    };
    Ok((row.get(9)?, claimed))
}

/// Neither database promises an order of the rows it returns.
pub(super) fn in_order(mut taken: Vec<(Timestamp, Claimed)>) -> Vec<Claimed> {
    taken.sort_by(|(a_due, a), (b_due, b)| (a_due, &a.lease.step).cmp(&(b_due, &b.lease.step)));
    taken.into_iter().map(|(_, claimed)| claimed).collect()
}
