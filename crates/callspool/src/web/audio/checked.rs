//! Audio on its way to a listener, checked while it passes.
//!
//! Guarantee: bytes that are known to be wrong never arrive as a whole. The last of them are held back until the whole is
//! judged; where it is bad, the connection breaks instead.

use bytes::Bytes;
use callspool_audio::Parser;
use callspool_clients::http::ByteStream;
use callspool_domain::audio::AudioFormat;
use callspool_domain::{Code, StepFailure};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use sha2::{Digest as _, Sha256};

use crate::bad_audio;

/// What the whole has to be.
pub(crate) enum Check {
    /// Audio that parses to its end: all that can be told of the provider's copy.
    Audio(Box<Parser>),
    /// These bytes.
    Exactly {
        /// What has passed.
        hash: Box<Sha256>,
        /// The SHA-256 of the whole, in hexadecimal digits.
        sha256: String,
        /// How many bytes are still to come.
        left: u64,
    },
}

impl Check {
    /// For audio in this format.
    pub(crate) fn audio(format: AudioFormat) -> Self {
        Self::Audio(Box::new(Parser::new(format)))
    }

    /// For so many bytes with this SHA-256, in hexadecimal digits.
    pub(crate) fn exactly(bytes: u64, sha256: &str) -> Self {
        Self::Exactly { hash: Box::default(), sha256: sha256.to_owned(), left: bytes }
    }

    fn pass(&mut self, bytes: &[u8]) -> Result<(), StepFailure> {
        match self {
            Self::Audio(parser) => parser.push(bytes).map_err(|error| bad_audio::failure(PLAYED, &error)),
            Self::Exactly { hash, left, .. } => {
                hash.update(bytes);
                *left = left.checked_sub(bytes.len() as u64).ok_or_else(changed)?;
                Ok(())
            }
        }
    }

    fn finish(self) -> Result<(), StepFailure> {
        match self {
            Self::Audio(parser) => parser.finish().map(drop).map_err(|error| bad_audio::failure(PLAYED, &error)),
            Self::Exactly { hash, sha256, .. } => {
                if hex::encode(hash.finalize()) == sha256 {
                    Ok(())
                } else {
                    Err(changed())
                }
            }
        }
    }
}

const PLAYED: &str = "what was to be played";

fn changed() -> StepFailure {
    let detail = "the archive sent other bytes than were archived; find out what changed the object";
    StepFailure::new(Code::ArchiveMismatch, detail)
}

/// The same bytes, checked on their way.
///
/// # Errors
/// Where they are known to be bad, or broken off, before the first of them may be given away.
pub(crate) async fn checked(body: ByteStream, check: Check) -> Result<ByteStream, StepFailure> {
    let mut passed = Box::pin(passed(body, check));
    let Some(first) = passed.try_next().await? else { return Ok(stream::empty().boxed()) };
    let rest = passed.inspect_err(|failure| {
        tracing::warn!(code = failure.code.as_str(), detail = failure.detail, "audio_broken_off");
    });
    Ok(stream::once(async { Ok(first) }).chain(rest).boxed())
}

/// One piece behind, so that the last one goes out when the whole is judged.
fn passed(body: ByteStream, check: Check) -> impl Stream<Item = Result<Bytes, StepFailure>> + Send {
    stream::try_unfold((body, Some(check), Bytes::new()), async |(mut body, check, mut held)| {
        let Some(mut check) = check else { return Ok(None) };
        while let Some(piece) = body.try_next().await? {
            check.pass(&piece)?;
            // An empty piece would let the one before it go, which may be the last.
            if piece.is_empty() {
                continue;
            }
            let ready = std::mem::replace(&mut held, piece);
            if !ready.is_empty() {
                return Ok(Some((ready, (body, Some(check), held))));
            }
        }
        check.finish()?;
        Ok(Some((held, (body, None, Bytes::new()))))
    })
}
