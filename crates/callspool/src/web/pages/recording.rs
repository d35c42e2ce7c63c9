//! `/recordings/{id}`: one recording in full, with its sound, its history, and why it would or would not be released.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use callspool_domain::Timestamp;
use callspool_domain::line::LineState;
use callspool_domain::recording::Status;
use callspool_store::{RecordingRow, RetryWhat, Role};
use maud::{Markup, html};

use super::layout::{self, Live};
use super::story;
use super::table::badge;
use super::waveform::waveform;
use super::words::{length, moment, size};
use crate::links;
use crate::web::access::{Actor, Listener, Operator};
use crate::web::dossier::Dossier;
use crate::web::params::{Params, Segments, recording_sid, unknown_recording};
use crate::web::refusal::Refusal;
use crate::web::site::Site;

/// So many bars has the large waveform.
const BARS: usize = 400;

pub(crate) async fn show(
    State(site): State<Arc<Site>>,
    Listener(actor): Listener,
    Segments(recording): Segments<String>,
    params: Params,
) -> Result<Response, Refusal> {
    params.finish()?;
    let sid = recording_sid(&recording)?;
    let seq = site.app.store.last_seq().await?;
    let dossier = Dossier::gather(&site.app, &sid).await?.ok_or_else(unknown_recording)?;
    let content = html! {
        p.back { a href=(site.href("/")) { "← All recordings" } }
        h1.sid { (sid) }
        (sound(&site, &dossier.row))
        div id="live" { (body(&site, &actor, &dossier)) }
    };
    let live = Live {
        events: site.href(&format!("/api/v1/events?recording_sid={sid}&after={seq}")),
        fragment: site.href(&format!("/fragments/recordings/{sid}")),
    };
    Ok(layout::answer(layout::page(&site, sid.as_str(), Some(&actor), Some(&live), &content)))
}

/// The part of the page that changes.
pub(crate) async fn fragment(
    State(site): State<Arc<Site>>,
    Listener(actor): Listener,
    Segments(recording): Segments<String>,
    params: Params,
) -> Result<Response, Refusal> {
    params.finish()?;
    let dossier = Dossier::gather(&site.app, &recording_sid(&recording)?).await?.ok_or_else(unknown_recording)?;
    Ok(layout::answer(body(&site, &actor, &dossier)))
}

/// Runs the recording's failed steps again, and comes back.
pub(crate) async fn retry(
    State(site): State<Arc<Site>>,
    Operator(actor): Operator,
    Segments(recording): Segments<String>,
) -> Result<Response, Refusal> {
    let store = &site.app.store;
    let row = store.recording(&recording_sid(&recording)?).await?.ok_or_else(unknown_recording)?;
    let steps = store.retry(RetryWhat::Recording(row.sid.clone()), site.app.clock.now()).await?;
    tracing::info!(recording_sid = %row.sid, actor = actor.name, steps, "retry_asked");
    Ok(Redirect::to(&site.href(&format!("/recordings/{}", row.sid))).into_response())
}

/// The player. It stands outside of what changes, so that nothing interrupts who listens.
fn sound(site: &Site, row: &RecordingRow) -> Markup {
    let copy = links::verified_copy(row);
    if copy.is_none() && !links::is_at_provider(&site.app, row) {
        return if row.status == Status::Sealed {
            sealed()
        } else {
            html! {}
        };
    }
    let path = site.href(&format!("/calls/{}/recording/{}", row.call, row.sid));
    html! {
        section.card.sound aria-label="Audio" {
            @if let Some(audio) = copy.and_then(|copy| copy.audio.as_ref()) {
                div.seek data-seek="true" { (waveform(&audio.peaks, BARS)) div.played {} }
            }
            div.controls {
                audio controls preload="none" src={ (path) "/play" } {}
                a.button href=(path) { "Download" }
            }
        }
    }
}

/// Where the player would be: why there is none.
fn sealed() -> Markup {
    html! {
        section.card aria-label="Sealed" {
            p {
                b { "This recording is sealed." } " Twilio encrypted it with your public key, and it is kept in the archive as it "
                "came. Nobody has been able to check it, so Twilio's copy is not released. It is opened by itself once "
                code { "TWILIO_RECORDING_KEYS" } " names the private key."
            }
        }
    }
}

fn body(site: &Site, actor: &Actor, dossier: &Dossier) -> Markup {
    let now = site.app.clock.now();
    html! {
        section.card.facts { (facts(site, &dossier.row, now)) }
        div.columns {
            section.card { h2 { "Copies" } (copies(site, &dossier.row, now)) }
            section.card { h2 { "Release" } (story::release(dossier, now)) }
        }
        section.card { h2 { "History line" } (line(dossier)) }
        section.card {
            h2 { "Steps" }
            (story::steps(dossier, now))
            @if actor.role >= Role::Operator && dossier.steps.iter().any(|step| step.code.is_some()) {
                form.retry method="post" action=(site.href(&format!("/recordings/{}/retry", dossier.row.sid))) {
                    button type="submit" { "Retry failed steps now" }
                }
            }
        }
        section.card { h2 { "Events" } (story::events(dossier, now)) }
    }
}

fn facts(site: &Site, row: &RecordingRow, now: Timestamp) -> Markup {
    let copy = links::verified_copy(row);
    let audio = copy.and_then(|copy| copy.audio.as_ref());
    let said = row.duration_seconds.map(|seconds| seconds.saturating_mul(1000));
    html! {
        dl {
            (fact("Stands", &html! { (badge(row.status)) @if let Some(reason) = &row.reason { " " (reason) } }))
            @if let Some(copy) = copy.filter(|copy| !copy.findings.is_empty()) {
                (fact("Doubtful", &html! {
                    span.doubt { @for finding in &copy.findings { code { (finding.as_str()) } " " } }
                    @if let Some(at) = copy.accepted_at { "accepted " (moment(at, now)) }
                    @else { "not released until accepted: " code { "callspool accept" } }
                }))
            }
            (fact("Call", &html! {
                a href=(site.href(&format!("/?q={}", row.call))) { span.id { (row.call) } }
            }))
            (fact("Job", &html! { @if let Some(job) = &row.job { (job) } @else { span.quiet { "none yet" } } }))
            (fact("Length", &html! {
                @match audio.map(|audio| audio.duration_ms).or(said) {
                    Some(milliseconds) => (length(milliseconds)),
                    None => span.quiet { "unknown" },
                }
            }))
            @if let Some(audio) = audio {
                (fact("Format", &html! {
                    (audio.format.extension()) ", " (audio.channels.len()) " channel" @if audio.channels.len() != 1 { "s" }
                    ", " (audio.sample_rate) " Hz"
                }))
            }
            (fact("Announced", &moment(row.announced_at, now)))
            @if let Some(at) = row.started_at { (fact("Started", &moment(at, now))) }
            (fact("Provider says", &html! {
                (row.provider_status.as_str())
                @if let Some(source) = &row.provider_source { " · " (source) }
                @if let Some(code) = row.error_code { " · error " (code) }
                @if row.encrypted { " · encrypted" }
                @if let Some(encryption) = &row.encryption { " with " span.id { (encryption.public_key_sid) } }
            }))
            (fact("Account", &html! { span.id { (row.account) } }))
            (fact("Track", &html! { (row.track) " · " (row.source.as_str()) }))
        }
    }
}

fn fact(name: &str, value: &Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

fn copies(site: &Site, row: &RecordingRow, now: Timestamp) -> Markup {
    html! {
        dl {
            (fact("At the provider", &html! {
                @if let Some(at) = row.provider_gone_at { "deleted " (moment(at, now)) }
                @else if links::is_kept_by_provider(&site.app, row) {
                    @if row.encrypted { "there, encrypted" } @else { "there" }
                }
                @else { span.quiet { "no audio" } }
            }))
            @if let Some(sealed) = &row.sealed {
                (fact("Sealed in the archive", &html! {
                    (sealed.state)
                    @if let Some(at) = sealed.verified_at { " " (moment(at, now)) }
                    @if let Some(bytes) = sealed.bytes { " · " (size(bytes)) }
                }))
                (fact("Sealed key", &html! { span.id { (sealed.object_key) } }))
            }
            @match &row.archive {
                None if row.sealed.is_some() => {}
                None => (fact("In the archive", &html! { span.quiet { "not yet" } })),
                Some(copy) => {
                    (fact("In the archive", &html! {
                        (copy.state)
                        @if let Some(at) = copy.verified_at { " " (moment(at, now)) }
                        @if let Some(bytes) = copy.bytes { " · " (size(bytes)) }
                    }))
                    (fact("Key", &html! { span.id { (copy.object_key) } }))
                    @if let Some(sha256) = &copy.sha256 { (fact("SHA-256", &html! { span.id { (sha256) } })) }
                }
            }
        }
    }
}

fn line(dossier: &Dossier) -> Markup {
    html! {
        @match (dossier.row.line, &dossier.line) {
            (Some(LineState::Confirmed), Some(text)) => { pre { code { (text) } } }
            (Some(LineState::Confirmed), None) => { p { "Written to the job and read back." } }
            (Some(LineState::Owed), _) => { p { "Owed: it is being written to the job." } }
            (None, _) if dossier.row.job.is_none() => { p.quiet { "None: the call has no job yet." } }
            (None, _) => { p.quiet { "None yet: it is written once the recording is archived." } }
        }
    }
}
