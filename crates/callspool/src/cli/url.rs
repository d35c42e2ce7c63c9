//! `callspool url RE… [RE…] [--ttl 15m] [--relink]`: a fresh signed URL for each recording, on standard output.
//!
//! Guarantee: that somebody got a URL is stored before it is printed.

use std::time::Duration;

use callspool_domain::{RecordingSid, Timestamp};
use callspool_store::{NewEvent, RecordingRow, Renewed, kind};
use serde_json::json;

use super::{Failure, Outcome, SharedApp, actor, complain, say, say_json, work};
use crate::config::LinkStyle;
use crate::config::settings::parse_duration;
use crate::links::{self, LONGEST_LIFE};

/// Which recordings, for how long.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The recordings.
    #[arg(value_name = "RE…", required = true)]
    recordings: Vec<RecordingSid>,
    /// The URL's life, at most 7d (default: RECORDING_LINK_TTL).
    #[arg(long, value_name = "15m", value_parser = life)]
    ttl: Option<Duration>,
    /// Also put a fresh URL into the job's record, with a line that says so (RECORDING_LINK=signed).
    #[arg(long)]
    relink: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn life(text: &str) -> Result<Duration, String> {
    let life = parse_duration(text).filter(|life| !life.is_zero() && *life <= LONGEST_LIFE);
    life.ok_or_else(|| "must be a length of time from 1s to 7d, like 15m".to_owned())
}

pub(super) async fn run(app: SharedApp, args: Args) -> Result<Outcome, Failure> {
    if args.relink && app.config.recording.link != LinkStyle::Signed {
        let reason = "--relink is for RECORDING_LINK=signed; the links of the other styles don't expire";
        return Err(Failure::Usage(reason.to_owned()));
    }
    let life = args.ttl.unwrap_or(app.config.recording.link_ttl);
    let mut outcome = Outcome::Done;
    let mut made = Vec::new();
    for recording in &args.recordings {
        match fresh(&app, recording, life).await? {
            Some((url, until)) if args.json => {
                made.push(json!({ "recording_sid": recording, "url": url, "expires_at": until.rfc3339() }));
            }
            Some((url, _)) => say(&url),
            None => {
                complain(&format!("{recording} can't be played: there is no copy of it yet, or none any more"));
                outcome = Outcome::Findings;
            }
        }
    }
    if args.json {
        say_json(&json!({ "urls": made }));
    }
    if args.relink && relink(&app, &args.recordings).await? == Outcome::Findings {
        outcome = Outcome::Findings;
    }
    app.store.clone().close().await;
    Ok(outcome)
}

async fn fresh(
    app: &SharedApp,
    recording: &RecordingSid,
    life: Duration,
) -> Result<Option<(String, Timestamp)>, Failure> {
    let Some(row) = app.store.recording(recording).await? else { return Ok(None) };
    if !links::is_playable(app, &row) {
        return Ok(None);
    }
    note(app, &row).await?;
    Ok(Some(links::signed(app, &row, life).await?))
}

async fn note(app: &SharedApp, row: &RecordingRow) -> Result<(), Failure> {
    let event = NewEvent {
        kind: kind::AUDIO_ACCESSED,
        recording: Some(row.sid.clone()),
        call: Some(row.call.clone()),
        job: row.job.clone(),
        actor: Some(actor().to_owned()),
        data: json!({ "what": "link" }),
    };
    Ok(app.store.add_event(event, app.clock.now()).await?)
}

/// Owes each recording's job a line with a fresh URL, and has it written.
async fn relink(app: &SharedApp, recordings: &[RecordingSid]) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::Done;
    for recording in recordings {
        let why = match app.store.renew_link(recording, app.clock.now()).await? {
            Renewed::Owed { job } => {
                complain(&format!("a fresh link to {recording} is written to {job}"));
                continue;
            }
            Renewed::NotArchived => "it is not archived",
            Renewed::NoJob => "its call has no job",
        };
        complain(&format!("{recording} gets no fresh link in a job's record: {why}"));
        outcome = Outcome::Findings;
    }
    work::run_due(app, recordings).await?;
    Ok(outcome)
}
