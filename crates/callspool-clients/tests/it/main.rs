//! Every client against servers and files that misbehave on purpose.
//!
//! Nothing is mocked: bytes cross real sockets to the sandbox, or to a server that plays one fixed answer, and land in
//! real files. A stall is the one thing that is waited for, with a patience of a fraction of a second.

#![expect(clippy::expect_used, reason = "a helper that can't do its work ends the test")]

mod archive;
mod aws_sources;
mod azure_sources;
mod bucket_faults;
mod buckets;
mod encryption;
mod http;
mod local;
mod provider;
mod raw;
mod records;
mod records_faults;
mod world;
