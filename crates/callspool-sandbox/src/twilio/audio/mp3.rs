//! MP3 as the provider serves it: 8 kHz, so MPEG 2.5 layer III, at a constant 32 kbit/s; built frame by frame.
//!
//! Every frame stands alone (no bit reservoir, scale factors of zero) and says with Huffman table 1 which harmonics of
//! a voice sound; what ISO/IEC 13818-3 calls side information is written out in full.

use std::sync::OnceLock;

use bytes::{Bytes, BytesMut};

use super::voice::{self, Spoken};
use super::{Audio, Media};
use crate::dice::nth;

/// Bytes a frame: 72 × 32,000 bit/s ÷ 8,000 Hz.
const FRAME: usize = 288;
/// Samples a frame: one granule.
const SAMPLES: usize = 576;
/// Frames in the block that repeats.
const BLOCK: usize = voice::BLOCK * voice::SYLLABLE / SAMPLES;
/// The step of the quantizer at which a line of 1 is about 1/11 of full scale: 2^((196 − 210) / 4).
const GLOBAL_GAIN: u32 = 196;
/// Where the harmonics of the two voices lie, in lines of 6.94 Hz.
const PITCH: [usize; 2] = [16, 29];
const HARMONICS: usize = 8;
/// The signs of the first harmonics differ from frame to frame, in so many ways.
const VARIANTS: usize = 16;

pub(super) fn media(seed: u64, audio: &Audio, channels: u16) -> Media {
    let frames = audio.samples().div_ceil(SAMPLES as u64);
    Media { header: Bytes::new(), block: block(seed, audio, channels), length: frames * FRAME as u64 }
}

fn block(seed: u64, audio: &Audio, channels: u16) -> Bytes {
    let times = voice::conversation(seed);
    let mut block = BytesMut::with_capacity(BLOCK * FRAME);
    for number in 0..BLOCK {
        let middle = (number * SAMPLES + SAMPLES / 2) / voice::SYLLABLE;
        let spoken = times.get(middle).copied().flatten().filter(|spoken| audio.is_heard(spoken.channel()));
        let variant = usize::try_from(nth(seed, number as u64)).unwrap_or(0) % VARIANTS;
        block.extend_from_slice(frame(spoken, variant, channels));
    }
    block.freeze()
}

/// The frame of a speaker, or of a pause, in one of its variants.
fn frame(spoken: Option<Spoken>, variant: usize, channels: u16) -> &'static [u8] {
    static MONO: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    static DUAL: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let frames = match channels {
        1 => MONO.get_or_init(|| every_frame(1)),
        _ => DUAL.get_or_init(|| every_frame(2)),
    };
    let place = spoken.map_or(0, |spoken| 1 + spoken.speaker * VARIANTS + variant);
    frames.get(place).map_or(&[], Vec::as_slice)
}

/// Silence, then each speaker in each variant.
fn every_frame(channels: usize) -> Vec<Vec<u8>> {
    let silence = write_frame(&vec![Granule::default(); channels]);
    let voiced = (0..2).flat_map(|speaker| (0..VARIANTS).map(move |variant| (speaker, variant)));
    let voiced = voiced.map(|(speaker, variant)| {
        let mut granules = vec![Granule::default(); channels];
        if let Some(granule) = granules.get_mut(speaker % channels) {
            *granule = Granule::voiced(speaker, variant);
        }
        write_frame(&granules)
    });
    std::iter::once(silence).chain(voiced).collect()
}

/// One channel's 72 ms: which spectral lines sound, and with which sign. None is silence.
#[derive(Debug, Clone, Default)]
struct Granule {
    lines: Vec<(usize, bool)>,
}

impl Granule {
    fn voiced(speaker: usize, variant: usize) -> Self {
        let pitch = PITCH.get(speaker).copied().unwrap_or(20);
        let lines = (0..HARMONICS).map(|harmonic| ((harmonic + 1) * pitch, (variant >> harmonic) & 1 == 1)).collect();
        Self { lines }
    }

    /// Pairs of lines up to the last that sounds.
    fn pairs(&self) -> usize {
        self.lines.last().map_or(0, |(line, _)| line / 2 + 1)
    }

    fn sign_of(&self, line: usize) -> Option<bool> {
        self.lines.iter().find(|(at, _)| *at == line).map(|(_, negative)| *negative)
    }

    /// The pairs in Huffman table 1: (0,0) is 1, (0,1) is 001, (1,0) is 01, (1,1) is 000; signs follow.
    fn write(&self, bits: &mut Bits) {
        for pair in 0..self.pairs() {
            let (first, second) = (self.sign_of(2 * pair), self.sign_of(2 * pair + 1));
            match (first, second) {
                (None, None) => bits.put(1, 1),
                (None, Some(_)) => bits.put(0b001, 3),
                (Some(_), None) => bits.put(0b01, 2),
                (Some(_), Some(_)) => bits.put(0b000, 3),
            }
            for negative in [first, second].into_iter().flatten() {
                bits.put(u32::from(negative), 1);
            }
        }
    }

    fn bits(&self) -> Bits {
        let mut bits = Bits::default();
        self.write(&mut bits);
        bits
    }
}

fn write_frame(granules: &[Granule]) -> Vec<u8> {
    let mono = granules.len() == 1;
    let mut bits = Bits::default();
    bits.put(0x7ff, 11); // sync
    bits.put(0b00, 2); // MPEG 2.5
    bits.put(0b01, 2); // layer III
    bits.put(1, 1); // no CRC
    bits.put(0b0100, 4); // 32 kbit/s
    bits.put(0b10, 2); // 8 kHz
    bits.put(0, 2); // no padding, private
    bits.put(if mono { 0b11 } else { 0b00 }, 2);
    bits.put(0b000100, 6); // no joint stereo, no copyright, original, no emphasis
    bits.put(0, 8); // main_data_begin: no reservoir
    bits.put(0, if mono { 1 } else { 2 }); // private
    for granule in granules {
        bits.put(granule.bits().length(), 12);
        bits.put(u32::try_from(granule.pairs()).unwrap_or(0), 9);
        bits.put(GLOBAL_GAIN, 8);
        bits.put(0, 9); // scale factors of no bits
        bits.put(0, 1); // long blocks
        bits.put(0b00001_00001_00001, 15); // Huffman table 1 in all three regions
        bits.put(0, 4 + 3); // region bounds: all regions alike
        bits.put(0, 2); // scalefac_scale, count1table_select
    }
    granules.iter().for_each(|granule| granule.write(&mut bits));
    bits.into_bytes(FRAME)
}

/// Bits, most significant first.
#[derive(Debug, Default)]
struct Bits {
    bytes: Vec<u8>,
    used: u32,
}

impl Bits {
    fn put(&mut self, value: u32, width: u32) {
        for shift in (0..width).rev() {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= u8::from(value >> shift & 1 == 1) << (7 - self.used % 8);
            }
            self.used += 1;
        }
    }

    fn length(&self) -> u32 {
        self.used
    }

    /// Filled with zeros to so many bytes.
    fn into_bytes(mut self, size: usize) -> Vec<u8> {
        self.bytes.resize(size, 0);
        self.bytes
    }
}
