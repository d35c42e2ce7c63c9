//! Recordings that we started and that have run for too long: when they are to be stopped, and that they are over.

use callspool_domain::plan::stops_at;
use callspool_domain::recording::Announcement;
use callspool_domain::{Policy, RecordingSid, Service, StepState, Timestamp};
use serde_json::json;

use crate::db::{Tx, params, statements};
use crate::events::{self, NewEvent, kind};
use crate::planning::call_view;
use crate::steps::close::{Fence, close};
use crate::steps::{Lease, services};
use crate::{Result, Store, calls, intake};

statements! {
    STOPPED: "recordings" = "UPDATE recordings SET stopped_at = $2 WHERE recording_sid = $1 AND stopped_at IS NULL";
}

impl Store {
    /// When a recording is to be stopped; `None` where it is not ours, is over, or may run for ever.
    pub async fn stops_at(&self, recording: &RecordingSid) -> Result<Option<Timestamp>> {
        self.read((recording.clone(), self.shared_policy()), |tx, (recording, policy)| {
            Box::pin(async move {
                let Some(call) = calls::of(tx, recording).await? else { return Ok(None) };
                let Some(view) = call_view(tx, &call).await? else { return Ok(None) };
                let own = view.recordings.iter().find(|own| own.sid == *recording);
                Ok(own.and_then(|own| stops_at(own, policy)))
            })
        })
        .await
    }

    /// The recording is over: stopped by us just now (`by_us`), or found so. `said` is what the provider says of it. False:
    /// the lease was lost.
    pub async fn finish_stop(&self, lease: &Lease, said: Announcement, by_us: bool, now: Timestamp) -> Result<bool> {
        let args = (lease.clone(), said, by_us, self.shared_policy(), now);
        self.write(args, |tx, (lease, said, by_us, policy, now)| {
            Box::pin(finish(tx, lease, said, *by_us, policy, *now))
        })
        .await
    }
}

async fn finish(
    tx: &Tx<'_>,
    lease: &Lease,
    said: &Announcement,
    by_us: bool,
    policy: &std::sync::Arc<Policy>,
    now: Timestamp,
) -> Result<bool> {
    let sid = &said.recording;
    let Some(call) = calls::lock_of(tx, sid).await? else { return Ok(false) };
    let fence = close(tx, lease, StepState::Done, "over").await?;
    if fence != Fence::Held {
        return Ok(fence.is_kept());
    }
    services::succeeded(tx, &[Service::Provider], now).await?;
    if tx.execute(&STOPPED, params![sid, now]).await? == 1 {
        let data = json!({ "by_us": by_us, "max_seconds": policy.recording_max.map(|max| max.as_secs()) });
        let (recording, call) = (Some(sid.clone()), Some(call));
        let event = NewEvent { kind: kind::RECORDING_STOPPED, recording, call, data, ..NewEvent::default() };
        events::add(tx, &event, now).await?;
    }
    intake::take_in_again(tx, said, policy, now).await?;
    Ok(true)
}
