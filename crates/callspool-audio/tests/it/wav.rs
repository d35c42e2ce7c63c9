//! WAV files built byte by byte: every header that disagrees with what came is refused.

use callspool_audio::{AudioError, AudioFacts, AudioFormat};

use crate::support::{chunk, fmt, riff, set_length, wav16};

/// Where the lengths stand in a plain file.
const RIFF_LENGTH: usize = 4;
const DATA_LENGTH: usize = 40;
const SAMPLES: usize = 44;

fn parse(file: &[u8]) -> Result<AudioFacts, AudioError> {
    crate::support::parse(AudioFormat::Wav, file)
}

/// Half a second, mono: a loud quarter and a silent one.
fn half_second() -> Vec<u8> {
    wav16(1, &[[8192; 2000], [0; 2000]].concat())
}

#[track_caller]
fn assert_malformed(file: &[u8], reason: &str) {
    let error = parse(file).expect_err(reason).to_string();
    assert!(error.starts_with("malformed") && error.contains(reason), "{error:?} does not say {reason:?}");
}

#[track_caller]
fn assert_truncated(file: &[u8]) {
    assert!(matches!(parse(file), Err(AudioError::Truncated { .. })), "{:?}", parse(file));
}

#[track_caller]
fn assert_overlong(file: &[u8]) {
    assert!(matches!(parse(file), Err(AudioError::Overlong { .. })), "{:?}", parse(file));
}

#[test]
fn a_plain_file_is_measured_exactly() {
    let facts = parse(&half_second()).expect("whole");
    assert_eq!((facts.format, facts.sample_rate, facts.duration_ms), (AudioFormat::Wav, 8000, 500));
    assert_eq!(facts.channels.len(), 1);
    assert!((facts.channels[0].peak_dbfs + 12.04).abs() < 0.01);
    assert!((facts.channels[0].rms_dbfs + 15.05).abs() < 0.01);
    assert!((facts.channels[0].silence_ratio - 0.48).abs() < 0.001, "the block of the edge is no silence");
    assert_eq!(facts.peaks, [[64; 13].as_slice(), &[0; 12]].concat());
}

#[test]
fn channels_are_kept_apart() {
    let facts = parse(&wav16(2, &[16_384, 0].repeat(4000))).expect("whole");
    assert_eq!(facts.duration_ms, 500);
    assert!((facts.channels[0].peak_dbfs + 6.02).abs() < 0.01);
    assert_eq!(facts.channels[1].peak_dbfs, -120.0);
    assert_eq!(facts.channels[1].silence_ratio, 1.0);
}

#[test]
fn every_supported_coding_is_read_plain_and_extensible() {
    for (tag, bits, silence) in [(1, 8, 0x80), (1, 16, 0), (6, 8, 0xD5), (7, 8, 0xFF)] {
        let data = chunk(b"data", &vec![silence; usize::from(bits / 8 * 2) * 80]);
        let plain = parse(&riff(&[chunk(b"fmt ", &fmt(tag, 2, bits)), data.clone()])).expect("plain");
        assert_eq!((plain.duration_ms, plain.channels.len()), (10, 2));
        assert!(plain.channels[0].peak_dbfs < -70.0);

        let mut extensible = fmt(0xFFFE, 2, bits);
        extensible.extend([22, 0, bits as u8, 0, 3, 0, 0, 0]);
        extensible.extend(tag.to_le_bytes());
        extensible.extend([0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71]);
        assert_eq!(parse(&riff(&[chunk(b"fmt ", &extensible), data])), Ok(plain));
    }
}

#[test]
fn other_chunks_are_skipped_wherever_they_stand() {
    let odd = chunk(b"LIST", b"INFOx");
    let data = chunk(b"data", &[0, 32].repeat(80));
    let file = riff(&[odd.clone(), chunk(b"fmt ", &fmt(1, 1, 16)), odd.clone(), data, odd, chunk(b"fact", b"")]);
    assert_eq!(parse(&file).map(|facts| facts.duration_ms), Ok(10));
}

#[test]
fn a_chunk_after_the_samples_must_be_whole() {
    let file = riff(&[chunk(b"fmt ", &fmt(1, 1, 16)), chunk(b"data", &[0; 160]), chunk(b"LIST", &[7; 30])]);
    for missing in 1..38 {
        assert_truncated(&file[..file.len() - missing]);
        let mut streamed = file.clone();
        set_length(&mut streamed, RIFF_LENGTH, u32::MAX);
        assert_truncated(&streamed[..file.len() - missing]);
    }
}

#[test]
fn headers_that_promise_more_than_came_are_cut_off() {
    let short = wav16(2, &[1000; 200]);
    for length in 1..short.len() {
        assert_truncated(&short[..length]);
    }
    let mut promising = half_second();
    set_length(&mut promising, RIFF_LENGTH, 8036 + 2);
    assert_truncated(&promising);
    set_length(&mut promising, DATA_LENGTH, 8002);
    assert_truncated(&promising);
    set_length(&mut promising, RIFF_LENGTH, u32::MAX - 1);
    set_length(&mut promising, DATA_LENGTH, u32::MAX - 1);
    assert_malformed(&promising, "reaches beyond");
    set_length(&mut promising, DATA_LENGTH, u32::MAX - 51);
    assert_truncated(&promising);
}

#[test]
fn bytes_behind_the_announced_end_are_too_many() {
    let mut file = half_second();
    file.push(0);
    assert_overlong(&file);
    let mut of_unknown_samples = file.clone();
    set_length(&mut of_unknown_samples, DATA_LENGTH, u32::MAX);
    assert_overlong(&of_unknown_samples);
    file.push(0);
    assert_overlong(&file);
    file.extend(chunk(b"LIST", b"INFO"));
    assert_overlong(&file);
}

#[test]
fn two_lengths_that_contradict_each_other_are_malformed() {
    let mut file = half_second();
    set_length(&mut file, DATA_LENGTH, 8002);
    assert_malformed(&file, "'data' of 8002 bytes reaches beyond byte 8044");
    set_length(&mut file, DATA_LENGTH, 7000);
    assert_malformed(&file, "no chunk's name");
}

#[test]
fn samples_of_unknown_length_go_on_to_the_end() {
    let known = parse(&half_second());
    // Both lengths unknown, one of them, or a header for no samples that was never corrected.
    for (riff, data) in [(0, 0), (u32::MAX, u32::MAX), (0, u32::MAX), (u32::MAX, 0), (8036, u32::MAX), (36, 0)] {
        let mut file = half_second();
        set_length(&mut file, RIFF_LENGTH, riff);
        set_length(&mut file, DATA_LENGTH, data);
        assert_eq!(parse(&file), known, "lengths {riff} and {data}");
        assert_truncated(&file[..file.len() - 1]);
        assert!(matches!(parse(&file[..SAMPLES]), Err(AudioError::Empty | AudioError::Truncated { .. })));
    }
    let mut file = half_second();
    set_length(&mut file, RIFF_LENGTH, u32::MAX);
    assert_eq!(parse(&file), known, "the samples' length alone is enough");
    assert_truncated(&file[..file.len() - 1]);
}

#[test]
fn an_empty_data_chunk_before_other_chunks_is_empty_and_not_streamed() {
    let file = riff(&[chunk(b"fmt ", &fmt(1, 1, 16)), chunk(b"data", b""), chunk(b"LIST", b"INFOsome")]);
    assert_eq!(parse(&file), Err(AudioError::Empty));
    assert_eq!(parse(&wav16(1, &[])), Err(AudioError::Empty));
}

#[test]
fn an_odd_number_of_bytes_may_end_with_or_without_padding() {
    let samples: Vec<u8> = vec![0x10; 801];
    let padded = riff(&[chunk(b"fmt ", &fmt(7, 1, 8)), chunk(b"data", &samples)]);
    let facts = parse(&padded).expect("padded and counted");
    assert_eq!(facts.duration_ms, 100);

    let counted_but_absent = &padded[..padded.len() - 1];
    assert_eq!(parse(counted_but_absent), Ok(facts.clone()));

    let mut uncounted = padded.clone();
    set_length(&mut uncounted, RIFF_LENGTH, padded.len() as u32 - 9);
    assert_eq!(parse(&uncounted), Ok(facts.clone()));
    assert_eq!(parse(&uncounted[..padded.len() - 1]), Ok(facts));
    uncounted.push(0);
    assert_overlong(&uncounted);
}

#[test]
fn samples_that_fill_no_whole_frame_are_malformed() {
    let file = riff(&[chunk(b"fmt ", &fmt(1, 2, 16)), chunk(b"data", &[0; 162])]);
    assert_malformed(&file, "162 bytes of samples are no multiple of 4");
}

#[test]
fn the_chunks_must_come_once_and_in_order() {
    let (format, data) = (chunk(b"fmt ", &fmt(1, 1, 16)), chunk(b"data", &[0; 160]));
    assert_malformed(&riff(&[data.clone(), format.clone()]), "before the fmt chunk");
    assert_malformed(&riff(&[format.clone(), format.clone(), data.clone()]), "second fmt chunk");
    assert_malformed(&riff(&[format.clone(), data.clone(), data]), "second data chunk");
    assert_malformed(&riff(&[format, chunk(b"LIST", &[0; 40])]), "no data chunk");
}

#[test]
fn formats_that_cannot_be_measured_are_malformed() {
    let with = |format: Vec<u8>| riff(&[chunk(b"fmt ", &format), chunk(b"data", &[0; 160])]);
    let changed = |at: usize, bytes: &[u8]| {
        let mut format = fmt(1, 1, 16);
        format[at..at + bytes.len()].copy_from_slice(bytes);
        with(format)
    };
    assert_malformed(&with(fmt(3, 1, 32)), "format 3 with 32 bits");
    assert_malformed(&with(fmt(1, 1, 24)), "format 1 with 24 bits");
    assert_malformed(&with(fmt(0xFFFE, 1, 16)), "format 65534");
    assert_malformed(&with(fmt(1, 0, 16)), "0 channels");
    assert_malformed(&with(fmt(1, 9, 16)), "9 channels");
    assert_malformed(&changed(4, &[0; 4]), "0 samples a second");
    assert_malformed(&changed(4, &[0xFF; 4]), "4294967295 samples a second");
    assert_malformed(&changed(12, &[0; 2]), "frames of 0 bytes");
    assert_malformed(&changed(12, &[4, 0]), "frames of 4 bytes");
    assert_malformed(&with(fmt(1, 1, 16)[..14].to_vec()), "too short");
}
