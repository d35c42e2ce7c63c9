//! What callspool remembers: durable intake, the queue of steps, the plan applied in every transaction that adds a fact,
//! and the log of events, on SQLite or PostgreSQL.
//!
//! Guarantee: when a function returns `Ok`, what it wrote is committed with fsync. Time, ids and random values come in as
//! values. This is the only crate that speaks SQL; each statement is written once for both databases.

mod accept;
mod archive_keys;
mod call_events;
mod calls;
#[doc(hidden)]
pub mod catalogue;
mod counters;
mod db;
mod error;
mod events;
mod facts;
mod intake;
mod jobs;
mod limits;
mod lines;
mod lists;
mod meta;
mod migrations;
mod planning;
mod postman;
mod recordings;
mod scans;
mod starts;
mod steps;
mod stops;
mod store;
mod ties;
mod tokens;

pub use accept::Accepted;
pub use call_events::CallEvent;
pub use calls::CallRow;
pub use counters::Stats;
pub use db::probe::{CommitMoment, CommitProbe};
pub use error::{Error, Result};
pub use events::{EventFilter, EventRow, NewEvent, kind};
pub use intake::{Callback, Recorded, Settled};
pub use jobs::JobRow;
pub use lines::{OwedLine, Renewed};
pub use lists::{CallCursor, CallFilter, JobCursor, RecordingCursor, RecordingFilter};
pub use recordings::{ArchiveRow, RecordingRow, ReleaseView, SealedRow};
pub use scans::{Difference, Scan};
pub use starts::{Start, ToRecord};
pub use steps::fail::BadMedia;
pub use steps::finish::{Archived, ProviderAnswer, Receipt, Sealed, VerifiedBy};
pub use steps::queue::{QueueCount, StepRow};
pub use steps::retry::RetryWhat;
pub use steps::services::ServiceState;
pub use steps::{Claimed, Lease};
pub use store::{Found, OpenOptions, Store, WorkLock};
pub use ties::{Tied, TiedBy};
pub use tokens::{Role, TokenRow};
