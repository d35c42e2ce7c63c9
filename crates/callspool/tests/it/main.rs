//! The program as a whole, on real sockets and real databases, with the sandbox as the outside world and a clock turned by
//! hand. Every story runs on SQLite, and on PostgreSQL where `CALLSPOOL_TEST_POSTGRES` names a server.

#![expect(clippy::expect_used, clippy::panic, reason = "a helper that can't do its work ends the story")]
#![expect(clippy::disallowed_methods, reason = "a story reads its own environment, and answers whose length it knows")]
#![expect(clippy::cloned_ref_to_slice_refs, reason = "a list of one reads better as a list")]

mod harness;

mod accounts;
mod airtable;
mod archive_failures;
mod archive_folder;
mod callbacks;
mod calls;
mod crash_loop;
mod doctor;
mod documents;
mod encryption;
mod fault_matrix;
mod happy_call;
mod killed;
mod linking;
mod links;
mod logs;
mod media_forms;
mod metrics;
#[path = "../../../../tests/predecessors/mod.rs"]
mod predecessors;
mod process;
mod reconcile;
mod s3_archive;
mod starts;
mod web;
mod webhooks;
mod without_calls;
