//! The table of recordings: one row each, with where it stands, what it waits for, and its sound.

use callspool_domain::line::LineState;
use callspool_domain::recording::Status;
use callspool_domain::{StepName, StepState, Timestamp};
use callspool_store::{RecordingRow, StepRow};
use maud::{Markup, html};

use super::waveform::waveform;
use super::words::{due, length, moment, short};
use crate::links;
use crate::web::site::Site;

/// So many bars has a row's waveform.
const BARS: usize = 72;

/// A recording and what it waits for.
#[derive(Debug)]
pub(crate) struct Row {
    /// The recording.
    pub recording: RecordingRow,
    /// The step it waits for most.
    pub awaited: Option<StepRow>,
}

/// The table.
pub(crate) fn table(site: &Site, rows: &[Row], may_retry: bool, now: Timestamp) -> Markup {
    html! {
        table.recordings {
            thead {
                tr {
                    th scope="col" { "Recording" }
                    th scope="col" { "Stands" }
                    th scope="col" { "Call and job" }
                    th scope="col" { "Audio" }
                    th scope="col" { "Next" }
                }
            }
            tbody {
                @for row in rows { (tr(site, row, may_retry, now)) }
            }
        }
    }
}

fn tr(site: &Site, row: &Row, may_retry: bool, now: Timestamp) -> Markup {
    let recording = &row.recording;
    html! {
        tr {
            td.what {
                a href=(site.href(&format!("/recordings/{}", recording.sid))) { (short(recording.sid.as_str())) }
                small { (moment(recording.announced_at, now)) }
            }
            td.stands {
                (badge(recording.status))
                small { (standing(recording)) }
            }
            td.whose {
                span { @if let Some(job) = &recording.job { span.job { (job) } } @else { span.quiet { "no job" } } }
                small { (short(recording.call.as_str())) }
            }
            td.audio { (audio(site, recording)) }
            td.next { (next(site, row, may_retry, now)) }
        }
    }
}

/// Where it stands, as one coloured word.
pub(crate) fn badge(status: Status) -> Markup {
    html! { span class={ "badge " (status) } { (status) } }
}

/// What has become of it besides.
fn standing(recording: &RecordingRow) -> Markup {
    let doubtful =
        recording.archive.as_ref().is_some_and(|copy| !copy.findings.is_empty() && copy.accepted_at.is_none());
    html! {
        @if recording.status == Status::Archived {
            @if doubtful { span.doubt { "doubtful · " } }
            @match recording.line {
                Some(LineState::Confirmed) => "linked",
                Some(LineState::Owed) => "being linked",
                None => "not linked",
            }
            @if recording.provider_gone_at.is_some() { " · released" }
        } @else if let Some(reason) = &recording.reason {
            (reason)
        } @else {
            "provider: " (recording.provider_status.as_str())
        }
    }
}

/// True where a person must say whether it is good.
fn is_doubtful(recording: &RecordingRow) -> bool {
    links::verified_copy(recording).is_some_and(|copy| !copy.findings.is_empty() && copy.accepted_at.is_none())
}

fn audio(site: &Site, recording: &RecordingRow) -> Markup {
    let copy = links::verified_copy(recording);
    let measured = copy.and_then(|copy| copy.audio.as_ref());
    let milliseconds = measured
        .map(|audio| audio.duration_ms)
        .or(recording.duration_seconds.map(|seconds| seconds.saturating_mul(1000)));
    let playable = copy.is_some() || links::is_at_provider(&site.app, recording);
    let path = format!("/calls/{}/recording/{}/play", recording.call, recording.sid);
    html! {
        div.clip {
            @if playable {
                a.play href=(site.href(&path)) data-play=(recording.sid) aria-label={ "Play " (recording.sid) } {
                    svg viewBox="0 0 16 16" aria-hidden="true" { path d="M4 2.5v11l9-5.5z" {} }
                }
            }
            @if let Some(audio) = measured { (waveform(&audio.peaks, BARS)) }
            @if let Some(milliseconds) = milliseconds { span.length { (length(milliseconds)) } }
        }
    }
}

fn next(site: &Site, row: &Row, may_retry: bool, now: Timestamp) -> Markup {
    let Some(step) = &row.awaited else {
        let waits_for_a_person = is_doubtful(&row.recording) && site.app.store.policy().delete_after.is_some();
        return html! {
            @if waits_for_a_person { b.parked { "needs you" } small { "accept it, or keep both copies" } }
            @else { span.quiet.nothing-next { "–" } }
        };
    };
    let action = site.href(&format!("/recordings/{}/retry", row.recording.sid));
    html! {
        div.step {
            span {
                (doing(step.name)) " "
                @match step.state {
                    StepState::Running => span.running { "now" },
                    StepState::Parked => b.parked { "needs you" },
                    _ => (due(step.due_at, now)),
                }
            }
            @if let Some(code) = step.code {
                small title=[step.detail.as_deref()] { code { (code) } " " span.quiet { (step.failures) "×" } }
            }
        }
        @if step.code.is_some() && may_retry && step.state != StepState::Running {
            form.retry method="post" action=(action) { button type="submit" { "Retry" } }
        }
    }
}

/// A step as what happens.
pub(crate) fn doing(step: StepName) -> &'static str {
    match step {
        StepName::Archive => "archive",
        StepName::Record => "start recording",
        StepName::Stop => "stop recording",
        StepName::FindJob => "find the job",
        StepName::Link => "link to the job",
        StepName::Release => "release",
        StepName::Scan => "compare with the provider",
    }
}
