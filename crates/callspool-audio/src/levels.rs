//! How loud a recording is: per channel the peak, the mean power, the silent and the clipped part.
//!
//! Samples are gathered into blocks of 20 ms and measured a block at a time, in integers: fast, exact, and the same
//! whatever pieces the bytes came in. What is kept is one block and a few counters per channel.

use callspool_domain::audio::{AudioFacts, AudioFormat, ChannelFacts};

use crate::peaks::Peaks;

/// The power of a full-scale square wave of 16-bit samples: 0 dBFS.
const FULL_POWER: u64 = 1 << 30;

/// Blocks of less mean power are silence: −50 dBFS.
const SILENT_BELOW: u64 = FULL_POWER / 100_000;

/// Stands for digital silence.
const FLOOR_DBFS: f64 = -120.0;

/// Measures samples as they pass, channel by channel.
pub(crate) struct Levels {
    sample_rate: u32,
    /// The magnitude from which on a sample is at full scale.
    full_scale: u16,
    /// One block of samples for each channel, filled up to `filled`.
    blocks: Vec<Vec<i16>>,
    block_frames: usize,
    filled: usize,
    channels: Vec<Channel>,
    /// Samples per channel, in all blocks measured so far.
    frames: u64,
    peaks: Peaks,
}

#[derive(Clone, Default)]
struct Channel {
    peak: u16,
    power: u128,
    silent_frames: u64,
    clipped: u64,
}

impl Levels {
    pub(crate) fn new(sample_rate: u32, channels: u16, full_scale: u16) -> Self {
        let block_frames = (sample_rate / 50).max(1) as usize;
        let channels = usize::from(channels);
        Self {
            sample_rate,
            full_scale,
            blocks: vec![vec![0; block_frames]; channels],
            block_frames,
            filled: 0,
            channels: vec![Channel::default(); channels],
            frames: 0,
            peaks: Peaks::new(),
        }
    }

    /// Takes the next `frames` samples of every channel. `read(channel, from, into)` writes the channel's samples
    /// from the `from`th on into all of `into`.
    pub(crate) fn push(&mut self, frames: usize, read: impl Fn(usize, usize, &mut [i16])) {
        let mut from = 0;
        while from < frames {
            let end = self.block_frames.min(self.filled + frames - from);
            for (channel, block) in self.blocks.iter_mut().enumerate() {
                read(channel, from, &mut block[self.filled..end]);
            }
            from += end - self.filled;
            self.filled = end;
            if self.filled == self.block_frames {
                self.close_block();
            }
        }
    }

    /// Everything that was measured, or `None` where not a single sample came.
    pub(crate) fn finish(mut self, format: AudioFormat) -> Option<AudioFacts> {
        if self.filled > 0 {
            self.close_block();
        }
        if self.frames == 0 {
            return None;
        }
        let channels = self.channels.iter().map(|channel| channel.facts(self.frames)).collect();
        let duration_ms = u128::from(self.frames) * 1000 / u128::from(self.sample_rate);
        Some(AudioFacts {
            format,
            sample_rate: self.sample_rate,
            duration_ms: u64::try_from(duration_ms).unwrap_or(u64::MAX),
            channels,
            peaks: self.peaks.finish(),
        })
    }

    fn close_block(&mut self) {
        let mut loudest = 0;
        for (channel, block) in self.channels.iter_mut().zip(&self.blocks) {
            loudest = loudest.max(channel.measure(&block[..self.filled], self.full_scale));
        }
        self.peaks.push(loudest);
        self.frames += self.filled as u64;
        self.filled = 0;
    }
}

impl Channel {
    /// Adds a block, and returns its loudest magnitude.
    fn measure(&mut self, samples: &[i16], full_scale: u16) -> u16 {
        let frames = samples.len() as u64;
        let lowest = samples.iter().copied().fold(0, i16::min);
        let highest = samples.iter().copied().fold(0, i16::max);
        let peak = lowest.unsigned_abs().max(highest.unsigned_abs());
        let power = power(samples);
        self.peak = self.peak.max(peak);
        self.power += u128::from(power);
        if power < SILENT_BELOW * frames {
            self.silent_frames += frames;
        }
        if peak >= full_scale {
            self.clipped += samples.iter().filter(|sample| sample.unsigned_abs() >= full_scale).count() as u64;
        }
        peak
    }

    fn facts(&self, frames: u64) -> ChannelFacts {
        let frames = frames as f64;
        let full_power = FULL_POWER as f64;
        ChannelFacts {
            peak_dbfs: dbfs(f64::from(self.peak).powi(2) / full_power),
            rms_dbfs: dbfs(self.power as f64 / frames / full_power),
            silence_ratio: (self.silent_frames as f64 / frames) as f32,
            clipped_ratio: (self.clipped as f64 / frames) as f32,
        }
    }
}

/// The sum of the squares. Two at a time, because there is an instruction for that on most processors; two squares of
/// 16-bit numbers fit in 32 bits.
fn power(samples: &[i16]) -> u64 {
    let square = |sample: i16| i32::from(sample).pow(2).unsigned_abs();
    let (pairs, rest) = samples.as_chunks::<2>();
    let of_pairs: u64 = pairs.iter().map(|[a, b]| u64::from(square(*a) + square(*b))).sum();
    of_pairs + rest.iter().map(|sample| u64::from(square(*sample))).sum::<u64>()
}

/// Decibels of a power, given as a part of full scale's.
fn dbfs(power: f64) -> f32 {
    (10.0 * power.log10()).max(FLOOR_DBFS) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One channel at 8 kHz.
    fn measured(samples: &[i16]) -> AudioFacts {
        let mut levels = Levels::new(8000, 1, 32_767);
        levels.push(samples.len(), |_, from, into| into.copy_from_slice(&samples[from..from + into.len()]));
        levels.finish(AudioFormat::Wav).expect("samples came")
    }

    #[track_caller]
    fn assert_near(got: f32, wanted: f32) {
        assert!((got - wanted).abs() < 0.01, "{got} is not near {wanted}");
    }

    #[test]
    fn digital_silence_lies_at_the_floor() {
        let facts = measured(&[0; 800]);
        assert_eq!(facts.channels[0].peak_dbfs, -120.0);
        assert_eq!(facts.channels[0].rms_dbfs, -120.0);
        assert_eq!(facts.channels[0].silence_ratio, 1.0);
        assert_eq!(facts.peaks, [0; 5]);
    }

    #[test]
    fn a_square_wave_at_half_scale_lies_six_decibels_down() {
        let facts = measured(&[16_384, -16_384].repeat(400));
        assert_near(facts.channels[0].peak_dbfs, -6.02);
        assert_near(facts.channels[0].rms_dbfs, -6.02);
        assert_eq!(facts.channels[0].silence_ratio, 0.0);
        assert_eq!(facts.channels[0].clipped_ratio, 0.0);
        assert_eq!(facts.peaks, [128; 5]);
    }

    #[test]
    fn silence_and_clipping_are_parts_of_the_length() {
        let mut samples = vec![10_i16; 600];
        samples.extend([i16::MIN; 100]);
        samples.extend([10_000; 100]);
        let facts = measured(&samples);
        assert_eq!(facts.duration_ms, 100);
        assert_near(facts.channels[0].silence_ratio, 0.6);
        assert_near(facts.channels[0].clipped_ratio, 0.125);
        assert_eq!(facts.channels[0].peak_dbfs, 0.0);
    }

    #[test]
    fn the_last_part_of_a_block_counts_by_its_length() {
        let facts = measured(&[&[10_000_i16; 160][..], &[0; 40]].concat());
        assert_eq!(facts.duration_ms, 25);
        assert_near(facts.channels[0].silence_ratio, 0.2);
        assert_eq!(facts.peaks, [78, 0]);
    }

    #[test]
    fn no_sample_is_no_audio() {
        assert_eq!(Levels::new(8000, 2, 32_767).finish(AudioFormat::Wav), None);
    }
}
