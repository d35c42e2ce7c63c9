//! What has happened to a recording and what is to happen: its steps, its events, and the gate before its release.

use callspool_domain::{StepState, Timestamp};
use callspool_store::EventRow;
use maud::{Markup, html};
use serde_json::Value;

use super::table::doing;
use super::words::{due, moment};
use crate::web::dossier::Dossier;

/// Whether the provider's copy may be deleted, and why not.
pub(crate) fn release(dossier: &Dossier, now: Timestamp) -> Markup {
    if let Some(at) = dossier.row.provider_gone_at {
        return html! { p { "The provider's copy is gone since " (moment(at, now)) "." } };
    }
    html! {
        @if dossier.closed.is_empty() {
            p { "Open: the provider's copy is deleted next." }
        } @else {
            p { "The provider's copy is kept:" }
            ul { @for reason in &dossier.closed { li { (reason) } } }
        }
        @if let Some(at) = dossier.opens_at.filter(|at| *at > now) { p.quiet { "The delay ends " (moment(at, now)) "." } }
    }
}

/// Every step, with its last failure in words.
pub(crate) fn steps(dossier: &Dossier, now: Timestamp) -> Markup {
    if dossier.steps.is_empty() {
        return html! { p.quiet { "None." } };
    }
    html! {
        table.plain {
            thead { tr { th scope="col" { "Step" } th scope="col" { "State" } th scope="col" { "Due" } th scope="col" { "Last failure" } } }
            tbody {
                @for step in &dossier.steps {
                    tr {
                        td { (doing(step.name)) }
                        td { span class={ "state " (step.state) } { (step.state) } }
                        td { @if step.state == StepState::Waiting { (due(step.due_at, now)) } @else { "–" } }
                        td {
                            @if let Some(code) = step.code { code { (code) } " " span.quiet { (step.failures) "×" } }
                            @if let Some(detail) = &step.detail { div.quiet { (detail) } }
                        }
                    }
                }
            }
        }
    }
}

/// The last events, newest first.
pub(crate) fn events(dossier: &Dossier, now: Timestamp) -> Markup {
    html! {
        ol.events {
            @for event in dossier.events.iter().rev() {
                li {
                    (moment(event.at, now)) " "
                    b { (event.kind.replace('_', " ")) }
                    @if let Some(actor) = &event.actor { " by " (actor) }
                    @if let Some(text) = particulars(event) { div.quiet { (text) } }
                }
            }
        }
    }
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

/// An event's data as `name value · name value`.
fn particulars(event: &EventRow) -> Option<String> {
    let told = event.data.as_object()?.iter().filter(|(_, value)| !is_nothing(value));
    let told: Vec<String> = told
        .map(|(name, value)| match value {
            Value::String(text) => format!("{} {text}", name.replace('_', " ")),
            other => format!("{} {other}", name.replace('_', " ")),
        })
        .collect();
    (!told.is_empty()).then(|| told.join(" · "))
}
