//! The HTTP server: accepts connections, bounds how many there are and how long each may say nothing, ends them in order.
//!
//! Guarantee: a stranger who opens connections and sends nothing, or takes in nothing, costs a place for some seconds, not
//! for ever.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;

/// More connections wait in the system's queue; a process has 1,024 descriptors by default and needs some itself.
const CONNECTIONS: usize = 512;
/// What a connection is given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// To send a request's head, the wait for the next request included.
    pub(super) head: Duration,
    /// To take in some of an answer.
    pub(super) deaf: Duration,
}

/// What connections are given.
pub(super) const PATIENCE: Patience = Patience { head: Duration::from_secs(20), deaf: Duration::from_secs(30) };
/// How long to wait where the system gives out no connection, for want of descriptors.
const BREATHER: Duration = Duration::from_millis(100);

/// Answers requests until the shutdown, then lets what is open end. A connection that wears out the patience is closed.
pub(super) async fn run(listener: TcpListener, router: Router, patience: Patience, shutdown: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience.head);
    let open = GracefulShutdown::new();
    while let Some(stream) = shutdown.run_until_cancelled(accept(&listener)).await {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let service = TowerToHyperService::new(router.clone());
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(patience.deaf));
        let connection = open.watch(http.serve_connection(TokioIo::new(Box::pin(stream)), service));
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const LITTLE: Patience = Patience { head: Duration::from_millis(200), deaf: Duration::from_millis(200) };

    /// A server with little patience, and a connection to it.
    async fn connected() -> (TcpStream, CancellationToken, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shutdown = CancellationToken::new();
        let long = || async { vec![b'x'; 64 * 1024 * 1024] };
        let router =
            Router::new().route("/", axum::routing::get(|| async { "here" })).route("/long", axum::routing::get(long));
        let server = tokio::spawn(run(listener, router, LITTLE, shutdown.clone()));
        (TcpStream::connect(address).await.expect("a connection"), shutdown, server)
    }

    /// Far longer than its patience: who still waits then would wait for ever.
    async fn at_last<T>(end: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(60), end).await.expect("the connection is closed")
    }

    /// Everything it answers to what is sent, until it closes the connection.
    async fn answers_to(sent: &[u8]) -> String {
        let (mut stream, shutdown, server) = connected().await;
        stream.write_all(sent).await.expect("sent");
        let mut answers = String::new();
        at_last(stream.read_to_string(&mut answers)).await.expect("an orderly end");
        shutdown.cancel();
        server.await.expect("an orderly end");
        answers
    }

    #[tokio::test]
    async fn whoever_asks_and_takes_in_nothing_loses_his_place() {
        let (mut stream, shutdown, server) = connected().await;
        stream.write_all(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
        // Once the answer has begun it is one of the open connections, and no longer one that waits to be accepted.
        assert_eq!(stream.read_u8().await.expect("an answer"), b'H');
        shutdown.cancel();
        // It ends once the last connection has: this one, which is open and reads nothing.
        at_last(server).await.expect("an orderly end");
    }

    #[tokio::test]
    async fn whoever_says_nothing_loses_his_place() {
        assert_eq!(answers_to(b"").await, "");
    }

    #[tokio::test]
    async fn whoever_does_not_end_his_request_loses_his_place() {
        let answers = answers_to(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ").await;
        assert!(!answers.contains("here"), "{answers}");
    }

    #[tokio::test]
    async fn whoever_asks_and_then_says_nothing_is_answered_and_loses_his_place() {
        assert!(answers_to(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.ends_with("here"));
    }
}
