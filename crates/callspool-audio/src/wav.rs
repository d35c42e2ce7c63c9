//! RIFF/WAVE, chunk by chunk: `fmt ` before `data`, other chunks skipped wherever they stand.
//!
//! A file is accepted only if every length it announces is the length that came. The one thing it may leave open, as
//! writers do that cannot go back to their header, is the length of its samples: then they go on to the end.
//!
//! Source: "Multimedia Programming Interface and Data Specifications 1.0" (IBM and Microsoft, 1991), chapters 2 and 3.

mod format;
mod samples;

use callspool_domain::audio::{AudioFacts, AudioFormat};

use self::format::WavFormat;
use self::samples::Samples;
use crate::error::AudioError;
use crate::input::{Gather, Input};

const RIFF_HEADER_BYTES: usize = 12;
const CHUNK_HEADER_BYTES: usize = 8;

/// A length that was not known when the header was written.
const UNKNOWN: u32 = u32::MAX;

/// Reads one file.
pub(crate) struct WavReader {
    state: State,
    gather: Gather,
    /// Where the RIFF header says the file ends; `None` where it leaves that open.
    end: Option<u64>,
    /// The chunk being read is followed by a byte that makes its length even.
    padded: bool,
    format: Option<WavFormat>,
    samples: Option<Samples>,
}

#[derive(Clone, Copy)]
enum State {
    RiffHeader,
    ChunkHeader,
    /// The beginning of the `fmt ` chunk, as far as we know its meaning; `rest` bytes follow.
    Format {
        rest: u64,
    },
    /// The samples, of which `left` bytes are to come; `None`: until the file ends.
    Data {
        size: u64,
        left: Option<u64>,
    },
    Skip {
        left: u64,
    },
    /// The byte that makes an odd chunk even. Writers differ on whether the last chunk of a file has one.
    Pad,
}

impl WavReader {
    pub(crate) fn new() -> Self {
        Self {
            state: State::RiffHeader,
            gather: Gather::new(RIFF_HEADER_BYTES),
            end: None,
            padded: false,
            format: None,
            samples: None,
        }
    }

    pub(crate) fn push(&mut self, input: &mut Input<'_>) -> Result<(), AudioError> {
        while !input.is_empty() {
            match self.state {
                State::RiffHeader => {
                    if self.gather.fill(input) {
                        self.read_riff_header();
                    }
                }
                State::ChunkHeader => {
                    // Once a header has begun, its own bytes say what is wrong.
                    if self.gather.bytes().is_empty() {
                        self.refuse_more(input.at())?;
                    }
                    if self.gather.fill(input) {
                        self.read_chunk_header(input.at())?;
                    }
                }
                State::Format { rest } => {
                    if self.gather.fill(input) {
                        self.format = Some(WavFormat::parse(self.gather.bytes(), input.at())?);
                        self.skip(rest);
                    }
                }
                State::Data { size, left } => self.read_data(input, size, left),
                State::Skip { left } => {
                    let left = input.skip(left);
                    self.skip(left);
                }
                State::Pad => {
                    input.skip(1);
                    self.expect_chunk();
                }
            }
        }
        Ok(())
    }

    /// `at` is the length of the file, in bytes.
    pub(crate) fn finish(self, at: u64) -> Result<AudioFacts, AudioError> {
        self.refuse_incomplete(at)?;
        let Some(samples) = self.samples else {
            return Err(AudioError::malformed(at, "it has no data chunk"));
        };
        samples.finish()?.finish(AudioFormat::Wav).ok_or(AudioError::Empty)
    }

    fn refuse_incomplete(&self, at: u64) -> Result<(), AudioError> {
        let cut_off = |what, expected, got| Err(AudioError::Truncated { what, expected, got });
        let (wanted, gathered) = (self.gather.wanted() as u64, self.gather.bytes().len() as u64);
        match self.state {
            State::RiffHeader => return cut_off("bytes of the RIFF header", wanted, gathered),
            State::ChunkHeader if gathered > 0 => return cut_off("bytes of a chunk's header", wanted, gathered),
            State::Format { rest } => return cut_off("bytes of the fmt chunk", wanted + rest, gathered),
            State::Data { size, left: Some(left) } => return cut_off("bytes of samples", size, size - left),
            State::Skip { left } => return cut_off("bytes up to the end of a chunk", at + left, at),
            State::ChunkHeader | State::Data { left: None, .. } | State::Pad => {}
        }
        let padding = u64::from(matches!(self.state, State::Pad));
        match self.end {
            Some(end) if at + padding < end => cut_off("bytes that the RIFF header announces", end, at),
            _ => Ok(()),
        }
    }

    fn refuse_more(&self, at: u64) -> Result<(), AudioError> {
        match self.end {
            Some(end) if at >= end => {
                Err(AudioError::Overlong { what: "bytes that the RIFF header announces", expected: end })
            }
            _ => Ok(()),
        }
    }

    fn read_riff_header(&mut self) {
        // The signatures were seen by `Content::of`.
        let size = le_u32(self.gather.bytes(), 4);
        if size != 0 && size != UNKNOWN {
            self.end = Some(u64::from(size) + 8);
        }
        self.expect_chunk();
    }

    /// `at` is the offset of the chunk's content.
    fn read_chunk_header(&mut self, at: u64) -> Result<(), AudioError> {
        let header = self.gather.bytes();
        let id = [header[0], header[1], header[2], header[3]];
        let size = le_u32(header, 4);
        self.padded = size % 2 == 1;
        if id.iter().any(|byte| !(b' '..=b'~').contains(byte)) {
            return Err(AudioError::malformed(at - 8, format!("'{}' is no chunk's name", id.escape_ascii())));
        }
        if &id == b"data" {
            return self.begin_data(size, at);
        }
        self.refuse_beyond_end(id, size.into(), at)?;
        if &id == b"fmt " {
            return self.begin_format(size, at);
        }
        self.skip(size.into());
        Ok(())
    }

    fn begin_format(&mut self, size: u32, at: u64) -> Result<(), AudioError> {
        if self.format.is_some() {
            return Err(AudioError::malformed(at, "it has a second fmt chunk"));
        }
        if size < WavFormat::MIN_BYTES as u32 {
            return Err(AudioError::malformed(at, format!("a fmt chunk of {size} bytes is too short")));
        }
        let known = size.min(WavFormat::MAX_BYTES as u32);
        self.gather.restart(known as usize);
        self.state = State::Format { rest: u64::from(size - known) };
        Ok(())
    }

    fn begin_data(&mut self, size: u32, at: u64) -> Result<(), AudioError> {
        let Some(format) = self.format else {
            return Err(AudioError::malformed(at, "the data chunk comes before the fmt chunk"));
        };
        if self.samples.is_some() {
            return Err(AudioError::malformed(at, "it has a second data chunk"));
        }
        let left = match (size, self.end) {
            (0 | UNKNOWN, None) => None,
            // The header was written for no samples yet, and never corrected.
            (0, Some(end)) if end == at => {
                self.end = None;
                None
            }
            (UNKNOWN, Some(end)) => Some(end.saturating_sub(at)),
            _ => Some(u64::from(size)),
        };
        self.padded = left.is_some_and(|size| size % 2 == 1);
        if let Some(size) = left {
            self.refuse_beyond_end(*b"data", size, at)?;
            if size % format.frame_bytes() != 0 {
                let why = format!("{size} bytes of samples are no multiple of {} bytes a frame", format.frame_bytes());
                return Err(AudioError::malformed(at, why));
            }
        }
        self.samples = Some(Samples::new(format));
        self.state = State::Data { size: left.unwrap_or(0), left };
        if left == Some(0) {
            self.end_chunk();
        }
        Ok(())
    }

    fn read_data(&mut self, input: &mut Input<'_>, size: u64, left: Option<u64>) {
        let bytes = input.take(left.unwrap_or(u64::MAX));
        if let Some(samples) = &mut self.samples {
            samples.push(bytes);
        }
        let left = left.map(|left| left - bytes.len() as u64);
        self.state = State::Data { size, left };
        if left == Some(0) {
            self.end_chunk();
        }
    }

    /// A chunk that reaches beyond the RIFF chunk around it: one of the two lengths is wrong.
    fn refuse_beyond_end(&self, id: [u8; 4], size: u64, at: u64) -> Result<(), AudioError> {
        match self.end {
            Some(end) if at + size > end => {
                let why = format!(
                    "chunk '{}' of {size} bytes reaches beyond byte {end}, where the RIFF header ends the file",
                    id.escape_ascii()
                );
                Err(AudioError::malformed(at, why))
            }
            _ => Ok(()),
        }
    }

    fn skip(&mut self, left: u64) {
        self.state = State::Skip { left };
        if left == 0 {
            self.end_chunk();
        }
    }

    fn end_chunk(&mut self) {
        if self.padded {
            self.state = State::Pad;
        } else {
            self.expect_chunk();
        }
    }

    fn expect_chunk(&mut self) {
        self.gather.restart(CHUNK_HEADER_BYTES);
        self.state = State::ChunkHeader;
    }
}

fn le_u16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn le_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
