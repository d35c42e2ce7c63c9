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
        let row = app.store.recording(&recording).await?;
        if !row.as_ref().is_some_and(|row| is_kept(row.status)) {
            match announce(&app, &recording).await {
                Ok(true) => {}
                Ok(false) => {
                    say(&format!("{recording}: no configured account knows it"));
                    outcome = worse(outcome, Outcome::Findings);
                }
                Err(Failure::Service(failure)) => {
                    say(&format!("{recording}: {failure}"));
                    outcome = worse(outcome, Outcome::Unanswered);
                }
                Err(failure) => return Err(failure),
            }
        }
        if app.store.recording(&recording).await?.is_some() {
            app.store.make_due(&recording, app.clock.now()).await?;
            known.push(recording);
        }
    }
    let done_here = work::run_due(&app, &known).await?;
    for recording in &known {
        let Some(row) = app.store.recording(recording).await? else { continue };
        let trouble = work::steps(&app, recording).await?.into_iter().find_map(|step| step.code.zip(step.detail));
        let trouble = trouble.map(|(code, detail)| format!(" ({code}: {detail})")).unwrap_or_default();
        say(&format!("{recording}: {}{trouble}", row.status));
        if done_here && row.status == Status::Announced {
            outcome = worse(outcome, Outcome::Findings);
        }
    }
    app.store.clone().close().await;
    Ok(outcome)
}

/// Whether the archive has it, so that the provider has nothing to add. Of any other it may know better by now: the
/// callback that said so can have been lost.
fn is_kept(status: Status) -> bool {
    matches!(status, Status::Archived | Status::Sealed | Status::Expired)
}

/// A service that failed says more about how the command ended than what was found.
fn worse(one: Outcome, other: Outcome) -> Outcome {
    if one == Outcome::Unanswered { one } else { other }
}

/// Asks every account for the recording; the first that knows it announces it. One that refuses keeps no other from being
/// asked; where none knows it, it may be that one's.
async fn announce(app: &SharedApp, recording: &RecordingSid) -> Result<bool, Failure> {
    let mut unknown = Ok(false);
    for account in app.accounts() {
        match account.client.recording(recording).await {
            Ok(None) => {}
            Ok(Some(resource)) => {
                let call = resource.announcement.call.clone();
                let recorded = app.store.announce(resource.announcement, app.clock.now()).await?;
                if let Some(settled) = recorded.settled {
                    recording_settled(recording, &call, settled.status, &settled.reason);
                }
                return Ok(true);
            }
            Err(failure) => unknown = Err(Failure::Service(failure)),
        }
    }
    unknown
}
