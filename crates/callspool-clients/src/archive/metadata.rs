//! What an object says about itself: whose recording it is, in ASCII, for stores that keep metadata.

use std::fmt::Write as _;

use callspool_domain::audio::AudioFacts;
use callspool_domain::recording::Contents;
use callspool_domain::{AccountSid, CallSid, JobId, RecordingSid, Source};

use super::Fingerprint;

/// A customer's text is cut here; the whole is in the ledger.
const VALUE_BYTES: usize = 256;

pub(super) const RECORDING_SID: &str = "recording-sid";

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
    /// What it holds.
    pub contents: Contents,
}

impl ObjectFacts {
    /// The metadata known before the first byte.
    pub(super) fn metadata(&self) -> Vec<(&'static str, String)> {
        let mut metadata = vec![
            (RECORDING_SID, self.recording.to_string()),
            ("call-sid", self.call.to_string()),
            ("account-sid", self.account.to_string()),
            ("source", encode(self.source.as_str(), |c| c == ' ' || c.is_ascii_graphic() && c != '%')),
        ];
        if let Some(job) = &self.job {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
            metadata.push(("job-id", encode(job.as_str(), plain)));
        }
        // With these and the private key the object can be opened by whoever has nothing else.
        if let Contents::Sealed(details) = &self.contents {
            metadata.push(("encryption-public-key-sid", details.public_key_sid.to_string()));
            metadata.push(("encryption-cek", details.encrypted_cek.as_str().to_owned()));
            metadata.push(("encryption-iv", details.iv.as_str().to_owned()));
        }
        metadata
    }
}

/// The metadata known only after the last byte; what is sealed has no audio that anybody could have measured.
pub(super) fn of_the_whole(written: &Fingerprint, audio: Option<&AudioFacts>) -> Vec<(&'static str, String)> {
    let mut metadata = vec![("sha256", written.sha256.clone())];
    if let Some(audio) = audio {
        let milliseconds = audio.duration_ms;
        metadata.push(("duration-seconds", format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)));
        metadata.push(("channels", audio.channels.len().to_string()));
    }
    metadata
}

/// Percent-encodes what is not plain, and stops before the character that would make it too long.
fn encode(text: &str, plain: impl Fn(char) -> bool) -> String {
    let mut encoded = String::new();
    for c in text.chars() {
        let before = encoded.len();
        if plain(c) {
            encoded.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                // Writing into a String can't fail.
                write!(encoded, "%{byte:02X}").unwrap_or_default();
            }
        }
        if encoded.len() > VALUE_BYTES {
            encoded.truncate(before);
            break;
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use callspool_domain::audio::AudioFormat;

    use super::*;

    fn job_id(job: &str) -> String {
        let hex = "0123456789abcdef0123456789abcdef";
        let facts = ObjectFacts {
            recording: RecordingSid::parse(&format!("RE{hex}")).expect("sid"),
            call: CallSid::parse(&format!("CA{hex}")).expect("sid"),
            account: AccountSid::parse(&format!("AC{hex}")).expect("sid"),
            source: Source::clean("Empfang Köln"),
            job: Some(JobId::parse(job).expect("job")),
            contents: Contents::Audio(AudioFormat::Wav),
        };
        let metadata = facts.metadata();
        assert!(metadata.contains(&("source", "Empfang K%C3%B6ln".to_owned())));
        metadata.into_iter().find(|(name, _)| *name == "job-id").expect("job-id").1
    }

    #[test]
    fn metadata_is_ascii_whatever_the_job_is_called() {
        assert_eq!(job_id("a/b\r\nx-amz-acl: public"), "a%2Fb%0D%0Ax-amz-acl%3A%20public");
        let long = job_id(&"é".repeat(200));
        assert!(long.len() == 252 && long.ends_with("%C3%A9"), "{long}");
        assert_eq!(job_id(&format!("{}é", "x".repeat(255))).len(), 255);
    }
}
