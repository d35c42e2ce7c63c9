//! The program as a whole, on real sockets and real databases, with the sandbox as the outside world and a clock turned by
//! hand. Every story runs on SQLite, and on PostgreSQL where `CALLSPOOL_TEST_POSTGRES` names a server.

#![expect(clippy::expect_used, clippy::panic, reason = "a helper that can't do its work ends the story")]

mod harness;

mod archive_failures;
mod callbacks;
mod documents;
mod happy_call;
mod killed;
mod linking;
mod web;
