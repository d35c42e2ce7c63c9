//! A refusal as a page.

use maud::{Markup, html};

use super::layout;
use crate::web::refusal::Refusal;
use crate::web::site::Site;

/// Says what happened, in words, and where to go from here.
pub(crate) fn page(site: &Site, refusal: &Refusal) -> Markup {
    let title = match refusal.code {
        "not_available_yet" => "Nothing to play yet",
        "not_found" => "Not here",
        "role_too_low" | "cross_site" => "Not allowed",
        "bad_link" | "link_expired" => "This link does not work",
        "malformed" => "Not understood",
        _ => "That did not work",
    };
    let content = html! {
        section.card.problem {
            h1 { (title) }
            p { (sentence(&refusal.message)) }
            p.quiet { "Code " code { (refusal.code) } }
            p.ways {
                @if let Some(path) = &refusal.see {
                    a.button href=(site.href(path)) { "Where it stands" }
                }
                a.button href=(site.href("/")) { "All recordings" }
            }
        }
    };
    layout::page(site, title, None, None, &content)
}

/// The message with a capital at its front and a full stop at its end.
fn sentence(message: &str) -> String {
    let mut characters = message.chars();
    let front: String = characters.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if message.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{front}{}{end}", characters.as_str())
}
