//! The way in: looks at the first bytes, then hands everything to the reader of the format that was asked for.
//!
//! Guarantees that the verdict does not depend on how the bytes were cut into pieces, and that an error is final.

use callspool_domain::audio::{AudioFacts, AudioFormat};

use crate::content::Content;
use crate::error::AudioError;
use crate::input::{Gather, Input};
use crate::mp3::Mp3Reader;
use crate::wav::WavReader;

/// Checks and measures one recording while its bytes stream past, in memory that does not grow with its length.
///
/// ```
/// use callspool_audio::{AudioError, AudioFormat, Content, Parser};
///
/// let mut parser = Parser::new(AudioFormat::Wav);
/// parser.push(b"<TwilioResponse><Rest")?;
/// parser.push(b"Exception/></TwilioResponse>")?;
/// let refusal = AudioError::NotAudio { wanted: AudioFormat::Wav, found: Content::Xml };
/// assert_eq!(parser.finish(), Err(refusal));
/// # Ok::<(), AudioError>(())
/// ```
pub struct Parser {
    wanted: AudioFormat,
    /// How many bytes came so far.
    at: u64,
    state: State,
}

enum State {
    /// Collecting the first bytes.
    Head(Gather),
    Reading(Box<Reader>),
    Refused(AudioError),
}

impl Parser {
    /// A parser of one file, which must be in the format that was asked for.
    pub fn new(format: AudioFormat) -> Self {
        Self { wanted: format, at: 0, state: State::Head(Gather::new(Content::HEAD_BYTES)) }
    }

    /// Takes the next bytes, of any number.
    ///
    /// # Errors
    /// As soon as the bytes so far cannot become whole audio any more. The error is final: every later call returns
    /// it again.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), AudioError> {
        let mut input = Input::new(bytes, self.at);
        self.at += bytes.len() as u64;
        let result = self.read(&mut input);
        if let Err(error) = &result {
            self.state = State::Refused(error.clone());
        }
        result
    }

    /// Ends the file, and checks it as a whole.
    ///
    /// # Errors
    /// Where the file is empty, cut off, or longer or shorter than its headers announce, and where an earlier
    /// [`Parser::push`] failed.
    pub fn finish(self) -> Result<AudioFacts, AudioError> {
        let reader = match self.state {
            State::Head(head) => Reader::begin(self.wanted, head.bytes())?,
            State::Reading(reader) => *reader,
            State::Refused(error) => return Err(error),
        };
        match reader {
            Reader::Wav(wav) => wav.finish(self.at),
            Reader::Mp3(mp3) => mp3.finish(self.at),
        }
    }

    fn read(&mut self, input: &mut Input<'_>) -> Result<(), AudioError> {
        if let State::Head(head) = &mut self.state {
            if !head.fill(input) {
                return Ok(());
            }
            self.state = State::Reading(Box::new(Reader::begin(self.wanted, head.bytes())?));
        }
        match &mut self.state {
            State::Head(_) => Ok(()),
            State::Reading(reader) => reader.push(input),
            State::Refused(error) => Err(error.clone()),
        }
    }
}

/// The reader of one format.
enum Reader {
    Wav(WavReader),
    Mp3(Mp3Reader),
}

impl Reader {
    /// Chooses the reader by the first bytes, and gives them to it.
    fn begin(wanted: AudioFormat, head: &[u8]) -> Result<Self, AudioError> {
        if head.is_empty() {
            return Err(AudioError::Empty);
        }
        let found = Content::of(head);
        if found != Content::Audio(wanted) {
            return Err(AudioError::NotAudio { wanted, found });
        }
        let mut reader = match wanted {
            AudioFormat::Wav => Self::Wav(WavReader::new()),
            AudioFormat::Mp3 => Self::Mp3(Mp3Reader::new()),
        };
        reader.push(&mut Input::new(head, 0))?;
        Ok(reader)
    }

    fn push(&mut self, input: &mut Input<'_>) -> Result<(), AudioError> {
        match self {
            Self::Wav(wav) => wav.push(input),
            Self::Mp3(mp3) => mp3.push(input),
        }
    }
}
