//! Lists, filters, and ids that want to be something else.

use std::collections::BTreeSet;
use std::time::Duration;

use callspool_store::Role;
use http::Method;
use serde_json::{Value, json};

use super::{Answer, Reader};
use crate::harness::{World, story};

fn sids(page: &Value) -> Vec<String> {
    let rows = page["recordings"].as_array().expect("recordings").iter();
    rows.map(|row| row["recording_sid"].as_str().expect("a sid").to_owned()).collect()
}

story! {
    async fn pages_show_every_recording_once_whatever_is_announced_meanwhile(world: World) {
        let mut expected = BTreeSet::new();
        for n in 0..7 {
            // Some are announced at the same moment, so that the moment alone can't order them.
            if n == 3 || n == 6 {
                world.clock.advance(Duration::from_secs(1));
            }
            expected.insert(world.call("").await.recording_sid.to_string());
        }
        world.settle().await;
        let reader = Reader::new(&world, Role::Listener).await;
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = reader.get(&format!("/api/v1/recordings?limit=2{after}")).await.json();
            seen.extend(sids(&page));
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
            world.clock.advance(Duration::from_secs(1));
            world.call("").await;
        }
        assert_eq!(seen.len(), 7, "{seen:?}");
        assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), expected);
        world.end().await;
    }
}

story! {
    async fn recordings_are_found_by_every_filter(world: World) {
        let one = world.call("?job=JOB/1").await;
        world.advance(Duration::from_secs(3600)).await;
        let two = world.call("?job=JOB2").await;
        world.settle().await;
        let reader = Reader::new(&world, Role::Listener).await;
        let (one, two) = ((one.recording_sid.to_string(), one.call_sid), (two.recording_sid.to_string(), two.call_sid));
        for (query, expected) in [
            ("".to_owned(), vec![&two.0, &one.0]),
            ("?job_id=JOB%2F1".to_owned(), vec![&one.0]),
            (format!("?call_sid={}", two.1), vec![&two.0]),
            ("?status=archived".to_owned(), vec![&two.0, &one.0]),
            ("?status=missing".to_owned(), vec![]),
            ("?provider_status=completed&job_id=JOB2".to_owned(), vec![&two.0]),
            (format!("?account_sid={}", world.account()), vec![&two.0, &one.0]),
            ("?since=2024-03-15T15:00:00Z".to_owned(), vec![&two.0]),
            ("?until=2024-03-15T15:00:00Z&since=2024-03-15".to_owned(), vec![&one.0]),
        ] {
            let answer = reader.get(&format!("/api/v1/recordings{query}")).await;
            assert_eq!(sids(&answer.json()).iter().collect::<Vec<_>>(), expected, "{query}");
        }
        world.end().await;
    }
}

story! {
    async fn what_is_not_understood_is_refused_by_name(world: World) {
        let reader = Reader::new(&world, Role::Listener).await;
        for (query, named) in [
            ("?stauts=archived", "stauts"),
            ("?status=gone", "status"),
            ("?call_sid=CA1", "call_sid"),
            ("?job_id=J%00B", "job_id"),
            ("?provider_status=completed%00", "provider_status"),
            ("?since=soon", "since"),
            ("?limit=201", "limit"),
            ("?limit=1&limit=2", "limit"),
            ("?after=bm90IG91cnM", "after"),
        ] {
            let answer = reader.get(&format!("/api/v1/recordings{query}")).await;
            assert_eq!((answer.status, answer.code().as_str()), (400, "malformed"), "{query}");
            assert!(answer.json()["error"]["message"].as_str().expect("a message").contains(named), "{}", answer.text());
        }
        world.end().await;
    }
}

story! {
    async fn one_recording_is_told_in_the_names_of_the_interface(world: World) {
        let placed = world.call("?job=JOB1&source=Desk").await;
        world.settle().await;
        let reader = Reader::new(&world, Role::Listener).await;
        let told = reader.get(&format!("/api/v1/recordings/{}", placed.recording_sid)).await.json();
        for (name, expected) in [
            ("recording_sid", json!(placed.recording_sid)),
            ("call_sid", json!(placed.call_sid)),
            ("job_id", json!("JOB1")),
            ("account_sid", json!(world.account())),
            ("track", json!("mixed")),
            ("source", json!("Desk")),
            ("status", json!("archived")),
            ("provider_status", json!("completed")),
            ("duration_seconds", json!(10.0)),
            ("channels", json!(2)),
            ("url", json!(world.url(&format!("/r/{}", placed.recording_sid)))),
        ] {
            assert_eq!(told[name], expected, "{name}");
        }
        assert_eq!(told["sha256"].as_str().map(str::len), Some(64));
        assert!(told["bytes"].as_u64().is_some_and(|bytes| bytes > 0));
        assert_eq!(told["line"]["state"], "confirmed");
        assert_eq!(told["release"]["open"], false);
        assert!(told["release"]["reasons"][0].as_str().expect("a reason").contains("TWILIO_DELETE_AFTER"));
        assert_eq!(told["copies"].as_array().map(Vec::len), Some(2));
        let stats = reader.get("/api/stats").await.json();
        assert_eq!((&stats["recordings"]["archived"], &stats["lines_confirmed"]), (&json!(1), &json!(1)));
        world.end().await;
    }
}

story! {
    async fn a_job_may_be_called_anything(world: World) {
        let reader = Reader::new(&world, Role::Listener).await;
        for job in ["a/b?c#d", "quote \" and ' and `", "line\nbreak\ttab", "=HYPERLINK(\"x\")", "ünïcödé 日本", "..%2F", "%2F", &"x".repeat(512)] {
            let call = world.twilio.new_call_sid();
            let (status, body) = world.put(&format!("/api/v1/calls/{call}"), json!({ "job_id": job })).await;
            assert_eq!((status, &body["job_id"]), (200, &json!(job)), "{body}");
            let encoded: String = job.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let told = reader.get(&format!("/api/v1/jobs/{encoded}")).await.json();
            assert_eq!((&told["job_id"], &told["calls"]), (&json!(job), &json!([call])), "{told}");
            let told = reader.get(&format!("/api/v1/calls?job_id={encoded}")).await.json();
            assert_eq!(told["calls"][0]["tied_by"], "put", "{told}");
        }
        world.end().await;
    }
}

story! {
    async fn hostile_ids_find_nothing_and_break_nothing(world: World) {
        let placed = world.call("").await;
        world.settle().await;
        let (call, recording) = (placed.call_sid, placed.recording_sid);
        let reader = Reader::new(&world, Role::Admin).await;
        let ids = [
            "..%2F..%2Fetc%2Fpasswd", "%00", "%FF%FE", "RE%27%3B%20DROP%20TABLE", "a%0D%0Ax-evil:1", "%3Cscript%3E",
            &format!("{recording}%00"), &format!("{recording}.wav"), &"x".repeat(5000),
        ];
        for id in ids {
            for path in [
                format!("/r/{id}"),
                format!("/recordings/{id}"),
                format!("/api/v1/recordings/{id}"),
                format!("/api/v1/calls/{id}"),
                format!("/api/v1/jobs/{id}"),
                format!("/calls/{id}/recording/{recording}"),
                format!("/calls/{call}/recording/{id}/play"),
                format!("/assets/{id}"),
                format!("/sign-in/{id}"),
            ] {
                let answer = reader.get(&path).await;
                let refused = matches!(answer.status, 400 | 404) && !answer.code().is_empty();
                let ticket = path.starts_with("/sign-in/") && answer.status == 303 && answer.header("set-cookie").is_empty();
                assert!(refused || ticket, "{path}: {} {}", answer.status, answer.text());
                assert!(!answer.headers.contains_key("x-evil"), "{path}");
            }
            let answer = reader.ask(Method::POST, &format!("/api/v1/recordings/{id}/retry"), &[]).await;
            assert!(matches!(answer.status, 400 | 404), "{id}: {}", answer.status);
        }
        world.end().await;
    }
}

story! {
    async fn a_giant_body_is_refused(world: World) {
        let reader = Reader::new(&world, Role::Operator).await;
        let call = world.twilio.new_call_sid();
        let body = format!("{{\"job_id\": \"{}\"}}", "x".repeat(70_000));
        let request = world.http.put(world.url(&format!("/api/v1/calls/{call}"))).header("authorization", &reader.authorization);
        let answer = Answer::of(request.body(body).send().await.expect("an answer")).await;
        assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"));
        world.end().await;
    }
}
