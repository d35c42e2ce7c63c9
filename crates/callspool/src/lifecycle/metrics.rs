//! Metrics: what one process counts and measures, read by `/metrics`; `docs/metrics.md` is their list.
//!
//! Guarantee: every counter without a label of its own making stands at zero from the start, so that its first increase is
//! seen; labels are words of closed sets, so that nobody outside can make new time series.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tokio_util::sync::CancellationToken;

use callspool_domain::{Code, Service, StepName};

const CALLBACKS: &str = "callspool_callbacks_total";
const CALLBACK_SECONDS: &str = "callspool_callback_seconds";
const DOWNLOADS: &str = "callspool_downloads_total";
const UPLOADS: &str = "callspool_uploads_total";
const ARCHIVED: &str = "callspool_archived_total";
const ARCHIVED_BYTES: &str = "callspool_archived_bytes_total";
const ARCHIVE_SECONDS: &str = "callspool_archive_seconds";
const FALLBACKS: &str = "callspool_fallbacks_total";
const LINKED: &str = "callspool_linked_total";
const LINKED_SECONDS: &str = "callspool_callback_to_linked_seconds";
const RELEASED: &str = "callspool_released_total";
const STEP_FAILURES: &str = "callspool_step_failures_total";
const HTTP_REQUESTS: &str = "callspool_http_requests_total";

/// Twilio gives up after 15 s; a caller hears nothing while a voice webhook is answered.
const ANSWERS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0];
/// From a short recording nearby to a long one from afar.
const TRANSFERS: [f64; 11] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 30.0, 60.0, 300.0, 1800.0];
/// From at once to a job that became known after a week.
const LINKS: [f64; 13] = [1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 21_600.0, 86_400.0, 604_800.0];

/// A recorder with callspool's buckets.
#[expect(clippy::expect_used, reason = "refused are only empty lists of buckets, and none is")]
pub fn recorder() -> PrometheusRecorder {
    let buckets = [(CALLBACK_SECONDS, &ANSWERS[..]), (ARCHIVE_SECONDS, &TRANSFERS), (LINKED_SECONDS, &LINKS)];
    let mut builder = PrometheusBuilder::new();
    for (name, bounds) in buckets {
        let matcher = Matcher::Full(name.to_owned());
        builder = builder.set_buckets_for_metric(matcher, bounds).expect("the list of buckets is not empty");
    }
    builder.build_recorder()
}

/// The process's own recorder; the first call installs it.
pub fn handle() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    let handle = HANDLE.get_or_init(|| {
        let recorder = recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another metrics recorder was installed before; /metrics stays empty");
        }
        handle
    });
    handle.clone()
}

/// How often measurements are folded into their histograms.
const UPKEEP: Duration = Duration::from_secs(5);

/// Keeps memory bounded where nobody reads `/metrics`: single measurements are folded in regularly, until the process ends.
pub(super) async fn keep(handle: PrometheusHandle, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(UPKEEP);
    while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
        handle.run_upkeep();
    }
}

/// Says what each one is, and begins at zero what can.
pub(super) fn begin() {
    describe_counter!(CALLBACKS, "Requests of the provider by kind and answer.");
    describe_histogram!(CALLBACK_SECONDS, Unit::Seconds, "Time until a request of the provider was answered.");
    describe_counter!(DOWNLOADS, "Attempts to fetch a recording from the provider, by result.");
    describe_counter!(UPLOADS, "Attempts to write a recording into the archive and read it back, by result.");
    describe_counter!(ARCHIVED, "Recordings archived and verified.");
    describe_counter!(ARCHIVED_BYTES, Unit::Bytes, "Bytes archived and verified.");
    describe_histogram!(ARCHIVE_SECONDS, Unit::Seconds, "Time of a successful attempt, from its claim to verified.");
    describe_counter!(FALLBACKS, "Jobs told that archiving is delayed, and given the provider's copy meanwhile.");
    describe_counter!(LINKED, "History lines read back from their job.");
    describe_histogram!(
        LINKED_SECONDS,
        Unit::Seconds,
        "Time from the callback that announced a finished recording to its confirmed history line."
    );
    describe_counter!(RELEASED, "Provider copies deleted through the gate.");
    describe_counter!(STEP_FAILURES, "Failed attempts of steps, by step and code.");
    describe_counter!(HTTP_REQUESTS, "Answers of the API and the pages.");
    for name in [ARCHIVED, ARCHIVED_BYTES, FALLBACKS, LINKED, RELEASED] {
        counter!(name).increment(0);
    }
    // A series that first appears with its first burst shows no increase.
    for kind in CALLBACK_KINDS {
        counter!(CALLBACKS, "kind" => kind, "status" => "503").increment(0);
    }
    for name in [DOWNLOADS, UPLOADS] {
        for result in [OK, FAILED] {
            counter!(name, "result" => result).increment(0);
        }
    }
}

/// What the provider asks of us.
const CALLBACK_KINDS: [&str; 3] = ["recording", "call", "voice"];
const OK: &str = "ok";
const FAILED: &str = "failed";

/// A request of the provider was answered.
pub(crate) fn callback(kind: &'static str, status: http::StatusCode, took: Duration) {
    counter!(CALLBACKS, "kind" => kind, "status" => status.as_str().to_owned()).increment(1);
    histogram!(CALLBACK_SECONDS, "kind" => kind).record(took.as_secs_f64());
}

/// A request to the API or a page was answered.
pub(crate) fn http_request(route: String, method: &'static str, status: http::StatusCode) {
    let status = status.as_str().to_owned();
    counter!(HTTP_REQUESTS, "route" => route, "method" => method, "status" => status).increment(1);
}

/// A recording was fetched, and kept and verified as the provider encrypted it.
pub(crate) fn sealed() {
    counter!(DOWNLOADS, "result" => OK).increment(1);
    counter!(UPLOADS, "result" => OK).increment(1);
}

/// A recording was fetched, archived and verified by one attempt.
pub(crate) fn archived(bytes: u64, took: Duration) {
    counter!(DOWNLOADS, "result" => OK).increment(1);
    counter!(UPLOADS, "result" => OK).increment(1);
    counter!(ARCHIVED).increment(1);
    counter!(ARCHIVED_BYTES).increment(bytes);
    histogram!(ARCHIVE_SECONDS).record(took.as_secs_f64());
}

/// A history line was read back; `took` is the time since its recording was announced as finished, where it has one.
pub(crate) fn linked(took: Option<Duration>) {
    counter!(LINKED).increment(1);
    if let Some(took) = took {
        histogram!(LINKED_SECONDS).record(took.as_secs_f64());
    }
}

/// A job was told that archiving is delayed.
pub(crate) fn fell_back() {
    counter!(FALLBACKS).increment(1);
}

/// A provider copy was deleted.
pub(crate) fn released() {
    counter!(RELEASED).increment(1);
}

/// An attempt of a step failed. One of the archive step failed at fetching or at storing, as its code says; where it is
/// neither's, it was not a matter of the transfer.
pub(crate) fn step_failed(step: StepName, code: Code) {
    counter!(STEP_FAILURES, "step" => step.as_str(), "code" => code.as_str()).increment(1);
    if step != StepName::Archive {
        return;
    }
    match code.service() {
        Some(Service::Archive) => counter!(UPLOADS, "result" => FAILED).increment(1),
        Some(Service::Provider) => counter!(DOWNLOADS, "result" => FAILED).increment(1),
        None if code.as_str().starts_with("media_") => counter!(DOWNLOADS, "result" => FAILED).increment(1),
        Some(Service::Records) | None => {}
    }
}
