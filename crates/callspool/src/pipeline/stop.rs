//! The stop step: a recording that we started is stopped once it has run for `RECORDING_MAX`, and then archived as usual.
//!
//! Guarantee: repeatable, until the provider says that it is over. One that is over already is left as it is, and what the
//! provider says of it is stored, so that it is archived although its own callback should never have come.

use callspool_clients::provider::Stopped;
use callspool_domain::recording::{Announcement, ProviderStatus};
use callspool_domain::{Code, RecordingSid, StepFailure};
use callspool_store::{Lease, RecordingRow};

use super::{Stop, account_of, fenced, within_lease};
use crate::lifecycle::{Account, App};

pub(super) async fn run(app: &App, lease: &Lease, sid: &RecordingSid) -> Result<(), Stop> {
    let now = app.clock.now();
    let (Some(at), Some(recording)) = (app.store.stops_at(sid).await?, app.store.recording(sid).await?) else {
        return fenced(app.store.cancel_step(lease, now).await?);
    };
    if at > now {
        return Err(Stop::NotYet(at));
    }
    let account = account_of(app, &recording.account, sid)?;
    let request = account.client.stop_recording(&recording.call, sid);
    let (said, by_us) = match within_lease(format!("stopping {sid}"), request).await? {
        Stopped::Now(resource) => (resource.announcement, true),
        Stopped::NotRunning(words) => {
            tracing::debug!(recording_sid = %sid, words, "recording_not_running");
            let said = found_over(account, &recording).await?;
            if said.status.may_run() {
                let detail = format!(
                    "{sid} could not be stopped ({words}), and the provider says that it is {}; it is tried again",
                    said.status.as_str()
                );
                return Err(StepFailure::new(Code::MediaNotReady, detail).into());
            }
            (said, false)
        }
    };
    tracing::info!(recording_sid = %sid, call_sid = %recording.call, by_us, status = said.status.as_str(), "recording_stopped");
    fenced(app.store.finish_stop(lease, said, by_us, app.clock.now()).await?)
}

/// What the provider says of a recording that does not run; one that it does not know is deleted.
async fn found_over(account: &Account, recording: &RecordingRow) -> Result<Announcement, StepFailure> {
    let resource = account.client.recording(&recording.sid).await?;
    Ok(resource.map(|resource| resource.announcement).unwrap_or_else(|| Announcement {
        recording: recording.sid.clone(),
        account: recording.account.clone(),
        call: recording.call.clone(),
        status: ProviderStatus::new("deleted"),
        provider_source: None,
        track: recording.track,
        duration_seconds: None,
        channels: None,
        started_at: None,
        error_code: None,
        encrypted: false,
        encryption: None,
    }))
}
