//! What the provider writes: the recording resource and errors, read leniently and checked against what was asked.
//!
//! Numbers come as numbers or as texts, and an unknown duration as null, `"-1"` or nothing, depending on the endpoint.

use callspool_domain::id::ConferenceSid;
use callspool_domain::recording::{Announcement, EncryptionDetails, ProviderStatus, Track};
use callspool_domain::{AccountSid, CallSid, RecordingSid, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::RecordingResource;
use crate::http::quote;

/// Twilio's error for an MP3 of an encrypted recording (<https://www.twilio.com/docs/api/errors/16109>).
pub(super) const MP3_OF_ENCRYPTED: i64 = 16109;

/// Twilio's error where a call is not in progress (<https://www.twilio.com/docs/api/errors/21220>).
pub(super) const INVALID_CALL_STATE: i64 = 21220;
/// Twilio's error where a recording is in no state for what was asked (<https://www.twilio.com/docs/api/errors/16114>).
pub(super) const NOT_IN_A_STATE: i64 = 16114;

/// <https://www.twilio.com/docs/voice/api/recording#recording-properties>
#[derive(Deserialize)]
struct Resource {
    sid: RecordingSid,
    account_sid: AccountSid,
    /// Read as a text: what a trunk's recording says here is nowhere documented, and must not cost the recording.
    #[serde(default)]
    call_sid: Option<String>,
    #[serde(default)]
    conference_sid: Option<String>,
    status: String,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    track: Option<String>,
    #[serde(default)]
    duration: Value,
    #[serde(default)]
    channels: Value,
    #[serde(default)]
    error_code: Value,
    #[serde(default)]
    start_time: Option<String>,
    #[serde(default)]
    date_created: Option<String>,
    #[serde(default)]
    encryption_details: Value,
}

/// Reads a recording resource; the error says what is wrong with it.
pub(super) fn read(body: &[u8], asked: &RecordingSid) -> Result<RecordingResource, String> {
    let resource: Resource = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if resource.sid != *asked {
        return Err(format!("the answer is about {}", resource.sid));
    }
    Ok(resource.told())
}

/// Reads the recording that was just made of this call.
pub(super) fn read_of(body: &[u8], account: &AccountSid, call: &CallSid) -> Result<RecordingResource, String> {
    let resource: Resource = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let of = resource.call();
    if resource.account_sid != *account || of != *call {
        return Err(format!("the answer is about call {of} of {}", resource.account_sid));
    }
    Ok(resource.told())
}

/// Reads a page of recordings.
pub(super) fn read_list(body: &[u8]) -> Result<Vec<RecordingResource>, String> {
    #[derive(Deserialize)]
    struct Page {
        recordings: Vec<Resource>,
    }
    let page: Page = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    Ok(page.recordings.into_iter().map(Resource::told).collect())
}

/// A page of a list of recordings, as far as it can be read.
pub(super) struct Page {
    pub(super) recordings: Vec<RecordingResource>,
    /// What is wrong with those that can't be read; they hold up no other.
    pub(super) unreadable: Vec<String>,
    /// The address of the next page.
    pub(super) next: Option<String>,
}

/// Reads a page of the recordings of an account.
pub(super) fn read_page(body: &[u8]) -> Result<Page, String> {
    #[derive(Deserialize)]
    struct Envelope {
        recordings: Vec<Value>,
        next_page_uri: Option<String>,
    }
    let envelope: Envelope = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let mut page = Page { recordings: Vec::new(), unreadable: Vec::new(), next: envelope.next_page_uri };
    for value in envelope.recordings {
        let sid = value["sid"].as_str().map(quote).unwrap_or_default();
        match serde_json::from_value::<Resource>(value) {
            Ok(resource) => page.recordings.push(resource.told()),
            Err(error) => page.unreadable.push(format!("{sid}: {error}")),
        }
    }
    Ok(page)
}

impl Resource {
    /// The call it hangs under. A recording of a conference spans calls: that it names one participant's does not make it
    /// that call's.
    fn call(&self) -> CallSid {
        let conference = self.conference_sid.as_deref().and_then(|sid| ConferenceSid::parse(sid).ok());
        let of_conference = self.source.as_deref().is_some_and(|source| source.contains("Conference"));
        let call = self.call_sid.as_deref().and_then(|sid| CallSid::parse(sid).ok()).filter(CallSid::is_call);
        match call {
            Some(call) if conference.is_none() || !of_conference => call,
            _ => CallSid::placeholder(conference.as_ref(), &self.sid),
        }
    }

    /// In the shape of a callback.
    fn told(self) -> RecordingResource {
        let call = self.call();
        let deleted = self.status == "deleted";
        let announcement = Announcement {
            recording: self.sid,
            account: self.account_sid,
            call,
            status: ProviderStatus::new(self.status),
            provider_source: self.source,
            track: track(self.track.as_deref()),
            duration_seconds: whole(&self.duration).and_then(|seconds| u64::try_from(seconds).ok()),
            channels: whole(&self.channels).and_then(|channels| u16::try_from(channels).ok()),
            started_at: self.start_time.as_deref().and_then(Timestamp::from_rfc2822),
            error_code: whole(&self.error_code).filter(|code| *code != 0),
            encrypted: self.encryption_details.is_object(),
            encryption: EncryptionDetails::deserialize(&self.encryption_details).ok(),
        };
        let created_at = self.date_created.as_deref().and_then(Timestamp::from_rfc2822);
        RecordingResource { announcement, created_at, deleted }
    }
}

fn track(word: Option<&str>) -> Track {
    match word {
        Some("inbound") => Track::User,
        Some("outbound") => Track::Assistant,
        _ => Track::Mixed,
    }
}

fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// An error's message for the operator: the JSON form's own, else the body's text without its tags.
pub(super) fn message(body: &[u8]) -> String {
    if let Ok(error) = serde_json::from_slice::<Value>(body)
        && let Some(message) = error["message"].as_str()
    {
        let code = whole(&error["code"]).map(|code| format!("{code} ")).unwrap_or_default();
        return quote(&format!("{code}{message}"));
    }
    let mut in_tag = false;
    let text: String = String::from_utf8_lossy(body)
        .chars()
        .filter_map(|c| match c {
            '<' => (std::mem::replace(&mut in_tag, true), Some(' ')).1,
            '>' => (std::mem::replace(&mut in_tag, false), None).1,
            c => (!in_tag).then_some(c),
        })
        .collect();
    let text = quote(&text);
    if text.is_empty() { "(no message)".to_owned() } else { text }
}

/// An error's number, in JSON or in the XML that media paths answer with.
pub(super) fn error_code(body: &[u8]) -> Option<i64> {
    if let Ok(error) = serde_json::from_slice::<Value>(body) {
        return whole(&error["code"]);
    }
    let text = String::from_utf8_lossy(body);
    let (_, rest) = text.split_once("<Code>")?;
    rest.split_once("</Code>")?.0.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SID: &str = "RE0123456789abcdef0123456789abcdef";

    fn resource(extra: &str) -> String {
        format!(r#"{{"sid":"{SID}","account_sid":"AC0123456789abcdef0123456789abcdef","status":"completed"{extra}}}"#)
    }

    fn parse(extra: &str) -> Announcement {
        let asked = RecordingSid::parse(SID).expect("sid");
        read(resource(extra).as_bytes(), &asked).expect("resource").announcement
    }

    #[test]
    fn numbers_come_as_numbers_or_texts_and_unknown_ones_are_none() {
        assert_eq!(parse(r#","duration":"12","channels":2"#).duration_seconds, Some(12));
        assert_eq!(parse(r#","duration":12,"channels":"2""#).channels, Some(2));
        assert_eq!(parse(r#","duration":"-1""#).duration_seconds, None);
        assert_eq!(parse(r#","duration":null,"error_code":0"#).error_code, None);
        assert_eq!(parse(r#","error_code":"16101""#).error_code, Some(16101));
    }

    #[test]
    fn a_recording_without_a_call_hangs_under_its_conference_or_itself() {
        assert_eq!(parse("").call.as_str(), SID);
        let conference = "CF0123456789abcdef0123456789abcdef";
        assert_eq!(parse(&format!(r#","conference_sid":"{conference}""#)).call.as_str(), conference);
    }

    #[test]
    fn a_conference_is_no_participants_call_and_an_odd_call_is_none() {
        let (call, conference) = ("CA0123456789abcdef0123456789abcdef", "CF0123456789abcdef0123456789abcdef");
        let hangs_under = |source: &str, call: &str, conference: &str| {
            let extra = format!(r#","source":"{source}","call_sid":{call},"conference_sid":{conference}"#);
            parse(&extra).call.as_str().to_owned()
        };
        let quoted = |sid: &str| format!("\"{sid}\"");
        let (quoted_call, quoted_conference) = (quoted(call), quoted(conference));
        for source in ["Conference", "StartConferenceRecordingAPI"] {
            assert_eq!(hangs_under(source, &quoted_call, &quoted_conference), conference);
            assert_eq!(hangs_under(source, &quoted_call, "null"), call);
        }
        assert_eq!(hangs_under("StartCallRecordingAPI", &quoted_call, &quoted_conference), call);
        for odd in ["null", r#""""#, r#""TK0123456789abcdef0123456789abcdef""#, &quoted_conference] {
            assert_eq!(hangs_under("Trunking", odd, "null"), SID, "{odd}");
        }
    }

    #[test]
    fn an_answer_about_another_recording_is_refused() {
        let other = RecordingSid::parse(&SID.replace('0', "1")).expect("sid");
        assert!(read(resource("").as_bytes(), &other).is_err());
    }

    #[test]
    fn both_forms_of_an_error_are_read() {
        let xml = b"<?xml version='1.0'?><TwilioResponse><RestException><Code>16113</Code><Message>mono only</Message></RestException></TwilioResponse>";
        assert_eq!((error_code(xml), message(xml).as_str()), (Some(16113), "16113 mono only"));
        let json = br#"{"code":20404,"message":"not\nfound"}"#;
        assert_eq!((error_code(json), message(json).as_str()), (Some(20404), "20404 not found"));
        assert_eq!(message(b""), "(no message)");
    }
}
