//! `callspool accept RE… --reason TEXT`: a doubtful recording is good after all.

use callspool_domain::RecordingSid;
use callspool_store::Accepted;

use super::{Failure, Outcome, SharedApp, actor, say, work};

/// What is accepted, and why.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The recording.
    #[arg(value_name = "RE…")]
    recording: RecordingSid,
    /// Why it is good; stands in its history of events.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(super) async fn run(app: SharedApp, args: Args) -> Result<Outcome, Failure> {
    let Args { recording, reason } = args;
    if reason.trim().is_empty() || reason.contains('\0') {
        return Err(Failure::Usage("--reason must say why".to_owned()));
    }
    let accepted = app.store.accept(&recording, &reason, actor(), app.clock.now()).await?;
    if accepted == Accepted::Accepted {
        // Its release may have waited for nothing else.
        work::run_due(&app, std::slice::from_ref(&recording)).await?;
    }
    app.store.clone().close().await;
    match accepted {
        Accepted::Accepted => {
            say(&format!("{recording} is accepted; it may be released once the other conditions hold"));
            Ok(Outcome::Done)
        }
        Accepted::NotDoubtful => {
            say(&format!("{recording} is not doubtful; there is nothing to accept"));
            Ok(Outcome::Done)
        }
        Accepted::NotArchived => {
            say(&format!("{recording} is not archived, so it can't be accepted"));
            Ok(Outcome::Findings)
        }
    }
}
