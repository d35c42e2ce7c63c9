//! `GET /api/v1/events`: the log of events, as a live stream that resumes or as pages of JSON.
//!
//! Guarantee: whoever resumes after the last number he saw misses no event and sees none twice.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use callspool_domain::RecordingSid;
use callspool_store::EventFilter;
use http::{HeaderMap, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::event_stream;
use super::shapes::Event;
use crate::web::access::Listener;
use crate::web::params::Params;
use crate::web::refusal::{Problem, Refusal};
use crate::web::site::Site;

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventPage {
    /// Oldest first.
    events: Vec<Event>,
    /// What to give as `after` for the events behind these.
    next: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Stream,
    Page,
}

/// Events
///
/// Server-sent events where `Accept` asks for `text/event-stream`: those after `Last-Event-ID` or `after`, else only new
/// ones, each with its `seq` as id. Else a page of JSON.
#[utoipa::path(
    get, path = "/api/v1/events", operation_id = "show_events", tag = "operation",
    params(
        ("after" = Option<i64>, Query, description = "events after this seq; 0 for all"),
        ("limit" = Option<u32>, Query, description = "of a page: 1 to 200, 50 unless given"),
        ("recording_sid" = Option<String>, Query, description = "only this recording's"),
        ("kind" = Option<String>, Query, description = "only of this kind"),
        ("format" = Option<String>, Query, description = "json or sse, whatever Accept says"),
        ("Last-Event-ID" = Option<i64>, Header, description = "the same as after, as browsers send it"),
    ),
    responses((status = 200, body = EventPage), (status = 400, body = Problem))
)]
pub(super) async fn show(
    State(site): State<Arc<Site>>,
    Listener(actor): Listener,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Response, Refusal> {
    let recording: Option<RecordingSid> = params.parsed("recording_sid")?;
    let filter = EventFilter { recording, kind: params.text("kind")? };
    let (after, last) = (params.parsed("after")?, last_event_id(&headers)?);
    let form = form(&mut params, &headers, after.is_some())?;
    let limit = params.limit()?;
    params.finish()?;
    if form == Form::Page {
        let after: i64 = after.unwrap_or(0);
        let events = site.app.store.events_after(after, limit, filter).await?;
        let next = events.last().map_or(after, |event| event.seq);
        return Ok(Json(EventPage { events: events.into_iter().map(Event::from).collect(), next }).into_response());
    }
    // A browser that comes back repeats its first address, but knows better where it was.
    let after = match last.or(after) {
        Some(seq) => seq,
        None => site.app.store.last_seq().await?,
    };
    Ok(event_stream::open(site, actor, filter, after))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, Refusal> {
    let rule = || Refusal::malformed("Last-Event-ID must be the id of an event");
    let text = headers.get("last-event-id").map(|value| value.to_str().map_err(|_| rule())).transpose()?;
    text.filter(|text| !text.is_empty()).map(|text| text.parse().map_err(|_| rule())).transpose()
}

/// What is asked for by name wins; then `Accept`; then who says where to begin gets a page, who resumes or only listens a
/// stream.
fn form(params: &mut Params, headers: &HeaderMap, after: bool) -> Result<Form, Refusal> {
    let named = |text: &str| match text {
        "json" => Some(Form::Page),
        "sse" => Some(Form::Stream),
        _ => None,
    };
    if let Some(form) = params.word("format", named, "json or sse")? {
        return Ok(form);
    }
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.contains("text/event-stream") || headers.contains_key("last-event-id") {
        return Ok(Form::Stream);
    }
    Ok(if after || accept.contains("application/json") { Form::Page } else { Form::Stream })
}
