//! What a path of the REST API names. Paths that are not here do not exist.

use callspool_domain::audio::AudioFormat;
use callspool_domain::id::ConferenceSid;
use callspool_domain::{AccountSid, CallSid, RecordingSid};
use http::Method;

use super::Route;

/// A resource of one account.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A list of recordings.
    Recordings(Under),
    /// A recording's metadata.
    Recording(RecordingSid),
    /// A recording, by the call or conference it is of.
    RecordingUnder(Under, Which),
    /// A recording's audio.
    Media(RecordingSid, AudioFormat),
    /// A list of calls.
    Calls,
    /// A call.
    Call(CallSid),
    /// The account itself.
    Account,
    /// The list of telephone numbers.
    Numbers,
    /// The list of applications.
    Applications,
}

/// Whose recordings.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Under {
    Account,
    Call(CallSid),
    Conference(ConferenceSid),
}

/// Which recording of a call or conference.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Which {
    Sid(RecordingSid),
    /// `Twilio.CURRENT`: the one that runs.
    Current,
}

/// Reads a path below `/2010-04-01/Accounts/`.
pub(super) fn parse(path: &str) -> Option<(AccountSid, Target)> {
    let rest = path.strip_prefix("/2010-04-01/Accounts/")?;
    if let Some(account) = rest.strip_suffix(".json").filter(|name| !name.contains('/')) {
        return Some((AccountSid::parse(account).ok()?, Target::Account));
    }
    let (account, rest) = rest.split_once('/')?;
    let parts: Vec<&str> = rest.split('/').collect();
    let target = match *parts.as_slice() {
        ["Recordings.json"] => Target::Recordings(Under::Account),
        ["Calls", call, "Recordings.json"] => Target::Recordings(Under::Call(CallSid::parse(call).ok()?)),
        ["Conferences", conference, "Recordings.json"] => {
            Target::Recordings(Under::Conference(ConferenceSid::parse(conference).ok()?))
        }
        ["Recordings", name] => recording(name)?,
        ["Calls", call, "Recordings", name] => {
            Target::RecordingUnder(Under::Call(CallSid::parse(call).ok()?), which(name)?)
        }
        ["Conferences", conference, "Recordings", name] => {
            Target::RecordingUnder(Under::Conference(ConferenceSid::parse(conference).ok()?), which(name)?)
        }
        ["Calls.json"] => Target::Calls,
        ["IncomingPhoneNumbers.json"] => Target::Numbers,
        ["Applications.json"] => Target::Applications,
        ["Calls", name] => Target::Call(CallSid::parse(name.strip_suffix(".json")?).ok()?),
        _ => return None,
    };
    Some((AccountSid::parse(account).ok()?, target))
}

fn which(name: &str) -> Option<Which> {
    match name.strip_suffix(".json")? {
        "Twilio.CURRENT" => Some(Which::Current),
        sid => RecordingSid::parse(sid).ok().map(Which::Sid),
    }
}

fn recording(name: &str) -> Option<Target> {
    let (sid, extension) = name.split_once('.').unwrap_or((name, ""));
    let sid = RecordingSid::parse(sid).ok()?;
    match extension {
        "json" => Some(Target::Recording(sid)),
        "" | "wav" => Some(Target::Media(sid, AudioFormat::Wav)),
        "mp3" => Some(Target::Media(sid, AudioFormat::Mp3)),
        _ => None,
    }
}

impl Target {
    pub(super) fn route(&self, method: &Method) -> Route {
        match self {
            Self::Recordings(Under::Call(_)) if method == Method::POST => Route::Start,
            Self::Recordings(_) => Route::Recordings,
            Self::RecordingUnder(..) if method == Method::POST => Route::Update,
            Self::Recording(_) | Self::RecordingUnder(..) if method == Method::DELETE => Route::Delete,
            Self::Recording(_) | Self::RecordingUnder(..) => Route::Recording,
            Self::Media(..) => Route::Media,
            Self::Calls => Route::Calls,
            Self::Call(_) => Route::Call,
            Self::Account => Route::Account,
            Self::Numbers => Route::Numbers,
            Self::Applications => Route::Applications,
        }
    }

    /// The id in it, empty where it has none.
    pub(super) fn subject(&self) -> String {
        match self {
            Self::Recordings(Under::Account) | Self::Calls | Self::Account | Self::Numbers | Self::Applications => {
                String::new()
            }
            Self::Recordings(Under::Conference(sid)) => sid.to_string(),
            Self::Recording(sid) | Self::RecordingUnder(_, Which::Sid(sid)) | Self::Media(sid, _) => sid.to_string(),
            Self::RecordingUnder(_, Which::Current) => "Twilio.CURRENT".to_owned(),
            Self::Recordings(Under::Call(sid)) | Self::Call(sid) => sid.to_string(),
        }
    }

    /// The query parameters it takes.
    pub(super) fn parameters(&self) -> &'static [&'static str] {
        match self {
            Self::Recordings(_) => &[
                "DateCreated",
                "DateCreated<",
                "DateCreated>",
                "CallSid",
                "ConferenceSid",
                "IncludeSoftDeleted",
                "PageSize",
                "Page",
                "PageToken",
            ],
            Self::Recording(_) | Self::RecordingUnder(..) => &["IncludeSoftDeleted"],
            Self::Media(..) => &["RequestedChannels"],
            Self::Calls => &[
                "To",
                "From",
                "ParentCallSid",
                "Status",
                "StartTime",
                "StartTime<",
                "StartTime>",
                "PageSize",
                "Page",
                "PageToken",
            ],
            Self::Call(_) | Self::Account => &[],
            Self::Numbers => &["PhoneNumber", "PageSize", "Page", "PageToken"],
            Self::Applications => &["FriendlyName", "PageSize", "Page", "PageToken"],
        }
    }
}
