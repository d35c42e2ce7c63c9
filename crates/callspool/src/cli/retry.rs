//! `callspool retry RE…` and `callspool retry --failed`: steps that are parked or wait after an error run again now.

use callspool_domain::RecordingSid;
use callspool_store::RetryWhat;

use super::{Failure, Outcome, SharedApp, say, work};

/// What to run again.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Args {
    /// One recording with its call and its job.
    #[arg(value_name = "RE…")]
    recording: Option<RecordingSid>,
    /// Every step that is parked, given up, or waiting after an error.
    #[arg(long)]
    failed: bool,
}

pub(super) async fn run(app: SharedApp, args: Args) -> Result<Outcome, Failure> {
    let what = args.recording.clone().map_or(RetryWhat::Failed, RetryWhat::Recording);
    if let Some(recording) = &args.recording
        && app.store.recording(recording).await?.is_none()
    {
        return Err(Failure::Usage(format!("{recording} is not known; try callspool process")));
    }
    let steps = app.store.retry(what, app.clock.now()).await?;
    say(&format!("{steps} step(s) are due again"));
    if let (Some(recording), true) = (args.recording, steps > 0) {
        work::run_due(&app, &[recording]).await?;
    } else if steps > 0 {
        work::run_all_due(&app).await?;
    }
    app.store.clone().close().await;
    Ok(Outcome::Done)
}
