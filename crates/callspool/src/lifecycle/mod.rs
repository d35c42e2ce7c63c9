//! From configuration to a running program and back: what a process holds, how it serves, how it stops.

mod app;
pub mod log;
pub mod random;
mod serve;

pub use app::{Account, App, StartError};
pub use serve::{Served, serve};
