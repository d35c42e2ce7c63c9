//! `/`: every recording and where it stands, live.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use callspool_domain::recording::Status;
use callspool_domain::{CallSid, JobId, RecordingSid};
use callspool_store::{RecordingCursor, RecordingFilter, Role};
use maud::{Markup, html};

use super::first_steps::first_steps;
use super::layout::{self, Live};
use super::summary::Summary;
use super::table::{Row, table};
use crate::web::access::{Actor, Listener};
use crate::web::api::{read_recording_cursor, write_recording_cursor};
use crate::web::dossier::awaited_step;
use crate::web::params::Params;
use crate::web::refusal::Refusal;
use crate::web::site::Site;

/// So many recordings are on a page.
const PAGE: u32 = 40;

/// What the page shows, as its address says.
#[derive(Debug, Default)]
struct View {
    status: Option<Status>,
    search: Option<String>,
    after: Option<String>,
}

pub(crate) async fn show(
    State(site): State<Arc<Site>>,
    Listener(actor): Listener,
    params: Params,
) -> Result<Response, Refusal> {
    let view = View::read(params)?;
    if let Some(recording) = view.search.as_deref().and_then(|text| RecordingSid::parse(text).ok()) {
        return Ok(Redirect::to(&site.href(&format!("/recordings/{recording}"))).into_response());
    }
    // Read before the rows, so that what happens between shows twice rather than never.
    let seq = site.app.store.last_seq().await?;
    let content = html! {
        h1.hidden { "Recordings" }
        div id="live" { (content(&site, &actor, &view).await?) }
        (player())
    };
    let live = Live {
        events: site.href(&format!("/api/v1/events?after={seq}")),
        fragment: site.href(&format!("/fragments/recordings?{}", view.query(view.after.as_deref()))),
    };
    Ok(layout::answer(layout::page(&site, "Recordings", Some(&actor), Some(&live), &content)))
}

/// The part of the page that changes.
pub(crate) async fn fragment(
    State(site): State<Arc<Site>>,
    Listener(actor): Listener,
    params: Params,
) -> Result<Response, Refusal> {
    let view = View::read(params)?;
    Ok(layout::answer(content(&site, &actor, &view).await?))
}

async fn content(site: &Site, actor: &Actor, view: &View) -> Result<Markup, Refusal> {
    let summary = Summary::read(&site.app).await?;
    let now = site.app.clock.now();
    let (rows, next) = view.rows(site).await?;
    let may_retry = actor.role >= Role::Operator;
    Ok(html! {
        (summary.show(site, view.status, now))
        @if summary.is_empty() {
            (first_steps(site))
        } @else {
            (view.form(site))
            @if rows.is_empty() {
                p.card.nothing { "No recording matches. " a href=(site.href("/")) { "Show all" } }
            } @else {
                (table(site, &rows, may_retry, now))
            }
            (view.pages(site, next.as_deref()))
        }
    })
}

/// Where a recording plays that is picked from the table; the page's script fills it.
fn player() -> Markup {
    html! {
        aside.player id="player" aria-label="Player" hidden {
            span.title {}
            audio controls preload="none" {}
            button.quiet type="button" aria-label="Close the player" { "✕" }
        }
    }
}

impl View {
    fn read(mut params: Params) -> Result<Self, Refusal> {
        let words = "announced, archived, sealed, absent, failed, missing or expired";
        let status = params.word("status", Status::parse, words)?;
        let search = params.text("q")?.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let after = params.text("after")?;
        params.finish()?;
        Ok(Self { status, search, after })
    }

    /// The recordings to show, and where the next page begins.
    async fn rows(&self, site: &Site) -> Result<(Vec<Row>, Option<String>), Refusal> {
        let Some(filter) = self.filter() else { return Ok((Vec::new(), None)) };
        let after: Option<RecordingCursor> = self.after.as_deref().map(read_recording_cursor).transpose()?;
        let mut recordings = site.app.store.list_recordings(filter, after, PAGE + 1).await?;
        let more = recordings.len() > PAGE as usize;
        recordings.truncate(PAGE as usize);
        let next = recordings.last().filter(|_| more).map(write_recording_cursor);
        let mut rows = Vec::with_capacity(recordings.len());
        for recording in recordings {
            let awaited = awaited_step(&site.app, &recording).await?;
            rows.push(Row { recording, awaited });
        }
        Ok((rows, next))
    }

    /// What is searched for is a call or a job. `None`: nothing can match.
    fn filter(&self) -> Option<RecordingFilter> {
        let mut filter = RecordingFilter { status: self.status, ..RecordingFilter::default() };
        match &self.search {
            None => {}
            Some(text) => match CallSid::parse(text) {
                Ok(call) => filter.call = Some(call),
                Err(_) => filter.job = Some(JobId::parse(text).ok()?),
            },
        }
        Some(filter)
    }

    /// The address of this view, from a place on.
    fn query(&self, after: Option<&str>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(status) = self.status {
            query.append_pair("status", status.as_str());
        }
        if let Some(search) = &self.search {
            query.append_pair("q", search);
        }
        if let Some(after) = after {
            query.append_pair("after", after);
        }
        query.finish()
    }

    fn form(&self, site: &Site) -> Markup {
        html! {
            form.filter method="get" action=(site.href("/")) role="search" {
                label.hidden for="status" { "Status" }
                select id="status" name="status" {
                    option value="" { "Every status" }
                    @for status in Status::ALL {
                        option value=(status) selected[self.status == Some(*status)] { (status) }
                    }
                }
                label.hidden for="q" { "Job, call or recording" }
                input id="q" name="q" type="search" placeholder="Job, CA… or RE…" value=[self.search.as_deref()];
                button type="submit" { "Filter" }
                @if self.status.is_some() || self.search.is_some() {
                    a.quiet href=(site.href("/")) { "Clear" }
                }
            }
        }
    }

    fn pages(&self, site: &Site, next: Option<&str>) -> Markup {
        html! {
            nav.pages aria-label="Pages" {
                @if self.after.is_some() {
                    a href=(site.href(&format!("/?{}", self.query(None)))) { "← Newest" }
                }
                @if let Some(next) = next {
                    a.older href=(site.href(&format!("/?{}", self.query(Some(next))))) { "Older →" }
                }
            }
        }
    }
}
