//! `callspool demo`: the service with a sandbox outside world that places calls through the real public HTTP path.

use super::{Failure, Outcome};

/// How the demo runs.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) async fn run(_args: Args) -> Result<Outcome, Failure> {
    Ok(Outcome::Done)
}
