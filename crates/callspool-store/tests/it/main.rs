//! The store suite: every test runs on SQLite, and on PostgreSQL where `CALLSPOOL_TEST_POSTGRES` names a server.

#![expect(clippy::expect_used, clippy::panic, reason = "a helper that can't do its work ends the test")]

mod catalogue;
mod durability;
mod events;
mod finishing;
mod intake;
mod jobs;
mod keys;
mod leases;
mod limits;
mod lists;
mod opening;
mod outages;
mod properties;
mod races;
mod records_lane;
mod retrying;
mod scans;
mod scene;
mod ties;
mod tokens;
mod words;
