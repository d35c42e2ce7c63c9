//! What watches callspool: is it alive, is it ready, and its numbers.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use callspool_domain::recording::Status;
use callspool_domain::{Service, Timestamp};
use callspool_store::{QueueCount, ServiceState, Stats};
use http::{StatusCode, header};
use serde::Serialize;

use super::access::Listener;
use super::refusal::Refusal;
use super::site::Site;
use crate::lifecycle::App;

/// A database that does not answer within this is not ready.
const LONGEST_PING: Duration = Duration::from_secs(3);

/// The process is alive.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether callbacks can be taken, and what is wrong otherwise.
#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    problems: Vec<Trouble>,
}

#[derive(Debug, Serialize)]
struct Trouble {
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
}

/// 200 while the database takes in what is to be kept: everything else is waited out. Problems are listed by code, without
/// details, since anybody may ask.
pub(crate) async fn readyz(State(site): State<Arc<Site>>) -> Response {
    let app = &site.app;
    let mut problems = Vec::new();
    if app.accounts().all(|account| account.settings.tokens.is_empty()) {
        problems.push(Trouble { code: "no_credentials", service: None, since: None });
    }
    let services = tokio::time::timeout(LONGEST_PING, async {
        app.store.ping(app.clock.now()).await?;
        app.store.services().await
    });
    let ready = match services.await {
        Ok(Ok(services)) => {
            problems.extend(services.iter().filter_map(outage));
            true
        }
        Ok(Err(_)) | Err(_) => {
            problems.push(Trouble { code: "store_unavailable", service: None, since: None });
            false
        }
    };
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(Readiness { ready, problems })).into_response()
}

fn outage(state: &ServiceState) -> Option<Trouble> {
    let since = state.down_since?;
    Some(Trouble { code: state.code.as_str(), service: Some(state.service.as_str()), since: Some(since.rfc3339()) })
}

/// The numbers of this process, and those of the ledger, in Prometheus' text format.
pub(crate) async fn metrics(State(site): State<Arc<Site>>, Listener(_): Listener) -> Result<Response, Refusal> {
    let app = &site.app;
    let mut text = app.metrics.render();
    write_totals(&mut text, &app.store.stats().await?);
    write_queue(&mut text, &app.store.queue().await?, app.clock.now());
    write_services(&mut text, app).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

fn write_totals(text: &mut String, stats: &Stats) {
    describe(text, "callspool_recordings", "Recordings by where they stand.");
    for status in Status::ALL {
        let count = stats.recordings.get(status).copied().unwrap_or(0);
        sample(text, "callspool_recordings", &[("status", status.as_str())], count);
    }
    describe(text, "callspool_archive_bytes", "Bytes in the archive.");
    sample(text, "callspool_archive_bytes", &[], stats.archived_bytes);
    describe(text, "callspool_archive_audio_seconds", "Length of the audio in the archive.");
    sample(text, "callspool_archive_audio_seconds", &[], stats.archived_ms / 1000);
    describe(text, "callspool_preserved_copies", "Archived recordings whose copy at the provider is kept.");
    let archived = stats.recordings.get(&Status::Archived).copied().unwrap_or(0);
    sample(text, "callspool_preserved_copies", &[], archived.saturating_sub(stats.released));
    describe(text, "callspool_releases", "Provider copies deleted through the gate.");
    sample(text, "callspool_releases", &[], stats.released);
    describe(text, "callspool_lines_confirmed", "History lines read back from their job.");
    sample(text, "callspool_lines_confirmed", &[], stats.lines_confirmed);
}

fn write_queue(text: &mut String, queue: &[QueueCount], now: Timestamp) {
    describe(text, "callspool_queue_steps", "Steps by lane, name, state and last failure.");
    for count in queue {
        sample(text, "callspool_queue_steps", &labels(count), count.steps);
    }
    describe(text, "callspool_queue_overdue_seconds", "How long the first of these steps has been due.");
    for count in queue {
        sample(text, "callspool_queue_overdue_seconds", &labels(count), now.since(count.oldest_due).as_secs());
    }
}

fn labels(count: &QueueCount) -> [(&'static str, &'static str); 4] {
    let code = count.code.map_or("", |code| code.as_str());
    [("lane", count.lane.as_str()), ("step", count.name.as_str()), ("state", count.state.as_str()), ("code", code)]
}

async fn write_services(text: &mut String, app: &App) -> Result<(), Refusal> {
    describe(text, "callspool_service_out", "1 while a service is out as a whole.");
    let states = app.store.services().await?;
    for service in Service::ALL {
        let is_out = states.iter().any(|state| state.service == service && state.down_since.is_some());
        sample(text, "callspool_service_out", &[("service", service.as_str())], is_out.into());
    }
    Ok(())
}

fn describe(text: &mut String, name: &str, help: &str) {
    // Writing into a String can't fail.
    write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n").unwrap_or_default();
}

/// Every label's value is a word of a closed set, so nothing needs to be quoted.
fn sample(text: &mut String, name: &str, labels: &[(&str, &str)], value: u64) {
    let labels: Vec<String> = labels.iter().map(|(label, word)| format!("{label}=\"{word}\"")).collect();
    let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    writeln!(text, "{name}{labels} {value}").unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_in_the_text_format() {
        let mut text = String::new();
        describe(&mut text, "x_bytes", "How many.");
        sample(&mut text, "x_bytes", &[("a", "b"), ("c", "")], 7);
        sample(&mut text, "x_bytes", &[], 8);
        assert_eq!(text, "# HELP x_bytes How many.\n# TYPE x_bytes gauge\nx_bytes{a=\"b\",c=\"\"} 7\nx_bytes 8\n");
    }
}
