//! The API: one file a thing, each route declared once together with its description.
//!
//! Guarantee: every answer uses one set of names; lists are paged by key, so a page costs the same however long the list is
//! and never shows a row twice; what is not understood in a request is refused by name.

mod calls;
mod cursor;
mod event_stream;
mod events;
mod jobs;
mod queue;
mod recording;
mod recordings;
mod shapes;
mod stats;

use std::sync::Arc;

use axum::routing::get;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::site::Site;
pub(crate) use cursor::{read_recording_cursor, write_recording_cursor};

#[derive(Debug, OpenApi)]
#[openapi(
    info(title = "callspool", description = "Recordings, calls, jobs, the queue and the log of events.", license(name = "Apache-2.0")),
    security(("token" = [])),
    modifiers(&Token)
)]
struct Description;

/// Every route takes an API token as bearer.
struct Token;

impl utoipa::Modify for Token {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        api.components.get_or_insert_default().add_security_scheme("token", scheme);
    }
}

/// The API's routes and their description.
pub(crate) fn router() -> OpenApiRouter<Arc<Site>> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(recordings::list))
        .routes(routes!(recording::show))
        .routes(routes!(recording::retry))
        .routes(routes!(recording::url))
        .routes(routes!(calls::list))
        .routes(routes!(calls::show, calls::tie))
        .routes(routes!(jobs::show))
        .routes(routes!(stats::show))
        .routes(routes!(queue::show))
        .routes(routes!(events::show))
        .route("/api/stats", get(stats::show))
}
