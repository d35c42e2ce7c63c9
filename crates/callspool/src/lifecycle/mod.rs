//! From configuration to a running program and back: what a process holds, how it serves, how it stops.

mod app;
pub mod log;
pub mod metrics;
pub mod random;
mod serve;
mod server;

pub(crate) use app::client_of;
pub(crate) use app::folder_name;
pub use app::{Account, App, StartError, sleep_until};
pub use serve::{Served, asked_to_end, serve};
