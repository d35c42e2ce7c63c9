//! What the stand-in for Twilio knows: accounts, calls, recordings, and what became of them.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use callspool_domain::id::ConferenceSid;
use callspool_domain::{AccountSid, CallSid, Clock, RecordingSid, Timestamp};
use http::HeaderValue;
use serde_json::Value;

use super::inventory::Inventory;
use super::live::Announce;
use super::{Account, Audio, Encryption, Length, TwilioOptions, Word};
use crate::dice::nth;

/// How long a deleted recording's metadata stays (<https://www.twilio.com/docs/voice/api/recording>).
const SOFT_DELETED_FOR: Duration = Duration::from_secs(40 * 24 * 3600);

/// A recording to be made.
#[derive(Debug, Clone)]
pub struct NewRecording {
    /// Whose it is.
    pub account: AccountSid,
    /// The call it is of; none for a trunk's.
    pub call: Option<CallSid>,
    /// The conference it is of.
    pub conference: Option<ConferenceSid>,
    /// What it holds.
    pub audio: Audio,
    /// Its state: `completed`, `processing`, `in-progress`, `absent`, …
    pub status: String,
    /// What made it, e.g. `StartCallRecordingAPI`.
    pub source: String,
    /// `both`, `inbound` or `outbound`.
    pub track: String,
    /// When it was made; `None` is now.
    pub created: Option<Timestamp>,
    /// The seconds the provider says, where they are not the audio's.
    pub said_seconds: Option<u64>,
    /// The number of channels the provider says, where it is not the audio's.
    pub said_channels: Option<u16>,
    /// How it is encrypted.
    pub encryption: Option<Encryption>,
    /// Its account encrypts by now, and so serves no MP3, not even of what is not encrypted.
    pub has_no_mp3: bool,
}

impl NewRecording {
    /// A completed recording of no call in particular.
    pub fn new(account: AccountSid, audio: Audio) -> Self {
        Self {
            account,
            call: None,
            conference: None,
            audio,
            status: "completed".to_owned(),
            source: "StartCallRecordingAPI".to_owned(),
            track: "both".to_owned(),
            created: None,
            said_seconds: None,
            said_channels: None,
            encryption: None,
            has_no_mp3: false,
        }
    }

    /// The same, of this call.
    pub fn of_call(self, call: CallSid) -> Self {
        Self { call: Some(call), ..self }
    }
}

/// A recording as the provider keeps it.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Its sid.
    pub sid: RecordingSid,
    /// What it was made from.
    pub spec: NewRecording,
    /// Its state now.
    pub status: String,
    /// Why it is absent.
    pub error_code: Option<i64>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was deleted.
    pub deleted: Option<Timestamp>,
    /// Where it is announced, where REST started it.
    pub(super) announce: Option<Announce>,
    /// What it takes to open it, besides the private key.
    pub encryption_details: Option<Value>,
}

impl Recording {
    /// The seconds the provider says.
    pub fn said_seconds(&self) -> u64 {
        self.spec.said_seconds.unwrap_or_else(|| self.spec.audio.rounded_seconds())
    }

    /// The number of channels the provider says.
    pub fn said_channels(&self) -> u16 {
        self.spec.said_channels.unwrap_or(self.spec.audio.channels)
    }

    pub(super) fn runs(&self) -> bool {
        matches!(self.status.as_str(), "in-progress" | "paused")
    }

    /// It has been recorded until now.
    pub(super) fn end(&mut self, now: Timestamp) {
        let seconds = u32::try_from(now.since(self.created).as_secs()).unwrap_or(u32::MAX);
        self.spec.audio = Audio { length: Length::Seconds(seconds.max(1)), ..self.spec.audio.clone() };
        "completed".clone_into(&mut self.status);
    }

    pub(super) fn is_purged(&self, now: Timestamp) -> bool {
        self.deleted.is_some_and(|at| now.since(at) >= SOFT_DELETED_FOR)
    }
}

/// A call leg as the provider keeps it.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its sid.
    pub sid: CallSid,
    /// Whose it is.
    pub account: AccountSid,
    /// The leg it came from.
    pub parent: Option<CallSid>,
    /// The caller's number.
    pub from: String,
    /// The number called.
    pub to: String,
    /// `in-progress`, `completed`, …
    pub status: String,
    /// When it began.
    pub started: Timestamp,
    /// Whole seconds.
    pub seconds: u64,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) clock: Clock,
    pub(super) base_url: String,
    pub(super) http: reqwest::Client,
    accounts: Vec<Account>,
    seed: u64,
    drawn: AtomicU64,
    ledger: Mutex<Ledger>,
}

/// The stored rows, in the order they were made.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) recordings: Vec<Recording>,
    by_sid: HashMap<RecordingSid, usize>,
    pub(super) calls: Vec<Call>,
    /// Callbacks that wait to be sent.
    pub(super) waiting: Vec<(RecordingSid, Word)>,
    pub(super) inventory: Inventory,
    /// The `Date` it shows, where that is not the machine's.
    shown_date: Option<String>,
}

impl World {
    pub(super) fn new(options: TwilioOptions, base_url: &str) -> io::Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .http1_title_case_headers()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(super::callbacks::TIME_OUT)
            .build()
            .map_err(io::Error::other)?;
        Ok(Self {
            clock: options.clock,
            base_url: base_url.to_owned(),
            http,
            accounts: options.accounts,
            seed: options.seed,
            drawn: AtomicU64::new(0),
            ledger: Mutex::default(),
        })
    }

    pub(super) fn account(&self, sid: &AccountSid) -> Option<&Account> {
        self.accounts.iter().find(|account| account.sid == *sid)
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The `Date` header of its answers, where it is not the machine's own.
    pub(super) fn shown_date(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(self.ledger().shown_date.as_deref()?).ok()
    }

    pub(super) fn show_date(&self, date: &str) {
        self.ledger().shown_date = Some(date.to_owned());
    }

    /// 32 hexadecimal digits that were not given out before.
    pub(super) fn draw(&self) -> String {
        let n = self.drawn.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}{:016x}", nth(self.seed, 2 * n), nth(self.seed, 2 * n + 1))
    }

    #[expect(clippy::expect_used, reason = "RE and 32 hexadecimal digits are a sid")]
    pub(super) fn add_recording(&self, spec: NewRecording) -> Recording {
        let sid = RecordingSid::parse(&format!("RE{}", self.draw())).expect("a sid");
        let created = spec.created.unwrap_or_else(|| self.clock.now());
        let encryption_details = spec.encryption.as_ref().and_then(|encryption| encryption.details(&sid));
        let recording = Recording {
            sid,
            status: spec.status.clone(),
            error_code: None,
            created,
            deleted: None,
            announce: None,
            encryption_details,
            spec,
        };
        let mut ledger = self.ledger();
        let place = ledger.recordings.len();
        ledger.by_sid.insert(recording.sid.clone(), place);
        ledger.recordings.push(recording.clone());
        recording
    }

    #[expect(clippy::expect_used, reason = "CA and 32 hexadecimal digits are a sid")]
    pub(super) fn draw_call_sid(&self) -> CallSid {
        CallSid::parse(&format!("CA{}", self.draw())).expect("a sid")
    }
}

impl Ledger {
    pub(super) fn recording(&self, sid: &RecordingSid) -> Option<&Recording> {
        self.recordings.get(*self.by_sid.get(sid)?)
    }

    pub(super) fn recording_mut(&mut self, sid: &RecordingSid) -> Option<&mut Recording> {
        self.recordings.get_mut(*self.by_sid.get(sid)?)
    }

    pub(super) fn call(&self, sid: &CallSid) -> Option<&Call> {
        self.calls.iter().rev().find(|call| call.sid == *sid)
    }
}
