//! WAV as the provider serves it: 8 kHz, 16-bit PCM, one or two channels, a header of 44 bytes.

use std::sync::OnceLock;

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
    let time = voice::SYLLABLE * usize::from(channels) * 2;
    let mut block = BytesMut::with_capacity(voice::BLOCK * time);
    for spoken in voice::conversation(seed) {
        match spoken.filter(|spoken| audio.is_heard(spoken.channel())) {
            Some(spoken) => block.extend_from_slice(sound(spoken, channels)),
            None => block.resize(block.len() + time, 0),
        }
    }
    block.freeze()
}

/// One syllable's bytes, on its channel.
fn sound(spoken: Spoken, channels: u16) -> &'static [u8] {
    static MONO: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    static DUAL: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let sounds = match channels {
        1 => MONO.get_or_init(|| Spoken::all().map(|spoken| interleave(spoken, 1)).collect()),
        _ => DUAL.get_or_init(|| Spoken::all().map(|spoken| interleave(spoken, 2)).collect()),
    };
    sounds.get(spoken.index()).map_or(&[], Vec::as_slice)
}

fn interleave(spoken: Spoken, channels: u16) -> Vec<u8> {
    let frame =
        |sample: i16| (0..channels).map(move |channel| if channel == spoken.channel() % channels { sample } else { 0 });
    voice::wave(spoken).into_iter().flat_map(frame).flat_map(i16::to_le_bytes).collect()
}
