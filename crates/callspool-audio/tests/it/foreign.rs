//! Files of encoders that nobody here wrote: accepted whole, with the length and levels that others find in them,
//! and refused at every point where they may break off.

use callspool_audio::AudioFormat::{self, Mp3, Wav};
use callspool_audio::{AudioError, AudioFacts};

use crate::support::{foreign, parse};

fn facts(format: AudioFormat, name: &str) -> AudioFacts {
    parse(format, &foreign(name)).expect(name)
}

#[track_caller]
fn assert_facts(facts: &AudioFacts, sample_rate: u32, duration_ms: u64, peak_and_rms: &[(f32, f32)]) {
    assert_eq!((facts.sample_rate, facts.duration_ms), (sample_rate, duration_ms));
    assert_eq!(facts.channels.len(), peak_and_rms.len());
    for (channel, (peak, rms)) in facts.channels.iter().zip(peak_and_rms) {
        assert!((channel.peak_dbfs - peak).abs() < 0.05, "the peak is {}, not {peak}", channel.peak_dbfs);
        assert!((channel.rms_dbfs - rms).abs() < 0.05, "the mean is {}, not {rms}", channel.rms_dbfs);
        assert_eq!(channel.clipped_ratio, 0.0);
    }
}

#[test]
fn wav_files_of_sox_are_measured_as_sox_measures_them() {
    assert_facts(&facts(Wav, "mono-8k-mulaw.wav"), 8000, 500, &[(-5.82, -8.98)]);
    assert_facts(&facts(Wav, "stereo-8k-alaw.wav"), 8000, 250, &[(-9.08, -12.01), (-9.08, -11.99)]);
    assert_facts(&facts(Wav, "mono-8k-u8.wav"), 8000, 250, &[(-6.02, -9.01)]);
    assert_facts(&facts(Wav, "stereo-8k-pcm16.wav"), 8000, 250, &[(-9.0, -12.01), (-9.0, -12.01)]);
}

#[test]
fn mp3_files_of_lame_are_measured_as_sox_measures_them() {
    assert_facts(&facts(Mp3, "mono-8k.mp3"), 8000, 2160, &[(-6.42, -10.76)]);
    assert_facts(&facts(Mp3, "stereo-8k.mp3"), 8000, 1656, &[(-9.41, -12.89), (-9.12, -12.88)]);
    assert_facts(&facts(Mp3, "joint-44k-crc-no-info.mp3"), 44_100, 548, &[(-3.34, -6.85), (-3.26, -6.85)]);
}

#[test]
fn tags_before_and_after_the_frames_are_no_audio() {
    let tagged = facts(Mp3, "mono-16k-vbr-id3v2.mp3");
    assert_eq!((tagged.sample_rate, tagged.duration_ms), (16_000, 1296));
    let tagged = facts(Mp3, "mono-8k-id3v1.mp3");
    assert_eq!((tagged.sample_rate, tagged.duration_ms), (8_000, 1656));
}

#[test]
fn the_silent_end_of_a_call_shows_in_ratio_and_waveform() {
    let facts = facts(Mp3, "mono-8k.mp3");
    let silent_ms = f64::from(facts.channels[0].silence_ratio) * facts.duration_ms as f64;
    assert!((400.0..600.0).contains(&silent_ms), "{silent_ms} ms are silent");
    assert_eq!(facts.peaks.len(), 108);
    assert!(facts.peaks[10..70].iter().all(|peak| *peak > 100));
    assert!(facts.peaks[95..].iter().all(|peak| *peak < 5));
}

#[test]
fn a_file_that_breaks_off_anywhere_is_cut_off_or_holds_no_audio() {
    // Where the audio ends: behind it stand a padding byte, which writers may leave out, and an ID3v1 tag.
    let files = [
        (Wav, "mono-8k-mulaw.wav", 4059),
        (Wav, "stereo-8k-alaw.wav", 4058),
        (Wav, "mono-8k-u8.wav", 2044),
        (Mp3, "mono-16k-vbr-id3v2.mp3", 4641),
    ];
    for (format, name, audio_end) in files {
        let file = foreign(name);
        for length in 0..audio_end {
            let refusal = parse(format, &file[..length]).expect_err(name);
            assert!(
                matches!(refusal, AudioError::Truncated { .. } | AudioError::Empty),
                "{name} cut to {length} bytes: {refusal}"
            );
        }
        assert_eq!(parse(format, &file[..audio_end]), parse(format, &file));
    }
}

#[test]
fn without_a_frame_count_only_a_cut_between_frames_passes_and_with_the_length_that_came() {
    let file = foreign("joint-44k-crc-no-info.mp3");
    let passed: Vec<u64> =
        (0..file.len()).filter_map(|length| parse(Mp3, &file[..length]).ok()).map(|facts| facts.duration_ms).collect();
    let frames_of_1152: Vec<u64> = (1..21).map(|frames| frames * 1_152_000 / 44_100).collect();
    assert_eq!(passed, frames_of_1152);
}

#[test]
fn a_file_in_the_other_format_is_refused_by_name() {
    let refusal = parse(Wav, &foreign("mono-8k.mp3")).expect_err("not WAV");
    assert_eq!(refusal.to_string(), "expected wav audio, got mp3 audio");
    let refusal = parse(Mp3, &foreign("mono-8k-u8.wav")).expect_err("not MP3");
    assert_eq!(refusal.to_string(), "expected mp3 audio, got wav audio");
}
