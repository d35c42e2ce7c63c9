//! The frame of every page.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use maud::{DOCTYPE, Markup, html};

use crate::web::access::Actor;
use crate::web::site::Site;

/// What a page follows while it is open.
#[derive(Debug)]
pub(crate) struct Live {
    /// The stream of events, from where the page was made.
    pub events: String,
    /// The part of the page that is fetched again.
    pub fragment: String,
}

/// A whole page.
pub(crate) fn page(site: &Site, title: &str, actor: Option<&Actor>, live: Option<&Live>, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) " · callspool" }
                link rel="icon" href=(site.href("/assets/icon.svg")) type="image/svg+xml";
                link rel="stylesheet" href=(site.href("/assets/app.css"));
                @if actor.is_some() {
                    script type="module" src=(site.href("/assets/app.js")) {}
                }
            }
            body data-events=[live.map(|live| &live.events)] data-fragment=[live.map(|live| &live.fragment)] {
                a.skip href="#main" { "Skip to content" }
                header.top {
                    a.brand href=(site.href("/")) {
                        img src=(site.href("/assets/icon.svg")) alt="" width="26" height="26";
                        "callspool"
                    }
                    @if live.is_some() {
                        span.follows id="follows" role="status" { "" }
                    }
                    @if let Some(actor) = actor {
                        (who(site, actor))
                    }
                }
                main id="main" { (content) }
            }
        }
    }
}

fn who(site: &Site, actor: &Actor) -> Markup {
    html! {
        div.who {
            span { (actor.name) " " span.role { (actor.role.as_str()) } }
            form method="post" action=(site.href("/sign-out")) {
                button.quiet type="submit" { "Sign out" }
            }
        }
    }
}

/// A page's answer: never kept by anybody, since it shows what only its reader may see.
pub(crate) fn answer(markup: Markup) -> Response {
    let mut response = markup.into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
