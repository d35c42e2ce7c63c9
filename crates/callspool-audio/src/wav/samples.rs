//! The content of the `data` chunk: coded samples, in pieces that may end anywhere, into the levels.

use super::format::{Coding, WavFormat};
use crate::error::AudioError;
use crate::g711;
use crate::levels::Levels;

/// Measures samples as they pass; keeps at most one frame that is not complete yet.
pub(super) struct Samples {
    format: WavFormat,
    partial: Vec<u8>,
    levels: Levels,
}

impl Samples {
    pub(super) fn new(format: WavFormat) -> Self {
        let full_scale = match format.coding {
            Coding::Pcm8 => 127 << 8,
            Coding::Pcm16 => i16::MAX.unsigned_abs(),
            Coding::MuLaw => g711::MU_LAW_FULL_SCALE,
            Coding::ALaw => g711::A_LAW_FULL_SCALE,
        };
        let levels = Levels::new(format.sample_rate, format.channels, full_scale);
        Self { format, partial: Vec::new(), levels }
    }

    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        let frame_bytes = self.format.frame_bytes() as usize;
        if !self.partial.is_empty() {
            let missing = (frame_bytes - self.partial.len()).min(bytes.len());
            let (head, rest) = bytes.split_at(missing);
            self.partial.extend_from_slice(head);
            bytes = rest;
            if self.partial.len() < frame_bytes {
                return;
            }
            measure(&mut self.levels, self.format, &self.partial);
            self.partial.clear();
        }
        let (frames, rest) = bytes.split_at(bytes.len() - bytes.len() % frame_bytes);
        measure(&mut self.levels, self.format, frames);
        self.partial.extend_from_slice(rest);
    }

    /// All that was measured; samples that end within a frame were cut off.
    pub(super) fn finish(self) -> Result<Levels, AudioError> {
        if self.partial.is_empty() {
            return Ok(self.levels);
        }
        let (expected, got) = (self.format.frame_bytes(), self.partial.len() as u64);
        Err(AudioError::Truncated { what: "bytes of the last frame", expected, got })
    }
}

/// `frames` holds whole frames only.
fn measure(levels: &mut Levels, format: WavFormat, frames: &[u8]) {
    let width = format.coding.bytes();
    let frame_bytes = width * usize::from(format.channels);
    levels.push(frames.len() / frame_bytes, |channel, from, into| {
        let frames = &frames[from * frame_bytes..];
        match (format.coding, format.channels) {
            (Coding::Pcm16, 2) => decode_stereo(frames, channel, into),
            (coding, _) => decode(coding, frames[channel * width..].chunks(frame_bytes), into),
        }
    });
}

/// The form of nearly every recording: a frame is read as one number, which lets the compiler take several at once.
fn decode_stereo(frames: &[u8], channel: usize, into: &mut [i16]) {
    let (frames, _) = frames.as_chunks::<4>();
    for (sample, frame) in into.iter_mut().zip(frames) {
        *sample = (u32::from_le_bytes(*frame) >> (16 * channel)) as i16;
    }
}

/// Fills `into` with the sample that each of the pieces begins with.
fn decode<'a>(coding: Coding, pieces: impl Iterator<Item = &'a [u8]>, into: &mut [i16]) {
    let both = into.iter_mut().zip(pieces);
    match coding {
        Coding::Pcm16 => both.for_each(|(sample, piece)| *sample = i16::from_le_bytes([piece[0], piece[1]])),
        Coding::Pcm8 => both.for_each(|(sample, piece)| *sample = (i16::from(piece[0]) - 128) << 8),
        Coding::MuLaw => both.for_each(|(sample, piece)| *sample = g711::MU_LAW[usize::from(piece[0])]),
        Coding::ALaw => both.for_each(|(sample, piece)| *sample = g711::A_LAW[usize::from(piece[0])]),
    }
}
