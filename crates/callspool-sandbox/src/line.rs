//! The line: one accepted connection, which a fault can break in the middle of anything.
//!
//! Guarantee: once a line is cut, not one more byte leaves it, and dropping it closes (FIN) or resets (RST) the
//! connection as the cut said.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// The handle on a line that requests carry: it can cut the line and see its bytes leave.
#[derive(Debug, Clone)]
pub(crate) struct Line(Arc<Ends>);

#[derive(Debug)]
struct Ends {
    cut: CancellationToken,
    reset: AtomicBool,
    flushes: watch::Sender<u64>,
}

impl Line {
    /// Ends the connection: the peer sees it closed.
    pub(crate) fn close(&self) {
        self.0.cut.cancel();
    }

    /// Ends the connection with a reset, as a crashed machine or a middlebox does.
    pub(crate) fn reset(&self) {
        self.0.reset.store(true, Ordering::Release);
        self.0.cut.cancel();
    }

    /// Waits until everything handed to the connection before this call has left it.
    pub(crate) async fn flushed(&self) {
        let mut flushes = self.0.flushes.subscribe();
        tokio::select! {
            _ = flushes.changed() => {}
            () = self.0.cut.cancelled() => {}
        }
    }

    /// Waits until the line is cut.
    pub(crate) async fn gone(&self) {
        self.0.cut.cancelled().await;
    }
}

/// A listening socket whose lines all break when it closes.
pub(crate) struct Door {
    pub(crate) listener: TcpListener,
    pub(crate) closing: CancellationToken,
}

impl Listener for Door {
    type Io = Socket;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Socket, SocketAddr) {
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "sandbox: TCP_NODELAY not set");
        }
        let cut = self.closing.child_token();
        let ends = Ends { cut: cut.clone(), reset: AtomicBool::new(false), flushes: watch::Sender::new(0) };
        (Socket { stream, line: Line(Arc::new(ends)), cut: Box::pin(cut.cancelled_owned()) }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Connected<IncomingStream<'_, Door>> for Line {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.io().line.clone()
    }
}

/// The socket of one line, as the HTTP server sees it.
pub(crate) struct Socket {
    stream: TcpStream,
    line: Line,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Socket {
    fn is_cut(&self) -> bool {
        self.line.0.cut.is_cancelled()
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the sandbox cut this line")
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.is_cut() || self.cut.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(broken()));
        }
        Pin::new(&mut self.stream).poll_read(context, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_cut() {
            return Poll::Ready(Err(broken()));
        }
        Pin::new(&mut self.stream).poll_write(context, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_cut() {
            return Poll::Ready(Err(broken()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if flushed.is_ready() {
            self.line.0.flushes.send_modify(|count| *count += 1);
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.line.0.reset.load(Ordering::Acquire) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.line.0.reset.load(Ordering::Acquire)
            && let Err(error) = self.stream.set_zero_linger()
        {
            tracing::debug!(%error, "sandbox: a line could not be reset and is closed instead");
        }
    }
}
