//! What is known about a recording's sound, and the judgement on it: good or doubtful.
//!
//! *Bad* audio (not audio, truncated, empty, header and length disagree) never becomes [`AudioFacts`]: the parser refuses
//! it. *Doubtful* audio is archived and linked, but not released until a person accepts it.

use serde::{Deserialize, Serialize};

/// The container the bytes are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AudioFormat {
    /// RIFF/WAVE.
    Wav,
    /// MPEG audio layer III.
    Mp3,
}

impl AudioFormat {
    /// The stored name.
    pub fn as_str(self) -> &'static str {
        self.extension()
    }

    /// Reads the stored name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Wav, Self::Mp3].into_iter().find(|format| format.as_str() == name)
    }

    /// The file name's ending, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Mp3 => "mp3",
        }
    }

    /// The media type we store and serve it under.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Wav => "audio/wav",
            Self::Mp3 => "audio/mpeg",
        }
    }
}

/// What was measured while the bytes passed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AudioFacts {
    /// The container.
    pub format: AudioFormat,
    /// Samples per second and channel.
    pub sample_rate: u32,
    /// Exact length, in milliseconds, counted from the samples or frames that came.
    pub duration_ms: u64,
    /// One entry a channel, first channel first.
    pub channels: Vec<ChannelFacts>,
    /// The waveform, at most [`AudioFacts::MAX_PEAKS`] points over the whole length: the loudest sample of each stretch
    /// over all channels, 0 to 255.
    pub peaks: Vec<u8>,
}

/// What was measured of one channel.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ChannelFacts {
    /// The loudest sample, in dB below full scale (0 is full scale; −120 stands for digital silence).
    pub peak_dbfs: f32,
    /// The mean power, on the same scale.
    pub rms_dbfs: f32,
    /// Which part of the length lies in 20 ms blocks below −50 dBFS, 0 to 1.
    pub silence_ratio: f32,
    /// Which part of the samples is at full scale, 0 to 1.
    pub clipped_ratio: f32,
}

impl AudioFacts {
    /// The most points of [`AudioFacts::peaks`].
    pub const MAX_PEAKS: usize = 1024;
}

/// A channel whose loudest sample stays below this carries no voice: the noise floor of 8-bit µ-law telephony is
/// its smallest step, about −72 dBFS, and line noise stays within a few such steps.
const DEAD_BELOW_DBFS: f32 = -60.0;

/// Why audio is doubtful.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// No channel carries sound.
    Silent,
    /// One channel carries none while another does.
    DeadChannel,
    /// The file has another number of channels than the provider said.
    ChannelCount,
    /// The length differs from the provider's by more than max(2 s, 2 %).
    Duration,
}

impl Finding {
    /// The stored and shown name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::DeadChannel => "dead_channel",
            Self::ChannelCount => "channel_count",
            Self::Duration => "duration",
        }
    }
}

/// What the provider said about the recording, as far as it said anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expected {
    /// Whole seconds.
    pub duration_seconds: Option<u64>,
    /// Number of channels of the form that was asked for; `None` where the form asked for says nothing about it.
    pub channels: Option<u16>,
}

/// Names everything doubtful about the audio; empty means good.
pub fn judge(facts: &AudioFacts, expected: Expected) -> Vec<Finding> {
    let mut findings = Vec::new();
    let dead = facts.channels.iter().filter(|channel| channel.peak_dbfs < DEAD_BELOW_DBFS).count();
    if dead == facts.channels.len() {
        findings.push(Finding::Silent);
    } else if dead > 0 {
        findings.push(Finding::DeadChannel);
    }
    if expected.channels.is_some_and(|channels| usize::from(channels) != facts.channels.len()) {
        findings.push(Finding::ChannelCount);
    }
    if let Some(seconds) = expected.duration_seconds {
        let said = seconds.saturating_mul(1000);
        let tolerance = (said / 50).max(2000);
        if facts.duration_ms.abs_diff(said) > tolerance {
            findings.push(Finding::Duration);
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(duration_ms: u64, peaks_dbfs: &[f32]) -> AudioFacts {
        let channels = peaks_dbfs
            .iter()
            .map(|peak| ChannelFacts {
                peak_dbfs: *peak,
                rms_dbfs: peak - 10.0,
                silence_ratio: 0.0,
                clipped_ratio: 0.0,
            })
            .collect();
        AudioFacts { format: AudioFormat::Wav, sample_rate: 8000, duration_ms, channels, peaks: Vec::new() }
    }

    #[test]
    fn each_doubt_is_named() {
        let said = |seconds, channels| Expected { duration_seconds: Some(seconds), channels: Some(channels) };
        assert_eq!(judge(&facts(10_000, &[-3.0, -6.0]), said(10, 2)), []);
        assert_eq!(judge(&facts(10_000, &[-80.0, -90.0]), said(10, 2)), [Finding::Silent]);
        assert_eq!(judge(&facts(10_000, &[-3.0, -90.0]), said(10, 2)), [Finding::DeadChannel]);
        assert_eq!(judge(&facts(10_000, &[-3.0]), said(10, 2)), [Finding::ChannelCount]);
        assert_eq!(judge(&facts(10_000, &[-3.0]), Expected::default()), []);
    }

    #[test]
    fn a_duration_may_be_off_by_two_seconds_or_two_percent() {
        let off = |ms, said| judge(&facts(ms, &[-3.0]), Expected { duration_seconds: Some(said), channels: None });
        assert_eq!(off(12_000, 10), []);
        assert_eq!(off(12_001, 10), [Finding::Duration]);
        assert_eq!(off(1_020_000, 1000), []);
        assert_eq!(off(1_020_001, 1000), [Finding::Duration]);
    }
}
