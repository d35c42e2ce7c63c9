//! `callspool doctor`: looks at everything that a recording depends on, and says what is wrong and what to do.
//!
//! Guarantee: nothing of a customer's is changed, no lock is taken, and it works beside a running service or without one.
//! Addresses that an answer names are not connected to, unless they are on our own host.

mod archive;
mod callback;
mod finding;
mod ledger;
mod mask;
mod numbers;
mod provider;
mod records;
mod settings;
mod tags;
mod twiml;

use callspool_clients::archive::ArchiveConfig;
use callspool_clients::http::{Http, HttpOptions};
use callspool_domain::{Clock, Secret};
use serde_json::json;
use url::Url;

use self::finding::{Finding, Severity, Topic};
use super::{Failure, Outcome, say, say_json};
use crate::config::{Config, Problems, RecordsSettings};
use crate::lifecycle::StartError;

/// How it is told.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Looks at this configuration, or tells what is wrong with it.
pub(super) async fn run(config: Result<Config, Problems>, args: &Args) -> Result<Outcome, Failure> {
    let (findings, outcome) = match config {
        Ok(config) => {
            let findings = examine(&config, &HttpOptions::default()).await?;
            let outcome = outcome(&findings);
            (findings, outcome)
        }
        Err(Problems(problems)) => (problems.iter().map(|problem| invalid(problem)).collect(), Outcome::Misconfigured),
    };
    if args.json {
        let findings: Vec<_> = findings.iter().map(Finding::json).collect();
        say_json(&json!({ "outcome": word(outcome), "findings": findings }));
    } else {
        findings.iter().for_each(|finding| say(&finding.to_string()));
    }
    Ok(outcome)
}

fn invalid(problem: &str) -> Finding {
    Finding::new(Severity::Loses, Topic::ConfigurationInvalid, "configuration", problem, "correct it")
}

/// Findings that lose something come first, then what could not be looked at: it may be fine tomorrow.
pub(super) fn outcome(findings: &[Finding]) -> Outcome {
    match findings.iter().map(|finding| finding.severity).max() {
        Some(Severity::Loses) => Outcome::Findings,
        Some(Severity::Unknown) => Outcome::Unanswered,
        _ => Outcome::Done,
    }
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "ok",
        Outcome::Findings => "loses",
        Outcome::Misconfigured => "configuration",
        Outcome::Unanswered => "unknown",
    }
}

/// Looks at everything, over connections of this kind.
pub(super) async fn examine(config: &Config, options: &HttpOptions) -> Result<Vec<Finding>, Failure> {
    let http = Http::new(options).map_err(StartError::Http)?;
    let mut findings = settings::examine(config);
    let (ledger, store) = ledger::examine(config).await;
    findings.extend(ledger);
    findings.extend(twiml::of_ours(config));
    let (callback, provider, archive, records) = tokio::join!(
        callback::examine(config, &http),
        provider::examine(config, &http, &Clock::System),
        archive::examine(config, &http, store.as_ref()),
        records::examine(config, &http),
    );
    findings.extend(callback.into_iter().chain(provider).chain(archive).chain(records));
    if let Some(store) = store {
        store.close().await;
    }
    let secrets = secrets(config);
    Ok(findings.into_iter().map(|finding| finding.clean(&secrets)).collect())
}

/// Everything in the configuration that nobody may see.
fn secrets(config: &Config) -> Vec<Secret> {
    let mut secrets: Vec<Secret> = config
        .accounts
        .iter()
        .flat_map(|account| account.tokens.iter().chain([&account.api_password]))
        .chain(config.webhook_keys.iter().map(|key| &key.secret))
        .cloned()
        .collect();
    if let ArchiveConfig::Bucket(bucket) = &config.archive.place {
        secrets.extend(bucket.secrets());
    }
    if let RecordsSettings::Airtable(airtable) = &config.records {
        secrets.push(airtable.token.clone());
    }
    let database = Url::parse(&config.server.database_url).ok();
    secrets.extend(database.as_ref().and_then(Url::password).map(Secret::new));
    // What is shorter is no secret, and would be found in any text.
    secrets.retain(|secret| secret.expose().len() >= 4);
    secrets
}
