//! The record step: the recording of a call is started by a request, where the call's TwiML is not ours.
//!
//! Guarantee: one recording, whatever is lost or dies. Which recordings the call had is stored before the first request;
//! one that is there later and was not then is the one we asked for, and no other is asked for. The request goes out under a
//! lease that outlasts it.

use std::time::Duration;

use callspool_clients::provider::{HowToRecord, RecordingResource, Started};
use callspool_domain::failure::Code;
use callspool_domain::recording::StartedBy;
use callspool_domain::{CallSid, RecordingSid, StepFailure};
use callspool_store::{Lease, Start, ToRecord};

use super::{Stop, account_of, fenced, within_lease};
use crate::callback_url::callback_url;
use crate::lifecycle::{Account, App};

/// A call that rings is asked for again this soon for so long: what is said before we start is lost.
const SOON: Duration = Duration::from_secs(1);
const RINGS_FOR: Duration = Duration::from_secs(120);
/// A call that the provider does not know after this long is none.
const UNKNOWN_FOR: Duration = Duration::from_secs(3600);
/// What Twilio calls the source of such a recording (<https://www.twilio.com/docs/voice/api/recording>).
const SOURCE: &str = "StartCallRecordingAPI";

pub(super) async fn run(app: &App, lease: &Lease, call: &CallSid) -> Result<(), Stop> {
    let Some(wanted) = app.store.to_record(call).await? else {
        return fenced(app.store.cancel_step(lease, app.clock.now()).await?);
    };
    let is_over = wanted.status.as_ref().is_some_and(|status| status.is_over());
    if is_over && wanted.before.is_none() {
        return not_started(app, lease, call, "the call was over before callspool could ask for a recording").await;
    }
    let account = account_of(app, &wanted.account, call)?;
    let recordings = account.client.call_recordings(call).await?;
    match &wanted.before {
        None => {
            let before: Vec<RecordingSid> =
                by_request(&recordings).map(|one| one.announcement.recording.clone()).collect();
            fenced(app.store.note_before(lease, call, &before).await?)?;
        }
        Some(before) => {
            let ours = by_request(&recordings).find(|one| !before.contains(&one.announcement.recording));
            if let Some(ours) = ours {
                return started(app, lease, call, ours).await;
            }
            if is_over {
                return not_started(app, lease, call, "the call was over before its recording began").await;
            }
        }
    }
    request(app, lease, call, &wanted, account).await
}

fn by_request(recordings: &[RecordingResource]) -> impl Iterator<Item = &RecordingResource> {
    recordings.iter().filter(|one| one.announcement.provider_source.as_deref() == Some(SOURCE))
}

async fn request(app: &App, lease: &Lease, call: &CallSid, wanted: &ToRecord, account: &Account) -> Result<(), Stop> {
    let callback = callback_url(&app.config, wanted.job.as_ref(), wanted.source.as_ref(), StartedBy::Rest);
    let how = HowToRecord { callback: &callback, track: wanted.track, trim: app.config.voice.trim };
    fenced(app.store.extend(lease, app.clock.now()).await?)?;
    let what = format!("starting the recording of {call}");
    let said = match within_lease(what, account.client.start_recording(call, how)).await? {
        Started::Running(resource) => return started(app, lease, call, &resource).await,
        Started::NotInProgress(said) => said,
    };
    let age = app.clock.now().since(wanted.created_at);
    match account.client.call_status(call).await? {
        Some(status) if status.is_over() => {
            not_started(app, lease, call, &format!("the call is {}", status.as_str())).await
        }
        None if age > UNKNOWN_FOR => not_started(app, lease, call, "the provider does not know the call").await,
        _ => {
            let detail =
                format!("{call} can't be recorded yet: {said}; it is tried again until it is answered or over");
            let wait = (age < RINGS_FOR).then_some(SOON);
            Err(StepFailure::new(Code::CallNotInProgress, detail).after(wait).into())
        }
    }
}

async fn started(app: &App, lease: &Lease, call: &CallSid, resource: &RecordingResource) -> Result<(), Stop> {
    let announcement = resource.announcement.clone();
    tracing::info!(recording_sid = %announcement.recording, call_sid = %call, "recording_started");
    fenced(app.store.finish_start(lease, call, Start::Started(Box::new(announcement)), app.clock.now()).await?)
}

async fn not_started(app: &App, lease: &Lease, call: &CallSid, reason: &str) -> Result<(), Stop> {
    tracing::warn!(call_sid = %call, reason, "recording_not_started");
    fenced(app.store.finish_start(lease, call, Start::NotStarted(reason.to_owned()), app.clock.now()).await?)
}
