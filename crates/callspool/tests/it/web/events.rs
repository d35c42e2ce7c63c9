//! The log of events, live: whoever resumes misses none and sees none twice.

use std::time::Duration;

use callspool_store::{EventFilter, Role};
use serde_json::Value;

use super::Reader;
use crate::harness::{World, story};

/// How long a story waits for a stream; nothing takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A live stream as a browser reads it.
struct Stream {
    response: reqwest::Response,
    text: String,
}

impl Stream {
    async fn open(reader: &Reader<'_>, query: &str, last: Option<i64>) -> Self {
        let url = reader.world.url(&format!("/api/v1/events{query}"));
        let mut request = reader.world.http.get(url).header("authorization", &reader.authorization);
        request = request.header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(
            (response.status().as_u16(), response.headers()["content-type"].as_bytes()),
            (200, &b"text/event-stream"[..])
        );
        Self { response, text: String::new() }
    }

    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<(i64, Value)> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
                if let (Some(id), Some(data)) = (field("id: "), field("data: ")) {
                    return Some((id.parse().expect("a number"), serde_json::from_str(&data).expect("JSON")));
                }
                continue;
            }
            let chunk =
                tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("the stream goes on or ends");
            let chunk = chunk.expect("the stream is whole")?;
            self.text.push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    }

    /// Reads up to this event.
    async fn until(&mut self, seq: i64) -> Vec<i64> {
        let mut seen = Vec::new();
        while seen.last() != Some(&seq) {
            seen.push(self.next().await.expect("the stream goes on").0);
        }
        seen
    }
}

async fn all(world: &World) -> Vec<i64> {
    let events = world.app().store.events_after(0, 1000, EventFilter::default()).await.expect("events");
    events.into_iter().map(|event| event.seq).collect()
}

story! {
    async fn whoever_resumes_misses_no_event_and_sees_none_twice(world: World) {
        let reader = Reader::new(&world, Role::Listener).await;
        world.call("?job=J1").await;
        world.settle().await;
        let mut seen = Vec::new();
        let mut stream = Stream::open(&reader, "?after=0", None).await;
        for _ in 0..3 {
            seen.push(stream.next().await.expect("an event").0);
        }
        drop(stream);
        world.call("?job=J2").await;
        world.settle().await;
        let known = all(&world).await;
        assert!(known.len() > 6, "{known:?}");
        // The browser repeats its first address, and tells where it was.
        let mut stream = Stream::open(&reader, "?after=0", seen.last().copied()).await;
        seen.extend(stream.until(*known.last().expect("events")).await);
        assert_eq!(seen, known);

        world.call("?job=J3").await;
        world.settle().await;
        let known = all(&world).await;
        seen.extend(stream.until(*known.last().expect("events")).await);
        assert_eq!(seen, known, "it is told at once of what happens while it is open");
        world.end().await;
    }
}

story! {
    async fn a_new_stream_begins_now_and_may_follow_one_recording(world: World) {
        let reader = Reader::new(&world, Role::Listener).await;
        world.call("?job=J1").await;
        world.settle().await;
        let before = *all(&world).await.last().expect("events");
        let mut everything = Stream::open(&reader, "", None).await;
        let two = world.call("?job=J2").await;
        let mut one = Stream::open(&reader, &format!("?after=0&recording_sid={}", two.recording_sid), None).await;
        world.call("?job=J3").await;
        world.settle().await;
        assert!(everything.next().await.expect("an event").0 > before);
        for _ in 0..3 {
            let (_, event) = one.next().await.expect("an event");
            assert_eq!(event["recording_sid"], two.recording_sid.as_str());
        }
        world.end().await;
    }
}

story! {
    async fn a_stream_ends_with_the_program(world: World) {
        let reader = Reader::new(&world, Role::Listener).await;
        let mut stream = Stream::open(&reader, "?after=0", None).await;
        stream.next().await.expect("the token's own event");
        let mut world_ends = world;
        let ended = tokio::spawn(async move { while stream.next().await.is_some() {} });
        world_ends.stop().await;
        ended.await.expect("the stream ended without an error");
        world_ends.end().await;
    }
}

story! {
    async fn a_stream_ends_soon_after_its_token_is_revoked(world: World) {
        let reader = Reader::new(&world, Role::Listener).await;
        let mut stream = Stream::open(&reader, "?after=0", None).await;
        stream.next().await.expect("the token's own event");
        for token in world.app().store.list_tokens().await.expect("tokens") {
            world.app().store.revoke_token(&token.id, world.clock.now()).await.expect("revoked");
        }
        world.clock.advance(Duration::from_secs(20));
        while stream.next().await.is_some() {}
        world.end().await;
    }
}

story! {
    async fn events_come_as_pages_of_json_too(world: World) {
        let reader = Reader::new(&world, Role::Listener).await;
        for job in ["?job=J1", "?job=J2"] {
            world.call(job).await;
        }
        world.settle().await;
        let (mut seen, mut after) = (Vec::new(), 0);
        loop {
            let page = reader.get(&format!("/api/v1/events?after={after}&limit=3")).await.json();
            let events = page["events"].as_array().expect("events");
            if events.is_empty() {
                break;
            }
            assert!(events.len() <= 3);
            seen.extend(events.iter().map(|event| event["seq"].as_i64().expect("a number")));
            after = page["next"].as_i64().expect("next");
        }
        assert_eq!(seen, all(&world).await);
        for query in ["?after=x", "?limit=0", "?limit=9999", "?format=xml", "?kinds=x", "?recording_sid=RE1"] {
            assert_eq!(reader.get(&format!("/api/v1/events{query}")).await.code(), "malformed", "{query}");
        }
        world.end().await;
    }
}
