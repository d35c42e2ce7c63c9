//! Calls placed and callbacks sent: form POSTs signed with the account's token, repeated, reordered, retried.
//!
//! A callback URL's fragment is obeyed as Twilio obeys it (`#rc=5&rp=all`): by default one retry, and only where no
//! connection could be had (<https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides>).

use std::time::Duration;

use callspool_domain::{AccountSid, CallSid, RecordingSid, Secret};

use super::rest::{account_path, rfc2822};
use super::signature::{sign, without_fragment};
use super::state::{Call, NewRecording, Recording, World};
use super::{Audio, Twilio};

/// The longest Twilio waits for an answer.
pub(super) const TIME_OUT: Duration = Duration::from_secs(15);
/// How much of an answer is kept.
const ANSWER_CAP: usize = 64 * 1024;

/// A call to be placed and recorded.
#[derive(Debug, Clone)]
pub struct PlaceCall {
    /// Where its recording is announced; job and source stand in the query.
    pub callback_url: String,
    /// The caller's number.
    pub from: String,
    /// The number called.
    pub to: String,
    /// Its recording; the call's sid is filled in.
    pub recording: NewRecording,
    /// What is announced, in order; the recording's state follows. The last word is the state it ends in.
    pub statuses: Vec<Word>,
    /// How often each callback is sent again after the first time.
    pub repeats: u32,
    /// True: the recording first ends in its last state, then the callbacks are sent in the opposite order.
    pub reorder: bool,
}

/// A status as a callback says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// `in-progress`.
    InProgress,
    /// `completed`.
    Completed,
    /// `absent`, with Twilio's code for why (16101: too short, 16102: silent).
    Absent(i64),
    /// `failed`.
    Failed,
    /// Any other text.
    Other(String),
}

/// A call that was placed.
#[derive(Debug, Clone)]
pub struct PlacedCall {
    /// Its sid.
    pub call_sid: CallSid,
    /// Its recording's.
    pub recording_sid: RecordingSid,
    /// What each callback was answered, in the order sent.
    pub callbacks: Vec<CallbackAnswer>,
}

/// What a callback was answered.
#[derive(Debug, Clone)]
pub struct CallbackAnswer {
    /// `RecordingStatus` as it was sent, or empty.
    pub status_word: String,
    /// How many requests it took.
    pub attempts: u32,
    /// The last answer's status and body (at most 64 KiB), or what went wrong.
    pub outcome: Result<(u16, String), String>,
}

impl CallbackAnswer {
    /// True where the last answer was a 2xx.
    pub fn is_accepted(&self) -> bool {
        matches!(self.outcome, Ok((200..=299, _)))
    }
}

/// A callback of any content.
#[derive(Debug, Clone)]
pub struct SendCallback {
    /// Where it goes.
    pub url: String,
    /// Its parameters, decoded, in the order they are sent.
    pub params: Vec<(String, String)>,
    /// How it is signed.
    pub signed: Signed,
}

/// How a callback is signed.
#[derive(Debug, Clone)]
pub enum Signed {
    /// With this account's token.
    By(AccountSid),
    /// With this token.
    With(Secret),
    /// With this text in the header, whatever it is.
    As(String),
    /// Not at all.
    Unsigned,
}

impl PlaceCall {
    /// A call of this length in stereo, announced as completed, once.
    pub fn new(account: AccountSid, callback_url: impl Into<String>, audio: Audio) -> Self {
        Self {
            callback_url: callback_url.into(),
            from: "+14155550100".to_owned(),
            to: "+14155550199".to_owned(),
            recording: NewRecording::new(account, audio),
            statuses: vec![Word::Completed],
            repeats: 0,
            reorder: false,
        }
    }
}

impl Word {
    /// The text of `RecordingStatus`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::InProgress => "in-progress",
            Self::Completed => "completed",
            Self::Absent(_) => "absent",
            Self::Failed => "failed",
            Self::Other(text) => text,
        }
    }

    /// Puts the recording into the state that the word announces.
    fn settle(&self, world: &World, sid: &RecordingSid) {
        if let Some(recording) = world.ledger().recording_mut(sid) {
            // What a callback calls in progress, REST calls processing.
            recording.status = if *self == Self::InProgress { "processing" } else { self.as_str() }.to_owned();
            recording.error_code = if let Self::Absent(code) = self { Some(*code) } else { None };
        }
    }
}

impl Twilio {
    /// Places a call, records it and announces the recording. It returns when every callback has been answered.
    pub async fn place_call(&self, place: PlaceCall) -> PlacedCall {
        let world = self.world();
        let call_sid = world.draw_call_sid();
        let seconds = place.recording.audio.rounded_seconds();
        let recording = world.add_recording(place.recording.of_call(call_sid.clone()));
        world.ledger().calls.push(Call {
            sid: call_sid.clone(),
            account: recording.spec.account.clone(),
            parent: None,
            from: place.from,
            to: place.to,
            status: "completed".to_owned(),
            started: recording.created,
            seconds,
        });
        let mut words = place.statuses;
        if place.reorder {
            if let Some(last) = words.last() {
                last.settle(world, &recording.sid);
            }
            words.reverse();
        }
        let mut callbacks = Vec::new();
        for word in &words {
            if !place.reorder {
                word.settle(world, &recording.sid);
            }
            let callback = announcement(world, &recording, word, &place.callback_url);
            let token = world.draw();
            for _ in 0..=place.repeats {
                callbacks.push(send(world, &callback, &token).await);
            }
        }
        PlacedCall { call_sid, recording_sid: recording.sid, callbacks }
    }

    /// Announces a recording in a state, which it also takes. `None` for an unknown recording.
    pub async fn announce_status(&self, sid: &RecordingSid, url: &str, word: Word) -> Option<CallbackAnswer> {
        let world = self.world();
        word.settle(world, sid);
        let callback = announcement(world, &self.recording(sid)?, &word, url);
        Some(send(world, &callback, &world.draw()).await)
    }

    /// The parameters with which a recording would be announced, to be changed and sent. `None` for an unknown one.
    pub fn callback_params(&self, sid: &RecordingSid, word: &Word) -> Option<Vec<(String, String)>> {
        Some(announcement(self.world(), &self.recording(sid)?, word, "").params)
    }

    /// Sends any callback.
    pub async fn send_callback(&self, callback: &SendCallback) -> CallbackAnswer {
        send(self.world(), callback, &self.world().draw()).await
    }
}

/// The standard parameters of a recording's callback.
pub(super) fn announcement(world: &World, recording: &Recording, word: &Word, url: &str) -> SendCallback {
    let spec = &recording.spec;
    let resource = format!("{}{}/Recordings/{}", world.base_url, account_path(&spec.account), recording.sid);
    let error = if let Word::Absent(code) = word { *code } else { 0 };
    let mut params = vec![
        ("AccountSid", spec.account.to_string()),
        ("RecordingSid", recording.sid.to_string()),
        ("RecordingStatus", word.as_str().to_owned()),
        ("RecordingChannels", recording.said_channels().to_string()),
        ("RecordingStartTime", rfc2822(recording.created)),
        ("RecordingSource", spec.source.clone()),
        ("RecordingTrack", spec.track.clone()),
        ("ErrorCode", error.to_string()),
    ];
    params.extend(spec.call.as_ref().map(|call| ("CallSid", call.to_string())));
    params.extend(spec.conference.as_ref().map(|conference| ("ConferenceSid", conference.to_string())));
    if *word == Word::Completed {
        params.push(("RecordingUrl", resource));
        params.push(("RecordingDuration", recording.said_seconds().to_string()));
    }
    let encryption = recording.encryption_details.as_ref();
    let is_said = spec.encryption.as_ref().is_some_and(|encryption| encryption.in_callback);
    if let Some(details) = encryption.filter(|_| is_said) {
        params.push(("EncryptionDetails", details.to_string()));
    }
    let params = params.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    SendCallback { url: url.to_owned(), params, signed: Signed::By(spec.account.clone()) }
}

pub(super) async fn send(world: &World, callback: &SendCallback, idempotency_token: &str) -> CallbackAnswer {
    let word = callback.params.iter().find(|(name, _)| name == "RecordingStatus");
    let overrides = Overrides::of(&callback.url);
    let mut attempts = 0;
    loop {
        attempts += 1;
        let outcome = post(world, callback, idempotency_token).await;
        if attempts <= overrides.retries && overrides.ask_again(&outcome) {
            continue;
        }
        let outcome = outcome.map_err(|failure| failure.text);
        let status_word = word.map(|(_, value)| value.clone()).unwrap_or_default();
        return CallbackAnswer { status_word, attempts, outcome };
    }
}

struct Failure {
    text: String,
    no_connection: bool,
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        Self { no_connection: error.is_connect(), text: error.to_string() }
    }
}

async fn post(world: &World, callback: &SendCallback, idempotency_token: &str) -> Result<(u16, String), Failure> {
    let url = without_fragment(&callback.url);
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&callback.params).finish();
    let mut request = world
        .http
        .post(url)
        .header("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
        .header("User-Agent", "TwilioProxy/1.1")
        .header("I-Twilio-Idempotency-Token", idempotency_token)
        .body(body);
    let signature = match &callback.signed {
        Signed::By(account) => world.account(account).map(|account| sign(&account.auth_token, url, &callback.params)),
        Signed::With(token) => Some(sign(token, url, &callback.params)),
        Signed::As(text) => Some(text.clone()),
        Signed::Unsigned => None,
    };
    if let Some(signature) = signature {
        request = request.header("X-Twilio-Signature", signature);
    }
    let mut response = request.send().await?;
    let status = response.status().as_u16();
    let mut answer = Vec::new();
    while let Some(piece) = response.chunk().await?
        && answer.len() < ANSWER_CAP
    {
        answer.extend_from_slice(&piece);
    }
    answer.truncate(ANSWER_CAP);
    Ok((status, String::from_utf8_lossy(&answer).into_owned()))
}

/// How often, and on what, a callback is sent again: the `rc` and `rp` of its URL's fragment.
struct Overrides {
    retries: u32,
    policies: Vec<String>,
}

impl Overrides {
    fn of(url: &str) -> Self {
        let fragment = url.split_once('#').map_or("", |(_, fragment)| fragment);
        let value = |key: &str| fragment.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
        Self {
            retries: value("rc").and_then(|count| count.parse().ok()).unwrap_or(1).min(5),
            policies: value("rp").unwrap_or("ct").split(',').map(str::to_owned).collect(),
        }
    }

    fn ask_again(&self, outcome: &Result<(u16, String), Failure>) -> bool {
        let policy = match outcome {
            Ok((400..=499, _)) => "4xx",
            Ok((500..=599, _)) => "5xx",
            Ok(_) => return false,
            Err(failure) if failure.no_connection => "ct",
            Err(_) => "rt",
        };
        self.policies.iter().any(|given| given == policy || given == "all")
    }
}
