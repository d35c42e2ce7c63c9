//! One wish to hear a recording: who has it, how, and what every answer to it says and leaves behind.

use axum::response::Response;
use callspool_domain::audio::AudioFormat;
use callspool_store::{NewEvent, RecordingRow, kind};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde_json::json;

use crate::lifecycle::App;
use crate::links;
use crate::web::access::Actor;
use crate::web::refusal::Refusal;

/// A wish to hear a recording.
#[derive(Debug)]
pub(crate) struct Listening {
    /// `HEAD` gets no audio; only where it gets a URL that plays it does it leave an event.
    pub method: Method,
    /// The request's headers.
    pub headers: HeaderMap,
    /// How the bytes may come.
    pub way: Way,
    /// What they are for.
    pub manner: Manner,
    /// Whose wish it is.
    pub audience: Audience,
}

/// To be kept as a file, or to be heard at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As an attachment.
    Download,
    /// Inline.
    Play,
}

/// How the bytes may reach the listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the store, by a fresh signed URL, where it can sign.
    Redirect,
    /// Through us.
    Through,
}

/// Who hears it.
#[derive(Debug)]
pub(crate) enum Audience {
    /// Somebody known.
    Actor(Actor),
    /// Whoever has a URL that we signed.
    SignedLink,
}

impl Listening {
    /// Stores that audio is given to somebody; without that none is given.
    pub(crate) async fn note(&self, app: &App, row: &RecordingRow) -> Result<(), Refusal> {
        note(app, row, self.manner.as_str(), &self.audience).await
    }

    /// Sets what every audio answer says about itself. Browsers may keep it, but must ask again: access may be gone.
    pub(crate) fn describe(&self, response: &mut Response, format: AudioFormat, row: &RecordingRow) {
        set_text(response, header::CONTENT_TYPE, format.content_type());
        set_text(response, header::CONTENT_DISPOSITION, &self.manner.disposition(row, format));
        set_text(response, header::ACCEPT_RANGES, "bytes");
        set_text(response, header::CACHE_CONTROL, "private, no-cache");
    }
}

/// Stores that somebody gets audio, or the means to get it.
pub(crate) async fn note(app: &App, row: &RecordingRow, what: &str, audience: &Audience) -> Result<(), Refusal> {
    let (actor, token_id) = match audience {
        Audience::Actor(actor) => (actor.name.clone(), Some(actor.token_id.as_str())),
        Audience::SignedLink => ("signed link".to_owned(), None),
    };
    let event = NewEvent {
        kind: kind::AUDIO_ACCESSED,
        recording: Some(row.sid.clone()),
        call: Some(row.call.clone()),
        job: row.job.clone(),
        actor: Some(actor),
        data: json!({ "what": what, "token_id": token_id }),
    };
    Ok(app.store.add_event(event, app.clock.now()).await?)
}

impl Manner {
    fn as_str(self) -> &'static str {
        match self {
            Self::Download => "download",
            Self::Play => "play",
        }
    }

    /// The `Content-Disposition`.
    pub(crate) fn disposition(self, row: &RecordingRow, format: AudioFormat) -> String {
        let word = match self {
            Self::Download => "attachment",
            Self::Play => "inline",
        };
        links::disposition(word, row, format)
    }
}

/// Sets a header whose text is made of ids, numbers and URLs, and so is always one.
pub(crate) fn set_text(response: &mut Response, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        response.headers_mut().insert(name, value);
    }
}
