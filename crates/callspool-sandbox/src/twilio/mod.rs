//! A stand-in for Twilio: recordings and calls by REST, media made while it is sent, and signed callbacks.
//!
//! It follows <https://www.twilio.com/docs/voice/api/recording>; where the documentation is silent it takes the
//! stricter reading. Its clock is the one handed in.

mod audio;
mod callbacks;
mod encryption;
mod inspect;
mod inventory;
mod live;
mod media;
mod paging;
mod rest;
mod signature;
mod state;
mod target;

use std::io;
use std::sync::Arc;

use axum::response::Response;
use callspool_domain::{AccountSid, Clock, Secret};
use http::StatusCode;
use http::request::Parts;

pub use audio::{Audio, Flaw, Length, Sound};
pub use callbacks::{CallbackAnswer, PlaceCall, PlacedCall, SendCallback, Signed, Word};
pub use encryption::{CipherFlaw, Encryption, KeyPair};
pub use inventory::{Application, Number};
pub use signature::sign;
pub use state::{Call, NewRecording, Recording};

use crate::server::{self, Server, Service};
use state::World;

/// No form that it takes is near this long.
const FORM_CAP: usize = 64 * 1024;

/// A running stand-in for Twilio.
pub type Twilio = Server<Provider>;

/// How a [`Twilio`] is set up.
#[derive(Debug, Clone)]
pub struct TwilioOptions {
    /// The port; 0 lets the system choose.
    pub port: u16,
    /// Its clock.
    pub clock: Clock,
    /// The accounts it knows.
    pub accounts: Vec<Account>,
    /// What sids are drawn from. The default is the clock's time at the start, so that two runs of a program do not
    /// give out the same sids.
    pub seed: u64,
}

/// One account and the credentials it accepts.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its sid.
    pub sid: AccountSid,
    /// Its auth token: signs callbacks, and is accepted by REST with the sid as user name.
    pub auth_token: Secret,
    /// An API key (sid and secret) that REST accepts too.
    pub api_key: Option<(String, Secret)>,
}

impl TwilioOptions {
    /// One account with an auth token, on a port of the system's choice.
    pub fn new(clock: Clock, account: AccountSid, auth_token: impl Into<String>) -> Self {
        let seed = clock.now().as_micros().unsigned_abs();
        let account = Account { sid: account, auth_token: Secret::new(auth_token), api_key: None };
        Self { port: 0, clock, accounts: vec![account], seed }
    }
}

/// The kinds of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// A list of recordings, of an account, a call or a conference.
    Recordings,
    /// One recording's metadata.
    Recording,
    /// One recording's audio.
    Media,
    /// Deleting a recording.
    Delete,
    /// A list of calls.
    Calls,
    /// One call.
    Call,
    /// Starting a recording of a call.
    Start,
    /// Pausing, resuming or stopping a recording.
    Update,
    /// The account itself.
    Account,
    /// The list of telephone numbers.
    Numbers,
    /// The list of TwiML applications.
    Applications,
}

impl server::Route for Route {
    const ALL: &'static [Self] = &[
        Self::Recordings,
        Self::Recording,
        Self::Media,
        Self::Delete,
        Self::Calls,
        Self::Call,
        Self::Start,
        Self::Update,
        Self::Account,
        Self::Numbers,
        Self::Applications,
    ];
}

impl Twilio {
    /// Starts it on 127.0.0.1.
    ///
    /// # Errors
    /// When the port can't be had.
    pub async fn start(options: TwilioOptions) -> io::Result<Self> {
        let port = options.port;
        Self::open(port, |base_url| Ok(Provider(Arc::new(World::new(options, base_url)?)))).await
    }
}

/// What answers in a [`Twilio`].
#[derive(Debug)]
pub struct Provider(Arc<World>);

impl Service for Provider {
    type Route = Route;

    fn aim(&self, head: &Parts) -> Option<(Route, String)> {
        target::parse(head.uri.path()).map(|(_, target)| (target.route(&head.method), target.subject()))
    }

    fn own_error(&self, route: Route, status: StatusCode) -> Response {
        let code = match status {
            StatusCode::UNAUTHORIZED => 20003,
            StatusCode::NOT_FOUND => 20404,
            StatusCode::TOO_MANY_REQUESTS => 20429,
            _ => 20500,
        };
        let error = rest::Refusal { status, code, message: status.canonical_reason().unwrap_or("Error").to_owned() };
        error.answer(route == Route::Media)
    }

    async fn answer(&self, request: axum::extract::Request) -> Response {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, FORM_CAP).await.unwrap_or_default();
        let mut response = rest::answer(&self.0, &head, &body);
        if let Some(date) = self.0.shown_date() {
            response.headers_mut().insert(http::header::DATE, date);
        }
        response
    }
}
