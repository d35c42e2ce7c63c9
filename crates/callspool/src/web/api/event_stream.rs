//! The live stream of events: woken by the ledger, with a poll behind it, a page at a time.
//!
//! It ends when the process does, when its reader goes, and when the reader's token or session is no good any more. A slow
//! reader is not read ahead for, so a stream holds one page at most.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use callspool_domain::Timestamp;
use callspool_store::{EventFilter, EventRow};
use futures::stream;
use http::{HeaderValue, header};
use tokio::sync::watch;

use super::shapes::Event;
use crate::web::access::Actor;
use crate::web::site::Site;

/// So many events are read and sent at once.
const PAGE: u32 = 100;
/// How often new events are looked for although nobody told.
const POLL: Duration = Duration::from_secs(1);
/// How often a stream says that it is alive, and asks whether its reader still has access.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a reader should wait before it comes back.
const COME_BACK: &str = "retry: 1000\n\n";

struct Stream {
    site: Arc<Site>,
    actor: Actor,
    filter: EventFilter,
    after: i64,
    changed: watch::Receiver<u64>,
    next_heartbeat: Timestamp,
}

/// Opens a stream of the events after a number.
pub(super) fn open(site: Arc<Site>, actor: Actor, filter: EventFilter, after: i64) -> Response {
    let changed = site.app.store.events_changed();
    let next_heartbeat = site.app.clock.now() + HEARTBEAT;
    let first = Stream { site, actor, filter, after, changed, next_heartbeat };
    let greeting = stream::once(async { Ok::<_, Infallible>(Bytes::from_static(COME_BACK.as_bytes())) });
    let events = stream::unfold(first, async |mut stream| stream.next().await.map(|chunk| (Ok(chunk), stream)));
    let body = Body::from_stream(futures::StreamExt::chain(greeting, events));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // Proxies that gather answers before they pass them on (nginx) let this one through.
        (header::HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, body).into_response()
}

impl Stream {
    /// The next events as text, or a heartbeat; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        let app = Arc::clone(&self.site.app);
        loop {
            if app.shutdown.is_cancelled() {
                return None;
            }
            let now = app.clock.now();
            if now >= self.next_heartbeat {
                self.next_heartbeat = now + HEARTBEAT;
                return self.actor.is_still_good(&self.site).await.then(|| Bytes::from_static(b": alive\n\n"));
            }
            self.changed.mark_unchanged();
            match app.store.events_after(self.after, PAGE, self.filter.clone()).await {
                Ok(events) if !events.is_empty() => {
                    self.after = events.last().map_or(self.after, |event| event.seq);
                    return Some(events.into_iter().map(text).collect::<String>().into());
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "events could not be read for a live stream; trying again"),
            }
            tokio::select! {
                changed = self.changed.changed() => changed.ok()?,
                () = app.sleep_until(now + POLL) => {}
                () = app.shutdown.cancelled() => return None,
            }
        }
    }
}

/// One event in the format of <https://html.spec.whatwg.org/multipage/server-sent-events.html>. JSON has no line breaks.
fn text(row: EventRow) -> String {
    let event = Event::from(row);
    let data = serde_json::to_string(&event).unwrap_or_default();
    format!("id: {}\ndata: {data}\n\n", event.seq)
}
