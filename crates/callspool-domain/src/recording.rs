//! A recording and its copies: the provider's words about it, ours, and what is stored of each copy.

use serde::{Deserialize, Serialize};

use crate::audio::AudioFormat;
use crate::id::{AccountSid, CallSid, PublicKeySid, RecordingSid};
use crate::stored::stored_names;
use crate::time::Timestamp;

stored_names! {
    /// Where a recording stands, in our words.
    Status {
        /// We know it exists.
        Announced = "announced",
        /// The archive copy was read back and checked.
        Archived = "archived",
        /// Encrypted by the provider, and kept in the archive as it came: nobody here could open it, so its audio is unchecked.
        Sealed = "sealed",
        /// The provider says that none was made.
        Absent = "absent",
        /// The provider says it failed, or its bytes stay bad and identical for 24 h.
        Failed = "failed",
        /// Announced, and no copy can be found.
        Missing = "missing",
        /// Deleted from the archive by policy.
        Expired = "expired",
    }
}

stored_names! {
    /// Which voices a recording holds.
    Track {
        /// Both sides.
        Mixed = "mixed",
        /// The caller.
        User = "user",
        /// The agent.
        Assistant = "assistant",
    }
}

stored_names! {
    /// How we started a recording.
    StartedBy {
        /// By the TwiML that we answered with.
        Twiml = "twiml",
        /// By a request to the provider.
        Rest = "rest",
    }
}

/// The provider's word for the state of a recording, kept as it came: Twilio adds words without notice
/// (<https://www.twilio.com/docs/voice/api/recording>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderStatus(String);

impl ProviderStatus {
    /// Wraps the word.
    pub fn new(word: impl Into<String>) -> Self {
        Self(word.into())
    }

    /// The word as it came.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How final the word is. A later callback never takes a recording back to a less final word, so that repeats and
    /// disorder are harmless: `in-progress` after `completed` changes nothing.
    pub fn finality(&self) -> u8 {
        match self.0.as_str() {
            "completed" => 3,
            "absent" | "failed" | "deleted" => 2,
            "processing" | "stopped" => 1,
            _ => 0,
        }
    }

    /// What the word alone makes of a recording that has no copy of ours yet.
    pub fn settles(&self) -> Option<Status> {
        match self.0.as_str() {
            "absent" => Some(Status::Absent),
            "failed" => Some(Status::Failed),
            "deleted" => Some(Status::Missing),
            _ => None,
        }
    }

    /// True where it may still be recording: a resource that is fetched says `processing` of a live one.
    pub fn may_run(&self) -> bool {
        self.finality() < 2 && !self.is_stopped()
    }

    /// True where it was stopped by a request: the provider is about to have the audio, and may already.
    pub fn is_stopped(&self) -> bool {
        self.0 == "stopped"
    }

    /// True once the provider has the audio.
    pub fn is_completed(&self) -> bool {
        self.0 == "completed"
    }
}

/// What the outside said about a recording: a callback or a fetched resource, in one shape.
#[derive(Debug, Clone)]
pub struct Announcement {
    /// The recording.
    pub recording: RecordingSid,
    /// The account that owns it.
    pub account: AccountSid,
    /// The call it hangs under; a placeholder where the provider names none.
    pub call: CallSid,
    /// The provider's word for its state.
    pub status: ProviderStatus,
    /// What started it, in the provider's words.
    pub provider_source: Option<String>,
    /// The voices it holds, from the provider's `inbound`, `outbound`, `both`.
    pub track: Track,
    /// Whole seconds.
    pub duration_seconds: Option<u64>,
    /// 1 or 2.
    pub channels: Option<u16>,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// The provider's error, e.g. 16101 (too short); only where it is not 0.
    pub error_code: Option<i64>,
    /// True where the provider encrypted it with a key of the customer's.
    pub encrypted: bool,
    /// What it takes to open it, as far as the provider said so in a form we understand.
    pub encryption: Option<EncryptionDetails>,
}

/// What it takes to open a recording that the provider encrypted, besides the private key
/// (<https://www.twilio.com/docs/voice/tutorials/voice-recording-encryption>). None of it is secret.
///
/// The callback and the resource's reference call the fields by these names, the resource's samples by the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncryptionDetails {
    /// The public key it was encrypted with, and so which private key opens it. With error 16107 it is another than the
    /// account's settings name (<https://www.twilio.com/docs/api/errors/16107>).
    #[serde(alias = "encryption_public_key_sid")]
    pub public_key_sid: PublicKeySid,
    /// The content encryption key, wrapped with the public key.
    #[serde(alias = "encryption_cek")]
    pub encrypted_cek: Wrapped,
    /// The initialization vector of the content's encryption.
    #[serde(alias = "encryption_iv")]
    pub iv: Wrapped,
}

/// Bytes in base64, as the provider wrote them: of its alphabet, and no more than the largest RSA key that is in use makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Wrapped(String);

impl Wrapped {
    /// The base64 of the 1024 bytes that a key of 8192 bits wraps something in.
    const LONGEST: usize = 1368;

    /// The text as it came.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Wrapped {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
        let is_base64 = (1..=Self::LONGEST).contains(&text.len()) && text.bytes().all(plain);
        if is_base64 { Ok(Self(text)) } else { Err("must be base64, and not longer than 1368 characters") }
    }
}

impl From<Wrapped> for String {
    fn from(wrapped: Wrapped) -> Self {
        wrapped.0
    }
}

/// What an object of the archive holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contents {
    /// Audio that anybody can play.
    Audio(AudioFormat),
    /// What the provider encrypted, as it came: the ciphertext of a WAV file, and after it the 16 bytes that prove it.
    Sealed(EncryptionDetails),
}

impl Contents {
    /// The file name's ending, without the dot.
    pub fn extension(&self) -> &'static str {
        match self {
            Self::Audio(format) => format.extension(),
            Self::Sealed(_) => "wav.enc",
        }
    }

    /// The media type it is stored under.
    pub fn content_type(&self) -> &'static str {
        match self {
            Self::Audio(format) => format.content_type(),
            Self::Sealed(_) => "application/octet-stream",
        }
    }
}

impl Track {
    /// Twilio's word for it, where a recording is started
    /// (<https://www.twilio.com/docs/voice/api/recording#create-a-recording-for-a-call>).
    pub fn provider_word(self) -> &'static str {
        match self {
            Self::Mixed => "both",
            Self::User => "inbound",
            Self::Assistant => "outbound",
        }
    }
}

stored_names! {
    /// One place where bytes of a recording are.
    Place {
        /// At the provider.
        Provider = "provider",
        /// In the archive, as audio.
        Archive = "archive",
        /// In the archive, as the provider encrypted it.
        Sealed = "sealed",
    }
}

stored_names! {
    /// What is known of a copy.
    CopyState {
        /// Its key is allocated; bytes may be on their way.
        Allocated = "allocated",
        /// The bytes are there, as far as we know.
        Present = "present",
        /// Archive: read back, equal, audio checked.
        Verified = "verified",
        /// Deleted by us, or found deleted.
        Gone = "gone",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_what_opens_a_recording_are_read_and_nothing_else() {
        let sid = format!("CR{}", "0".repeat(32));
        let read = |text: String| serde_json::from_str::<EncryptionDetails>(&text).ok();
        let callback =
            read(format!(r#"{{"type":"rsa-aes","public_key_sid":"{sid}","encrypted_cek":"YQ==","iv":"Yg=="}}"#));
        let sample =
            format!(r#"{{"encryption_public_key_sid":"{sid}","encryption_cek":"YQ==","encryption_iv":"Yg=="}}"#);
        assert_eq!(callback.as_ref().map(|details| details.iv.as_str()), Some("Yg=="));
        assert_eq!(read(sample), callback);
        for (cek, iv) in [("", "Yg=="), ("a%b", "Yg=="), ("YQ==", "b b"), (&"A".repeat(1369), "Yg==")] {
            let text = format!(r#"{{"public_key_sid":"{sid}","encrypted_cek":"{cek}","iv":"{iv}"}}"#);
            assert_eq!(read(text), None);
        }
    }

    #[test]
    fn only_final_words_settle() {
        let settles = |word: &str| ProviderStatus::new(word).settles();
        assert_eq!(settles("absent"), Some(Status::Absent));
        assert_eq!(settles("failed"), Some(Status::Failed));
        for word in ["in-progress", "completed", "processing", "never-heard-of"] {
            assert_eq!(settles(word), None);
        }
    }
}
