//! The sound of a recording: what it should hold, and its bytes, made while they are sent.
//!
//! Guarantee: the bytes depend on nothing but the recording's sid and its [`Audio`]; however long a recording is, one
//! block of nine seconds is all that is held in memory.

mod mp3;
mod voice;
mod wav;

use std::fmt::Write as _;

use bytes::Bytes;
use callspool_domain::RecordingSid;
use callspool_domain::audio::AudioFormat;
use futures::{Stream, stream};
use sha2::{Digest, Sha256};

use crate::dice::{dice, nth};

/// Samples per second of telephone audio.
pub(crate) const SAMPLE_RATE: u64 = 8000;
/// Bytes a piece of a streamed body.
const PIECE: u64 = 64 * 1024;

/// What a recording holds.
#[derive(Debug, Clone)]
pub struct Audio {
    /// How long it is.
    pub length: Length,
    /// 1 or 2.
    pub channels: u16,
    /// What is to be heard.
    pub sound: Sound,
    /// What is wrong with the stored file itself.
    pub flaw: Option<Flaw>,
}

/// How long a recording is.
#[derive(Debug, Clone, Copy)]
pub enum Length {
    /// Seconds.
    Seconds(u32),
    /// As long as makes a WAV file of so many bytes in its own number of channels, cut to a whole sample.
    WavBytes(u64),
}

/// What is to be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sound {
    /// Two speakers who take turns, one a channel; both within the first second.
    Speech,
    /// Digital silence.
    Silence,
    /// Speech, but the channel of this index (0 or 1) is digitally silent.
    DeadChannel(u16),
}

/// What is wrong with a stored file; unlike a fault it is there at every download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// No byte at all.
    Empty,
    /// A header, and not one sample (an MP3 file, which has none, is empty).
    NoSamples,
    /// The second half is missing, in the middle of a sample or frame; the header does not know it.
    Truncated,
    /// 4,099 bytes more than the header says.
    Overlong,
    /// Bytes that mean nothing.
    Noise,
    /// The provider's XML error under an audio media type.
    Xml,
    /// A JSON error under an audio media type.
    Json,
    /// An HTML page under an audio media type.
    Html,
}

impl Audio {
    /// Speech on two channels.
    pub fn seconds(seconds: u32) -> Self {
        Self { length: Length::Seconds(seconds), channels: 2, sound: Sound::Speech, flaw: None }
    }

    /// Speech on two channels, in a WAV file of so many bytes.
    pub fn wav_bytes(bytes: u64) -> Self {
        Self { length: Length::WavBytes(bytes), ..Self::seconds(0) }
    }

    /// The same on one channel.
    pub fn mono(self) -> Self {
        Self { channels: 1, ..self }
    }

    /// The same with another sound.
    pub fn sounding(self, sound: Sound) -> Self {
        Self { sound, ..self }
    }

    /// The same with a flaw.
    pub fn flawed(self, flaw: Flaw) -> Self {
        Self { flaw: Some(flaw), ..self }
    }

    /// Samples a channel.
    pub fn samples(&self) -> u64 {
        match self.length {
            Length::Seconds(seconds) => u64::from(seconds) * SAMPLE_RATE,
            Length::WavBytes(bytes) => bytes.saturating_sub(wav::HEADER) / (2 * u64::from(self.channels)),
        }
    }

    /// Whole seconds, rounded, as the provider says them.
    pub fn rounded_seconds(&self) -> u64 {
        (self.samples() + SAMPLE_RATE / 2) / SAMPLE_RATE
    }

    fn is_heard(&self, channel: u16) -> bool {
        match self.sound {
            Sound::Speech => true,
            Sound::Silence => false,
            Sound::DeadChannel(dead) => dead != channel,
        }
    }
}

/// A media file: a header, then a block repeated as often as the length asks for.
pub(crate) struct Media {
    header: Bytes,
    block: Bytes,
    length: u64,
}

impl Media {
    /// The file of this recording in a format and with a number of channels (fewer than it has are mixed).
    pub(crate) fn new(sid: &RecordingSid, audio: &Audio, format: AudioFormat, channels: u16) -> Self {
        let seed = dice(0, sid.as_str().as_bytes());
        let whole = match format {
            AudioFormat::Wav => wav::media(seed, audio, channels),
            AudioFormat::Mp3 => mp3::media(seed, audio, channels),
        };
        match audio.flaw {
            None => whole,
            Some(Flaw::Empty) => Self::text(""),
            Some(Flaw::NoSamples) if format == AudioFormat::Wav => {
                Self { header: wav::header(channels, 0), block: Bytes::new(), length: wav::HEADER }
            }
            Some(Flaw::NoSamples) => Self::text(""),
            Some(Flaw::Truncated) => Self { length: (whole.length / 2) | 1, ..whole },
            Some(Flaw::Overlong) => Self { length: whole.length + 4099, ..whole },
            Some(Flaw::Noise) => Self { header: Bytes::new(), block: noise(seed), length: whole.length },
            Some(Flaw::Xml) => Self::text(
                "<?xml version='1.0' encoding='UTF-8'?>\n<TwilioResponse><RestException><Code>20404</Code><Status>404\
                 </Status></RestException></TwilioResponse>",
            ),
            Some(Flaw::Json) => Self::text(r#"{"code":20404,"message":"not found","status":404}"#),
            Some(Flaw::Html) => Self::text("<!DOCTYPE html><html><body>Sign in</body></html>"),
        }
    }

    fn text(text: &'static str) -> Self {
        Self { header: Bytes::from_static(text.as_bytes()), block: Bytes::new(), length: text.len() as u64 }
    }

    /// Bytes of the whole file.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The bytes, in order.
    pub(crate) fn pieces(self) -> impl Stream<Item = Bytes> + Send {
        stream::unfold((self, 0), |(media, at)| async move {
            let piece = media.piece(at)?;
            let next = at + piece.len() as u64;
            Some((piece, (media, next)))
        })
    }

    /// The whole file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.piece(bytes.len() as u64) {
            bytes.extend_from_slice(&piece);
        }
        bytes
    }

    /// SHA-256 of the whole file, in hexadecimal.
    pub(crate) fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        let mut at = 0;
        while let Some(piece) = self.piece(at) {
            hash.update(&piece);
            at += piece.len() as u64;
        }
        hash.finalize().iter().fold(String::new(), |mut text, byte| {
            // Writing to a String can't fail.
            write!(text, "{byte:02x}").unwrap_or_default();
            text
        })
    }

    /// The piece that begins at a position; `None` at the end.
    fn piece(&self, at: u64) -> Option<Bytes> {
        let left = self.length.checked_sub(at).filter(|left| *left > 0)?;
        let header = self.header.len() as u64;
        let (source, from) = if at < header {
            (&self.header, at)
        } else {
            (&self.block, (at - header) % (self.block.len() as u64).max(1))
        };
        let size = (source.len() as u64 - from).min(left).min(PIECE);
        if size == 0 {
            return None;
        }
        let from = usize::try_from(from).ok()?;
        Some(source.slice(from..from + usize::try_from(size).ok()?))
    }
}

fn noise(seed: u64) -> Bytes {
    (0..8192).flat_map(|n| nth(seed, n).to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sid() -> RecordingSid {
        RecordingSid::parse("RE00000000000000000000000000000001").expect("sid")
    }

    fn bytes(audio: &Audio, format: AudioFormat, channels: u16) -> Vec<u8> {
        let media = Media::new(&sid(), audio, format, channels);
        let all = media.bytes();
        assert_eq!(all.len() as u64, media.length());
        all
    }

    #[test]
    fn a_wav_has_the_size_asked_for_and_says_so() {
        let wav = bytes(&Audio::wav_bytes(1_000_000), AudioFormat::Wav, 2);
        assert_eq!(wav.len(), 1_000_000);
        assert_eq!(wav.get(4..8), Some(999_992_u32.to_le_bytes().as_slice()));
        assert_eq!(wav.get(40..44), Some(999_956_u32.to_le_bytes().as_slice()));
    }

    #[test]
    fn both_speakers_are_heard_in_the_first_second_and_never_at_once() {
        let wav = bytes(&Audio::seconds(1), AudioFormat::Wav, 2);
        let samples: Vec<i16> =
            wav.get(44..).expect("samples").chunks(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
        let frames: Vec<(i16, i16)> = samples.chunks(2).map(|pair| (pair[0], pair[1])).collect();
        assert!(frames.iter().any(|(left, _)| left.abs() > 2000));
        assert!(frames.iter().any(|(_, right)| right.abs() > 2000));
        assert!(frames.iter().all(|(left, right)| *left == 0 || *right == 0));
    }

    #[test]
    fn silence_and_dead_channels_are_digital_silence() {
        let silent = bytes(&Audio::seconds(2).sounding(Sound::Silence), AudioFormat::Wav, 2);
        assert!(silent.iter().skip(44).all(|byte| *byte == 0));
        let dead = bytes(&Audio::seconds(2).sounding(Sound::DeadChannel(1)), AudioFormat::Wav, 2);
        assert!(dead.get(44..).expect("samples").chunks(4).all(|frame| frame[2] == 0 && frame[3] == 0));
        assert!(dead.iter().skip(44).any(|byte| *byte != 0));
    }

    #[test]
    fn another_recording_sounds_different_and_the_same_one_the_same() {
        let other = RecordingSid::parse("RE00000000000000000000000000000002").expect("sid");
        let hash = |sid: &RecordingSid| Media::new(sid, &Audio::seconds(20), AudioFormat::Wav, 2).sha256();
        assert_eq!(hash(&sid()), hash(&sid()));
        assert_ne!(hash(&sid()), hash(&other));
    }

    #[test]
    fn mp3_is_constant_in_its_rate() {
        for channels in [1, 2] {
            let mp3 = bytes(&Audio::seconds(9), AudioFormat::Mp3, channels);
            assert_eq!(mp3.len(), 125 * 288);
            assert!(mp3.chunks(288).all(|frame| frame[0] == 0xff && frame[1] == 0xe3));
        }
    }
}
