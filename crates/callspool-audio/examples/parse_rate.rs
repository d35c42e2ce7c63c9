//! Prints how fast the parser takes audio, in MB a second: 16-bit stereo WAV made here, or the files that are named.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::time::Instant;

use callspool_audio::{AudioFormat, Parser};

const PIECE_BYTES: usize = 64 * 1024;
const ROUNDS: usize = 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    if paths.is_empty() {
        measure("16-bit stereo", AudioFormat::Wav, &stereo_wav(16_000_000))?;
    }
    for path in paths {
        let format = if path.ends_with(".mp3") { AudioFormat::Mp3 } else { AudioFormat::Wav };
        measure(&path, format, &std::fs::read(&path)?)?;
    }
    Ok(())
}

fn measure(name: &str, format: AudioFormat, file: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    let begun = Instant::now();
    let mut audio_ms = 0;
    for _ in 0..ROUNDS {
        let mut parser = Parser::new(format);
        for piece in file.chunks(PIECE_BYTES) {
            parser.push(piece)?;
        }
        audio_ms += parser.finish()?.duration_ms;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let megabytes = (file.len() * ROUNDS) as f64 / 1e6;
    println!(
        "{name}: {:.0} MB/s, {:.2} ms per MB, {:.3} ms per minute of audio",
        megabytes / seconds,
        seconds * 1e3 / megabytes,
        seconds * 1e3 / (audio_ms as f64 / 60e3),
    );
    Ok(())
}

/// A sawtooth at 8 kHz, other in each channel.
fn stereo_wav(data_bytes: u32) -> Vec<u8> {
    let mut file = b"RIFF".to_vec();
    file.extend((36 + data_bytes).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
    file.extend(8_000_u32.to_le_bytes());
    file.extend(32_000_u32.to_le_bytes());
    file.extend(b"\x04\0\x10\0data");
    file.extend(data_bytes.to_le_bytes());
    file.extend((0..data_bytes / 4).flat_map(|n| (n.wrapping_mul(0x0101_0203) ^ 0x5555).to_le_bytes()));
    file
}
