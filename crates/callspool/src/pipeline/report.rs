//! Log lines under the names that operators already search for (`docs/logging.md`).

use callspool_domain::gate::Closed;
use callspool_domain::line::Event;
use callspool_domain::{RecordingSid, gate};
use callspool_store::OwedLine;

use crate::lifecycle::App;

/// Tells that a job is about to be given the provider's copy, since archiving is delayed.
pub(super) fn fallback(owed: &OwedLine) {
    tracing::warn!(recording_sid = %owed.recording, call_sid = %owed.call, job_id = owed.job.as_str(), "recording_s3_fallback_to_twilio");
}

/// Tells that a line was read back from the job's history, under the name of what it leads to: the archive's copy, or the
/// provider's while archiving is delayed.
pub(super) fn line_confirmed(owed: &OwedLine, record_id: Option<&str>) {
    let OwedLine { recording, call, job, event, .. } = owed;
    match event {
        Event::Recording => {
            tracing::info!(recording_sid = %recording, call_sid = %call, job_id = job.as_str(), record_id, "recording_saved_to_airtable_s3");
        }
        Event::Pending => {
            tracing::info!(recording_sid = %recording, call_sid = %call, job_id = job.as_str(), record_id, "recording_saved_to_airtable_twilio");
        }
        Event::NoRecording | Event::Moved | Event::LinkRenewed => {
            tracing::info!(recording_sid = %recording, call_sid = %call, job_id = job.as_str(), record_id, event = event.as_str(), "line_saved_to_airtable");
        }
    }
}

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
