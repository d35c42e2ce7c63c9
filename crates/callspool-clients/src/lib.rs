//! The outside world as callspool meets it: the provider, the archive and the customer's job records.
//!
//! Every outgoing connection of the product is made here. Each client has its base URL from the configuration, keeps its
//! wire types to itself, and turns every error into a [`callspool_domain::StepFailure`] that says what to do. A client
//! tries again at most once, at once, and only where nothing was sent; durable retry is the queue's.

pub mod archive;
pub mod http;
pub mod provider;
pub mod reach;
pub mod records;

pub use archive::{Archive, ArchiveConfig};
pub use http::{Http, HttpOptions};
pub use provider::{Twilio, TwilioAccount};
pub use records::{Airtable, AirtableConfig};
