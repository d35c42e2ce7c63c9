//! How the outside tells us: the provider's callbacks.
//!
//! Guarantee: a callback gets 2xx only after its facts are committed with fsync (invariant 1). The pipeline never runs
//! inside the request.

mod callback;
pub mod form;
pub mod signature;

pub use callback::{PATHS, router};
