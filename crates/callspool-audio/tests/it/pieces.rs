//! However the bytes are cut into pieces the verdict is the same, and whatever the bytes are there is a verdict.

use callspool_audio::{AudioError, AudioFacts, AudioFormat, Parser};
use proptest::prelude::*;

use crate::support::{chunk, fmt, foreign, info_frame, parse, parse_in_pieces, riff, set_length, silent_frame};

/// Pushes pieces of these lengths, over and over.
fn parse_cut(format: AudioFormat, file: &[u8], lengths: &[usize]) -> Result<AudioFacts, AudioError> {
    let mut parser = Parser::new(format);
    let mut rest = file;
    for length in lengths.iter().cycle() {
        let (piece, after) = rest.split_at((*length).min(rest.len()));
        parser.push(piece)?;
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    parser.finish()
}

fn files() -> Vec<(AudioFormat, Vec<u8>)> {
    let wav = ["mono-8k-mulaw.wav", "stereo-8k-alaw.wav", "mono-8k-u8.wav", "stereo-8k-pcm16.wav"];
    let mp3 = ["joint-44k-crc-no-info.mp3", "mono-16k-vbr-id3v2.mp3", "mono-8k-id3v1.mp3"];
    let eight_channels = riff(&[
        chunk(b"LIST", b"odd"),
        chunk(b"fmt ", &fmt(1, 8, 16)),
        chunk(b"data", &(0..16_000).map(|n| (n * n) as u8).collect::<Vec<u8>>()),
        chunk(b"LIST", b"after"),
    ]);
    let padded = [info_frame(3), silent_frame().repeat(3), vec![0; 40]].concat();
    wav.iter()
        .map(|name| (AudioFormat::Wav, foreign(name)))
        .chain(mp3.iter().map(|name| (AudioFormat::Mp3, foreign(name))))
        .chain([(AudioFormat::Wav, eight_channels), (AudioFormat::Mp3, padded)])
        .collect()
}

#[test]
fn one_byte_at_a_time_gives_the_same_facts() {
    for (format, file) in files() {
        let whole = parse(format, &file);
        assert!(whole.is_ok());
        for bytes in [1, 2, 3, 7, 63, 64, 65, 1000] {
            assert_eq!(parse_in_pieces(format, &file, bytes), whole);
        }
    }
}

#[test]
fn a_chunk_header_that_crosses_the_announced_end_has_one_verdict() {
    let mut file = riff(&[chunk(b"fmt ", &fmt(1, 1, 16)), chunk(b"data", &[0; 100]), chunk(b"\xfcxyz", b"")]);
    let announced = file.len() as u32 - 8 - 6;
    set_length(&mut file, 4, announced);
    let whole = parse(AudioFormat::Wav, &file);
    assert!(matches!(whole, Err(AudioError::Malformed { .. })), "{whole:?}");
    assert_eq!(parse_in_pieces(AudioFormat::Wav, &file, 1), whole);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_cutting_gives_the_same_verdict(
        which in 0_usize..9,
        lengths in prop::collection::vec(1_usize..5000, 1..20),
        cut in prop::option::of(0.0..1.0),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let (format, mut file) = files().swap_remove(which);
        if let Some(part) = cut {
            file.truncate((file.len() as f64 * part) as usize);
        }
        for (at, byte) in damage {
            if !file.is_empty() {
                let at = at.index(file.len().min(200));
                file[at] = byte;
            }
        }
        prop_assert_eq!(parse_cut(format, &file, &lengths), parse(format, &file));
    }

    #[test]
    fn any_bytes_get_a_verdict(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(parse(AudioFormat::Wav, &bytes).is_err());
        prop_assert!(parse(AudioFormat::Mp3, &bytes).is_err());
    }

    #[test]
    fn any_wav_headers_get_a_verdict(
        riff_length in any::<u32>(),
        format in prop::collection::vec(any::<u8>(), 0..60),
        tag in prop::sample::select(vec![1_u16, 6, 7, 0xFFFE]),
        id in prop::sample::select(vec![*b"data", *b"fmt ", *b"LIST"]),
        chunk_length in any::<u32>(),
        content in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let mut format = format;
        if format.len() > 2 {
            format[..2].copy_from_slice(&tag.to_le_bytes());
        }
        let mut file = riff(&[chunk(b"fmt ", &format), chunk(&id, &content)]);
        let verdict = parse(AudioFormat::Wav, &file);
        prop_assert_eq!(parse_in_pieces(AudioFormat::Wav, &file, 1), verdict);
        set_length(&mut file, 4, riff_length);
        let at = file.len() - content.len().next_multiple_of(2) - 4;
        set_length(&mut file, at, chunk_length);
        let verdict = parse(AudioFormat::Wav, &file);
        prop_assert_eq!(parse_in_pieces(AudioFormat::Wav, &file, 1), verdict);
    }

    #[test]
    fn any_content_of_mp3_frames_gets_a_verdict(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 284), 1..20),
        kind in prop::sample::select(vec![[0xFF, 0xE3, 0x48, 0xC0], [0xFF, 0xE2, 0x48, 0xC0], [0xFF, 0xE3, 0x48, 0x70]]),
    ) {
        let file: Vec<u8> = bodies.iter().flat_map(|body| [&kind[..], body].concat()).collect();
        match parse(AudioFormat::Mp3, &file) {
            Ok(facts) => prop_assert_eq!(facts.duration_ms, bodies.len() as u64 * 72),
            Err(AudioError::Malformed { why, .. }) => prop_assert!(why.contains("can be decoded")),
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        }
    }
}
