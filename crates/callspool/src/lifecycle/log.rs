//! Logs: one line an event on standard error, as text or as JSON (`CALLSPOOL_LOG=json`).

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use callspool_domain::recording::Status;
use callspool_domain::{CallSid, Clock, RecordingSid};

use crate::config::ServerSettings;

/// What libraries say of their own accord tells an operator nothing he could act on; whoever wants it can ask for it.
const QUIET: &str = "info,tokio_postgres=warn,symphonia_bundle_mp3=error";

/// Starts logging for the whole process; a second call does nothing.
pub fn start(settings: &ServerSettings) {
    let filter =
        EnvFilter::try_new(format!("{QUIET},{}", settings.log_level)).unwrap_or_else(|_| EnvFilter::new(QUIET));
    let writer = BoxMakeWriter::new(std::io::stderr);
    let base = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_timer(Utc);
    let started = if settings.log_json {
        base.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    } else {
        base.with_ansi(false).with_target(false).try_init()
    };
    if started.is_err() {
        tracing::debug!("logging was started already");
    }
}

/// Tells that there will be no archive copy of a recording, whoever has said so.
pub(crate) fn recording_settled(recording: &RecordingSid, call: &CallSid, status: Status, reason: &str) {
    tracing::warn!(recording_sid = %recording, call_sid = %call, status = status.as_str(), reason, "recording_settled");
}

struct Utc;

impl FormatTime for Utc {
    fn format_time(&self, writer: &mut tracing_subscriber::fmt::format::Writer<'_>) -> std::fmt::Result {
        write!(writer, "{}", Clock::System.now())
    }
}
