//! Hearing a recording: ranges, copies, redirects, and an event each time.

use callspool_domain::RecordingSid;
use callspool_sandbox::twilio::{PlaceCall, PlacedCall, Route, Word};
use callspool_sandbox::{Fault, S3, S3Options};
use callspool_store::{EventRow, Role, kind};
use http::{Method, StatusCode};

use super::{Reader, send};
use crate::harness::{Bucket, Kind, World, story};

/// The path that downloads a recording.
fn path(placed: &PlacedCall) -> String {
    format!("/calls/{}/recording/{}", placed.call_sid, placed.recording_sid)
}

/// What lies in the archive folder.
fn archived_bytes(world: &World) -> Vec<u8> {
    let files = world.archive_files();
    let [key] = files.as_slice() else { panic!("one file expected: {files:?}") };
    std::fs::read(world.folder.path().join("archive").join(key)).expect("the file")
}

async fn accesses(world: &World, recording: &RecordingSid) -> Vec<EventRow> {
    let events = world.app().store.recording_events(recording, 100).await.expect("events");
    events.into_iter().filter(|event| event.kind == kind::AUDIO_ACCESSED).collect()
}

story! {
    async fn any_part_of_an_archived_recording_can_be_had(world: World) {
        let placed = world.call("?job=J").await;
        world.settle().await;
        let whole = archived_bytes(&world);
        let size = whole.len();
        let reader = Reader::new(&world, Role::Listener).await;
        let answer = reader.get(&path(&placed)).await;
        assert_eq!((answer.status, answer.body == whole), (200, true));
        assert_eq!(answer.header("content-length"), size.to_string());
        assert_eq!(answer.header("content-type"), "audio/wav");
        assert_eq!(answer.header("accept-ranges"), "bytes");
        let name = format!("attachment; filename=\"{}-{}.wav\"", placed.call_sid, placed.recording_sid);
        assert_eq!(answer.header("content-disposition"), name);
        let tag = answer.header("etag").to_owned();

        let play = format!("{}/play", path(&placed));
        assert!(reader.get(&play).await.header("content-disposition").starts_with("inline;"));
        for (range, expected) in [
            ("bytes=0-99".to_owned(), 0..100),
            (format!("bytes={}-", size - 7), size - 7..size),
            ("bytes=-5".to_owned(), size - 5..size),
            (format!("bytes=100-{}", size * 2), 100..size),
        ] {
            let answer = reader.ask(Method::GET, &play, &[("range", &range)]).await;
            assert_eq!((answer.status, answer.body == whole[expected.clone()]), (206, true), "{range}");
            let content_range = format!("bytes {}-{}/{size}", expected.start, expected.end - 1);
            assert_eq!(answer.header("content-range"), content_range, "{range}");
        }
        for range in [format!("bytes={size}-"), "bytes=-0".to_owned()] {
            let answer = reader.ask(Method::GET, &play, &[("range", &range)]).await;
            assert_eq!((answer.status, answer.header("content-range")), (416, format!("bytes */{size}").as_str()), "{range}");
        }
        let part = [("range", "bytes=0-9")];
        let newest = reader.ask(Method::GET, &play, &[part[0], ("if-range", &tag)]).await;
        let other = reader.ask(Method::GET, &play, &[part[0], ("if-range", "\"other\"")]).await;
        assert_eq!((newest.status, other.status), (206, 200));
        assert_eq!(reader.ask(Method::GET, &play, &[("if-none-match", &tag)]).await.status, 304);
        world.end().await;
    }
}

story! {
    async fn every_time_audio_is_given_an_event_says_to_whom(world: World) {
        let placed = world.call("?job=J").await;
        world.settle().await;
        let reader = Reader::new(&world, Role::Listener).await;
        let head = reader.ask(Method::HEAD, &path(&placed), &[]).await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.header("content-length"), archived_bytes(&world).len().to_string());
        assert_eq!(accesses(&world, &placed.recording_sid).await, [], "HEAD gives no audio");

        reader.get(&path(&placed)).await;
        reader.ask(Method::GET, &format!("{}/play", path(&placed)), &[("range", "bytes=1-2")]).await;
        send(&world, Method::GET, &path(&placed), &[]).await;
        let events = accesses(&world, &placed.recording_sid).await;
        let what: Vec<_> = events.iter().map(|event| event.data["what"].as_str().expect("what")).collect();
        assert_eq!(what, ["download", "play"]);
        assert!(events.iter().all(|event| event.actor.as_deref() == Some("story") && event.data["token_id"].is_string()));
        world.end().await;
    }
}

story! {
    async fn the_permanent_link_leads_to_the_audio(world: World) {
        let placed = world.call("?job=J").await;
        world.settle().await;
        let reader = Reader::new(&world, Role::Listener).await;
        let answer = reader.get(&format!("/r/{}", placed.recording_sid)).await;
        assert_eq!((answer.status, answer.header("cache-control")), (302, "no-store"));
        assert_eq!(answer.header("location"), format!("{}/play", path(&placed)));
        assert_eq!(reader.get(answer.header("location")).await.body, archived_bytes(&world));
        world.end().await;
    }
}

story! {
    async fn a_recording_is_found_only_under_its_own_call(world: World) {
        let (one, other) = (world.call("").await, world.call("").await);
        world.settle().await;
        let reader = Reader::new(&world, Role::Admin).await;
        let crossed = format!("/calls/{}/recording/{}", one.call_sid, other.recording_sid);
        for path in [crossed.clone(), format!("{crossed}/play")] {
            let answer = reader.get(&path).await;
            assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"));
        }
        assert_eq!(reader.get(&format!("/r/RE{}", "0".repeat(32))).await.code(), "not_found");
        world.end().await;
    }
}

story! {
    async fn before_it_is_archived_the_providers_copy_plays(world: World) {
        world.twilio.faults().next(Route::Media, Fault::status(StatusCode::SERVICE_UNAVAILABLE));
        let placed = world.call("?job=J").await;
        world.settle().await;
        assert_eq!(world.archive_files(), Vec::<String>::new(), "the first attempt to archive it failed");
        let reader = Reader::new(&world, Role::Listener).await;
        let link = reader.get(&format!("/r/{}", placed.recording_sid)).await;
        assert_eq!(link.header("location"), format!("{}/play", path(&placed)));
        let answer = reader.get(&path(&placed)).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "audio/wav"));
        world.advance(std::time::Duration::from_secs(60)).await;
        assert_eq!(answer.body, archived_bytes(&world), "the archived bytes are the same");
        assert_eq!(accesses(&world, &placed.recording_sid).await.len(), 1);
        world.end().await;
    }
}

story! {
    async fn what_can_not_be_played_yet_says_where_it_stands(world: World) {
        let mut place = PlaceCall::new(world.account(), world.url("/api/twilio/recording"), World::speech());
        place.statuses = vec![Word::InProgress];
        let placed = world.twilio.place_call(place).await;
        world.settle().await;
        let reader = Reader::new(&world, Role::Listener).await;
        let link = format!("/r/{}", placed.recording_sid);
        for path in [&link, &path(&placed)] {
            let answer = reader.get(path).await;
            assert_eq!((answer.status, answer.code().as_str()), (404, "not_available_yet"), "{path}");
            assert!(answer.text().contains("in-progress"), "{}", answer.text());
        }
        let page = reader.ask(Method::GET, &link, &[("accept", "text/html")]).await;
        assert_eq!((page.status, page.header("content-type")), (404, "text/html; charset=utf-8"));
        assert!(page.text().contains(&format!("/recordings/{}", placed.recording_sid)), "{}", page.text());
        world.end().await;
    }
}

async fn on_s3(kind: Kind) {
    let Some(mut world) = World::prepare(kind).await else { return };
    let s3 = S3::start(S3Options::default()).await.expect("the stand-in starts");
    world.set("ARCHIVE_URL", "s3://recordings/kept");
    world.set("S3_ENDPOINT", s3.base_url());
    world.set("AWS_ACCESS_KEY_ID", "sandbox");
    world.set("AWS_SECRET_ACCESS_KEY", "sandbox-secret");
    world.boot().await;
    let placed = world.call("?job=J").await;
    world.settle().await;
    let reader = Reader::new(&world, Role::Listener).await;
    let through = reader.get(&format!("{}?proxy=1", path(&placed))).await;
    assert_eq!(through.status, 200, "{}", through.text());
    let part = reader.ask(Method::GET, &format!("{}/play?proxy=1", path(&placed)), &[("range", "bytes=5-9")]).await;
    assert_eq!((part.status, part.body.as_slice()), (206, &through.body[5..10]));
    for path in [format!("/r/{}", placed.recording_sid), path(&placed), format!("{}/play", path(&placed))] {
        let answer = reader.get(&path).await;
        assert_eq!((answer.status, answer.header("cache-control")), (302, "no-store"), "{path}");
        let location = answer.header("location");
        assert!(location.starts_with(s3.base_url()), "{path}");
        let policy = answer.header("content-security-policy");
        assert!(policy.contains(&format!("media-src 'self' {}", s3.base_url())), "{policy}");
        let direct = super::Answer::of(world.http.get(location).send().await.expect("the store answers")).await;
        assert_eq!((direct.status, direct.body == through.body), (200, true), "{path}");
        let word = if path.ends_with(placed.recording_sid.as_str()) && path.starts_with("/calls") {
            "attachment"
        } else {
            "inline"
        };
        assert!(direct.header("content-disposition").starts_with(word), "{path}");
    }
    assert_eq!(accesses(&world, &placed.recording_sid).await.len(), 5);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_s3_audio_comes_by_a_fresh_signed_url_or_through_us() {
    on_s3(Kind::Sqlite).await;
}

story! {
    async fn a_url_into_the_bucket_is_given_to_nobody_without_an_event(world: World, bucket: Bucket) {
        let placed = world.call("?job=J").await;
        world.settle().await;
        let reader = Reader::new(&world, Role::Listener).await;
        let sid = &placed.recording_sid;
        let paths = [format!("/r/{sid}"), path(&placed), format!("{}/play", path(&placed))];
        for (method, before) in [(Method::HEAD, 0), (Method::GET, paths.len())] {
            for (n, path) in paths.iter().enumerate() {
                let answer = reader.ask(method.clone(), path, &[]).await;
                assert_eq!((answer.status, answer.header("location").is_empty()), (302, false), "{method} {path}");
                assert_eq!(accesses(&world, sid).await.len(), before + n + 1, "{method} {path}");
            }
        }
        bucket.end(world).await;
    }
}
