//! The audio of an MP3 file: its frames counted, decoded and measured, one at a time.
//!
//! A frame that does not decode keeps its place as silence, since players do the same; a file of which no frame
//! decodes is refused.

use callspool_domain::audio::{AudioFacts, AudioFormat};

use super::decoder::Decoder;
use super::header::FrameHeader;
use crate::error::AudioError;
use crate::levels::Levels;

pub(super) struct Stream {
    first: FrameHeader,
    decoder: Decoder,
    levels: Levels,
    frames: u64,
    decoded: u64,
    /// How many frames the Info frame says there are.
    announced: Option<u64>,
}

impl Stream {
    /// Begins with the file's first frame, which may be an Info frame.
    pub(super) fn begin(first: FrameHeader, frame: &[u8]) -> Result<Self, AudioError> {
        let announced = first.announced_frames(frame);
        let decoder = Decoder::new().map_err(|error| AudioError::malformed(0, error.to_string()))?;
        let mut stream = Self {
            first,
            decoder,
            levels: Levels::new(first.sample_rate(), first.channels(), i16::MAX.unsigned_abs()),
            frames: 0,
            decoded: 0,
            announced: announced.filter(|count| *count > 0).map(u64::from),
        };
        if announced.is_none() {
            stream.measure(first, frame);
        }
        Ok(stream)
    }

    /// Takes the next frame; `at` is where it ends.
    pub(super) fn push(&mut self, header: FrameHeader, frame: &[u8], at: u64) -> Result<(), AudioError> {
        let (rate, channels) = (self.first.sample_rate(), self.first.channels());
        if (header.sample_rate(), header.channels()) != (rate, channels) {
            let why = format!(
                "the audio changes from {channels} channels at {rate} Hz to {} at {} Hz",
                header.channels(),
                header.sample_rate()
            );
            return Err(AudioError::malformed(at - frame.len() as u64, why));
        }
        self.measure(header, frame);
        Ok(())
    }

    /// Checks the count of frames; `at` is the length of the file.
    pub(super) fn finish(self, at: u64) -> Result<AudioFacts, AudioError> {
        let (what, got) = ("frames that the Info frame announces", self.frames);
        match self.announced {
            Some(expected) if got < expected => return Err(AudioError::Truncated { what, expected, got }),
            Some(expected) if got > expected => return Err(AudioError::Overlong { what, expected }),
            _ => {}
        }
        let facts = self.levels.finish(AudioFormat::Mp3).ok_or(AudioError::Empty)?;
        if self.decoded == 0 {
            return Err(AudioError::malformed(at, format!("none of its {got} frames can be decoded")));
        }
        Ok(facts)
    }

    fn measure(&mut self, header: FrameHeader, frame: &[u8]) {
        self.frames += 1;
        match self.decoder.decode(frame) {
            Some(decoded) => {
                self.decoded += 1;
                self.levels.push(header.samples(), |channel, from, into| decoded.read(channel, from, into));
            }
            None => self.levels.push(header.samples(), |_, _, into| into.fill(0)),
        }
    }
}
