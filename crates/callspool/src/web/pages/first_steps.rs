//! What the live page says before the first recording: what to do, in order, as this configuration stands.

use callspool_clients::ArchiveConfig;
use maud::{Markup, html};

use crate::web::site::Site;

/// The way to the first recording.
pub(crate) fn first_steps(site: &Site) -> Markup {
    let server = &site.app.config.server;
    let callback = format!("{}/api/twilio/recording", server.app_url);
    let has_account = site.app.accounts().next().is_some();
    let is_public = server.app_url.starts_with("https://");
    html! {
        section.card.first-steps {
            h2 { "No recording yet" }
            p { "This page fills by itself as soon as the first one is announced. What it takes:" }
            ol {
                li.done[has_account] {
                    strong { "Let callspool check who calls. " }
                    @if has_account {
                        "An account is configured; its callbacks are checked by signature."
                    } @else {
                        "Set " code { "TWILIO_ACCOUNT_SID" } " and " code { "TWILIO_AUTH_TOKEN" }
                        " and start again; until then every callback is refused."
                    }
                }
                li.done[is_public] {
                    strong { "Be reachable. " }
                    @if is_public {
                        "Your public address is " code { (server.app_url) } "."
                    } @else {
                        "Set " code { "APP_URL" } " to the address Twilio reaches this server by (now "
                        code { (server.app_url) } ")."
                    }
                }
                li {
                    strong { "Tell Twilio where to report. " }
                    "Give your recordings this callback; " code { "?job=JOB456" } " ties the call to a job at once."
                    pre { code { "recordingStatusCallback=\"" (callback) "\"" } }
                }
                li {
                    strong { "Call. " }
                    "The recording appears here, is copied to " (archive(&site.app.config.archive.place))
                    ", checked, and linked to its job."
                }
            }
            p.quiet { "To see it work without an account: " code { "callspool demo" } }
        }
    }
}

fn archive(place: &ArchiveConfig) -> Markup {
    match place {
        ArchiveConfig::Local { .. } => html! { "the archive folder" },
        ArchiveConfig::Bucket(bucket) => html! { "the bucket " code { (bucket.name()) } },
    }
}
