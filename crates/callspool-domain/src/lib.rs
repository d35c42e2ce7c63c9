//! What callspool knows, in the glossary's words: ids, calls, recordings, copies, history lines, steps and the plan.
//!
//! Everything here is a value or a pure function; nothing reads a clock by itself, opens a file or a socket. What the
//! program decides, it decides here, so that it can be proven by tests that wait for nothing.

pub mod audio;
pub mod call;
pub mod clock;
pub mod failure;
pub mod gate;
pub mod id;
pub mod key;
pub mod line;
pub mod plan;
pub mod policy;
pub mod reconcile;
pub mod recording;
pub mod secret;
pub mod step;
mod stored;
pub mod time;
pub mod view;

pub use clock::Clock;
pub use failure::{Code, Service, StepFailure, Verdict};
pub use id::{AccountSid, CallSid, IdError, JobId, PublicKeySid, RecordingSid, Source};
pub use policy::Policy;
pub use secret::Secret;
pub use step::{Lane, StepName, StepState, Subject};
pub use time::Timestamp;
