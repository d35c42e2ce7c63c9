//! Files built byte by byte, and files from elsewhere.

use callspool_audio::{AudioError, AudioFacts, AudioFormat, Parser};

pub(crate) fn parse(format: AudioFormat, file: &[u8]) -> Result<AudioFacts, AudioError> {
    parse_in_pieces(format, file, file.len().max(1))
}

pub(crate) fn parse_in_pieces(format: AudioFormat, file: &[u8], bytes: usize) -> Result<AudioFacts, AudioError> {
    let mut parser = Parser::new(format);
    for piece in file.chunks(bytes) {
        parser.push(piece)?;
    }
    parser.finish()
}

/// A file of `tests/data`.
pub(crate) fn foreign(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).expect(name)
}

/// A chunk as it stands in the file: padded to an even length.
pub(crate) fn chunk(id: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut chunk = [&id[..], &(content.len() as u32).to_le_bytes(), content].concat();
    chunk.resize(chunk.len().next_multiple_of(2), 0);
    chunk
}

/// A `fmt ` chunk's content at 8 kHz.
pub(crate) fn fmt(tag: u16, channels: u16, bits: u16) -> Vec<u8> {
    let frame_bytes = channels * bits / 8;
    let mut fmt = [tag.to_le_bytes(), channels.to_le_bytes()].concat();
    fmt.extend(8000_u32.to_le_bytes());
    fmt.extend((8000 * u32::from(frame_bytes)).to_le_bytes());
    fmt.extend([frame_bytes.to_le_bytes(), bits.to_le_bytes()].concat());
    fmt
}

/// A whole file of these chunks.
pub(crate) fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    let body = chunks.concat();
    [&b"RIFF"[..], &(body.len() as u32 + 4).to_le_bytes(), b"WAVE", &body].concat()
}

/// A plain file of 16-bit samples.
pub(crate) fn wav16(channels: u16, samples: &[i16]) -> Vec<u8> {
    let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    riff(&[chunk(b"fmt ", &fmt(1, channels, 16)), chunk(b"data", &data)])
}

/// Overwrites four bytes with a length.
pub(crate) fn set_length(file: &mut [u8], at: usize, length: u32) {
    file[at..at + 4].copy_from_slice(&length.to_le_bytes());
}

/// A silent frame at 8 kHz, mono, 32 kbit/s: 288 bytes, 72 ms.
pub(crate) fn silent_frame() -> Vec<u8> {
    let mut frame = vec![0xFF, 0xE3, 0x48, 0xC0];
    frame.resize(288, 0);
    frame
}

/// An Info frame that announces this many frames.
pub(crate) fn info_frame(frames: u32) -> Vec<u8> {
    let mut frame = silent_frame();
    frame[13..17].copy_from_slice(b"Info");
    frame[20] = 1;
    frame[21..25].copy_from_slice(&frames.to_be_bytes());
    frame
}
