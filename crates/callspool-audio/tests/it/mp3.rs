//! MP3 files built frame by frame: what may stand around the frames, and nothing may stand between them.

use callspool_audio::{AudioError, AudioFacts, AudioFormat};

use crate::support::{foreign, info_frame, silent_frame};

fn parse(file: &[u8]) -> Result<AudioFacts, AudioError> {
    crate::support::parse(AudioFormat::Mp3, file)
}

fn frames(count: usize) -> Vec<u8> {
    silent_frame().repeat(count)
}

fn id3v2(body: usize) -> Vec<u8> {
    let mut tag = b"ID3\x04\0\0\0\0".to_vec();
    tag.extend([(body >> 7) as u8, (body & 0x7F) as u8]);
    tag.resize(tag.len() + body, 0xFF);
    tag
}

fn id3v1() -> Vec<u8> {
    let mut tag = b"TAG".to_vec();
    tag.resize(128, b' ');
    tag
}

fn ape(body: usize) -> Vec<u8> {
    let mut tag = b"APETAGEX\xD0\x07\0\0".to_vec();
    tag.extend((body as u32).to_le_bytes());
    tag.resize(32 + body, 0xAA);
    tag
}

#[track_caller]
fn assert_lasts(file: &[u8], duration_ms: u64) {
    assert_eq!(parse(file).map(|facts| facts.duration_ms), Ok(duration_ms));
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

#[test]
fn the_length_is_that_of_the_frames() {
    let facts = parse(&frames(5)).expect("whole");
    assert_eq!((facts.format, facts.sample_rate, facts.duration_ms), (AudioFormat::Mp3, 8000, 360));
    assert_eq!(facts.channels.len(), 1);
    assert_eq!(facts.channels[0].peak_dbfs, -120.0);
    assert_eq!(facts.channels[0].silence_ratio, 1.0);
}

#[test]
fn an_info_frame_is_no_audio_and_its_count_must_come() {
    assert_lasts(&[info_frame(5), frames(5)].concat(), 360);
    assert_truncated(&[info_frame(6), frames(5)].concat());
    assert!(matches!(parse(&[info_frame(4), frames(5)].concat()), Err(AudioError::Overlong { expected: 4, .. })));
    assert_lasts(&[info_frame(0), frames(5)].concat(), 360);
    assert_eq!(parse(&info_frame(0)), Err(AudioError::Empty));
    assert_truncated(&info_frame(5));
}

#[test]
fn tags_around_the_frames_are_skipped() {
    assert_lasts(&[id3v2(3000), frames(2)].concat(), 144);
    assert_lasts(&[id3v2(0), id3v2(5), info_frame(2), frames(2), ape(77), id3v1()].concat(), 144);
    assert_lasts(&[frames(2), ape(0)].concat(), 144);
    assert_lasts(&[frames(2), id3v1()].concat(), 144);
}

#[test]
fn a_tag_must_be_whole() {
    let file = [id3v2(300), frames(1), ape(50), id3v1()].concat();
    let (frame_end, ape_end) = (310 + 288, 310 + 288 + 82);
    for length in 1..file.len() {
        match parse(&file[..length]) {
            Ok(facts) => {
                assert!(length == frame_end || length == ape_end, "accepted with {length} bytes");
                assert_eq!(facts.duration_ms, 72);
            }
            Err(AudioError::Empty) => assert_eq!(length, 310, "only the tag is whole and holds no audio"),
            Err(error) => assert!(matches!(error, AudioError::Truncated { .. }), "{length} bytes: {error}"),
        }
    }
}

#[test]
fn a_tag_of_a_size_nobody_can_hold_is_skipped_in_passing_or_refused() {
    assert_truncated(&[b"ID3\x04\0\0\x7F\x7F\x7F\x7F".as_slice(), &frames(5)].concat());
    assert_malformed(&[b"ID3\x04\0\0\xFF\xFF\xFF\xFF".as_slice(), &frames(5)].concat(), "ID3v2");
    let mut tag = ape(0);
    tag[12..16].fill(0xFF);
    assert_truncated(&[frames(1), tag].concat());
}

#[test]
fn nothing_but_a_tag_may_follow_a_tag() {
    assert!(matches!(parse(&[frames(1), id3v1(), frames(1)].concat()), Err(AudioError::Overlong { .. })));
    assert_malformed(&[frames(1), ape(8), frames(1)].concat(), "only an ID3v1 tag");
    assert_malformed(&[frames(1), id3v2(8), frames(1)].concat(), "no frame");
}

#[test]
fn a_few_zero_bytes_may_end_the_file_and_nothing_may_follow_them() {
    assert_lasts(&[frames(2), vec![0; 1]].concat(), 144);
    assert_lasts(&[frames(2), vec![0; 4096]].concat(), 144);
    assert_malformed(&[frames(2), vec![0; 4097]].concat(), "zero bytes");
    assert_malformed(&[frames(2), vec![0; 100], frames(1)].concat(), "follows the zero bytes");
}

#[test]
fn garbage_between_frames_is_malformed_and_its_place_is_told() {
    let file = [frames(2), b"garbage".to_vec(), frames(2)].concat();
    assert_malformed(&file, "byte 576: there is no frame");
    let mut without_a_byte = frames(3);
    without_a_byte.remove(300);
    assert_malformed(&without_a_byte, "byte 576");
}

#[test]
fn rate_and_channels_must_not_change() {
    let changed = |at: usize, byte: u8| {
        let mut frame = silent_frame();
        frame[at] = byte;
        frame
    };
    let stereo = changed(3, 0x00);
    assert_malformed(&[frames(1), stereo].concat(), "from 1 channels at 8000 Hz to 2 at 8000 Hz");
    let mut faster = changed(2, 0x44);
    faster.truncate(192);
    assert_malformed(&[frames(1), faster].concat(), "to 1 at 12000 Hz");
}

#[test]
fn free_format_is_refused() {
    let mut file = frames(3);
    file[2] = 0x08;
    assert_malformed(&file, "free format");
}

#[test]
fn a_frame_that_does_not_decode_keeps_its_place_but_not_all_may_fail() {
    let mut broken = silent_frame();
    broken[4..].fill(0xFF);
    assert_malformed(&broken.repeat(4), "none of its 4 frames");

    let file = foreign("mono-8k.mp3");
    let whole = parse(&file).expect("whole");
    let mut damaged = file.clone();
    damaged[288 * 10 + 4..288 * 11].fill(0xFF);
    let facts = parse(&damaged).expect("only its content is damaged");
    assert_eq!(facts.duration_ms, whole.duration_ms);
    assert_ne!(facts.peaks, whole.peaks);
}
