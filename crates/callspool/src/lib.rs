//! The program: intake, pipeline, web and command line around the ledger and the clients.
//!
//! Data walks one way: the world tells us ([`intake`]), we remember (the store), we work ([`pipeline`]), the world is told
//! (the clients); [`web`] reads, and asks the store for steps. It is a library only so that its tests can run it whole,
//! on real sockets and with a clock turned by hand.

mod bad_audio;
mod callback_url;
pub mod cli;
pub mod config;
pub mod intake;
pub mod lifecycle;
mod links;
pub mod pipeline;
pub mod records;
pub mod web;
