//! Invariant 6: memory does not grow with the recording. Alone in its process, so that what the process used at most
//! is what the parser used.
#![expect(clippy::expect_used, reason = "a test may fail by panicking")]

use callspool_audio::{AudioFacts, AudioFormat, Parser};

const PIECE_BYTES: usize = 64 * 1024;
const PIECES: usize = 512;
const MAY_GROW_KB: usize = 1024;

/// The most memory this process ever held.
fn peak_kb() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("the peak is told");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).expect("a number")
}

fn parse(format: AudioFormat, head: &[u8], piece: &[u8], tail: &[u8]) -> AudioFacts {
    let mut parser = Parser::new(format);
    parser.push(head).expect("a good head");
    for _ in 0..PIECES {
        parser.push(piece).expect("good content");
    }
    parser.push(tail).expect("a good tail");
    parser.finish().expect("whole")
}

#[test]
#[cfg(target_os = "linux")]
fn a_long_recording_takes_no_more_memory_than_a_short_one() {
    let samples = vec![0x21; PIECE_BYTES];
    let wav_head =
        b"RIFF\xFF\xFF\xFF\xFFWAVEfmt \x10\0\0\0\x07\0\x01\0\x40\x1F\0\0\x40\x1F\0\0\x01\0\x08\0data\0\0\0\0";
    // An ID3v2 tag of 32 MiB, written in digits of seven bits, before a single frame.
    let id3_head = b"ID3\x04\0\0\x10\0\0\0";
    let mut frame = vec![0xFF, 0xE3, 0x48, 0xC0];
    frame.resize(288, 0);

    let before = peak_kb();
    let wav = parse(AudioFormat::Wav, wav_head, &samples, &[]);
    let mp3 = parse(AudioFormat::Mp3, id3_head, &samples, &frame);
    let grown = peak_kb() - before;

    assert_eq!(wav.duration_ms, (PIECES * PIECE_BYTES / 8) as u64);
    assert!(wav.peaks.len() <= AudioFacts::MAX_PEAKS);
    assert_eq!(mp3.duration_ms, 72);
    assert!(grown < MAY_GROW_KB, "32 MiB of each format took {grown} kB");
}
