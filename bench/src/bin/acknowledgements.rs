//! How many callbacks a second are acknowledged, each only once it is durable (SQLite, `synchronous=FULL`), and how fast.
//!
//! A run measures three servers, each in a process of its own on a fresh database: the release binary, and, served by
//! this program so that nothing else differs, callspool with its usual grouping of commits and with one commit a request.

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use callspool::config::{Config, Settings};
use callspool::lifecycle::{App, asked_to_end, log, metrics, serve};
use callspool_bench::callbacks::{self, ACCOUNT, APP_URL, TOKEN};
use callspool_bench::connection::Connection;
use callspool_bench::server::{Server, callspool};
use callspool_bench::spread::{Latencies, Spread};
use callspool_bench::usage::Usage;
use callspool_bench::{disk, say};
use callspool_clients::http::HttpOptions;
use callspool_domain::Clock;
use callspool_domain::recording::Status;
use callspool_store::{OpenOptions, Store};
use clap::Parser;
use futures::future::try_join_all;
use tokio::net::TcpListener;

/// Callbacks that are sent before the clock starts.
const WARM_UP: usize = 1000;

/// Durable acknowledgements a second.
#[derive(Debug, Parser)]
struct Args {
    /// How often everything is measured.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Callbacks measured a run.
    #[arg(long, default_value_t = 20_000)]
    callbacks: usize,
    /// Keep-alive connections.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Serve callspool with so many callbacks a commit: how this program calls itself.
    #[arg(long, hide = true)]
    serve: Option<usize>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variant {
    /// `callspool serve`, the release binary.
    Program,
    /// The same served by this program.
    Grouped,
    /// The same with one commit a request.
    OneByOne,
}

impl Variant {
    const ALL: [Self; 3] = [Self::Program, Self::Grouped, Self::OneByOne];

    fn name(self) -> &'static str {
        match self {
            Self::Program => "callspool serve",
            Self::Grouped => "grouped commits",
            Self::OneByOne => "one commit a request",
        }
    }

    async fn start(self, folder: &Path, settings: &[(&str, String)]) -> Result<Server> {
        let serve = |group: usize| ["--serve".to_owned(), group.to_string()];
        let this = std::env::current_exe()?;
        match self {
            Self::Program => Server::start(&callspool()?, &["serve".to_owned()], folder, settings).await,
            Self::Grouped => Server::start(&this, &serve(OpenOptions::default().group), folder, settings).await,
            Self::OneByOne => Server::start(&this, &serve(1), folder, settings).await,
        }
    }
}

/// The figures of one variant in one run.
struct Figures {
    variant: Variant,
    rate: f64,
    latencies: Latencies,
    server_micros: f64,
    generator_micros: f64,
    peak_megabytes: f64,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    match args.serve {
        Some(group) => serve_grouped(group)?,
        None => measure_all(&args)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What `callspool serve` does, with another size of groups.
#[tokio::main]
async fn serve_grouped(group: usize) -> Result<()> {
    let config = Config::load(None)?;
    log::start(&config.server);
    let listener = TcpListener::bind(config.server.listen).await?;
    let options = OpenOptions { group, ..OpenOptions::default() };
    let store = Store::open(&config.server.database_url, config.policy(), options).await?;
    let served =
        serve(App::on(store, config, Clock::System, &HttpOptions::default(), metrics::handle()).await?, listener)
            .await?;
    asked_to_end().await?;
    served.stop().await;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn measure_all(args: &Args) -> Result<()> {
    let requests: Vec<Vec<u8>> = (0..WARM_UP + args.callbacks).map(callbacks::request).collect();
    say("| run | server | callbacks/s | p50 ms | p99 ms | max ms | CPU µs each, server | generator | peak MB |");
    say("|---|---|---|---|---|---|---|---|---|");
    let (mut all, mut appends) = (Vec::new(), Vec::new());
    for run in 0..args.runs {
        appends.push(disk::durable_appends(tempfile::tempdir()?.path())?);
        for place in 0..Variant::ALL.len() {
            // Each is first, second and last in turn, so that none has the better place.
            let Some(variant) = Variant::ALL.get((run + place) % Variant::ALL.len()) else { continue };
            let figures = measure(*variant, &requests, args.connections).await?;
            figures.say(run + 1);
            all.push(figures);
        }
    }
    summarise(&all, &appends);
    Ok(())
}

async fn measure(variant: Variant, requests: &[Vec<u8>], connections: usize) -> Result<Figures> {
    let folder = tempfile::tempdir()?;
    let settings = settings(folder.path());
    let server = variant.start(folder.path(), &settings).await?;
    let (warm_up, measured) = requests.split_at(WARM_UP);
    send_all(server.address(), warm_up, connections).await?;
    let before = (server.usage()?, Usage::of_this()?);
    let began = Instant::now();
    let latencies = send_all(server.address(), measured, connections).await?;
    let seconds = began.elapsed().as_secs_f64();
    let after = (server.usage()?, Usage::of_this()?);
    server.kill()?;
    let stored = stored(&settings).await?;
    ensure!(stored == requests.len() as u64, "{} callbacks were acknowledged, {stored} are stored", requests.len());
    Ok(Figures {
        variant,
        rate: measured.len() as f64 / seconds,
        latencies: Latencies::of(latencies),
        server_micros: after.0.cpu_micros_each(&before.0, measured.len()),
        generator_micros: after.1.cpu_micros_each(&before.1, measured.len()),
        peak_megabytes: after.0.peak_megabytes(),
    })
}

fn settings(folder: &Path) -> [(&'static str, String); 5] {
    [
        ("APP_URL", APP_URL.to_owned()),
        ("TWILIO_ACCOUNT_SID", ACCOUNT.to_owned()),
        ("TWILIO_AUTH_TOKEN", TOKEN.to_owned()),
        ("DATABASE_URL", format!("sqlite://{}", folder.join("callspool.db").display())),
        ("ARCHIVE_URL", format!("file://{}", folder.join("archive").display())),
    ]
}

/// Sends every request over so many connections, each sending its next as soon as its last is answered.
async fn send_all(address: &str, requests: &[Vec<u8>], connections: usize) -> Result<Vec<Duration>> {
    let next = AtomicUsize::new(0);
    let work = (0..connections).map(async |_| {
        let mut connection = Connection::open(address).await?;
        let mut latencies = Vec::with_capacity(requests.len() / connections * 2);
        while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
            let began = Instant::now();
            connection.send(request).await?;
            latencies.push(began.elapsed());
        }
        Ok::<_, anyhow::Error>(latencies)
    });
    Ok(try_join_all(work).await?.concat())
}

/// How many recordings the ledger of a dead server holds.
async fn stored(settings: &[(&str, String)]) -> Result<u64> {
    let pairs: Vec<(&str, &str)> = settings.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let config = Config::read(Settings::of(&pairs))?;
    let store = Store::open(&config.server.database_url, config.policy(), OpenOptions::default()).await?;
    let stored = store.stats().await?.recordings.get(&Status::Announced).copied().unwrap_or(0);
    store.close().await;
    Ok(stored)
}

impl Figures {
    fn say(&self, run: usize) {
        let Self { variant, rate, latencies, server_micros, generator_micros, peak_megabytes } = self;
        say(&format!(
            "| {run} | {} | {rate:.0} | {:.1} | {:.1} | {:.1} | {server_micros:.0} | {generator_micros:.0} | {peak_megabytes:.0} |",
            variant.name(),
            latencies.per_mille(500),
            latencies.per_mille(990),
            latencies.per_mille(1000),
        ));
    }
}

fn summarise(all: &[Figures], appends: &[Latencies]) {
    let rates = |variant| all.iter().filter(move |figures| figures.variant == variant).map(|figures| figures.rate);
    say("\nmedian (least–most) of the runs:\n");
    say("| server | callbacks/s | p50 ms | p99 ms | CPU µs each | peak MB |");
    say("|---|---|---|---|---|---|");
    for variant in Variant::ALL {
        let spread =
            |figure: fn(&Figures) -> f64| Spread::of(all.iter().filter(|one| one.variant == variant).map(figure));
        say(&format!(
            "| {} | {} | {:.1} | {:.1} | {} | {} |",
            variant.name(),
            spread(|one| one.rate),
            spread(|one| one.latencies.per_mille(500)),
            spread(|one| one.latencies.per_mille(990)),
            spread(|one| one.server_micros),
            spread(|one| one.peak_megabytes),
        ));
    }
    let ratios = rates(Variant::Grouped).zip(rates(Variant::OneByOne)).map(|(grouped, single)| grouped / single);
    say(&format!("\ngrouped / one commit a request, in one run: {:.2}", Spread::of(ratios)));
    let share = |share| Spread::of(appends.iter().map(move |latencies| latencies.per_mille(share)));
    say(&format!("durable append of 4 KiB on this disk: p50 {:.3} ms, p99 {:.3} ms", share(500), share(990)));
}
