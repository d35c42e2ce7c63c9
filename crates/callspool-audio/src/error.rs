//! Why bytes were refused as audio: one type, whose text says what was wrong and where.
//!
//! Every variant makes the recording *bad*: it is not archived, not linked, and tried again.

use callspool_domain::audio::AudioFormat;
use thiserror::Error;

use crate::content::Content;

/// Why the bytes are not the audio that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AudioError {
    /// The first bytes are those of something else.
    #[error("expected {} audio, got {found}", .wanted.extension())]
    NotAudio {
        /// What was asked for.
        wanted: AudioFormat,
        /// What the first bytes look like.
        found: Content,
    },
    /// Nothing came, or headers without a single sample behind them.
    #[error("it holds no audio")]
    Empty,
    /// The bytes end before what their headers announce.
    #[error("cut off: {got} of {expected} {what} came")]
    Truncated {
        /// What was counted, in the plural.
        what: &'static str,
        /// How many the header announces.
        expected: u64,
        /// How many came.
        got: u64,
    },
    /// More came than the headers announce.
    #[error("too long: more than the announced {expected} {what} came")]
    Overlong {
        /// What was counted, in the plural.
        what: &'static str,
        /// How many the header announces.
        expected: u64,
    },
    /// The format's own rules are broken, or the file is of a kind that is not supported.
    #[error("malformed at byte {at}: {why}")]
    Malformed {
        /// Offset from the start of the file, in bytes.
        at: u64,
        /// Which rule is broken.
        why: String,
    },
}

impl AudioError {
    pub(crate) fn malformed(at: u64, why: impl Into<String>) -> Self {
        Self::Malformed { at, why: why.into() }
    }
}
