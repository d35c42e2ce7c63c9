//! Scans: how far each account's recordings at the provider have been compared with the ledger.
//!
//! Guarantee: a scan that was interrupted goes on where it stopped, and the next begins where the last complete one began,
//! less the overlap, however long ago that was. What is found is taken in like a callback, once.

use std::sync::Arc;
use std::time::Duration;

use callspool_domain::reconcile::{Cause, difference};
use callspool_domain::recording::{Announcement, ProviderStatus, Status};
use callspool_domain::{AccountSid, Policy, RecordingSid, Service, StepName, StepState, Subject, Timestamp};
use serde_json::json;

use crate::db::{Row, Tx, params, statements};
use crate::events::{self, NewEvent, kind};
use crate::steps::close::{self, Fence};
use crate::steps::{Lease, services, step_id};
use crate::{Error, Result, Store, facts, intake};

statements! {
    // A shorter interval than before counts from now.
    ENSURE: "steps" = "INSERT INTO steps \
        (step_id, subject_kind, subject_id, name, state, due_at, attempt, failures, jitter, misses, created_at) \
        VALUES ($1, 'account', $2, 'scan', 'waiting', $3, 0, 0, 0, 0, $3) ON CONFLICT (step_id) DO UPDATE SET \
        state = 'waiting', due_at = excluded.due_at WHERE steps.state IN ('done', 'cancelled') \
        OR (steps.state = 'waiting' AND steps.failures = 0 AND steps.due_at > $4)";
    GET: "scans" = "SELECT complete_at, began_at, since, page FROM scans WHERE account_sid = $1";
    BEGIN: "scans" = "INSERT INTO scans (account_sid, began_at, since) VALUES ($1, $2, $3) ON CONFLICT (account_sid) \
        DO UPDATE SET began_at = excluded.began_at, since = excluded.since, page = NULL";
    REACHED: "scans" = "UPDATE scans SET page = $3 WHERE account_sid = $1 AND began_at = $2";
    COMPLETE: "scans" = "UPDATE scans SET complete_at = began_at, began_at = NULL, since = NULL, page = NULL \
        WHERE account_sid = $1 AND began_at = $2";
    WORD: "recordings" = "SELECT status, provider_status FROM recordings WHERE recording_sid = $1";
}

/// A scan under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// When it began.
    pub began_at: Timestamp,
    /// Recordings made since then are looked at.
    pub since: Timestamp,
    /// The page to go on with; `None`: the first.
    pub page: Option<String>,
    /// Whether none of this account was ever complete.
    pub is_first: bool,
}

/// What the provider knew and the ledger did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The recording.
    pub recording: RecordingSid,
    /// Why.
    pub cause: Cause,
}

impl Store {
    /// Sees to it that each of these accounts is scanned: at once where it never was, else every so often.
    pub async fn ensure_scans(&self, accounts: &[AccountSid], every: Duration, now: Timestamp) -> Result<()> {
        self.write((accounts.to_vec(), every, now), |tx, (accounts, every, now)| {
            Box::pin(async move {
                for account in accounts {
                    let step = step_id(StepName::Scan, &Subject::Account(account.clone()));
                    tx.execute(&ENSURE, params![step, account, *now, *now + *every]).await?;
                }
                tx.news.steps();
                Ok(())
            })
        })
        .await
    }

    /// The account's scan that is under way, else a new one, which looks `window` behind the start of the last complete one.
    pub async fn begin_scan(&self, account: &AccountSid, window: Duration, now: Timestamp) -> Result<Scan> {
        self.write((account.clone(), window, now), |tx, (account, window, now)| {
            Box::pin(begin(tx, account, *window, *now))
        })
        .await
    }

    /// Notes the page that the scan goes on with, should it be interrupted; `None`: it begins anew.
    pub async fn note_page(&self, account: &AccountSid, scan: &Scan, page: Option<&str>) -> Result<()> {
        let args = (account.clone(), scan.began_at, page.map(str::to_owned));
        self.write(args, |tx, (account, began_at, page)| {
            Box::pin(async move { tx.execute(&REACHED, params![account, *began_at, page.as_ref()]).await.map(drop) })
        })
        .await
    }

    /// The scan has seen everything; the account is scanned again at `next`. False: the lease was lost.
    pub async fn finish_scan(
        &self,
        lease: &Lease,
        account: &AccountSid,
        scan: &Scan,
        next: Timestamp,
        now: Timestamp,
    ) -> Result<bool> {
        let args = (lease.clone(), account.clone(), scan.began_at, next, now);
        self.write(args, |tx, (lease, account, began_at, next, now)| {
            Box::pin(finish(tx, lease, account, *began_at, *next, *now))
        })
        .await
    }

    /// Of what the provider said, what the ledger does not know. Writes nothing.
    pub async fn differing(&self, said: Vec<Announcement>, now: Timestamp) -> Result<Vec<Announcement>> {
        self.read((said, now), |tx, (said, now)| {
            Box::pin(async move {
                let mut differing = Vec::new();
                for said in said {
                    let differs = match tx.optional(&WORD, params![&said.recording], read_word).await {
                        Ok(known) => {
                            let known = known.as_ref().map(|(status, word)| (*status, word));
                            difference(known, said, *now).is_some()
                        }
                        // A damaged row is told when it is to be written, and holds up no other.
                        Err(Error::Inconsistent { .. }) => true,
                        Err(error) => return Err(error),
                    };
                    if differs {
                        differing.push(said.clone());
                    }
                }
                Ok(differing)
            })
        })
        .await
    }

    /// Takes in what the provider said of a recording, with an event that says why the ledger did not know it. `None`: by
    /// now it does.
    pub async fn take_in_found(&self, said: Announcement, now: Timestamp) -> Result<Option<Difference>> {
        self.write((said, self.shared_policy(), now), |tx, (said, policy, now)| {
            Box::pin(take_in(tx, said, policy, *now))
        })
        .await
    }
}

async fn begin(tx: &Tx<'_>, account: &AccountSid, window: Duration, now: Timestamp) -> Result<Scan> {
    let known = tx
        .optional(&GET, params![account], |row| {
            let under_way = row.get::<Option<Timestamp>>(1)?.zip(row.get::<Option<Timestamp>>(2)?);
            Ok((row.get::<Option<Timestamp>>(0)?, under_way, row.get::<Option<String>>(3)?))
        })
        .await?;
    let complete_at = match known {
        Some((complete_at, Some((began_at, since)), page)) => {
            return Ok(Scan { began_at, since, page, is_first: complete_at.is_none() });
        }
        Some((complete_at, None, _)) => complete_at,
        None => None,
    };
    let since = complete_at.unwrap_or(now) - window;
    tx.execute(&BEGIN, params![account, now, since]).await?;
    Ok(Scan { began_at: now, since, page: None, is_first: complete_at.is_none() })
}

async fn finish(
    tx: &Tx<'_>,
    lease: &Lease,
    account: &AccountSid,
    began_at: Timestamp,
    next: Timestamp,
    now: Timestamp,
) -> Result<bool> {
    let fence = close::close(tx, lease, StepState::Done, "complete").await?;
    if fence != Fence::Held {
        return Ok(fence.is_kept());
    }
    services::succeeded(tx, &[Service::Provider], now).await?;
    tx.execute(&COMPLETE, params![account, began_at]).await?;
    close::reopen(tx, lease, next).await?;
    Ok(true)
}

async fn take_in(tx: &Tx<'_>, said: &Announcement, policy: &Arc<Policy>, now: Timestamp) -> Result<Option<Difference>> {
    let known = facts::known(tx, &said.recording).await?;
    let known = known.as_ref().map(|known| (known.status, &known.provider_status));
    let Some(cause) = difference(known, said, now) else { return Ok(None) };
    intake::take_in_again(tx, said, policy, now).await?;
    let event = NewEvent {
        kind: kind::RECONCILED,
        recording: Some(said.recording.clone()),
        data: json!({ "cause": cause, "provider_status": said.status.as_str() }),
        ..NewEvent::default()
    };
    events::add(tx, &event, now).await?;
    Ok(Some(Difference { recording: said.recording.clone(), cause }))
}

fn read_word(row: &Row<'_>) -> Result<(Status, ProviderStatus)> {
    Ok((row.get(0)?, row.get(1)?))
}
