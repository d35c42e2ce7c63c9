//! Metrics: one recorder for the process, read by `/metrics`.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

/// The process's recorder; the first call installs it.
pub fn handle() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another metrics recorder was installed before; /metrics stays empty");
        }
        handle
    })
}

/// How often measurements are folded into their histograms.
const UPKEEP: Duration = Duration::from_secs(5);

/// Keeps memory bounded where nobody reads `/metrics`: single measurements are folded in regularly, until the process ends.
pub(super) async fn keep(shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(UPKEEP);
    while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
        handle().run_upkeep();
    }
}
