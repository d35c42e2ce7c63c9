//! What both benchmarks share: callspool as a process of its own, what a process used, and the spread of figures.
//!
//! Everything runs on loopback, is bounded, and ends by itself. A figure is printed only for a run in which callspool did
//! all of its work; how fast it was is never an error.

pub mod callbacks;
pub mod connection;
pub mod disk;
pub mod pipe;
pub mod server;
pub mod spread;
pub mod usage;
pub mod world;

/// One line of the results.
#[expect(clippy::print_stdout, reason = "standard output is where the results go")]
pub fn say(line: &str) {
    println!("{line}");
}
