//! What an object says about itself: whose recording it is, in ASCII, for stores that keep metadata.

use std::fmt::Write as _;

use callspool_domain::audio::{AudioFacts, AudioFormat};
use callspool_domain::{AccountSid, CallSid, JobId, RecordingSid, Source};

use super::Fingerprint;

/// `job-id` is cut here; the whole is in the ledger.
const JOB_ID_BYTES: usize = 256;

pub(super) const RECORDING_SID: &str = "recording-sid";
pub(super) const SHA256: &str = "sha256";

/// What is known of a recording when its upload begins.
#[derive(Debug, Clone)]
pub struct ObjectFacts {
    /// The recording.
    pub recording: RecordingSid,
    /// Its call, or the placeholder.
    pub call: CallSid,
    /// The account that owns it.
    pub account: AccountSid,
    /// Who made it.
    pub source: Source,
    /// The job, where it is known by now.
    pub job: Option<JobId>,
    /// The container asked for.
    pub format: AudioFormat,
}

impl ObjectFacts {
    /// The metadata known before the first byte.
    pub(super) fn metadata(&self) -> Vec<(&'static str, String)> {
        let mut metadata = vec![
            (RECORDING_SID, self.recording.to_string()),
            ("call-sid", self.call.to_string()),
            ("account-sid", self.account.to_string()),
            ("source", encode(self.source.as_str(), |byte| byte.is_ascii_graphic() && byte != b'%' || byte == b' ')),
        ];
        if let Some(job) = &self.job {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
            metadata.push(("job-id", cut(encode(job.as_str(), plain), JOB_ID_BYTES)));
        }
        metadata
    }
}

/// The metadata known only after the last byte.
pub(super) fn of_the_whole(written: &Fingerprint, audio: &AudioFacts) -> Vec<(&'static str, String)> {
    let milliseconds = audio.duration_ms;
    vec![
        (SHA256, written.sha256.clone()),
        ("duration-seconds", format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)),
        ("channels", audio.channels.len().to_string()),
    ]
}

fn encode(text: &str, plain: impl Fn(u8) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if plain(byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing into a String can't fail.
            write!(encoded, "%{byte:02X}").unwrap_or_default();
        }
    }
    encoded
}

/// Cuts a percent-encoded text without leaving a part of an escape.
fn cut(mut encoded: String, bytes: usize) -> String {
    encoded.truncate(bytes);
    if let Some(percent) = encoded.rfind('%').filter(|at| at + 3 > encoded.len()) {
        encoded.truncate(percent);
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job_id(job: &str) -> String {
        let hex = "0123456789abcdef0123456789abcdef";
        let facts = ObjectFacts {
            recording: RecordingSid::parse(&format!("RE{hex}")).expect("sid"),
            call: CallSid::parse(&format!("CA{hex}")).expect("sid"),
            account: AccountSid::parse(&format!("AC{hex}")).expect("sid"),
            source: Source::clean("Empfang Köln"),
            job: Some(JobId::parse(job).expect("job")),
            format: AudioFormat::Wav,
        };
        let metadata = facts.metadata();
        assert!(metadata.contains(&("source", "Empfang K%C3%B6ln".to_owned())));
        metadata.into_iter().find(|(name, _)| *name == "job-id").expect("job-id").1
    }

    #[test]
    fn metadata_is_ascii_whatever_the_job_is_called() {
        assert_eq!(job_id("a/b\r\nx-amz-acl: public"), "a%2Fb%0D%0Ax-amz-acl%3A%20public");
        let long = job_id(&"é".repeat(200));
        assert!(long.len() <= 256 && long.ends_with("%A9"), "{long}");
        assert_eq!(job_id(&format!("{}é", "x".repeat(255))).len(), 255);
    }
}
