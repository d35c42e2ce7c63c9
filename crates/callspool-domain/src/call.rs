//! A call in the provider's words, kept as they came.

/// The provider's word for the state of a call
/// (<https://www.twilio.com/docs/voice/api/call-resource#call-status-values>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallStatus(String);

impl CallStatus {
    /// Wraps the word.
    pub fn new(word: impl Into<String>) -> Self {
        Self(word.into())
    }

    /// The word as it came.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True once the call is over.
    pub fn is_over(&self) -> bool {
        self.finality() == 3
    }

    /// True where somebody has spoken to somebody, so that there is or was something to record.
    pub fn was_answered(&self) -> bool {
        matches!(self.0.as_str(), "in-progress" | "answered" | "completed")
    }

    /// How final the word is. Events arrive in any order, so a call only ever moves to a more final word.
    pub fn finality(&self) -> u8 {
        match self.0.as_str() {
            "completed" | "busy" | "failed" | "no-answer" | "canceled" => 3,
            "in-progress" | "answered" => 2,
            "ringing" => 1,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CallStatus;

    #[test]
    fn a_call_that_has_ended_stays_ended() {
        let finality = |word: &str| CallStatus::new(word).finality();
        assert!(finality("completed") > finality("in-progress"));
        assert!(finality("in-progress") > finality("ringing"));
        assert!(finality("ringing") > finality("never-heard-of"));
        assert_eq!(finality("busy"), finality("completed"));
    }
}
