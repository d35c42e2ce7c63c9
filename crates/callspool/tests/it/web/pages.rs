//! The pages: what they say, to whom they offer what, and that nothing from outside becomes part of them.

use callspool_sandbox::Fault;
use callspool_sandbox::twilio::Route;
use callspool_store::Role;
use http::{Method, StatusCode};
use serde_json::json;

use super::{Reader, send, sign_in};
use crate::harness::{World, story};

story! {
    async fn the_front_page_says_what_to_do_and_then_shows_every_recording(world: World) {
        let reader = Reader::new(&world, Role::Listener).await;
        let empty = reader.get("/").await.text();
        assert!(empty.contains("No recording yet") && empty.contains(&world.url("/api/twilio/recording")), "{empty}");
        let one = world.call("?job=JOB1").await;
        let two = world.call("").await;
        world.settle().await;
        for path in ["/", "/fragments/recordings"] {
            let page = reader.get(path).await.text();
            for text in [one.recording_sid.as_str(), two.recording_sid.as_str(), "JOB1", "linked", "no job"] {
                assert!(page.contains(text), "{path} lacks {text}: {page}");
            }
        }
        let found = reader.get("/?status=archived&q=JOB1").await.text();
        assert!(found.contains(one.recording_sid.as_str()) && !found.contains(two.recording_sid.as_str()));
        assert!(reader.get("/?q=JOB9").await.text().contains("No recording matches"));
        let direct = reader.get(&format!("/?q={}", two.recording_sid)).await;
        assert_eq!(direct.header("location"), format!("/recordings/{}", two.recording_sid));
        let page = reader.get(&format!("/recordings/{}", one.recording_sid)).await.text();
        for text in ["Event: Recording", "archive verified", "TWILIO_DELETE_AFTER", "<audio", "class=\"wave\""] {
            assert!(page.contains(text), "the recording's page lacks {text}");
        }
        world.end().await;
    }
}

story! {
    async fn nothing_from_outside_becomes_markup(world: World) {
        let placed = world.call("").await;
        world.settle().await;
        let job = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
        let (status, _) = world.put(&format!("/api/v1/calls/{}", placed.call_sid), json!({ "job_id": job })).await;
        assert_eq!(status, 200);
        world.settle().await;
        let reader = Reader::new(&world, Role::Operator).await;
        let search = "/?q=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E".to_owned();
        for path in ["/".to_owned(), format!("/recordings/{}", placed.recording_sid), search, "/sign-in?next=%22%3E%3Cscript%3E".to_owned()] {
            let page = reader.ask(Method::GET, &path, &[("accept", "text/html")]).await.text();
            assert!(!page.contains("<script>") && !page.contains("<img src=x"), "{path}: {page}");
            for inline in [" style=\"", "<style", " onclick=", "javascript:"] {
                assert!(!page.contains(inline), "{path} holds {inline}, which our own policy forbids");
            }
        }
        let page = reader.get("/").await.text();
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "the job's id is shown as it is");
        world.end().await;
    }
}

story! {
    async fn whoever_may_is_offered_a_retry_that_runs_the_step_now(world: World) {
        world.twilio.faults().next(Route::Media, Fault::status(StatusCode::SERVICE_UNAVAILABLE));
        let placed = world.call("?job=J").await;
        world.settle().await;
        let retry = format!("/recordings/{}/retry", placed.recording_sid);
        let listener = Reader::new(&world, Role::Listener).await.get("/").await.text();
        assert!(listener.contains("provider_unavailable") && !listener.contains(&retry), "{listener}");
        let session = sign_in(&world, Role::Operator).await;
        let page = send(&world, Method::GET, "/", &[("cookie", &session)]).await.text();
        assert!(page.contains(&format!("action=\"{retry}\"")), "{page}");
        let ours = world.url("");
        let answer = send(&world, Method::POST, &retry, &[("cookie", &session), ("origin", &ours)]).await;
        assert_eq!(answer.status, 303);
        world.settle().await;
        assert_eq!(world.archive_files().len(), 1, "no time had to pass");
        world.end().await;
    }
}

story! {
    async fn a_node_whose_database_takes_nothing_in_is_not_ready(world: World) {
        let lock = world.database.lock().await;
        let ready = send(&world, Method::GET, "/readyz", &[]).await;
        assert_eq!((ready.status, &ready.json()["problems"][0]["code"]), (503, &json!("store_unavailable")));
        drop(lock);
        assert_eq!(send(&world, Method::GET, "/readyz", &[]).await.status, 200);
        world.end().await;
    }
}

story! {
    async fn probes_and_metrics_say_how_it_is(world: World) {
        assert_eq!(send(&world, Method::GET, "/healthz", &[]).await.status, 200);
        assert_eq!(send(&world, Method::GET, "/readyz", &[]).await.json(), json!({"ready": true, "problems": []}));
        world.twilio.faults().always(Route::Media, Fault::status(StatusCode::UNAUTHORIZED));
        world.call("?job=J").await;
        world.settle().await;
        let ready = send(&world, Method::GET, "/readyz", &[]).await;
        assert_eq!((ready.status, &ready.json()["problems"][0]["code"]), (200, &json!("provider_unauthorized")));
        let text = Reader::new(&world, Role::Listener).await.get("/metrics").await.text();
        for line in [
            "callspool_recordings{status=\"announced\"} 1\n",
            "callspool_callbacks_total{kind=\"voice\",status=\"503\"} 0\n",
            "callspool_queue_steps{lane=\"transfer\",step=\"archive\",state=\"waiting\",code=\"provider_unauthorized\"} 1\n",
            "callspool_service_out{service=\"provider\"} 1\n",
            "callspool_http_requests_total{route=\"/healthz\",method=\"GET\",status=\"200\"} ",
        ] {
            assert!(text.contains(line), "{text}");
        }
        world.end().await;
    }
}

story! {
    async fn a_page_that_is_not_there_is_a_page_for_people_and_json_for_programs(world: World) {
        let page = send(&world, Method::GET, "/nowhere", &[("accept", "text/html")]).await;
        assert_eq!((page.status, page.header("content-type")), (404, "text/html; charset=utf-8"));
        let answer = send(&world, Method::GET, "/nowhere", &[]).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"));
        let answer = send(&world, Method::DELETE, "/healthz", &[]).await;
        assert_eq!((answer.status, answer.code().as_str()), (405, "method_not_allowed"));
        world.end().await;
    }
}

story! {
    async fn style_and_script_are_kept_by_browsers_until_they_change(world: World) {
        for (name, kind) in [("app.css", "text/css; charset=utf-8"), ("app.js", "text/javascript; charset=utf-8"), ("icon.svg", "image/svg+xml")] {
            let path = format!("/assets/{name}");
            let first = send(&world, Method::GET, &path, &[]).await;
            assert_eq!((first.status, first.header("content-type")), (200, kind));
            let again = send(&world, Method::GET, &path, &[("if-none-match", first.header("etag"))]).await;
            assert_eq!((again.status, again.body.len()), (304, 0));
        }
        world.end().await;
    }
}
