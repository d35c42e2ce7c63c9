//! Checks and measures a recording while its bytes stream past.
//!
//! What the [`Parser`] accepts is whole, playable audio whose length agrees with its headers (invariant 9), and it
//! never holds more of it than one MP3 frame and one 20 ms block (invariant 6), however long the recording is and
//! however hostile its bytes.

mod content;
mod error;
mod g711;
mod input;
mod levels;
mod mp3;
mod parser;
mod peaks;
mod wav;

pub use callspool_domain::audio::{AudioFacts, AudioFormat, ChannelFacts};

pub use self::content::Content;
pub use self::error::AudioError;
pub use self::parser::Parser;
