//! One stand-in as a running HTTP server: it listens, plays scripted faults, keeps a log of requests, and can go down.
//!
//! Guarantee: dropping the server closes its port and breaks its connections, soon; after awaiting [`Server::go_down`]
//! they are closed. While it is down its port refuses connections and stays reserved, so coming back never fails for
//! want of it.

use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::response::Response;
use callspool_domain::Secret;
use http::request::Parts;
use http::{StatusCode, header};
use tokio::net::TcpSocket;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::faults::{self, Fault, Faults};
use crate::line::{Door, Line};
use crate::probe::{RequestMoment, RequestProbe};

/// The kinds of request a stand-in tells apart; faults are scripted and requests counted by them.
pub trait Route: Debug + Copy + Eq + Hash + Send + Sync + 'static {
    /// All of them.
    const ALL: &'static [Self];
}

/// What makes a stand-in: what a request aims at, and the answer to it.
pub trait Service: Send + Sync + 'static {
    /// Its kinds of request.
    type Route: Route;

    /// The kind of the request and the id of what it is about (a recording's, a record's, an object's key); `None` for
    /// a path that the service does not have.
    fn aim(&self, head: &Parts) -> Option<(Self::Route, String)>;

    /// An error of this status in the service's own words.
    fn own_error(&self, route: Self::Route, status: StatusCode) -> Response;

    /// Carries the request out. An answer to a request that no correct client sends is marked [`Unexpected`].
    fn answer(&self, request: axum::extract::Request) -> impl Future<Output = Response> + Send;
}

/// The mark on an answer to a request that no correct client sends: why.
#[derive(Debug, Clone)]
pub struct Unexpected(pub String);

/// One request as it came in.
#[derive(Debug, Clone)]
pub struct Request<R> {
    /// Its kind; `None` for an unknown path.
    pub route: Option<R>,
    /// What it was about; empty where it names nothing.
    pub subject: String,
    /// Its method.
    pub method: String,
    /// Its path and query.
    pub target: String,
    /// The host it was sent to.
    pub host: String,
    /// The credentials it carried.
    pub authorization: Option<Secret>,
    /// The fault that was played on it.
    pub fault: Option<Fault>,
}

/// A running stand-in. `Twilio`, `Airtable` and `S3` are this, each with methods of its own.
pub struct Server<S: Service> {
    front: Arc<Front<S>>,
    address: SocketAddr,
    base_url: String,
    open: tokio::sync::Mutex<Option<Open>>,
    /// Bound but never listening: keeps the port ours while the server is down.
    _reserve: TcpSocket,
}

struct Open {
    closing: CancellationToken,
    accepting: JoinHandle<()>,
}

struct Front<S: Service> {
    service: S,
    faults: Faults<S::Route>,
    log: Log<S::Route>,
    probe: Mutex<RequestProbe>,
}

impl<S: Service> Server<S> {
    /// Listens on 127.0.0.1; port 0 lets the system choose. `make` gets the base URL.
    pub(crate) async fn open(port: u16, make: impl FnOnce(&str) -> io::Result<S>) -> io::Result<Self> {
        let reserve = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        let address = reserve.local_addr()?;
        let base_url = format!("http://{address}");
        let front = Front {
            service: make(&base_url)?,
            faults: Faults::default(),
            log: Log::default(),
            probe: Mutex::default(),
        };
        let server =
            Self { front: Arc::new(front), address, base_url, open: tokio::sync::Mutex::new(None), _reserve: reserve };
        server.come_back().await?;
        Ok(server)
    }

    /// Where it is, e.g. `http://127.0.0.1:40123`, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The script of faults.
    pub fn faults(&self) -> &Faults<S::Route> {
        &self.front.faults
    }

    /// From now on every request asks this probe instead of the one before.
    pub fn set_probe(&self, probe: RequestProbe) {
        *self.front.probe.lock().unwrap_or_else(PoisonError::into_inner) = probe;
    }

    /// Goes down: the port refuses connections and every connection there is breaks. No effect while it is down.
    pub async fn go_down(&self) {
        let mut open = self.open.lock().await;
        let Some(Open { closing, accepting }) = open.take() else { return };
        closing.cancel();
        if let Err(error) = accepting.await {
            tracing::error!(%error, "sandbox: a server ended badly");
        }
    }

    /// Comes back on the same port. No effect while it is up.
    ///
    /// # Errors
    /// When the socket can't be opened again.
    pub async fn come_back(&self) -> io::Result<()> {
        let mut open = self.open.lock().await;
        if open.is_some() {
            return Ok(());
        }
        let closing = CancellationToken::new();
        let door = Door { listener: bind(self.address)?.listen(1024)?, closing: closing.clone() };
        let app = Router::new().fallback(serve::<S>).with_state(Arc::clone(&self.front));
        let app = app.into_make_service_with_connect_info::<Line>();
        let closed = closing.clone();
        let accepting = tokio::spawn(async move {
            tokio::select! {
                _ = axum::serve(door, app) => {}
                () = closed.cancelled() => {}
            }
        });
        *open = Some(Open { closing, accepting });
        Ok(())
    }

    /// The latest requests, oldest first, at most 10,000; older ones are only counted.
    pub fn requests(&self) -> Vec<Request<S::Route>> {
        self.front.log.pages().requests.iter().cloned().collect()
    }

    /// How many requests of a kind came, over the whole life of the server.
    pub fn count(&self, route: S::Route) -> u64 {
        self.front.log.pages().by_route.get(&route).copied().unwrap_or(0)
    }

    /// How many requests of a kind came about one recording, record or key.
    pub fn count_of(&self, route: S::Route, subject: &str) -> u64 {
        let pages = self.front.log.pages();
        pages.by_subject.get(&(route, subject.to_owned())).copied().unwrap_or(0)
    }

    /// Waits until this many requests of a kind have come in (they need not have been answered).
    pub async fn wait_for(&self, route: S::Route, count: u64) {
        let mut arrivals = self.front.log.arrivals.subscribe();
        while self.count(route) < count {
            // The sender lives as long as we do.
            if arrivals.changed().await.is_err() {
                return;
            }
        }
    }

    /// Every request that no correct client sends, with the reason, oldest first. A test ends by finding none.
    pub fn unexpected_requests(&self) -> Vec<String> {
        self.front.log.pages().unexpected.clone()
    }

    /// The same, and forgets them: for a test that sent them on purpose.
    pub fn take_unexpected_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.front.log.pages().unexpected)
    }

    pub(crate) fn service(&self) -> &S {
        &self.front.service
    }
}

impl<S: Service> Drop for Server<S> {
    fn drop(&mut self) {
        if let Some(open) = self.open.get_mut() {
            open.closing.cancel();
        }
    }
}

impl<S: Service> Debug for Server<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sandbox at {}", self.base_url)
    }
}

/// A socket bound with `SO_REUSEADDR`, so that a listening one and the reserve can share the port.
fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn serve<S: Service>(
    State(front): State<Arc<Front<S>>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: axum::extract::Request,
) -> Response {
    let (head, body) = request.into_parts();
    let aim = front.service.aim(&head);
    let fault = aim.as_ref().and_then(|(route, subject)| front.faults.take(*route, subject, &head.method));
    // Taken before the request is logged: who waits for it to arrive and then lifts, lifts it.
    let lifts = front.faults.lifts();
    let seen = Request::new(&head, aim.as_ref(), fault.clone());
    let summary = format!("{} {}", seen.method, seen.target);
    front.log.add(seen);
    let probe = front.probe.lock().unwrap_or_else(PoisonError::into_inner).clone();
    probe.pass(RequestMoment::Arrived, &summary).await;
    let request = axum::extract::Request::from_parts(head, body);
    let response = match (fault, aim) {
        (Some(fault), Some((route, _))) => faults::play(fault, route, &front.service, lifts, line, request).await,
        _ => front.service.answer(request).await,
    };
    if let Some(Unexpected(why)) = response.extensions().get() {
        front.log.pages().unexpected.push(format!("{summary}: {why}"));
    }
    probe.pass(RequestMoment::CarriedOut, &summary).await;
    response
}

impl<R: Route> Request<R> {
    fn new(head: &Parts, aim: Option<&(R, String)>, fault: Option<Fault>) -> Self {
        let text = |name| head.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        Self {
            route: aim.map(|(route, _)| *route),
            subject: aim.map(|(_, subject)| subject.clone()).unwrap_or_default(),
            method: head.method.to_string(),
            target: head.uri.to_string(),
            host: text(header::HOST).unwrap_or_default(),
            authorization: text(header::AUTHORIZATION).map(Secret::new),
            fault,
        }
    }
}

/// How many requests are kept.
const KEPT: usize = 10_000;

/// The log of requests.
#[derive(Debug)]
struct Log<R> {
    pages: Mutex<Pages<R>>,
    arrivals: watch::Sender<u64>,
}

#[derive(Debug)]
struct Pages<R> {
    requests: VecDeque<Request<R>>,
    by_route: HashMap<R, u64>,
    by_subject: HashMap<(R, String), u64>,
    unexpected: Vec<String>,
}

impl<R: Route> Log<R> {
    fn add(&self, request: Request<R>) {
        let mut pages = self.pages();
        if let Some(route) = request.route {
            *pages.by_route.entry(route).or_default() += 1;
            *pages.by_subject.entry((route, request.subject.clone())).or_default() += 1;
        }
        if pages.requests.len() == KEPT {
            pages.requests.pop_front();
        }
        pages.requests.push_back(request);
        drop(pages);
        self.arrivals.send_modify(|count| *count += 1);
    }

    fn pages(&self) -> MutexGuard<'_, Pages<R>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R> Default for Log<R> {
    fn default() -> Self {
        let pages = Pages {
            requests: VecDeque::new(),
            by_route: HashMap::new(),
            by_subject: HashMap::new(),
            unexpected: Vec::new(),
        };
        Self { pages: Mutex::new(pages), arrivals: watch::Sender::new(0) }
    }
}
