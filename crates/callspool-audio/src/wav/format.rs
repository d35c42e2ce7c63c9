//! The `fmt ` chunk: how the samples are coded. Linear PCM of 8 and 16 bits, µ-law and A-law are known, each also
//! behind `WAVE_FORMAT_EXTENSIBLE`; anything else is refused.
//!
//! Source: <https://learn.microsoft.com/windows/win32/api/mmreg/ns-mmreg-waveformatextensible>

use super::{le_u16, le_u32};
use crate::error::AudioError;

const PCM: u16 = 1;
const A_LAW: u16 = 6;
const MU_LAW: u16 = 7;
const EXTENSIBLE: u16 = 0xFFFE;

/// The end of every extensible sub-format's GUID, whose first two bytes are the plain format tag.
const GUID_TAIL: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];

const MAX_CHANNELS: u16 = 8;
const SAMPLE_RATES: std::ops::RangeInclusive<u32> = 1_000..=384_000;

/// How one sample is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// Unsigned, the middle at 128.
    Pcm8,
    /// Signed, little-endian.
    Pcm16,
    MuLaw,
    ALaw,
}

/// What the `fmt ` chunk says. One *frame* is one sample of every channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WavFormat {
    pub(super) coding: Coding,
    pub(super) channels: u16,
    pub(super) sample_rate: u32,
}

impl WavFormat {
    /// Shorter chunks say too little.
    pub(super) const MIN_BYTES: usize = 16;

    /// What follows after these has no meaning to us.
    pub(super) const MAX_BYTES: usize = 40;

    /// Reads the chunk's first bytes, at least [`Self::MIN_BYTES`]; `at` is where they end.
    pub(super) fn parse(fmt: &[u8], at: u64) -> Result<Self, AudioError> {
        let refuse = |why: String| Err(AudioError::malformed(at, why));
        let bits = le_u16(fmt, 14);
        let coding = match (format_tag(fmt), bits) {
            (PCM, 8) => Coding::Pcm8,
            (PCM, 16) => Coding::Pcm16,
            (MU_LAW, 8) => Coding::MuLaw,
            (A_LAW, 8) => Coding::ALaw,
            (tag, bits) => return refuse(format!("samples of format {tag} with {bits} bits are not supported")),
        };
        let format = Self { coding, channels: le_u16(fmt, 2), sample_rate: le_u32(fmt, 4) };
        if !(1..=MAX_CHANNELS).contains(&format.channels) {
            return refuse(format!("{} channels are not supported", format.channels));
        }
        if !SAMPLE_RATES.contains(&format.sample_rate) {
            return refuse(format!("{} samples a second are not supported", format.sample_rate));
        }
        let frame_bytes = u64::from(le_u16(fmt, 12));
        if frame_bytes != format.frame_bytes() {
            return refuse(format!("frames of {frame_bytes} bytes are announced, of {} needed", format.frame_bytes()));
        }
        Ok(format)
    }

    pub(super) fn frame_bytes(self) -> u64 {
        u64::from(self.channels) * self.coding.bytes() as u64
    }
}

impl Coding {
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Pcm16 => 2,
            Self::Pcm8 | Self::MuLaw | Self::ALaw => 1,
        }
    }
}

fn format_tag(fmt: &[u8]) -> u16 {
    match (le_u16(fmt, 0), fmt.get(24..40)) {
        (EXTENSIBLE, Some(guid)) if guid[2..] == GUID_TAIL => le_u16(guid, 0),
        (tag, _) => tag,
    }
}
