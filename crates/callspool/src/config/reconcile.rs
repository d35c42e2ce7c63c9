//! How often the provider is asked what it has, and how far back.

use std::time::Duration;

use callspool_domain::reconcile::WINDOW;

use super::settings::Settings;

const EVERY: Duration = Duration::from_secs(15 * 60);
/// Each scan costs the provider a request at least.
const SHORTEST: Duration = Duration::from_secs(60);

/// A recording that was running at the last scan has to be in the window of the next.
const SHORTEST_WINDOW: Duration = Duration::from_secs(25 * 3600);

/// Reconciliation on schedule.
#[derive(Debug, Clone)]
pub struct ReconcileSettings {
    /// How often (`RECONCILE_EVERY`); `None`: by command alone.
    pub every: Option<Duration>,
    /// How far a scan looks behind the start of the last complete one (`RECONCILE_WINDOW`).
    pub window: Duration,
}

impl ReconcileSettings {
    pub(super) fn read(settings: &mut Settings) -> Self {
        let every = settings.duration_or_never("RECONCILE_EVERY", Some(EVERY));
        if every.is_some_and(|every| every < SHORTEST) {
            settings.problem("RECONCILE_EVERY", "must be at least 1m, or never");
        }
        let window = settings.duration("RECONCILE_WINDOW").unwrap_or(WINDOW);
        if window < SHORTEST_WINDOW {
            settings.problem("RECONCILE_WINDOW", "must be at least 25h: a recording lasts up to 24 h");
        }
        Self { every, window }
    }
}
