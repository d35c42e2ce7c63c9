//! `callspool process RE…`: brings recordings through the pipeline now, also those callspool has never heard of.

use callspool_domain::RecordingSid;
use callspool_domain::recording::Status;

use crate::lifecycle::log::recording_settled;

use super::{Failure, Outcome, SharedApp, say, work};

/// The recordings.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The provider's ids of the recordings.
    #[arg(required = true, value_name = "RE…")]
    recordings: Vec<RecordingSid>,
}

pub(super) async fn run(app: SharedApp, args: Args) -> Result<Outcome, Failure> {
    let mut known = Vec::new();
    let mut outcome = Outcome::Done;
    for recording in args.recordings {
        if app.store.recording(&recording).await?.is_some() || announce(&app, &recording).await? {
            app.store.make_due(&recording, app.clock.now()).await?;
            known.push(recording);
        } else {
            say(&format!("{recording}: no configured account knows it"));
            outcome = Outcome::Findings;
        }
    }
    let done_here = work::run_due(&app, &known).await?;
    for recording in &known {
        let Some(row) = app.store.recording(recording).await? else { continue };
        let trouble = work::steps(&app, recording).await?.into_iter().find_map(|step| step.code.zip(step.detail));
        let trouble = trouble.map(|(code, detail)| format!(" ({code}: {detail})")).unwrap_or_default();
        say(&format!("{recording}: {}{trouble}", row.status));
        if done_here && row.status == Status::Announced {
            outcome = Outcome::Findings;
        }
    }
    app.store.clone().close().await;
    Ok(outcome)
}

/// Asks every account for the recording; the first that knows it announces it.
async fn announce(app: &SharedApp, recording: &RecordingSid) -> Result<bool, Failure> {
    for account in app.accounts() {
        if let Some(resource) = account.client.recording(recording).await? {
            let call = resource.announcement.call.clone();
            let recorded = app.store.announce(resource.announcement, app.clock.now()).await?;
            if let Some(settled) = recorded.settled {
                recording_settled(recording, &call, settled.status, &settled.reason);
            }
            return Ok(true);
        }
    }
    Ok(false)
}
