//! `callspool demo`: the service with a sandbox outside world that places calls through the real public HTTP path.
//!
//! What it shows is the real program: real sockets, a real database and archive in a folder of its own, which is removed at
//! the end. With `--for` it judges itself: it succeeds only if every placed call was archived and linked.

mod audit;
mod stage;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use callspool_sandbox::twilio::PlacedCall;
use tokio::net::TcpListener;

use super::{Failure, Outcome, say, token};
use crate::config::settings::parse_duration;
use crate::lifecycle::{App, Served, StartError, asked_to_end, log, serve};
use crate::web;
use audit::Audit;
use callspool_store::Role;
use stage::Stage;

/// The pause between two calls.
const PAUSE: Duration = Duration::from_millis(1500);
/// How long the last calls may take to arrive once no fault is played any more.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the demo runs.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many calls are placed.
    #[arg(long, default_value_t = 12, value_name = "N")]
    calls: usize,
    /// Break a fifth of everything the outside world answers.
    #[arg(long)]
    faults: bool,
    /// Stop after this long (e.g. 60s), and fail unless every placed call was archived and linked.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    stop_after: Option<Duration>,
    /// The address of the page; another port is taken where this one is in use.
    #[arg(long, default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)), value_name = "ADDRESS")]
    listen: SocketAddr,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "must be a length of time like 60s or 5m".to_owned())
}

pub(super) async fn run(args: Args) -> Result<Outcome, Failure> {
    let listener = listen(args.listen).await?;
    let stage = Stage::build(listener.local_addr()?).await?;
    let config = stage.config()?;
    log::start(&config.server);
    let app = stage.open(config).await?;
    let served = serve(app, listener).await?;
    welcome(served.app()).await?;
    let (audit, outcome) = tokio::select! {
        acted = act(&stage, &served, &args) => acted?,
        ended = asked_to_end() => (None, ended.map(|()| Outcome::Done)?),
    };
    served.stop().await;
    audit.iter().for_each(Audit::print);
    Ok(outcome)
}

async fn listen(wanted: SocketAddr) -> Result<TcpListener, StartError> {
    match TcpListener::bind(wanted).await {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            let any = SocketAddr::new(wanted.ip(), 0);
            TcpListener::bind(any).await.map_err(|error| StartError::Listen(any, error))
        }
        bound => bound.map_err(|error| StartError::Listen(wanted, error)),
    }
}

/// Prints the page's address, already signed in.
async fn welcome(app: &App) -> Result<(), Failure> {
    let token = token::new_token(app, "demo", Role::Admin).await?;
    let address = web::sign_in_address(app, &token).await?.unwrap_or_else(|| app.config.server.app_url.clone());
    say("callspool demo: calls are placed, recorded, archived, linked to their job, and released after 10 s.");
    say(&format!("open  {address}  (once, within ten minutes)"));
    say(&format!("API   curl -H 'Authorization: Bearer {token}' {}/api/v1/recordings", app.config.server.app_url));
    Ok(())
}

/// Places the calls, then waits: for the end of the time, or for Ctrl-C.
async fn act(stage: &Stage, served: &Served, args: &Args) -> Result<(Option<Audit>, Outcome), Failure> {
    let began = tokio::time::Instant::now();
    if args.faults {
        stage.break_things();
    }
    let mut placed: Vec<PlacedCall> = Vec::with_capacity(args.calls);
    while placed.len() < args.calls && args.stop_after.is_none_or(|limit| began.elapsed() < limit) {
        placed.push(stage.place_call(placed.len()).await);
        tokio::time::sleep(PAUSE).await;
    }
    let Some(limit) = args.stop_after else {
        say(&format!("{} calls are placed; Ctrl-C ends the demo", placed.len()));
        return std::future::pending().await;
    };
    tokio::time::sleep_until(began + limit).await;
    stage.mend();
    let audit = audit::wait(stage, served.app(), &placed, PATIENCE).await?;
    let outcome = if audit.is_clean() { Outcome::Done } else { Outcome::Findings };
    Ok((Some(audit), outcome))
}

#[cfg(test)]
mod tests {
    use callspool_clients::http::HttpOptions;

    use super::*;
    use crate::cli::doctor;
    use crate::config::RecordsSettings;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_demos_own_setting_is_in_order() {
        let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.expect("a port");
        let stage = Stage::build(listener.local_addr().expect("address")).await.expect("the stand-ins start");
        let mut config = stage.config().expect("a configuration");
        let served = serve(stage.open(config.clone()).await.expect("it opens"), listener).await.expect("it serves");
        if let RecordsSettings::Airtable(airtable) = &mut config.records {
            // Three requests are within the limit; nobody has to wait for doctor's own pace.
            airtable.interval = Duration::ZERO;
        }
        let options = HttpOptions { system_proxy: false, ..HttpOptions::default() };
        let findings = doctor::examine(&config, &options).await.expect("it looks");
        let told: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(doctor::outcome(&findings), Outcome::Done, "{told:#?}");
        served.stop().await;
    }
}
