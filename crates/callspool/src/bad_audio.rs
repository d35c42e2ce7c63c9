//! What bytes that are no whole audio are called: the parser's verdict as a failure.

use callspool_audio::AudioError;
use callspool_domain::{Code, StepFailure};

/// The code of a verdict.
pub(crate) fn code(error: &AudioError) -> Code {
    match error {
        AudioError::NotAudio { .. } => Code::MediaNotAudio,
        AudioError::Empty => Code::MediaEmpty,
        AudioError::Truncated { .. } => Code::MediaTruncated,
        AudioError::Overlong { .. } => Code::MediaOverlong,
        AudioError::Malformed { .. } => Code::MediaMalformed,
    }
}

/// The verdict on `what`.
pub(crate) fn failure(what: &str, error: &AudioError) -> StepFailure {
    StepFailure::new(code(error), format!("{what} is bad: {error}"))
}
