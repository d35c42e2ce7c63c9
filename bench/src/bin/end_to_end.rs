//! Recordings end to end, of any number and size: announced by callback, fetched, archived in S3, read back, linked to
//! their jobs; beside a plain HTTP pipe that moves the same bytes between the same servers and does nothing else.
//!
//! callspool is the release binary in a process of its own and so is the pipe; this process is the outside world.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use callspool::config::{Config, Settings};
use callspool_bench::server::{Server, callspool};
use callspool_bench::spread::Spread;
use callspool_bench::usage::Usage;
use callspool_bench::world::World;
use callspool_bench::{pipe, say};
use callspool_domain::audio::AudioFormat;
use callspool_domain::recording::Status;
use callspool_store::{OpenOptions, Store};
use clap::Parser;

/// How many recordings callspool moves at once; the pipe does the same.
const AT_A_TIME: usize = 16;
/// No run takes this long.
const PATIENCE: Duration = Duration::from_secs(600);
/// The table's columns behind the run.
const HEAD: &str =
    "| | recordings/s | CPU ms each | CPU s a GB | outside world's CPU ms each | ack p99 ms | idle MB | peak MB |";
/// How often the ledger is asked whether all is done.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Recordings end to end, beside a plain HTTP pipe.
#[derive(Debug, Parser)]
struct Args {
    /// How often everything is measured.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Recordings a run.
    #[arg(long, default_value_t = 1000)]
    recordings: usize,
    /// Bytes a recording.
    #[arg(long, default_value_t = 1_000_000)]
    bytes: u64,
    /// Be the pipe: how this program calls itself.
    #[arg(long, hide = true)]
    pipe: bool,
}

/// What one side took in one run.
#[derive(Debug)]
struct Figures {
    rate: f64,
    cpu_millis: f64,
    world_millis: f64,
    idle_megabytes: f64,
    peak_megabytes: f64,
    /// How soon 99 of 100 callbacks were acknowledged; the pipe gets none.
    p99_millis: f64,
    cpu_seconds_per_gigabyte: f64,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let args = Args::parse();
    if args.pipe {
        say(&serde_json::to_string(&pipe::run(AT_A_TIME).await?)?);
    } else {
        measure_all(&args).await?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn measure_all(args: &Args) -> Result<()> {
    say(&format!("| run {HEAD}"));
    say("|---|---|---|---|---|---|---|---|---|");
    // The first of both warms up this process and the machine's memory, and is not counted.
    measure_callspool(args).await?;
    measure_pipe(args).await?;
    let (mut callspool, mut pipes) = (Vec::new(), Vec::new());
    for run in 1..=args.runs {
        // Each goes first in turn.
        let (figures, piped) = if run % 2 == 1 {
            let figures = measure_callspool(args).await?;
            (figures, measure_pipe(args).await?)
        } else {
            let piped = measure_pipe(args).await?;
            (measure_callspool(args).await?, piped)
        };
        say_row(&format!("{run} | callspool"), std::slice::from_ref(&figures));
        say_row(&format!("{run} | pipe"), std::slice::from_ref(&piped));
        callspool.push(figures);
        pipes.push(piped);
    }
    say("\nmedian (least–most) of the runs:\n");
    say(HEAD);
    say("|---|---|---|---|---|---|---|---|");
    say_row("callspool", &callspool);
    say_row("pipe", &pipes);
    let ratios = callspool.iter().zip(&pipes).map(|(callspool, pipe)| callspool.rate / pipe.rate);
    say(&format!("\ncallspool / pipe, in one run: {:.2}", Spread::of(ratios)));
    Ok(())
}

async fn measure_callspool(args: &Args) -> Result<Figures> {
    let world = World::with(args.recordings, args.bytes).await?;
    let folder = tempfile::tempdir()?;
    let settings = world.settings(folder.path());
    let server = Server::start(&callspool()?, &["serve".to_owned()], folder.path(), &settings).await?;
    let store = ledger(&settings).await?;
    let before = (server.usage()?, Usage::of_this()?);
    let began = Instant::now();
    let acknowledged = world.announce(server.address()).await?;
    let linked = all_linked(&store, args.recordings as u64);
    tokio::time::timeout(PATIENCE, linked).await.context("not all recordings were linked")??;
    let seconds = began.elapsed().as_secs_f64();
    let after = (server.usage()?, Usage::of_this()?);
    check(&world, &store).await?;
    store.close().await;
    server.kill()?;
    let cpu_millis = after.0.cpu_micros_each(&before.0, args.recordings) / 1e3;
    Ok(Figures {
        rate: args.recordings as f64 / seconds,
        cpu_millis,
        world_millis: after.1.cpu_micros_each(&before.1, args.recordings) / 1e3,
        idle_megabytes: before.0.peak_megabytes(),
        peak_megabytes: after.0.peak_megabytes(),
        p99_millis: acknowledged.per_mille(990),
        cpu_seconds_per_gigabyte: cpu_millis / 1e3 / (args.bytes as f64 / 1e9),
    })
}

/// callspool's own ledger, read by the same code.
async fn ledger(settings: &[(&str, String)]) -> Result<Store> {
    let pairs: Vec<(&str, &str)> = settings.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let config = Config::read(Settings::of(&pairs))?;
    Ok(Store::open(&config.server.database_url, config.policy(), OpenOptions::default()).await?)
}

async fn all_linked(store: &Store, recordings: u64) -> Result<()> {
    while store.stats().await?.lines_confirmed < recordings {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Nothing is measured that was not done: each recording is archived, with the bytes the provider made, and nothing failed.
async fn check(world: &World, store: &Store) -> Result<()> {
    let stats = store.stats().await?;
    ensure!(stats.failures.is_empty(), "steps failed: {:?}", stats.failures);
    ensure!(world.s3.keys().len() == world.recordings.len(), "{} objects are in the archive", world.s3.keys().len());
    for sid in &world.recordings {
        let recording = store.recording(sid).await?.with_context(|| format!("{sid} is not in the ledger"))?;
        ensure!(recording.status == Status::Archived, "{sid} is {}", recording.status);
        let archived = recording.archive.and_then(|archive| archive.sha256);
        ensure!(
            archived == world.twilio.media_sha256(sid, AudioFormat::Wav),
            "{sid} has other bytes than the provider's"
        );
    }
    world.check()
}

async fn measure_pipe(args: &Args) -> Result<Figures> {
    let world = World::with(args.recordings, args.bytes).await?;
    let transfers = world.transfers().await?;
    let before = Usage::of_this()?;
    let piped = tokio::task::spawn_blocking(move || pipe::spawn(&["--pipe"], &transfers)).await??;
    let after = Usage::of_this()?;
    ensure!(world.s3.keys().len() == world.recordings.len(), "{} objects came through", world.s3.keys().len());
    world.check()?;
    let cpu_seconds = piped.usage.cpu.as_secs_f64();
    Ok(Figures {
        rate: args.recordings as f64 / piped.seconds,
        cpu_millis: cpu_seconds * 1e3 / args.recordings as f64,
        world_millis: after.cpu_micros_each(&before, args.recordings) / 1e3,
        idle_megabytes: f64::NAN,
        peak_megabytes: piped.usage.peak_megabytes(),
        p99_millis: f64::NAN,
        cpu_seconds_per_gigabyte: cpu_seconds / (args.recordings as f64 * args.bytes as f64 / 1e9),
    })
}

/// A row of the table: these runs of one side.
fn say_row(side: &str, runs: &[Figures]) {
    let spread = |figure: fn(&Figures) -> f64| Spread::of(runs.iter().map(figure));
    say(&format!(
        "| {side} | {:.1} | {:.2} | {:.2} | {:.2} | {:.1} | {:.0} | {:.0} |",
        spread(|run| run.rate),
        spread(|run| run.cpu_millis),
        spread(|run| run.cpu_seconds_per_gigabyte),
        spread(|run| run.world_millis),
        spread(|run| run.p99_millis),
        spread(|run| run.idle_megabytes),
        spread(|run| run.peak_megabytes),
    ));
}
