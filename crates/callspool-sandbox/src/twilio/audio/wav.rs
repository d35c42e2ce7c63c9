//! WAV as the provider serves it: 8 kHz, 16-bit PCM, one or two channels, a header of 44 bytes.

use bytes::{Bytes, BytesMut};

use super::voice::{self, Spoken};
use super::{Audio, Media, SAMPLE_RATE};

/// Bytes of the header.
pub(super) const HEADER: u64 = 44;

pub(super) fn media(seed: u64, audio: &Audio, channels: u16) -> Media {
    let data = audio.samples() * 2 * u64::from(channels);
    Media { header: header(channels, data), block: block(seed, audio, channels), length: HEADER + data }
}

/// The header of so many bytes of samples. Sizes beyond the 4 GiB a RIFF file can say are said as the largest.
pub(super) fn header(channels: u16, data: u64) -> Bytes {
    let size = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
    let frame = 2 * u64::from(channels);
    let mut header = BytesMut::with_capacity(44);
    header.extend_from_slice(b"RIFF");
    header.extend_from_slice(&size(data + HEADER - 8));
    header.extend_from_slice(b"WAVEfmt ");
    header.extend_from_slice(&16_u32.to_le_bytes());
    header.extend_from_slice(&1_u16.to_le_bytes());
    header.extend_from_slice(&channels.to_le_bytes());
    header.extend_from_slice(&size(SAMPLE_RATE));
    header.extend_from_slice(&size(SAMPLE_RATE * frame));
    header.extend_from_slice(&(2 * channels).to_le_bytes());
    header.extend_from_slice(&16_u16.to_le_bytes());
    header.extend_from_slice(b"data");
    header.extend_from_slice(&size(data));
    header.freeze()
}

fn block(seed: u64, audio: &Audio, channels: u16) -> Bytes {
    let channels = usize::from(channels);
    let mut block = BytesMut::zeroed(voice::BLOCK * voice::SYLLABLE * channels * 2);
    let times = block.chunks_exact_mut(voice::SYLLABLE * channels * 2);
    for (time, spoken) in times.zip(voice::conversation(seed)) {
        if let Some(spoken) = spoken.filter(|spoken| audio.is_heard(spoken.channel())) {
            let place = spoken.speaker % channels * 2;
            for (frame, sample) in time.chunks_exact_mut(channels * 2).zip(voice::wave(spoken)) {
                if let Some(place) = frame.get_mut(place..place + 2) {
                    place.copy_from_slice(&sample.to_le_bytes());
                }
            }
        }
    }
    block.freeze()
}

impl Spoken {
    /// The channel the speaker is recorded on.
    pub(super) fn channel(self) -> u16 {
        u16::from(self.speaker == 1)
    }
}
