//! What the parser accepts, and everything it refuses.
#![expect(clippy::expect_used, reason = "a test may fail by panicking")]

mod foreign;
mod fuzz;
mod mp3;
mod not_audio;
mod pieces;
mod support;
mod wav;
