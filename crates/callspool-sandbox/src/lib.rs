//! The outside world in a box: stand-ins for Twilio, Airtable and S3 as real HTTP servers on loopback.
//!
//! Each is strict (it refuses what the real one refuses, and remembers every request the real one would not have
//! expected), stateful, and scriptable with [faults]. Nothing here shares code with what it tests; only the ids, the
//! clock and the secret come from the domain.

pub mod airtable;
mod dice;
pub mod faults;
pub mod line;
pub mod s3;
pub mod server;
pub mod twilio;

pub use airtable::{Airtable, AirtableOptions};
pub use faults::{BodyKind, Fault};
pub use s3::{S3, S3Options};
pub use server::{Request, Server};
pub use twilio::{Twilio, TwilioOptions};
