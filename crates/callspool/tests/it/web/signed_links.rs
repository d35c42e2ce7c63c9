//! URLs that we sign for the local archive: one recording, until a moment, and nothing else.

use std::time::Duration;

use callspool_store::Role;
use http::Method;

use super::{Answer, Reader, send};
use crate::harness::{World, story};

async fn asked(world: &World, query: &str) -> (String, Answer) {
    let placed = world.call("?job=J").await;
    world.settle().await;
    let path = format!("/api/v1/recordings/{}/url{query}", placed.recording_sid);
    let answer = Reader::new(world, Role::Listener).await.ask(Method::POST, &path, &[]).await;
    (placed.recording_sid.to_string(), answer)
}

/// The path and query of a URL of ours.
fn local(world: &World, url: &str) -> String {
    url.strip_prefix(&world.url("")).expect("a URL of ours").to_owned()
}

story! {
    async fn a_signed_url_plays_without_sign_in_until_it_expires(world: World) {
        let (recording, answer) = asked(&world, "?ttl_seconds=60").await;
        let links = answer.json();
        assert_eq!(links["url"], world.url(&format!("/r/{recording}")));
        assert_eq!(links["expires_at"], "2024-03-15T14:31:22.000000Z");
        let link = local(&world, links["signed_url"].as_str().expect("a signed URL"));

        let whole = send(&world, Method::GET, &link, &[]).await;
        assert_eq!((whole.status, whole.header("content-type")), (200, "audio/wav"));
        let part = send(&world, Method::GET, &link, &[("range", "bytes=0-3")]).await;
        assert_eq!((part.status, part.body.as_slice()), (206, &b"RIFF"[..]));
        world.advance(Duration::from_secs(59)).await;
        assert_eq!(send(&world, Method::GET, &link, &[]).await.status, 200);
        world.advance(Duration::from_secs(1)).await;
        let late = send(&world, Method::GET, &link, &[]).await;
        assert_eq!((late.status, late.code().as_str()), (403, "link_expired"));
        world.end().await;
    }
}

story! {
    async fn a_changed_url_opens_nothing(world: World) {
        let (recording, answer) = asked(&world, "").await;
        let link = local(&world, answer.json()["signed_url"].as_str().expect("a signed URL"));
        let (other, _) = asked(&world, "").await;
        let (path, sig) = link.split_once("&sig=").expect("a signature");
        let expires: i64 = path.split_once("expires=").and_then(|(_, text)| text.parse().ok()).expect("a moment");
        let turned = sig.chars().map(|c| if c == '0' { '1' } else { '0' }).collect::<String>();
        for changed in [
            link.replace(&recording, &other),
            link.replace(&expires.to_string(), &(expires + 1).to_string()),
            link.replace(&expires.to_string(), &i64::MAX.to_string()),
            format!("{path}&sig={turned}"),
            format!("{path}&sig={}", sig.chars().take(10).collect::<String>()),
        ] {
            let answer = send(&world, Method::GET, &changed, &[]).await;
            assert_eq!((answer.status, answer.code().as_str()), (403, "bad_link"), "{changed}");
        }
        let nul = format!("{path}&sig=%00");
        for half in [nul, path.to_owned(), format!("{link}&expires=1"), format!("/r/{recording}?sig={sig}")] {
            assert_eq!(send(&world, Method::GET, &half, &[]).await.status, 400, "{half}");
        }
        assert_eq!(send(&world, Method::GET, &link, &[]).await.status, 200, "the URL itself is good");
        world.end().await;
    }
}

story! {
    async fn links_survive_a_restart_and_live_a_week_at_most(world: World) {
        let (_, answer) = asked(&world, "?ttl_seconds=604800").await;
        let link = local(&world, answer.json()["signed_url"].as_str().expect("a signed URL"));
        for ttl in ["0", "604801", "-1", "soon"] {
            let (_, answer) = asked(&world, &format!("?ttl_seconds={ttl}")).await;
            assert_eq!((answer.status, answer.code().as_str()), (400, "malformed"), "{ttl}");
        }
        let mut world = world;
        world.restart().await;
        assert_eq!(send(&world, Method::GET, &link, &[]).await.status, 200);
        world.end().await;
    }
}

story! {
    async fn making_a_link_and_using_it_are_both_noted(world: World) {
        let (_, answer) = asked(&world, "").await;
        let link = local(&world, answer.json()["signed_url"].as_str().expect("a signed URL"));
        send(&world, Method::GET, &link, &[]).await;
        let events = Reader::new(&world, Role::Listener).await.get("/api/v1/events?kind=audio_accessed&after=0").await.json();
        let noted = events["events"].as_array().expect("events").iter();
        let noted: Vec<_> = noted.map(|event| (event["actor"].as_str().expect("actor"), event["data"]["what"].as_str().expect("what"))).collect();
        assert_eq!(noted, [("story", "link"), ("signed link", "play")]);
        world.end().await;
    }
}
