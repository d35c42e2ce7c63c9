//! The outside world in a box: stand-ins for Twilio, Airtable, S3, Google Cloud Storage and Azure as real HTTP servers on loopback.
//!
//! Each is strict (it refuses what the real one refuses, and remembers every request the real one would not have
//! expected), stateful, and scriptable with [faults]. Nothing here shares code with what it tests; only the ids, the
//! clock and the secret come from the domain.
//!
//! ```
//! use callspool_domain::{AccountSid, Clock};
//! use callspool_sandbox::twilio::{Audio, NewRecording, Route};
//! use callspool_sandbox::{Fault, Twilio, TwilioOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let account = AccountSid::parse("AC00000000000000000000000000000001")?;
//! let twilio = Twilio::start(TwilioOptions::new(Clock::System, account.clone(), "auth token")).await?;
//! let recording = twilio.add_recording(NewRecording::new(account, Audio::seconds(30)));
//! // Its first download breaks off after 1,000 bytes; every other one is whole.
//! twilio.faults().of(recording.as_str()).next(Route::Media, Fault::CutAfter(1000));
//! # assert!(twilio.base_url().starts_with("http://127.0.0.1:"));
//! // … let the program under test at `twilio.base_url()` …
//! assert!(twilio.unexpected_requests().is_empty());
//! # Ok(())
//! # }
//! ```

pub mod airtable;
pub mod azure;
mod dice;
pub mod faults;
pub mod gcs;
mod line;
mod probe;
pub mod s3;
pub mod server;
mod shelf;
pub mod store;
pub mod twilio;

pub use airtable::{Airtable, AirtableOptions};
pub use azure::{Azure, AzureOptions};
pub use faults::{BodyKind, Fault, FaultKind};
pub use gcs::{Gcs, GcsOptions};
pub use probe::{RequestMoment, RequestProbe};
pub use s3::{S3, S3Options};
pub use server::{Request, Server};
pub use store::{Brand, Store};
pub use twilio::{Twilio, TwilioOptions};
