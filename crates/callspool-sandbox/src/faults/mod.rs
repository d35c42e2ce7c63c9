//! Faults: one vocabulary for every stand-in, and the script that says which request gets which.
//!
//! Guarantee: a scripted fault happens on the wire exactly as named, and the same seed breaks the same requests.

mod kind;
mod play;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::sync::watch;

use crate::dice::{dice, nth};
use crate::server::Route;

pub use kind::FaultKind;
pub(crate) use play::play;

/// What goes wrong with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The request is read, not carried out, and answered with this status.
    Status {
        /// The status, e.g. 503.
        code: StatusCode,
        /// The `Retry-After` header, in seconds.
        retry_after: Option<u64>,
        /// What the body looks like.
        body: BodyKind,
    },
    /// Answered with this status before the request's body is read, which then is not read at all: a client that is
    /// still sending may see a broken connection instead of the status.
    Early(StatusCode),
    /// The connection is closed without an answer; nothing is carried out.
    Refuse,
    /// Carried out, then the connection is closed without an answer.
    LostReply,
    /// The connection is reset without an answer.
    Reset {
        /// Whether the request is carried out before.
        carried_out: bool,
    },
    /// The request is read, not carried out, and answered with this status, in the service's own words, and with this
    /// `Retry-After`: a date, or anything else that a header can hold.
    RetryAfter {
        /// The status, e.g. 429.
        code: StatusCode,
        /// What the header says.
        text: &'static str,
    },
    /// The request is read, not carried out, and led elsewhere.
    Redirect {
        /// The status, e.g. 307.
        code: StatusCode,
        /// The `Location`.
        to: String,
    },
    /// 200 with this text, e.g. an answer that is cut off or about something else; nothing is carried out.
    Text {
        /// Its media type.
        media_type: &'static str,
        /// The body.
        text: String,
    },
    /// The request is read, not carried out, and answered with this status and a body that has no end.
    Endless(StatusCode),
    /// Carried out as usual, and answered with a header of so many bytes more.
    HugeHead(usize),
    /// Carried out as usual; the byte at this place of the answer's body comes with its lowest bit turned.
    FlipByte(u64),
    /// Carried out as usual after so much real time.
    Delay(Duration),
    /// No answer until [`Faults::lift`]; then carried out as usual.
    Hang,
    /// The answer stops after so many bytes of its body, until [`Faults::lift`]; then it goes on.
    Stall(u64),
    /// The connection is reset after so many bytes of the answer's body. As with any reset, of many bytes the last ones
    /// may be lost on their way.
    CutAfter(u64),
    /// The answer's body ends after so many bytes.
    Truncate {
        /// How many bytes come.
        bytes: u64,
        /// True: the full length is announced and the connection closed early. False: no length is announced, and the
        /// answer ends as if it were whole.
        announced: bool,
    },
    /// So many bytes more than the true body; a length that was announced includes them.
    Longer(u64),
    /// 200 with something else than what was asked for; nothing is carried out.
    WrongBody {
        /// What comes instead.
        body: BodyKind,
        /// True: under the media type of the true answer, so that only the bytes tell.
        disguised: bool,
    },
    /// The body comes in pieces of so many bytes, with a pause before each.
    Drip {
        /// Bytes a piece.
        bytes: u64,
        /// The pause, in real time.
        every: Duration,
    },
}

/// What the body of a faulty answer looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// The service's own form of error.
    Own,
    /// An XML document of nobody in particular.
    Xml,
    /// A JSON object of nobody in particular.
    Json,
    /// An HTML page, as proxies write them.
    Html,
    /// Nothing.
    Empty,
}

impl Fault {
    /// This status, in the service's own words.
    pub fn status(code: StatusCode) -> Self {
        Self::Status { code, retry_after: None, body: BodyKind::Own }
    }

    /// 429 with a `Retry-After` of so many seconds.
    pub fn throttled(retry_after: u64) -> Self {
        Self::Status { code: StatusCode::TOO_MANY_REQUESTS, retry_after: Some(retry_after), body: BodyKind::Own }
    }
}

/// The script of faults of one server. Clones share it.
#[derive(Debug, Clone)]
pub struct Faults<R>(Arc<Script<R>>);

#[derive(Debug)]
struct Script<R> {
    lines: Mutex<Lines<R>>,
    lifts: watch::Sender<u64>,
}

#[derive(Debug)]
struct Lines<R> {
    rules: Vec<Rule<R>>,
    random: Option<Random<R>>,
}

#[derive(Debug)]
struct Rule<R> {
    route: R,
    /// `None` is every subject.
    subject: Option<String>,
    /// How many requests it is still for; `None` is all.
    left: Option<u32>,
    fault: Fault,
}

#[derive(Debug)]
struct Random<R> {
    seed: u64,
    per_mille: u16,
    /// How often each request came: the same request breaks at the same repetitions in every run.
    seen: HashMap<(R, String), u64>,
}

impl<R: Route> Faults<R> {
    /// The next request of this kind gets the fault. Scripted faults are played in the order they were scripted.
    pub fn next(&self, route: R, fault: Fault) {
        self.times(route, 1, fault);
    }

    /// The next `count` requests of this kind get the fault.
    pub fn times(&self, route: R, count: u32, fault: Fault) {
        self.add(Rule { route, subject: None, left: Some(count), fault });
    }

    /// Every request of this kind gets the fault, until [`Self::clear`].
    pub fn always(&self, route: R, fault: Fault) {
        self.add(Rule { route, subject: None, left: None, fault });
    }

    /// Every request of any kind gets the fault, until [`Self::clear_all`].
    pub fn everywhere(&self, fault: &Fault) {
        R::ALL.iter().for_each(|route| self.always(*route, fault.clone()));
    }

    /// The same script, for requests about one recording, record or key alone.
    pub fn of(&self, subject: impl Into<String>) -> FaultsOf<'_, R> {
        FaultsOf { faults: self, subject: subject.into() }
    }

    /// Takes every fault of this kind off the script, those of single subjects included.
    pub fn clear(&self, route: R) {
        self.lines().rules.retain(|rule| rule.route != route);
    }

    /// Empties the script, ends the random faults and lifts what hangs.
    pub fn clear_all(&self) {
        let mut lines = self.lines();
        lines.rules.clear();
        lines.random = None;
        drop(lines);
        self.lift();
    }

    /// Lets everything that hangs or stalls go on.
    pub fn lift(&self) {
        self.0.lifts.send_modify(|count| *count += 1);
    }

    /// From now on `per_mille` of a thousand requests get a fault, chosen by `seed`: which requests and which faults
    /// depends on nothing but the seed, the request and how often it came. Only faults that a client can notice and
    /// that end by themselves: errors, lost and broken connections, wrong bodies.
    pub fn random(&self, seed: u64, per_mille: u16) {
        self.lines().random = Some(Random { seed, per_mille, seen: HashMap::new() });
    }

    /// The fault for this request, if any; a scripted one wins over a random one.
    pub(crate) fn take(&self, route: R, subject: &str, method: &Method) -> Option<Fault> {
        let mut lines = self.lines();
        let of_this = |rule: &Rule<R>| rule.route == route && rule.subject.as_deref().is_none_or(|of| of == subject);
        if let Some(index) = lines.rules.iter().position(of_this) {
            let rule = lines.rules.get_mut(index)?;
            let fault = rule.fault.clone();
            rule.left = rule.left.map(|left| left.saturating_sub(1));
            if rule.left == Some(0) {
                lines.rules.remove(index);
            }
            return Some(fault);
        }
        lines.random.as_mut().and_then(|random| random.draw(route, subject, method))
    }

    /// The lifts from now on.
    pub(crate) fn lifts(&self) -> Lifts {
        Lifts(self.0.lifts.subscribe())
    }

    fn add(&self, rule: Rule<R>) {
        self.lines().rules.push(rule);
    }

    fn lines(&self) -> MutexGuard<'_, Lines<R>> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R> Default for Faults<R> {
    fn default() -> Self {
        let lines = Mutex::new(Lines { rules: Vec::new(), random: None });
        Self(Arc::new(Script { lines, lifts: watch::Sender::new(0) }))
    }
}

/// Waits for a lift; one that comes before the wait counts.
pub(crate) struct Lifts(watch::Receiver<u64>);

impl Lifts {
    pub(crate) async fn lifted(&mut self) {
        // An error means that nobody is left to lift anything; then nothing waits any more either.
        self.0.changed().await.unwrap_or_default();
    }
}

/// The script of faults for one subject; see [`Faults::of`].
#[derive(Debug)]
pub struct FaultsOf<'a, R> {
    faults: &'a Faults<R>,
    subject: String,
}

impl<R: Route> FaultsOf<'_, R> {
    /// The next request of this kind about it gets the fault.
    pub fn next(&self, route: R, fault: Fault) {
        self.times(route, 1, fault);
    }

    /// The next `count` requests of this kind about it get the fault.
    pub fn times(&self, route: R, count: u32, fault: Fault) {
        self.add(route, Some(count), fault);
    }

    /// Every request of this kind about it gets the fault, until [`Faults::clear`].
    pub fn always(&self, route: R, fault: Fault) {
        self.add(route, None, fault);
    }

    fn add(&self, route: R, left: Option<u32>, fault: Fault) {
        self.faults.add(Rule { route, subject: Some(self.subject.clone()), left, fault });
    }
}

impl<R: Route> Random<R> {
    fn draw(&mut self, route: R, subject: &str, method: &Method) -> Option<Fault> {
        let times = self.seen.entry((route, subject.to_owned())).or_default();
        *times += 1;
        let chance = dice(self.seed, format!("{route:?} {subject} {times}").as_bytes());
        if chance % 1000 >= u64::from(self.per_mille) {
            return None;
        }
        let choice = nth(chance, 1);
        let bytes = nth(chance, 2) % 40_000;
        // A write must not seem to have succeeded when it has not: no service lies about that.
        let kinds = if method == Method::GET { 9 } else { 6 };
        Some(match choice % kinds {
            0 => Fault::status(StatusCode::SERVICE_UNAVAILABLE),
            1 => Fault::status(StatusCode::INTERNAL_SERVER_ERROR),
            2 => Fault::throttled(1),
            3 => Fault::Refuse,
            4 => Fault::LostReply,
            5 => Fault::Status { code: StatusCode::BAD_GATEWAY, retry_after: None, body: BodyKind::Html },
            6 => Fault::CutAfter(bytes),
            7 => Fault::Truncate { bytes, announced: true },
            _ => Fault::WrongBody { body: BodyKind::Html, disguised: false },
        })
    }
}
