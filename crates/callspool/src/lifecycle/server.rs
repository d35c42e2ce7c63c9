//! The HTTP server: accepts connections, bounds how many there are and how long each may say nothing, ends them in order.
//!
//! Guarantee: a stranger who opens connections and sends nothing costs a place for a few seconds, not for ever.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// More connections wait in the system's queue; a process has 1,024 descriptors by default and needs some itself.
const CONNECTIONS: usize = 512;
/// How long a connection may take to send a request's head, the wait for the next request included.
const HEAD: Duration = Duration::from_secs(20);
/// How long to wait where the system gives out no connection, for want of descriptors.
const BREATHER: Duration = Duration::from_millis(100);

/// Answers requests until the shutdown, then lets what is open end.
pub(super) async fn run(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let open = GracefulShutdown::new();
    while let Some(stream) = shutdown.run_until_cancelled(accept(&listener)).await {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let service = TowerToHyperService::new(router.clone());
        let connection = open.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended badly");
            }
            drop(place);
        });
    }
    drop(listener);
    open.shutdown().await;
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(BREATHER).await;
            }
        }
    }
}
