//! The web: API, pages, links to the audio, and probes. It reads the ledger, streams audio, and asks the ledger for steps.
//!
//! Guarantee: only probes, the sign-in page and its style are open; every other route stands behind `access` by the way
//! the router is put together, and asks for its role itself. No answer holds internal text.

mod access;
mod api;
mod assets;
mod audio;
mod dossier;
mod guard;
mod pages;
mod params;
mod probes;
mod refusal;
mod site;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use axum::{Json, Router};
use tower_http::catch_panic::CatchPanicLayer;

pub use access::sign_in_address;
use refusal::Refusal;
use site::Site;

use crate::lifecycle::App;

/// No request to these routes has a longer body.
const LARGEST_BODY: usize = 64 * 1024;

/// Every route but the callbacks'.
pub fn router(app: Arc<App>) -> Router {
    let site = Arc::new(Site::new(app));
    let (api, description) = api::router().split_for_parts();
    let closed = api
        .route("/openapi.json", get(async move || Json(description)))
        .route("/metrics", get(probes::metrics))
        .merge(audio::router())
        .merge(pages::router())
        .route_layer(from_fn_with_state(Arc::clone(&site), access::require));
    let open = Router::new()
        .route("/healthz", get(probes::healthz))
        .route("/readyz", get(probes::readyz))
        .route("/assets/{name}", get(assets::serve))
        .merge(access::router())
        .merge(audio::links());
    closed
        .merge(open)
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(CatchPanicLayer::custom(guard::panicked))
        .layer(from_fn(guard::limit_time))
        .layer(from_fn_with_state(Arc::clone(&site), pages::dress))
        .layer(from_fn_with_state(Arc::clone(&site), guard::set_headers))
        .layer(from_fn(guard::count))
        .with_state(site)
}

async fn not_found() -> Refusal {
    Refusal::not_found("there is nothing at this address")
}

async fn method_not_allowed() -> Refusal {
    Refusal::method_not_allowed()
}
