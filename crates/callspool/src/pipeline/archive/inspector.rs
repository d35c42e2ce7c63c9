//! What judges a recording's bytes while they pass, and opens them on the way where they are encrypted.
//!
//! Guarantee: audio is accepted only where it parses to its end and, if it was encrypted, is proven to be what the provider
//! encrypted. Ciphertext that nobody can open is accepted only where it is not plainly something else.

use callspool_audio::{AudioError, Parser};
use callspool_clients::provider::{Opener, TAG};
use callspool_domain::audio::{AudioFacts, AudioFormat};
use callspool_domain::failure::Code;

use crate::bad_audio;

/// The header of a WAV file without a sample (<http://soundfile.sapp.org/doc/WaveFormat/>).
const WAV_HEADER: u64 = 44;
/// So many bytes of ciphertext are never all printable, but for once in 10^26 times.
const START: usize = 64;

/// Why bytes are bad, in the words of the operator.
#[derive(Debug)]
pub(super) struct Bad {
    pub(super) code: Code,
    pub(super) why: String,
}

/// Judges one recording's bytes.
pub(super) enum Inspector {
    /// Audio as it comes.
    Plain(Audio),
    /// Audio that is opened first.
    Encrypted(Box<Opener>, Audio),
    /// Ciphertext that stays what it is.
    Sealed(Ciphertext),
}

impl Inspector {
    /// For audio in this format, to be opened first where there is an opener.
    pub(super) fn audio(format: AudioFormat, opener: Option<Box<Opener>>) -> Self {
        let audio = Audio { parser: Parser::new(format), bad: None };
        match opener {
            Some(opener) => Self::Encrypted(opener, audio),
            None => Self::Plain(audio),
        }
    }

    /// For ciphertext.
    pub(super) fn sealed() -> Self {
        Self::Sealed(Ciphertext::default())
    }

    /// How many bytes will be written of so many that come.
    pub(super) fn length(&self, announced: u64) -> u64 {
        match self {
            Self::Plain(_) | Self::Sealed(_) => announced,
            Self::Encrypted(..) => announced.saturating_sub(TAG as u64),
        }
    }

    /// Takes the next bytes; returns those to be written where they are not the same.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Plain(audio) => audio.pass(bytes),
            Self::Sealed(ciphertext) => ciphertext.pass(bytes),
            Self::Encrypted(opener, audio) => {
                let opened = opener.push(bytes);
                audio.pass(&opened);
                return Some(opened);
            }
        }
        None
    }

    /// True once nothing that follows can make the whole good.
    pub(super) fn is_bad(&self) -> bool {
        match self {
            Self::Plain(audio) | Self::Encrypted(_, audio) => audio.bad.is_some(),
            Self::Sealed(ciphertext) => ciphertext.start.len() == START && ciphertext.is_text(),
        }
    }

    /// The judgement on the whole; what is sealed has no audio.
    pub(super) fn finish(self) -> Result<Option<AudioFacts>, Bad> {
        match self {
            Self::Plain(audio) => audio.finish().map(Some),
            Self::Sealed(ciphertext) => ciphertext.finish().map(|()| None),
            Self::Encrypted(opener, audio) => {
                // Bytes that are not proven say nothing, however they parse.
                opener.finish().map_err(|error| Bad { code: Code::MediaDamaged, why: error.to_string() })?;
                audio.finish().map(Some)
            }
        }
    }
}

/// Audio on its way through the parser.
pub(super) struct Audio {
    parser: Parser,
    bad: Option<AudioError>,
}

impl Audio {
    fn pass(&mut self, bytes: &[u8]) {
        if self.bad.is_none() {
            self.bad = self.parser.push(bytes).err();
        }
    }

    fn finish(self) -> Result<AudioFacts, Bad> {
        self.bad
            .map_or_else(|| self.parser.finish(), Err)
            .map_err(|error| Bad { code: bad_audio::code(&error), why: error.to_string() })
    }
}

/// Ciphertext on its way.
#[derive(Default)]
pub(super) struct Ciphertext {
    start: Vec<u8>,
    bytes: u64,
}

impl Ciphertext {
    fn pass(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        let missing = START.saturating_sub(self.start.len()).min(bytes.len());
        self.start.extend(bytes.iter().take(missing));
    }

    fn is_text(&self) -> bool {
        self.start.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n'))
    }

    fn finish(self) -> Result<(), Bad> {
        if self.bytes > 0 && self.is_text() {
            return Err(Bad { code: Code::MediaNotAudio, why: "it is text, and nothing encrypted".to_owned() });
        }
        if self.bytes <= WAV_HEADER + TAG as u64 {
            let why = format!("{} bytes of ciphertext hold no sample", self.bytes);
            return Err(Bad { code: Code::MediaEmpty, why });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(bytes: &[u8]) -> Option<Code> {
        let mut inspector = Inspector::sealed();
        for piece in bytes.chunks(7) {
            assert_eq!(inspector.pass(piece), None);
        }
        inspector.finish().err().map(|bad| bad.code)
    }

    #[test]
    fn an_error_page_is_not_taken_for_ciphertext_nor_is_a_file_without_a_sample() {
        let page = format!("<?xml version='1.0'?>\n<TwilioResponse>{}</TwilioResponse>", "x".repeat(500));
        assert_eq!(judge(page.as_bytes()), Some(Code::MediaNotAudio));
        assert_eq!(judge(b"{}"), Some(Code::MediaNotAudio));
        assert_eq!(judge(b""), Some(Code::MediaEmpty));
        assert_eq!(judge(&[200; 60]), Some(Code::MediaEmpty));
        assert_eq!(judge(&[200; 61]), None);
    }
}
