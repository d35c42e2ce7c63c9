//! Services that are out as a whole: one waiting step of each is due every few seconds as its probe, and the first success
//! makes the others due, spread out.
//!
//! Guarantee: a step that goes on failing while its service works for others neither marks it out again nor is hurried by it.

use std::time::Duration;

use callspool_domain::failure::Verdict;
use callspool_domain::step::PROBE_EVERY;
use callspool_domain::{Code, Lane, Service, StepFailure, StepName, Timestamp};
use serde_json::json;

use super::claim::names_of;
use crate::db::{Row, Tx, params, statements};
use crate::events::{self, NewEvent, kind};
use crate::{Result, Store};

/// How many waiting steps one transaction makes due after an outage; the sweep goes on with the rest.
const PAGE: u32 = 500;
/// How far a service's own Retry-After puts its probe off at most.
const LONGEST_PROBE_WAIT: Duration = Duration::from_secs(5 * 60);

statements! {
    LIST: "services" = "SELECT service, down_since, code, detail FROM services ORDER BY service";
    STANDING: "services" = "SELECT service, down_since, code, detail FROM services WHERE service = $1";
    IS_DOWN: "services" = "SELECT 1 FROM services WHERE service = $1 AND down_since IS NOT NULL";
    // A service's own Retry-After may put its probe off.
    MARK_DOWN: "services" = "INSERT INTO services (service, down_since, code, detail, probe_at) VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT (service) DO UPDATE SET down_since = COALESCE(services.down_since, excluded.down_since), \
        code = excluded.code, detail = excluded.detail, probe_at = CASE WHEN services.down_since IS NULL \
        OR services.probe_at < excluded.probe_at THEN excluded.probe_at ELSE services.probe_at END RETURNING down_since";
    MARK_UP: "services" = "UPDATE services SET down_since = NULL WHERE service = $1 AND down_since IS NOT NULL";
    RESUME: "steps" = "WITH waiting AS (SELECT step_id FROM steps WHERE service = $1 AND state = 'waiting' \
        ORDER BY name, due_at LIMIT $3 FOR UPDATE SKIP LOCKED) \
        UPDATE steps SET service = NULL, due_at = CASE WHEN due_at < $2 + jitter * 10000 THEN due_at \
        ELSE $2 + jitter * 10000 END WHERE step_id IN (SELECT step_id FROM waiting)";
    UP: "services" = "SELECT service FROM services WHERE down_since IS NULL ORDER BY service";
    TO_PROBE: "services" = "SELECT service FROM services WHERE down_since IS NOT NULL AND probe_at <= $1 ORDER BY service";
    NEXT_OF_SERVICE: "steps" = "SELECT step_id FROM steps WHERE service = $1 AND name = $2 AND state = 'waiting' \
        ORDER BY due_at LIMIT 1";
    BOOK_PROBE: "services" =
        "UPDATE services SET probe_at = $3 WHERE service = $1 AND down_since IS NOT NULL AND probe_at <= $2";
    MAKE_DUE: "steps" = "UPDATE steps SET due_at = $2 WHERE step_id = $1 AND state = 'waiting' AND due_at > $2";
    NEXT_PROBE: "services" = "SELECT MIN(v.probe_at) FROM services v WHERE v.down_since IS NOT NULL AND EXISTS \
        (SELECT 1 FROM steps s WHERE s.service = v.service AND s.name = $1 AND s.state = 'waiting')";
}

/// A service that was out at least once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceState {
    /// Which.
    pub service: Service,
    /// Since when it has been out; `None` while it works.
    pub down_since: Option<Timestamp>,
    /// How it failed last.
    pub code: Code,
    /// The cause in words.
    pub detail: String,
}

impl Store {
    /// Every service that was out at least once.
    pub async fn services(&self) -> Result<Vec<ServiceState>> {
        self.read((), |tx, ()| Box::pin(async move { tx.rows(&LIST, &[], read_state).await })).await
    }
}

/// Which services must have answered for a step to fail with this code: they are not out.
pub(crate) fn answered(code: Code) -> &'static [Service] {
    match code {
        Code::CallNotInProgress
        | Code::MediaNotReady
        | Code::MediaNotAudio
        | Code::MediaEmpty
        | Code::MediaTruncated
        | Code::MediaOverlong
        | Code::MediaMalformed
        | Code::MediaDamaged
        | Code::MediaEncrypted => &[Service::Provider],
        Code::ArchiveConflict | Code::ArchiveMismatch | Code::ArchiveObjectGone => &[Service::Archive],
        Code::RecordsRejected
        | Code::HistoryLineMissing
        | Code::HistoryFull
        | Code::JobNotFound
        | Code::JobUnknown
        | Code::JobAmbiguous => &[Service::Records],
        _ => &[],
    }
}

/// The service that a step waits for after this failure. One that fails again while the service works for others has a
/// problem of its own, and waits for nothing but its back-off.
pub(crate) async fn awaited(tx: &Tx<'_>, code: Code, failures: u32) -> Result<Option<Service>> {
    match code.service().filter(|_| code.verdict() == Verdict::Outage) {
        Some(service) if failures == 1 || tx.exists(&IS_DOWN, params![service]).await? => Ok(Some(service)),
        _ => Ok(None),
    }
}

/// Notes that a service is out. Writes only what is new, so that an outage costs the same however long it lasts.
pub(crate) async fn failed(tx: &Tx<'_>, service: Service, failure: &StepFailure, now: Timestamp) -> Result<()> {
    let standing = tx.optional(&STANDING, params![service], read_state).await?;
    let known = standing.is_some_and(|before| before.down_since.is_some() && before.code == failure.code);
    if known && failure.retry_after.is_none() {
        return Ok(());
    }
    let probe_at = now + failure.retry_after.unwrap_or_default().clamp(PROBE_EVERY, LONGEST_PROBE_WAIT);
    let values = params![service, now, failure.code, &failure.detail, probe_at];
    let down_since: Option<Timestamp> = tx.optional(&MARK_DOWN, values, |row| row.get(0)).await?;
    if down_since != Some(now) || known {
        return Ok(());
    }
    let data = json!({ "service": service.as_str(), "code": failure.code.as_str(), "detail": failure.detail });
    events::add(tx, &NewEvent { kind: kind::SERVICE_DOWN, data, ..NewEvent::default() }, now).await
}

/// Notes that these services work; the first time after an outage, what waits for them becomes due.
pub(crate) async fn succeeded(tx: &Tx<'_>, services: &[Service], now: Timestamp) -> Result<()> {
    for service in services {
        if tx.execute(&MARK_UP, params![*service]).await? == 0 {
            continue;
        }
        let data = json!({ "service": service.as_str() });
        events::add(tx, &NewEvent { kind: kind::SERVICE_UP, data, ..NewEvent::default() }, now).await?;
        resume(tx, *service, now).await?;
    }
    Ok(())
}

/// Goes on making due what waited for services that work again.
pub(crate) async fn resume_waiting(tx: &Tx<'_>, now: Timestamp) -> Result<()> {
    for service in tx.rows(&UP, &[], |row| row.get(0)).await? {
        resume(tx, service, now).await?;
    }
    Ok(())
}

async fn resume(tx: &Tx<'_>, service: Service, now: Timestamp) -> Result<()> {
    if tx.execute(&RESUME, params![service, now, PAGE]).await? > 0 {
        tx.news.steps();
    }
    Ok(())
}

/// While a service is out, makes one of its waiting steps due every few seconds.
pub(crate) async fn make_probes_due(tx: &Tx<'_>, lane: Lane, now: Timestamp) -> Result<()> {
    for service in tx.rows(&TO_PROBE, params![now], |row| row.get::<Service>(0)).await? {
        for name in names_of(lane) {
            let step: Option<String> = tx.optional(&NEXT_OF_SERVICE, params![service, name], |row| row.get(0)).await?;
            let Some(step) = step else { continue };
            if tx.execute(&BOOK_PROBE, params![service, now, now + PROBE_EVERY]).await? == 1 {
                tx.execute(&MAKE_DUE, params![&step, now]).await?;
            }
        }
    }
    Ok(())
}

/// When a step of this name is due as a probe.
pub(crate) async fn next_probe(tx: &Tx<'_>, name: StepName) -> Result<Option<Timestamp>> {
    Ok(tx.optional(&NEXT_PROBE, params![name], |row| row.get(0)).await?.flatten())
}

fn read_state(row: &Row<'_>) -> Result<ServiceState> {
    Ok(ServiceState { service: row.get(0)?, down_since: row.get(1)?, code: row.get(2)?, detail: row.get(3)? })
}
