//! The sign-in page: takes an API token, once.

use axum::response::Response;
use maud::html;

use super::layout;
use crate::web::site::Site;

/// The page that takes a token and goes on to `next`. `trouble` says why the last one was not taken.
pub(crate) fn sign_in(site: &Site, next: &str, trouble: Option<&str>) -> Response {
    let content = html! {
        section.card.sign-in {
            h1 { "Sign in" }
            p { "Enter an API token. It is asked for once; you stay signed in for 12 hours." }
            @if let Some(trouble) = trouble {
                p.trouble role="alert" { (trouble) }
            }
            form method="post" action=(site.href("/sign-in")) {
                input type="hidden" name="next" value=(next);
                label for="token" { "Token" }
                input id="token" name="token" type="password" autocomplete="current-password" required autofocus
                    spellcheck="false" placeholder="cs_…";
                button.main type="submit" { "Sign in" }
            }
            p.quiet {
                "No token yet? On the machine callspool runs on: "
                code { "callspool token create --name you --role operator" }
            }
        }
    };
    layout::answer(layout::page(site, "Sign in", None, None, &content))
}
