//! Archive keys: the template of `RECORDING_KEY` and what becomes of hostile values in it.
//!
//! Guarantee: whatever the values are, a rendered key stays below its prefix (no empty, `.` or `..` segment, no control
//! byte), is plain ASCII, and is different for different recordings once [`KeyTemplate::candidates`] are counted up.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::id::{AccountSid, CallSid, JobId, RecordingSid};
use crate::recording::{Contents, Track};
use crate::time::Timestamp;

/// The default of `RECORDING_KEY`.
pub const DEFAULT_KEY: &str = "recordings/{yyyy}/{mm}/{dd}/{call_sid}-{job_id}.{ext}";

const FIELDS: [&str; 9] = ["yyyy", "mm", "dd", "account_sid", "call_sid", "job_id", "recording_sid", "track", "ext"];
/// A field longer than this is cut and marked with a hash of the whole.
const FIELD_BYTES: usize = 64;
const HASH_DIGITS: usize = 16;

/// Why a template can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A `{` without `}`, or the other way round.
    #[error("has an unmatched brace")]
    Brace,
    /// A field that does not exist.
    #[error(
        "has an unknown field {{{0}}}; known are yyyy, mm, dd, account_sid, call_sid, job_id, recording_sid, track, ext"
    )]
    Field(String),
    /// A character that is not safe in every store, or a segment that would leave the folder.
    #[error("may hold only A-Z a-z 0-9 . _ - / and fields, without empty, '.' or '..' segments")]
    Literal,
    /// Keys would hardly differ.
    #[error("must hold {{recording_sid}} or {{call_sid}}")]
    Unspecific,
}

/// What a key is made from.
#[derive(Debug, Clone)]
pub struct KeyFields<'a> {
    /// The recording's start, else its creation, else its arrival.
    pub at: Timestamp,
    /// The owner.
    pub account: &'a AccountSid,
    /// The call, or the placeholder.
    pub call: &'a CallSid,
    /// The job, where it is known by now.
    pub job: Option<&'a JobId>,
    /// The recording.
    pub recording: &'a RecordingSid,
    /// The voices it holds.
    pub track: Track,
    /// What the object will hold.
    pub contents: &'a Contents,
}

/// A checked `RECORDING_KEY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTemplate(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Field(String),
}

impl KeyTemplate {
    /// Reads a template.
    pub fn parse(template: &str) -> Result<Self, TemplateError> {
        let parts = split(template)?;
        let has = |name: &str| parts.iter().any(|part| matches!(part, Part::Field(field) if field == name));
        if !has("recording_sid") && !has("call_sid") {
            return Err(TemplateError::Unspecific);
        }
        // A field never renders to nothing but the job, so one letter stands for any of them here.
        let shape: String = parts.iter().map(|part| if let Part::Literal(text) = part { text } else { "x" }).collect();
        let segments_are_safe = shape.split('/').all(|segment| !matches!(segment, "" | "." | ".."));
        if !segments_are_safe || !shape.bytes().all(|b| is_plain(b) || b == b'/') {
            return Err(TemplateError::Literal);
        }
        Ok(Self(parts))
    }

    /// The keys to try for a recording, so many: the template's own, then with `-{recording_sid}`, then with
    /// `-{recording_sid}-{n}` from 2 on.
    pub fn candidates(&self, fields: &KeyFields<'_>, count: u32) -> Vec<String> {
        let mut key = self.render(fields);
        // A template without {ext}: what is sealed must not look like audio, nor take its place.
        if matches!(fields.contents, Contents::Sealed(_)) && !key.ends_with(".enc") {
            key.push_str(".enc");
        }
        let ending = format!(".{}", fields.contents.extension());
        let (stem, ending) = key.strip_suffix(&ending).map_or((key.as_str(), ""), |stem| (stem, ending.as_str()));
        let sid = fields.recording;
        let candidate = |n| match n {
            0 => key.clone(),
            1 => format!("{stem}-{sid}{ending}"),
            n => format!("{stem}-{sid}-{n}{ending}"),
        };
        (0..count).map(candidate).collect()
    }

    fn render(&self, fields: &KeyFields<'_>) -> String {
        let mut key = String::new();
        let mut skip_dash = false;
        for part in &self.0 {
            match part {
                Part::Literal(text) => {
                    key.push_str(if skip_dash { text.strip_prefix('-').unwrap_or(text) } else { text })
                }
                Part::Field(name) => {
                    let value = value(name, fields);
                    skip_dash = value.is_none() && !drop_dash(&mut key);
                    key.push_str(&value.unwrap_or_default());
                    continue;
                }
            }
            skip_dash = false;
        }
        keep_segments(&key, fields)
    }
}

/// An unknown job takes the dash before it along. Returns whether there was one.
fn drop_dash(key: &mut String) -> bool {
    let dash = key.ends_with('-');
    if dash {
        key.pop();
    }
    dash
}

/// A segment that held nothing but the unknown job becomes `no-job`, so that none is ever empty.
fn keep_segments(key: &str, fields: &KeyFields<'_>) -> String {
    if fields.job.is_some() {
        return key.to_owned();
    }
    let segments: Vec<&str> =
        key.split('/').map(|segment| if segment.is_empty() { "no-job" } else { segment }).collect();
    segments.join("/")
}

fn value(field: &str, fields: &KeyFields<'_>) -> Option<String> {
    let (year, month, day) = fields.at.date();
    let raw = match field {
        "yyyy" => format!("{year:04}"),
        "mm" => format!("{month:02}"),
        "dd" => format!("{day:02}"),
        "account_sid" => fields.account.to_string(),
        "call_sid" if fields.call.is_call() => fields.call.to_string(),
        "call_sid" | "recording_sid" => fields.recording.to_string(),
        "job_id" => fields.job?.to_string(),
        "track" => fields.track.to_string(),
        _ => fields.contents.extension().to_owned(),
    };
    Some(encode(&raw))
}

/// Percent-encodes what is not plain, and cuts what is long: at most [`FIELD_BYTES`] bytes come out.
fn encode(raw: &str) -> String {
    let only_dots = raw.bytes().all(|b| b == b'.');
    let mut encoded = String::with_capacity(raw.len());
    for byte in raw.bytes() {
        if is_plain(byte) && !only_dots {
            encoded.push(char::from(byte));
        } else {
            // Writing into a String can't fail.
            write!(encoded, "%{byte:02X}").unwrap_or_default();
        }
    }
    if encoded.len() <= FIELD_BYTES {
        return encoded;
    }
    encoded.truncate(FIELD_BYTES - HASH_DIGITS);
    if let Some(percent) = encoded.rfind('%').filter(|at| at + 3 > encoded.len()) {
        encoded.truncate(percent);
    }
    for byte in &Sha256::digest(raw.as_bytes())[..HASH_DIGITS / 2] {
        write!(encoded, "{byte:02x}").unwrap_or_default();
    }
    encoded
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

fn split(template: &str) -> Result<Vec<Part>, TemplateError> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((literal, after)) = rest.split_once('{') {
        let (field, after) = after.split_once('}').ok_or(TemplateError::Brace)?;
        if !FIELDS.contains(&field) {
            return Err(TemplateError::Field(field.to_owned()));
        }
        parts.push(Part::Literal(literal.to_owned()));
        parts.push(Part::Field(field.to_owned()));
        rest = after;
    }
    parts.push(Part::Literal(rest.to_owned()));
    let stray = |part: &Part| matches!(part, Part::Literal(text) if text.contains('}'));
    if parts.iter().any(stray) { Err(TemplateError::Brace) } else { Ok(parts) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audio::AudioFormat;

    fn key(template: &str, job: Option<&str>, n: u32) -> String {
        key_of(&Contents::Audio(AudioFormat::Wav), template, job, n)
    }

    fn key_of(contents: &Contents, template: &str, job: Option<&str>, n: u32) -> String {
        let hex = "0123456789abcdef0123456789abcdef";
        let (account, call, recording) = (
            AccountSid::parse(&format!("AC{hex}")).expect("sid"),
            CallSid::parse(&format!("CA{hex}")).expect("sid"),
            RecordingSid::parse(&format!("RE{hex}")).expect("sid"),
        );
        let job = job.map(|job| JobId::parse(job).expect("job id"));
        let fields = KeyFields {
            at: Timestamp::from_rfc2822("Fri, 15 Mar 2024 14:30:22 +0000").expect("date"),
            account: &account,
            call: &call,
            job: job.as_ref(),
            recording: &recording,
            track: Track::Mixed,
            contents,
        };
        KeyTemplate::parse(template).expect("template").candidates(&fields, n + 1).pop().expect("keys")
    }

    const CALL: &str = "CA0123456789abcdef0123456789abcdef";
    const RECORDING: &str = "RE0123456789abcdef0123456789abcdef";

    #[test]
    fn the_default_key_with_and_without_a_job() {
        assert_eq!(key(DEFAULT_KEY, Some("JOB456"), 0), format!("recordings/2024/03/15/{CALL}-JOB456.wav"));
        assert_eq!(key(DEFAULT_KEY, None, 0), format!("recordings/2024/03/15/{CALL}.wav"));
        assert_eq!(key("{job_id}-{call_sid}.{ext}", None, 0), format!("{CALL}.wav"));
        assert_eq!(key("{job_id}/{call_sid}.{ext}", None, 0), format!("no-job/{CALL}.wav"));
    }

    #[test]
    fn a_taken_key_is_followed_by_others() {
        assert_eq!(key(DEFAULT_KEY, Some("J"), 1), format!("recordings/2024/03/15/{CALL}-J-{RECORDING}.wav"));
        assert_eq!(key(DEFAULT_KEY, Some("J"), 2), format!("recordings/2024/03/15/{CALL}-J-{RECORDING}-2.wav"));
    }

    #[test]
    fn what_is_sealed_never_has_the_key_of_audio() {
        let details = format!(r#"{{"public_key_sid":"CR{}","encrypted_cek":"YQ==","iv":"Yg=="}}"#, "0".repeat(32));
        let sealed = Contents::Sealed(serde_json::from_str(&details).expect("details"));
        assert_eq!(key_of(&sealed, "{call_sid}.{ext}", None, 0), format!("{CALL}.wav.enc"));
        assert_eq!(key_of(&sealed, "{call_sid}.{ext}", None, 1), format!("{CALL}-{RECORDING}.wav.enc"));
        assert_eq!(key_of(&sealed, "{call_sid}.wav", None, 0), format!("{CALL}.wav.enc"));
        assert_eq!(key_of(&sealed, "{call_sid}", None, 0), format!("{CALL}.enc"));
    }

    #[test]
    fn hostile_job_ids_stay_in_their_segment() {
        assert_eq!(key("{job_id}/{call_sid}", Some("../../etc"), 0), format!("..%2F..%2Fetc/{CALL}"));
        assert_eq!(key("{job_id}/{call_sid}", Some(".."), 0), format!("%2E%2E/{CALL}"));
        let long = key("{job_id}/{call_sid}", Some(&"é".repeat(200)), 0);
        let segment = long.split('/').next().expect("segment");
        assert!(segment.len() <= 64 && segment.starts_with("%C3%A9"), "{segment}");
    }

    #[test]
    fn templates_that_would_leave_the_folder_are_refused() {
        for bad in ["/{call_sid}", "a//{call_sid}", "../{call_sid}", "{call_sid}/", "a b{call_sid}"] {
            assert_eq!(KeyTemplate::parse(bad), Err(TemplateError::Literal), "{bad}");
        }
        assert_eq!(KeyTemplate::parse("{call_sid"), Err(TemplateError::Brace));
        assert_eq!(KeyTemplate::parse("{call_sid}}"), Err(TemplateError::Brace));
        assert_eq!(KeyTemplate::parse("{nope}{call_sid}"), Err(TemplateError::Field("nope".into())));
        assert_eq!(KeyTemplate::parse("a/{yyyy}"), Err(TemplateError::Unspecific));
    }

    proptest! {
        #[test]
        fn any_job_id_gives_a_safe_key(job in "\\PC{1,120}", n in 0u32..5) {
            prop_assume!(JobId::parse(&job).is_ok());
            let key = key("a/{job_id}/{call_sid}-{job_id}.{ext}", Some(&job), n);
            prop_assert_eq!(key.split('/').count(), 3);
            prop_assert!(key.split('/').all(|segment| !matches!(segment, "" | "." | "..")));
            prop_assert!(key.bytes().all(|b| is_plain(b) || matches!(b, b'/' | b'%')));
        }
    }
}
