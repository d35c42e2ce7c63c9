//! Log lines under the names that operators already search for (`docs/logging.md`).

use callspool_domain::gate::Closed;
use callspool_domain::{RecordingSid, gate};

use crate::lifecycle::App;

/// Tells what becomes of the provider's copy now: `twilio_deletion_scheduled` or `twilio_recording_preserved`, the latter
/// with every reason; that release is not asked for is reason enough, and nothing is read. Silent where the store does not answer; the plan is stored all the same.
pub(super) async fn release_plans(app: &App, recording: &RecordingSid) {
    let policy = app.store.policy();
    if policy.delete_after.is_none() {
        let reasons = Closed::NotAskedFor.to_string();
        tracing::info!(recording_sid = %recording, reasons, "twilio_recording_preserved");
        return;
    }
    let Ok(Some(view)) = app.store.release_view(recording).await else { return };
    let reasons = gate::standing(&view.call, &view.recording, policy);
    let call = &view.call.sid;
    match gate::opens_at(&view.recording, policy) {
        Some(at) if reasons.is_empty() => {
            tracing::info!(recording_sid = %recording, call_sid = %call, at = %at, "twilio_deletion_scheduled");
        }
        _ => {
            let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
            tracing::info!(recording_sid = %recording, call_sid = %call, reasons = reasons.join("; "), "twilio_recording_preserved");
        }
    }
}
