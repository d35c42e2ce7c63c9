//! `callspool reconcile`: compares the provider with the ledger now, repairs what differs, and says what it was.

use std::collections::BTreeMap;

use callspool_domain::reconcile::Cause;
use callspool_domain::recording::Status;
use callspool_domain::{AccountSid, RecordingSid, StepFailure, Timestamp};
use callspool_store::Difference;
use serde_json::json;

use super::{Failure, Outcome, SharedApp, say, say_json, work};
use crate::intake::reconcile;
use crate::lifecycle::{Account, App};

/// How many recordings are brought through the pipeline at a time.
const AT_A_TIME: usize = 100;

/// What to compare.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Recordings made on this day (UTC) or later; else as far back as RECONCILE_WINDOW says.
    #[arg(long, value_name = "DATE", value_parser = parse_day)]
    since: Option<Timestamp>,
    /// Recordings made on this day (UTC) or before.
    #[arg(long, value_name = "DATE", value_parser = parse_day)]
    until: Option<Timestamp>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

fn parse_day(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "must be a day like 2024-03-15".to_owned())
}

/// What the list of one account came to.
struct Compared {
    account: AccountSid,
    /// Requests that were sent, each for up to a thousand recordings.
    requests: u64,
    recordings: u64,
    differences: Vec<Difference>,
    /// Why the list was not read to its end.
    failure: Option<StepFailure>,
}

pub(super) async fn run(app: SharedApp, args: Args) -> Result<Outcome, Failure> {
    let since = args.since.unwrap_or(app.clock.now() - app.config.reconcile.window);
    if args.until.is_some_and(|until| until.date() < since.date()) {
        return Err(Failure::Usage("--until lies before --since".to_owned()));
    }
    let mut compared = Vec::new();
    for account in app.accounts() {
        compared.push(compare(&app, account, since, args.until).await?);
    }
    let found: Vec<RecordingSid> = differences(&compared).map(|difference| difference.recording.clone()).collect();
    let mut done_here = true;
    for recordings in found.chunks(AT_A_TIME) {
        done_here = work::run_due(&app, recordings).await?;
        if !done_here {
            break;
        }
    }
    let mut standing = BTreeMap::new();
    for recording in &found {
        standing.extend(app.store.recording(recording).await?.map(|row| (recording.clone(), row.status)));
    }
    app.store.clone().close().await;
    if args.json {
        say_json(&statement(since, args.until, &compared, &standing));
    } else {
        tell(&compared, &standing);
    }
    let is_missing = |status: &Status| *status == Status::Missing || (done_here && *status == Status::Announced);
    Ok(match (compared.iter().any(|compared| compared.failure.is_some()), standing.values().any(is_missing)) {
        (true, _) => Outcome::Unanswered,
        (false, true) => Outcome::Findings,
        (false, false) => Outcome::Done,
    })
}

async fn compare(
    app: &App,
    account: &Account,
    since: Timestamp,
    until: Option<Timestamp>,
) -> Result<Compared, Failure> {
    let sid = &account.settings.sid;
    let mut compared =
        Compared { account: sid.clone(), requests: 0, recordings: 0, differences: Vec::new(), failure: None };
    let mut place = None;
    loop {
        compared.requests += 1;
        let page = match account.client.recordings_page(since, until, place.as_deref()).await {
            Ok(page) => page,
            Err(failure) => {
                compared.failure = Some(failure);
                return Ok(compared);
            }
        };
        compared.recordings += page.recordings.len() as u64;
        place = page.next.clone();
        compared.differences.extend(reconcile::take_in(app, sid, page).await?);
        if place.is_none() {
            return Ok(compared);
        }
    }
}

fn differences(compared: &[Compared]) -> impl Iterator<Item = &Difference> {
    compared.iter().flat_map(|compared| &compared.differences)
}

fn tell(compared: &[Compared], standing: &BTreeMap<RecordingSid, Status>) {
    for Difference { recording, cause } in differences(compared) {
        let status = standing.get(recording).copied().unwrap_or(Status::Announced);
        say(&format!("{recording}: {cause}; it is {status} now"));
    }
    for Compared { account, requests, recordings, differences, failure } in compared {
        let count = differences.len();
        say(&format!("{account}: {recordings} recording(s), {count} difference(s), {requests} request(s)"));
        if let Some(failure) = failure {
            say(&format!("{account}: not read to the end: {failure}"));
        }
    }
}

/// The statement of one comparison, for programs.
fn statement(
    since: Timestamp,
    until: Option<Timestamp>,
    compared: &[Compared],
    standing: &BTreeMap<RecordingSid, Status>,
) -> serde_json::Value {
    let difference = |Difference { recording, cause }: &Difference| json!({ "recording_sid": recording, "cause": cause, "status": standing.get(recording) });
    let causes = Cause::ALL.iter().map(|cause| {
        let count = differences(compared).filter(|difference| difference.cause == *cause).count();
        (cause.as_str(), count)
    });
    json!({
        "since": since.rfc3339(),
        "until": until.map(Timestamp::rfc3339),
        "causes": causes.collect::<BTreeMap<_, _>>(),
        "accounts": compared.iter().map(|compared| json!({
            "account_sid": compared.account,
            "requests": compared.requests,
            "recordings": compared.recordings,
            "failure": compared.failure.as_ref().map(ToString::to_string),
            "differences": compared.differences.iter().map(difference).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    })
}
