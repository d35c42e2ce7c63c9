//! The release step: the provider's copy is deleted, through the gate, with a receipt.
//!
//! Guarantee: the deletion is sent only after the archive copy was read again in full and found equal, and after the facts
//! of the gate were read again and hold, under a lease that outlasts the request (invariants 2, 3, 11). A deletion that
//! finds nothing counts as done, so a lost reply or a crash right after it does no harm.

use callspool_clients::provider::Deletion;
use callspool_domain::failure::Code;
use callspool_domain::gate::{self, Closed};
use callspool_domain::{RecordingSid, StepFailure};
use callspool_store::{Lease, ProviderAnswer, Receipt, ReleaseView};

use super::{Stop, account_of, fenced, within_lease};
use crate::lifecycle::{App, metrics};

pub(super) async fn run(app: &App, lease: &Lease, sid: &RecordingSid) -> Result<(), Stop> {
    let Some(view) = open_gate(app, lease, sid).await? else { return Ok(()) };
    let verified_at = compare(app, &view).await?;
    let Some(recording) = app.store.recording(sid).await? else { return Ok(()) };
    let account = account_of(app, &recording.account, sid)?;
    fenced(app.store.extend(lease, app.clock.now()).await?)?;
    // The re-read took its time; whatever changed meanwhile closes the gate.
    let Some(view) = open_gate(app, lease, sid).await? else { return Ok(()) };
    let answer = within_lease(format!("deleting {sid}"), account.client.delete(sid)).await?;
    let receipt = Receipt {
        provider_answer: match answer {
            Deletion::Deleted => ProviderAnswer::Deleted,
            Deletion::AlreadyGone => ProviderAnswer::AlreadyGone,
        },
        archive_key: view.archive.object_key.clone(),
        sha256: view.archive.sha256.clone().unwrap_or_default(),
        bytes: view.archive.bytes.unwrap_or_default(),
        verified_at,
    };
    tracing::info!(recording_sid = %sid, call_sid = %view.call.sid, key = receipt.archive_key, ?answer, "recording_released");
    metrics::released();
    fenced(app.store.finish_released(lease, sid, receipt, app.clock.now()).await?)
}

/// Reads the gate's facts now. `None`: it is closed for a reason that only a new fact changes, and the step is taken back;
/// the plan asks for it again when that fact comes.
async fn open_gate(app: &App, lease: &Lease, sid: &RecordingSid) -> Result<Option<ReleaseView>, Stop> {
    let now = app.clock.now();
    let view = app.store.release_view(sid).await?;
    let reasons = view.as_ref().map(|view| gate::closed(&view.call, &view.recording, app.store.policy(), now));
    match (view, reasons.as_deref()) {
        (Some(view), Some([])) => Ok(Some(view)),
        (_, Some([Closed::TooEarly(at)])) => Err(Stop::NotYet(*at)),
        (_, reasons) => {
            let reasons: Vec<String> = reasons.unwrap_or_default().iter().map(ToString::to_string).collect();
            tracing::info!(recording_sid = %sid, reasons = reasons.join("; "), "twilio_recording_preserved");
            fenced(app.store.cancel_step(lease, now).await?)?;
            Ok(None)
        }
    }
}

/// Reads the archive copy in full and compares it with the ledger. Returns when that was.
async fn compare(app: &App, view: &ReleaseView) -> Result<callspool_domain::Timestamp, Stop> {
    let (archive, sid) = (&view.archive, &view.recording.sid);
    let found = app.archive.fingerprint(&archive.object_key).await?;
    let equal = archive.bytes == Some(found.bytes) && archive.sha256.as_deref() == Some(found.sha256.as_str());
    if !equal {
        let detail = format!(
            "{} of {sid} holds {} bytes with SHA-256 {}, not what was verified; the provider's copy is kept",
            archive.object_key, found.bytes, found.sha256
        );
        return Err(StepFailure::new(Code::ArchiveMismatch, detail).into());
    }
    Ok(app.clock.now())
}
