//! MPEG audio layer III, frame by frame, with the tags that may stand before and after the frames.
//!
//! A frame has to follow right on its predecessor, and the last one has to be whole. A file without a count of its
//! frames that ends exactly between two of them cannot be told from a shorter recording; its length is what came.
//! The length counts whole frames: the few milliseconds by which an encoder pads both ends are part of it.

mod decoder;
mod header;
mod stream;
mod tags;

use callspool_domain::audio::AudioFacts;

use self::header::FrameHeader;
use self::stream::Stream;
use crate::error::AudioError;
use crate::input::{Gather, Input};

/// What stands at the start of every frame and tag, and is enough to tell which one it is.
const MARK_BYTES: usize = 4;

/// How many zero bytes may follow the last frame: the rest of a writer's block, not a hole where audio was.
const MAX_PADDING: u64 = 4096;

/// Reads one file.
pub(crate) struct Mp3Reader {
    state: State,
    gather: Gather,
    /// The audio, known from the first frame on.
    stream: Option<Stream>,
    /// An APE tag ended the frames; only an ID3v1 tag may follow.
    frames_over: bool,
}

#[derive(Clone, Copy)]
enum State {
    /// Gathering the bytes that tell what comes.
    Mark,
    Frame(FrameHeader),
    Id3v2,
    Ape,
    Id3v1,
    /// In the body of a tag.
    Skip {
        left: u64,
    },
    /// In the zero bytes that end the file.
    Padding {
        count: u64,
    },
    /// After the ID3v1 tag, which ends the file.
    End,
}

impl Mp3Reader {
    pub(crate) fn new() -> Self {
        Self { state: State::Mark, gather: Gather::new(MARK_BYTES), stream: None, frames_over: false }
    }

    pub(crate) fn push(&mut self, input: &mut Input<'_>) -> Result<(), AudioError> {
        while !input.is_empty() {
            match self.state {
                State::Mark if self.at_padding(input) => self.state = State::Padding { count: 0 },
                State::Mark | State::Frame(_) | State::Id3v2 | State::Ape | State::Id3v1 => {
                    if self.gather.fill(input) {
                        self.read_gathered(input.at())?;
                    }
                }
                State::Skip { left } => {
                    let left = input.skip(left);
                    self.skip(left);
                }
                State::Padding { count } => self.read_padding(input, count)?,
                State::End => {
                    let what = "bytes up to the end of the ID3v1 tag";
                    return Err(AudioError::Overlong { what, expected: input.at() });
                }
            }
        }
        Ok(())
    }

    /// `at` is the length of the file, in bytes.
    pub(crate) fn finish(self, at: u64) -> Result<AudioFacts, AudioError> {
        self.refuse_incomplete(at)?;
        self.stream.ok_or(AudioError::Empty)?.finish(at)
    }

    fn refuse_incomplete(&self, at: u64) -> Result<(), AudioError> {
        let cut_off = |what, expected, got| Err(AudioError::Truncated { what, expected, got });
        let (wanted, gathered) = (self.gather.wanted() as u64, self.gather.bytes().len() as u64);
        match self.state {
            State::Mark if gathered > 0 => cut_off("bytes of a frame's header", wanted, gathered),
            State::Frame(_) => cut_off("bytes of the last frame", wanted, gathered),
            State::Id3v2 | State::Ape | State::Id3v1 => cut_off("bytes of a tag", wanted, gathered),
            State::Skip { left } => cut_off("bytes up to the end of a tag", at.saturating_add(left), at),
            State::Mark | State::Padding { .. } | State::End => Ok(()),
        }
    }

    /// `at` is where the gathered bytes end.
    fn read_gathered(&mut self, at: u64) -> Result<(), AudioError> {
        match self.state {
            State::Frame(header) => self.read_frame(header, at)?,
            State::Id3v2 => {
                let left = tags::id3v2_bytes_left(self.gather.bytes());
                self.skip(left.ok_or_else(|| AudioError::malformed(at, "the length of the ID3v2 tag is invalid"))?);
            }
            State::Ape => {
                self.frames_over = true;
                self.skip(tags::ape_bytes_left(self.gather.bytes()));
            }
            State::Id3v1 => self.state = State::End,
            State::Mark | State::Skip { .. } | State::Padding { .. } | State::End => {
                self.read_mark(at - MARK_BYTES as u64)?;
            }
        }
        Ok(())
    }

    fn read_mark(&mut self, at: u64) -> Result<(), AudioError> {
        let mark = [0, 1, 2, 3].map(|index| self.gather.bytes()[index]);
        let audio_came = self.stream.is_some();
        match &mark {
            b"APET" if audio_came && !self.frames_over => self.expect(State::Ape, tags::APE_HEADER_BYTES),
            [b'T', b'A', b'G', _] if audio_came => self.expect(State::Id3v1, tags::ID3V1_BYTES),
            [b'I', b'D', b'3', _] if !audio_came => self.expect(State::Id3v2, tags::ID3V2_HEADER_BYTES),
            _ if self.frames_over => return Err(AudioError::malformed(at, "only an ID3v1 tag may follow an APE tag")),
            _ => {
                let header = FrameHeader::parse(mark).map_err(|why| AudioError::malformed(at, why))?;
                self.expect(State::Frame(header), header.frame_bytes());
            }
        }
        Ok(())
    }

    /// `at` is where the frame ends.
    fn read_frame(&mut self, header: FrameHeader, at: u64) -> Result<(), AudioError> {
        let frame = self.gather.bytes();
        match &mut self.stream {
            Some(stream) => stream.push(header, frame, at)?,
            None => self.stream = Some(Stream::begin(header, frame)?),
        }
        self.expect_mark();
        Ok(())
    }

    /// Zero bytes begin where a frame could.
    fn at_padding(&self, input: &Input<'_>) -> bool {
        self.stream.is_some() && self.gather.bytes().is_empty() && input.peek() == Some(0)
    }

    fn read_padding(&mut self, input: &mut Input<'_>, count: u64) -> Result<(), AudioError> {
        let at = input.at();
        let bytes = input.take(MAX_PADDING - count + 1);
        if let Some(index) = bytes.iter().position(|byte| *byte != 0) {
            return Err(AudioError::malformed(at + index as u64, "something follows the zero bytes after the frames"));
        }
        let count = count + bytes.len() as u64;
        if count > MAX_PADDING {
            let why = format!("more than {MAX_PADDING} zero bytes follow the frames");
            return Err(AudioError::malformed(input.at(), why));
        }
        self.state = State::Padding { count };
        Ok(())
    }

    /// Gathers the rest of what the mark announced.
    fn expect(&mut self, state: State, bytes: usize) {
        self.gather.extend_to(bytes);
        self.state = state;
    }

    fn expect_mark(&mut self) {
        self.gather.restart(MARK_BYTES);
        self.state = State::Mark;
    }

    fn skip(&mut self, left: u64) {
        if left == 0 {
            self.expect_mark();
        } else {
            self.state = State::Skip { left };
        }
    }
}
