//! Serving: the HTTP side and the pipeline of one process, started together and stopped together.
//!
//! Guarantee: [`Served::stop`] ends within 30 s. Steps that could not be finished in time are handed back, so another
//! process (or the next start) takes them over at once; where the database does not answer, once their leases have run out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use callspool_store::WorkLock;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{App, StartError, metrics, random, server};
use crate::pipeline::Runner;
use crate::{intake, web};

/// How long running steps may go on after the stop; with the answers' time the whole stays under 30 s.
const STEPS_GRACE: Duration = Duration::from_secs(20);
/// How long requests may go on after the steps have ended.
const REQUESTS_GRACE: Duration = Duration::from_secs(5);

/// How long the whole may take where the database does not answer.
const DEADLINE: Duration = Duration::from_secs(28);

/// A serving process.
#[derive(Debug)]
pub struct Served {
    app: Arc<App>,
    address: SocketAddr,
    server: JoinHandle<()>,
    runner: Runner,
    _lock: WorkLock,
}

/// Takes the work on this database, starts the pipeline and answers requests on the listener.
pub async fn serve(app: Arc<App>, listener: TcpListener) -> Result<Served, StartError> {
    let node = random::id(app.clock.now());
    let lock = app.store.begin_work(&node).await?;
    let address = listener.local_addr().map_err(|error| StartError::Listen(app.config.server.listen, error))?;
    let router = intake::router(Arc::clone(&app)).merge(web::router(Arc::clone(&app)));
    let server = tokio::spawn(server::run(listener, router, server::PATIENCE, app.shutdown.clone()));
    metrics::begin();
    tokio::spawn(metrics::keep(app.metrics.clone(), app.shutdown.clone()));
    let runner = Runner::start(Arc::clone(&app), &node);
    tracing::info!(%address, app_url = app.config.server.app_url, node, "callspool serves");
    for remark in &app.config.remarks {
        tracing::info!("{remark}");
    }
    Ok(Served { app, address, server, runner, _lock: lock })
}

impl Served {
    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it runs on.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Stops accepting, finishes or hands back the steps, answers what is open, closes the ledger; within 28 s, whatever
    /// does not answer: a step that could not be handed back is taken over once its lease has run out.
    pub async fn stop(self) {
        tracing::info!("stopping: no new requests, running steps get {} s", STEPS_GRACE.as_secs());
        self.app.shutdown.cancel();
        if tokio::time::timeout(DEADLINE, self.end()).await.is_err() {
            tracing::warn!("stopped before everything was handed back; it is taken over when its leases run out");
        }
    }

    async fn end(self) {
        self.runner.stop(STEPS_GRACE).await;
        let abort = self.server.abort_handle();
        if tokio::time::timeout(REQUESTS_GRACE, self.server).await.is_err() {
            abort.abort();
        }
        self.app.store.clone().close().await;
        tracing::info!("stopped");
    }
}

/// Waits for the operating system's wish that this process ends (SIGTERM or Ctrl-C).
pub async fn asked_to_end() -> std::io::Result<()> {
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = term.recv() => Ok(()),
    }
}
