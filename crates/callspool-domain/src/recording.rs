//! A recording and its copies: the provider's words about it, ours, and what is stored of each copy.

use crate::id::{AccountSid, CallSid, RecordingSid};
use crate::stored::stored_names;
use crate::time::Timestamp;

stored_names! {
    /// Where a recording stands, in our words.
    Status {
        /// We know it exists.
        Announced = "announced",
        /// The archive copy was read back and checked.
        Archived = "archived",
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
        self.finality() < 2 && self.0 != "stopped"
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
        /// In the archive.
        Archive = "archive",
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
    fn only_final_words_settle() {
        let settles = |word: &str| ProviderStatus::new(word).settles();
        assert_eq!(settles("absent"), Some(Status::Absent));
        assert_eq!(settles("failed"), Some(Status::Failed));
        for word in ["in-progress", "completed", "processing", "never-heard-of"] {
            assert_eq!(settles(word), None);
        }
    }
}
