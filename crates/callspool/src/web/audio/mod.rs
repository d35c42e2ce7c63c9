//! Audio for people: the permanent link, download and playing with ranges, and URLs signed by us.
//!
//! Guarantee: who gets audio has access or an unexpired signature of ours, and every time it is given an event is stored
//! first (invariant 11). Nothing is held in memory but the chunk on its way.

mod archive_copy;
mod checked;
mod links;
mod listening;
mod play;
mod provider_copy;
mod range;
mod signed;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use super::site::Site;
pub(crate) use signed::fresh_link;

/// Downloads and playing; these stand behind access.
pub(crate) fn router() -> Router<Arc<Site>> {
    Router::new()
        .route("/calls/{call}/recording/{recording}", get(play::download))
        .route("/calls/{call}/recording/{recording}/play", get(play::play))
}

/// The permanent link: open to a signature of ours, and to everybody else behind access, which it checks itself.
pub(crate) fn links() -> Router<Arc<Site>> {
    Router::new().route("/r/{recording}", get(links::follow))
}
