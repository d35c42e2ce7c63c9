//! The command line: one file a command. Exit codes: 0 done, 1 findings, 2 usage or configuration, 3 an outside service
//! failed.

mod accept;
mod demo;
mod doctor;
mod policy;
mod process;
mod reconcile;
mod retry;
mod serve;
mod show;
mod token;
mod url;
mod work;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use callspool_clients::http::HttpOptions;
use callspool_domain::Clock;
use clap::{Parser, Subcommand};

use crate::config::{Config, Problems};
use crate::lifecycle::{App, StartError, log};

/// Keeps telephone call recordings: no recording is ever lost.
#[derive(Debug, Parser)]
#[command(name = "callspool", version, max_term_width = 100)]
struct Cli {
    /// The configuration file (default: callspool.toml, then /etc/callspool.toml).
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service: callbacks, pipeline, pages.
    Serve,
    /// Run the service with a sandbox outside world that places calls; needs no account and no network.
    Demo(demo::Args),
    /// Check everything that a recording depends on, and say what to do.
    Doctor(doctor::Args),
    /// Bring these recordings through the pipeline now.
    Process(process::Args),
    /// Compare the provider with the ledger now, repair, and say what differed.
    Reconcile(reconcile::Args),
    /// Show everything known about one recording, and why it would or would not be released.
    Show(show::Args),
    /// Make a fresh signed URL for these recordings.
    Url(url::Args),
    /// Accept a doubtful recording: it is good after all.
    Accept(accept::Args),
    /// Run failed steps again now.
    Retry(retry::Args),
    /// Print the exact policy or settings for this configuration: of the bucket, of Twilio, of systemd.
    Policy(policy::Args),
    /// Who may use the API and the pages.
    Token(token::Args),
}

/// How a command ended, where it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    Findings,
    /// The configuration makes no sense; everything is said about it.
    Misconfigured,
    /// An outside service failed, so that not everything could be done.
    Unanswered,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Config(#[from] Problems),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Store(#[from] callspool_store::Error),
    #[error(transparent)]
    Service(#[from] callspool_domain::StepFailure),
    #[error("{0}")]
    System(#[from] std::io::Error),
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Config(_) | Self::Start(StartError::Listen(..)) => 2,
            Self::Store(callspool_store::Error::Locked(_) | callspool_store::Error::Url(_)) => 2,
            Self::Start(StartError::Store(callspool_store::Error::Locked(_) | callspool_store::Error::Url(_))) => 2,
            Self::Start(_) | Self::Store(_) | Self::Service(_) | Self::System(_) => 3,
        }
    }
}

/// Reads the command line, runs the command, and says how it ended.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Findings) => ExitCode::from(1),
        Ok(Outcome::Misconfigured) => ExitCode::from(2),
        Ok(Outcome::Unanswered) => ExitCode::from(3),
        Err(failure) => {
            complain(&failure.to_string());
            ExitCode::from(failure.exit_code())
        }
    }
}

#[tokio::main]
async fn run(cli: Cli) -> Result<Outcome, Failure> {
    if let Command::Demo(args) = cli.command {
        return demo::run(args).await;
    }
    let config = Config::load(cli.config.as_deref());
    if let Command::Doctor(args) = &cli.command {
        return doctor::run(config, args).await;
    }
    let config = config?;
    if let Command::Policy(args) = &cli.command {
        return policy::run(&config, args);
    }
    log::start(&config.server);
    // Whoever waits for a command is told at once; callers are answered whatever is out.
    let is_service = matches!(cli.command, Command::Serve);
    let app = App::open(config, Clock::System, &HttpOptions::default(), is_service).await?;
    match cli.command {
        Command::Serve | Command::Demo(_) | Command::Policy(_) | Command::Doctor(_) => serve::run(app).await,
        Command::Process(args) => process::run(app, args).await,
        Command::Reconcile(args) => reconcile::run(app, args).await,
        Command::Show(args) => show::run(&app, &args).await,
        Command::Url(args) => url::run(app, args).await,
        Command::Accept(args) => accept::run(app, args).await,
        Command::Retry(args) => retry::run(app, args).await,
        Command::Token(args) => token::run(&app, args).await,
    }
}

/// Who does what is done here, in events.
fn actor() -> &'static str {
    "command line"
}

/// One line of a command's result, on standard output. A reader that has gone away (`| head -1`) has read enough: the
/// command does its work all the same, and ends as it would have. Where it can't be written for another reason, such as a
/// full disk, nothing that follows can be told, and the command ends there.
fn say(line: &str) {
    if let Err(error) = writeln!(io::stdout(), "{line}")
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        complain(&format!("standard output can't be written: {error}"));
        std::process::exit(3);
    }
}

/// One line on standard error. Where that can't be written there is nowhere left to say so.
fn complain(line: &str) {
    drop(writeln!(io::stderr(), "callspool: {line}"));
}

/// A value as JSON, for `--json`.
fn say_json(value: &serde_json::Value) {
    say(&format!("{value:#}"));
}

type SharedApp = Arc<App>;
