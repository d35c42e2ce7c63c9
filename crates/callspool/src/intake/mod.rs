//! How the outside tells us: the provider's callbacks.
//!
//! Guarantee: a callback gets 2xx only after its facts are committed with fsync (invariant 1). The pipeline never runs
//! inside the request.

mod call;
mod callback;
pub mod form;
#[cfg(test)]
mod fuzz;
mod json;
pub(crate) mod reconcile;
mod refusal;
mod said;
pub mod signature;
mod status;
mod twiml;
mod voice;
mod webhook;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

pub use callback::PATHS;
pub(crate) use status::PATH as STATUS_PATH;
pub(crate) use voice::{PATHS as VOICE_PATHS, document as voice_document};

use crate::lifecycle::App;

/// The routes of the provider; open, since their signature is the access. Each takes GET and POST: Twilio sends either, as
/// it was told (`…Method`).
pub fn router(app: Arc<App>) -> Router {
    let mut router = Router::new().route(status::PATH, get(status::answer).post(status::answer));
    for path in PATHS {
        router = router.route(path, get(callback::answer).post(callback::answer));
    }
    for path in voice::PATHS {
        router = router.route(path, get(voice::answer).post(voice::answer));
    }
    router.with_state(app)
}
