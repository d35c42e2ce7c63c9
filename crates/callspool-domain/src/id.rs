//! Ids as the provider writes them, and the two texts a customer may choose: the job's id and the source.
//!
//! A value of one of these types has passed its grammar, so it can stand in a path, a key, a log line or a query
//! without further thought. Ids of one kind can't be passed for another.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text is not an id. `Display` names the field's kind and the rule, never more than the start of the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {rule}")]
pub struct IdError {
    kind: &'static str,
    rule: &'static str,
}

/// Twilio's grammar: two capital letters and 32 hexadecimal digits
/// (<https://www.twilio.com/docs/glossary/what-is-a-sid>).
fn is_twilio_sid(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks the grammar and wraps the text.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError { kind: $kind, rule: $rule })
                }
            }

            /// The text as it came.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(&text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

text_id!(
    /// One provider account: `AC` and 32 hexadecimal digits.
    AccountSid, "AccountSid", "must be AC and 32 hexadecimal digits", |text| is_twilio_sid(text, "AC")
);
text_id!(
    /// One recording: `RE` and 32 hexadecimal digits.
    RecordingSid, "RecordingSid", "must be RE and 32 hexadecimal digits", |text| is_twilio_sid(text, "RE")
);
text_id!(
    /// One call leg: `CA` and 32 hexadecimal digits. A recording without one hangs under a placeholder call, which is
    /// named by its conference (`CF…`) or else by the recording itself (`RE…`).
    CallSid, "CallSid", "must be CA and 32 hexadecimal digits",
    |text| ["CA", "CF", "RE"].iter().any(|prefix| is_twilio_sid(text, prefix))
);
text_id!(
    /// One conference: `CF` and 32 hexadecimal digits.
    ConferenceSid, "ConferenceSid", "must be CF and 32 hexadecimal digits", |text| is_twilio_sid(text, "CF")
);
text_id!(
    /// One public key that the provider encrypts recordings with: `CR` and 32 hexadecimal digits.
    PublicKeySid, "PublicKeySid", "must be CR and 32 hexadecimal digits", |text| is_twilio_sid(text, "CR")
);
text_id!(
    /// The customer's own name for a job, taken as it is: any text of 1 to 512 bytes without a NUL. It never becomes a
    /// path, a formula or a header without being encoded for that place.
    JobId, "job_id", "must be 1 to 512 bytes of text, not only white space, without a NUL",
    |text| !text.trim().is_empty() && text.len() <= 512 && !text.contains('\0')
);

impl CallSid {
    /// The call a recording without a CallSid hangs under until its call is known.
    pub fn placeholder(conference: Option<&ConferenceSid>, recording: &RecordingSid) -> Self {
        Self(conference.map_or_else(|| recording.0.clone(), |conference| conference.0.clone()))
    }

    /// True where this names a real call leg.
    pub fn is_call(&self) -> bool {
        self.0.starts_with("CA")
    }
}

impl JobId {
    /// True for the form of an Airtable record id: `rec` and 14 letters or digits.
    pub fn is_record_id(&self) -> bool {
        self.0
            .strip_prefix("rec")
            .is_some_and(|rest| rest.len() == 14 && rest.bytes().all(|b| b.is_ascii_alphanumeric()))
    }
}

/// Who made the recording, in the customer's words (`?source=`); stands in the history line.
///
/// It is one field of a one-line format, so control characters and `|` become spaces, and it is cut at 64 characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source(String);

impl Source {
    /// Cleans the text; an empty one becomes the default, `IVR`.
    pub fn clean(text: &str) -> Self {
        let spaced: String = text.chars().map(|c| if c.is_control() || c == '|' { ' ' } else { c }).take(64).collect();
        let words: Vec<&str> = spaced.split_whitespace().collect();
        if words.is_empty() { Self::default() } else { Self(words.join(" ")) }
    }

    /// The cleaned text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Source {
    fn default() -> Self {
        Self("IVR".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0123456789abcdefABCDEF0123456789";

    #[test]
    fn sids_take_the_provider_grammar_and_nothing_else() {
        assert!(RecordingSid::parse(&format!("RE{HEX}")).is_ok());
        for bad in [
            "",
            "RE",
            "RE../../etc",
            &format!("CA{HEX}"),
            &format!("RE{HEX}0"),
            &format!("RE{HEX}?x=1"),
            &format!("re{HEX}"),
        ] {
            let error = RecordingSid::parse(bad).expect_err(bad);
            assert_eq!(error.to_string(), "RecordingSid must be RE and 32 hexadecimal digits");
        }
    }

    #[test]
    fn a_placeholder_is_the_conference_or_else_the_recording() {
        let recording = RecordingSid::parse(&format!("RE{HEX}")).expect("sid");
        let conference = ConferenceSid::parse(&format!("CF{HEX}")).expect("sid");
        assert_eq!(CallSid::placeholder(Some(&conference), &recording).as_str(), conference.as_str());
        assert_eq!(CallSid::placeholder(None, &recording).as_str(), recording.as_str());
        assert!(!CallSid::placeholder(None, &recording).is_call());
    }

    #[test]
    fn a_source_stays_one_field_of_one_line() {
        assert_eq!(Source::clean("IVR\n---- | 2024 | Event: Moved").as_str(), "IVR ---- 2024 Event: Moved");
        assert_eq!(Source::clean(" \t").as_str(), "IVR");
        assert_eq!(Source::clean(&"x".repeat(1000)).as_str().len(), 64);
    }

    #[test]
    fn job_ids_are_text_within_bounds() {
        assert!(JobId::parse("JOB/456 \"a'b\" {x}\nnext").is_ok());
        for bad in ["", "  ", "a\0b", &"x".repeat(513)] {
            assert!(JobId::parse(bad).is_err());
        }
        assert!(JobId::parse("recABCDEFGHIJKLMN").is_ok_and(|id| id.is_record_id()));
        assert!(JobId::parse("recABC").is_ok_and(|id| !id.is_record_id()));
    }
}
