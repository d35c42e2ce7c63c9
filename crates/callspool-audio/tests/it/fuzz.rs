//! Files of any bytes: there is a verdict, and it does not depend on how they came.

use callspool_audio::{AudioError, AudioFacts, AudioFormat};
use callspool_fuzz::fuzz;

use crate::support::{parse, parse_in_pieces};

/// What was found, without its numbers.
fn outcome(result: &Result<AudioFacts, AudioError>) -> String {
    match result {
        Ok(facts) => format!("{} channels", facts.channels.len()),
        Err(error) => format!("{error:?}").chars().filter(|c| !c.is_ascii_digit()).collect(),
    }
}

fn verdict(format: AudioFormat, input: &[u8]) -> String {
    let whole = parse(format, input);
    for bytes in [1, 61, 1000] {
        assert_eq!(parse_in_pieces(format, input, bytes), whole, "in pieces of {bytes}");
    }
    if let Ok(facts) = &whole {
        assert!(!facts.channels.is_empty() && !input.is_empty());
    }
    outcome(&whole)
}

fn corpus(name: &str) -> String {
    format!("{}/tests/fuzz/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn fuzz_wav() {
    fuzz(corpus("wav"), |input| verdict(AudioFormat::Wav, input));
}

#[test]
fn fuzz_mp3() {
    fuzz(corpus("mp3"), |input| verdict(AudioFormat::Mp3, input));
}
