//! What a backlog costs: how fast steps are claimed, and how fast the newest recordings are listed, with few and with many
//! due steps. Neither may depend on how many there are.
//!
//! The ledger and the routes are callspool's own, in this process; nothing is fetched.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum::body::{Body, to_bytes};
use callspool::config::{Config, Settings};
use callspool::lifecycle::{App, metrics};
use callspool_bench::callbacks::{ACCOUNT, TOKEN};
use callspool_bench::say;
use callspool_bench::spread::{Latencies, Spread};
use callspool_clients::http::HttpOptions;
use callspool_domain::recording::{Announcement, ProviderStatus, Track};
use callspool_domain::{AccountSid, CallSid, Clock, Lane, RecordingSid};
use callspool_store::{OpenOptions, Role, Store};
use clap::Parser;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use http::Request;
use sha2::{Digest as _, Sha256};
use tower::ServiceExt as _;

/// How many steps are claimed at once, as a process with all its slots free does.
const AT_ONCE: u32 = 16;
/// How many facts wait for a commit at a time.
const WRITERS: usize = 128;
/// Longer than any page.
const PAGE_BYTES: usize = 16 * 1024 * 1024;

/// What a backlog costs.
#[derive(Debug, Parser)]
struct Args {
    /// How often everything is measured.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Due steps in a small backlog.
    #[arg(long, default_value_t = 1000)]
    few: usize,
    /// Due steps in a large one.
    #[arg(long, default_value_t = 100_000)]
    many: usize,
    /// Claims, and pages, measured a run.
    #[arg(long, default_value_t = 500)]
    times: usize,
    /// An empty database, instead of a fresh SQLite file.
    #[arg(long)]
    database: Option<String>,
}

/// One backlog, measured once.
struct Figures {
    claims: Latencies,
    pages: Latencies,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let args = Args::parse();
    say("| run | due steps | claim of 16, p50 ms | p99 ms | page of 50, p50 ms | p99 ms |");
    say("|---|---|---|---|---|---|");
    let (mut few, mut many) = (Vec::new(), Vec::new());
    let backlog = Backlog::open(args.database.as_deref()).await?;
    for (before, size) in [(0, args.few), (args.few, args.many)] {
        backlog.grow(before, size).await?;
        for run in 1..=args.runs {
            let figures = backlog.measure(args.times).await?;
            figures.say(run, size);
            if size == args.few { few.push(figures) } else { many.push(figures) }
        }
    }
    backlog.app.store.clone().close().await;
    say("\nmany / few, median (least–most) of the runs:\n");
    let ratio =
        |figure: fn(&Figures) -> f64| Spread::of(many.iter().zip(&few).map(|(many, few)| figure(many) / figure(few)));
    say(&format!(
        "claim p50 {:.2}, page p50 {:.2}",
        ratio(|f| f.claims.per_mille(500)),
        ratio(|f| f.pages.per_mille(500))
    ));
    Ok(ExitCode::SUCCESS)
}

/// A ledger with archive steps that are due.
struct Backlog {
    app: Arc<App>,
    router: Router,
    _folder: tempfile::TempDir,
}

impl Backlog {
    async fn open(database: Option<&str>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = format!("sqlite://{}", folder.path().join("callspool.db").display());
        let archive = format!("file://{}", folder.path().join("archive").display());
        let settings = [
            ("TWILIO_ACCOUNT_SID", ACCOUNT),
            ("TWILIO_AUTH_TOKEN", TOKEN),
            ("DATABASE_URL", database.unwrap_or(&file)),
            ("ARCHIVE_URL", &archive),
        ];
        let config = Config::read(Settings::of(&settings))?;
        let store = Store::open(&config.server.database_url, config.policy(), OpenOptions::default()).await?;
        let app = App::on(store, config, Clock::System, &HttpOptions::default(), metrics::handle()).await?;
        let hash = hex::encode(Sha256::digest(TOKEN));
        app.store.create_token("bench", "bench", Role::Listener, &hash, app.clock.now()).await?;
        Ok(Self { router: callspool::web::router(Arc::clone(&app)), app, _folder: folder })
    }

    /// Announces recordings, from this number of due steps to that one.
    async fn grow(&self, from: usize, to: usize) -> Result<()> {
        let announce =
            async |n| Ok::<_, anyhow::Error>(self.app.store.announce(completed(n)?, self.app.clock.now()).await?);
        stream::iter((from..to).map(announce)).buffer_unordered(WRITERS).try_collect::<Vec<_>>().await?;
        let due: u64 = self.app.store.queue().await?.iter().map(|count| count.steps).sum();
        ensure!(due == to as u64, "{due} steps are due, not {to}; was the database empty?");
        Ok(())
    }

    async fn measure(&self, times: usize) -> Result<Figures> {
        let mut claims = Vec::with_capacity(times);
        let mut pages = Vec::with_capacity(times);
        for n in 0..times {
            claims.push(self.claim(n).await?);
            pages.push(self.page().await?);
        }
        Ok(Figures { claims: Latencies::of(claims), pages: Latencies::of(pages) })
    }

    /// Claims, and gives back what was claimed, which is not measured.
    async fn claim(&self, n: usize) -> Result<Duration> {
        let (store, now) = (&self.app.store, self.app.clock.now());
        let claim_id = format!("{now}-{n}");
        let began = Instant::now();
        let claimed = store.claim(Lane::Transfer, AT_ONCE, "bench", &claim_id, now).await?;
        let took = began.elapsed();
        ensure!(claimed.len() == AT_ONCE as usize, "{} steps were claimed", claimed.len());
        for step in claimed {
            ensure!(store.hand_back(&step.lease, now, now).await?, "a lease was lost");
        }
        Ok(took)
    }

    async fn page(&self) -> Result<Duration> {
        let request = Request::get("/api/v1/recordings").header("authorization", format!("Bearer {TOKEN}"));
        let began = Instant::now();
        let answer = self.router.clone().oneshot(request.body(Body::empty())?).await?;
        ensure!(answer.status().is_success(), "{}", answer.status());
        let body = to_bytes(answer.into_body(), PAGE_BYTES).await.context("a page")?;
        ensure!(body.len() > 1000, "the page is empty");
        Ok(began.elapsed())
    }
}

/// What the provider says of recording `n`.
fn completed(n: usize) -> Result<Announcement> {
    Ok(Announcement {
        recording: RecordingSid::parse(&format!("RE{n:032x}"))?,
        account: AccountSid::parse(ACCOUNT)?,
        call: CallSid::parse(&format!("CA{n:032x}"))?,
        status: ProviderStatus::new("completed"),
        provider_source: None,
        track: Track::Mixed,
        duration_seconds: Some(60),
        channels: Some(2),
        started_at: None,
        error_code: None,
        encrypted: false,
        encryption: None,
    })
}

impl Figures {
    fn say(&self, run: usize, size: usize) {
        let Self { claims, pages } = self;
        let [claim_50, claim_99] = [500, 990].map(|share| claims.per_mille(share));
        let [page_50, page_99] = [500, 990].map(|share| pages.per_mille(share));
        say(&format!("| {run} | {size} | {claim_50:.2} | {claim_99:.2} | {page_50:.2} | {page_99:.2} |"));
    }
}
