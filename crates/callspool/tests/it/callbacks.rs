//! The recording callback from the outside: every answer in its order, and hostile input that is refused or stored safely.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use callspool_domain::recording::Status;
use callspool_domain::{RecordingSid, Secret};
use callspool_sandbox::twilio::{CallbackAnswer, SendCallback, Signed, Word};
use callspool_store::Role;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha1::Sha1;

use crate::harness::{ACCOUNT, World, story};

const RECORDING: &str = "RE0123456789abcdef0123456789abcdef";
const CALL: &str = "CA0123456789abcdef0123456789abcdef";
const PATH: &str = "/api/twilio/recording";

/// A correct callback's parameters.
fn params() -> Vec<(String, String)> {
    let pairs =
        [("AccountSid", ACCOUNT), ("CallSid", CALL), ("RecordingSid", RECORDING), ("RecordingStatus", "in-progress")];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

fn with(name: &str, value: &str) -> Vec<(String, String)> {
    let mut params = params();
    params.retain(|(known, _)| known != name);
    params.push((name.to_owned(), value.to_owned()));
    params
}

fn without(name: &str) -> Vec<(String, String)> {
    params().into_iter().filter(|(known, _)| known != name).collect()
}

async fn send(world: &World, path: &str, params: Vec<(String, String)>) -> (u16, Value) {
    send_signed(world, path, params, Signed::By(world.account())).await
}

async fn send_signed(world: &World, path: &str, params: Vec<(String, String)>, signed: Signed) -> (u16, Value) {
    let callback = SendCallback { url: world.url(path), params, signed };
    let CallbackAnswer { outcome, .. } = world.twilio.send_callback(&callback).await;
    let (status, body) = outcome.expect("an answer");
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or(""))
}

story! {
    async fn every_path_answers_with_the_permanent_link(world: World) {
        for path in callspool::intake::PATHS {
            let (status, body) = send(&world, path, params()).await;
            assert_eq!(status, 200);
            assert_eq!(body["success"], true);
            assert_eq!(body["recordingUrl"], world.url(&format!("/r/{RECORDING}")));
        }
        world.end().await;
    }
}

story! {
    async fn only_the_account_itself_can_announce(world: World) {
        let forged = [Signed::Unsigned, Signed::As("x".into()), Signed::As(String::new()), Signed::With(Secret::new("guess"))];
        for signed in forged {
            let answer = send_signed(&world, PATH, params(), signed).await;
            assert_eq!(code(&answer), (403, "bad_signature"));
        }
        let other = "AC99999999999999999999999999999999";
        let answer = send_signed(&world, PATH, with("AccountSid", other), Signed::With(Secret::new(crate::harness::TOKEN))).await;
        assert_eq!(code(&answer), (403, "unknown_account"));
        let (status, _) = send_signed(&world, PATH, vec![("x".into(), "y".repeat(70_000))], Signed::Unsigned).await;
        assert_eq!(status, 413, "the size comes before the signature");
        assert_eq!(world.app().store.last_seq().await.expect("the store answers"), 0, "nothing was stored");
        world.end().await;
    }
}

story! {
    async fn without_a_token_every_callback_is_refused_by_name(world: World) {
        let mut world = world;
        world.stop().await;
        world.unset("TWILIO_ACCOUNT_SID");
        world.unset("TWILIO_AUTH_TOKEN");
        world.boot().await;
        let answer = send(&world, PATH, params()).await;
        assert_eq!(code(&answer), (403, "no_credentials"));
        world.end().await;
    }
}

story! {
    async fn what_is_missing_or_malformed_is_named(world: World) {
        for field in ["AccountSid", "RecordingSid", "RecordingStatus"] {
            let answer = send_signed(&world, PATH, without(field), Signed::With(Secret::new(crate::harness::TOKEN))).await;
            assert_eq!(code(&answer), (400, "missing_field"));
            assert!(answer.1["error"]["message"].as_str().is_some_and(|message| message.contains(field)), "{:?}", answer.1);
        }
        let hostile = ["RE../../../../etc/passwd", "RE?x=1", "RE0123456789abcdef0123456789abcdeg", "RE%2e%2e", "'; DROP TABLE recordings; --"];
        for sid in hostile {
            assert_eq!(code(&send(&world, PATH, with("RecordingSid", sid)).await), (400, "malformed_id"), "{sid}");
            assert_eq!(code(&send(&world, PATH, with("CallSid", sid)).await), (400, "malformed_id"), "{sid}");
            assert_eq!(code(&send(&world, PATH, with("ConferenceSid", sid)).await), (400, "malformed_id"), "{sid}");
        }
        assert_eq!(code(&send(&world, PATH, with("Extra", "a\0b")).await), (400, "malformed"));
        let mut twice = params();
        twice.push(("RecordingSid".to_owned(), "REffffffffffffffffffffffffffffffff".to_owned()));
        assert_eq!(code(&send(&world, PATH, twice).await), (400, "malformed"));
        assert_eq!(world.app().store.last_seq().await.expect("the store answers"), 0, "nothing was stored");
        world.end().await;
    }
}

story! {
    async fn hostile_text_is_stored_safely(world: World) {
        let jobs = [
            "..%2F..%2Fetc%2Fpasswd", "a%0A----%20%7C%20forged", "%27%29%2C%20TRUE%28%29%2C%20%28%27", "%22quoted%22%20%5C%20back",
            "%7BJob%20ID%7D", "%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        ];
        for (n, job) in jobs.iter().enumerate() {
            let placed = world.call(&format!("?job={job}&source=IVR%0A----%20%7C%20x")).await;
            world.settle().await;
            let row = world.recording(&placed.recording_sid).await;
            assert_eq!(row.status, Status::Archived, "{job}");
            let history = world.history(row.job.expect("tied").as_str()).await;
            assert_eq!(history.lines().count(), 1, "{history}");
            assert_eq!(world.archive_files().len(), n + 1, "every file lies in the archive");
        }
        assert!(world.archive_files().iter().all(|key| key.starts_with("recordings/2024/03/15/CA")), "{:?}", world.archive_files());
        world.end().await;
    }
}

story! {
    async fn a_job_id_of_ten_kilobytes_costs_no_recording(world: World) {
        let placed = world.call(&format!("?job={}", "x".repeat(10_000))).await;
        world.settle().await;
        let row = world.recording(&placed.recording_sid).await;
        assert_eq!((row.status, row.job), (Status::Archived, None));
        world.end().await;
    }
}

story! {
    async fn a_foreign_recording_url_is_never_followed(world: World) {
        let elsewhere = World::listen_for_nobody();
        let placed = world.call("?job=J").await;
        let mut params = world.twilio.callback_params(&placed.recording_sid, &Word::Completed).expect("known");
        params.retain(|(name, _)| name != "RecordingUrl");
        params.push(("RecordingUrl".to_owned(), format!("http://{}/steal", elsewhere.address())));
        let callback = SendCallback { url: world.url(PATH), params, signed: Signed::By(world.account()) };
        assert!(world.twilio.send_callback(&callback).await.is_accepted());
        world.settle().await;
        assert_eq!(world.recording(&placed.recording_sid).await.status, Status::Archived);
        assert!(elsewhere.was_left_alone(), "somebody connected to the address in the request");
        world.end().await;
    }
}

story! {
    async fn a_status_nobody_has_heard_of_is_kept_as_it_came(world: World) {
        let (status, _) = send(&world, PATH, with("RecordingStatus", "paused-by-aliens")).await;
        assert_eq!(status, 200);
        let row = world.recording(&RecordingSid::parse(RECORDING).expect("sid")).await;
        assert_eq!((row.status, row.provider_status.as_str()), (Status::Announced, "paused-by-aliens"));
        world.end().await;
    }
}

story! {
    async fn absent_and_failed_are_settled_and_a_late_repeat_of_an_earlier_word_changes_nothing(world: World) {
        for (word, status) in [("absent", Status::Absent), ("failed", Status::Failed)] {
            let sid = format!("RE{}", if word == "absent" { "a" } else { "f" }.repeat(32));
            let mut params = with("RecordingSid", &sid);
            params.retain(|(name, _)| name != "RecordingStatus");
            for word in [word, word, "in-progress"] {
                let mut params = params.clone();
                params.push(("RecordingStatus".to_owned(), word.to_owned()));
                assert_eq!(send(&world, PATH, params).await.0, 200);
            }
            world.settle().await;
            assert_eq!(world.recording(&RecordingSid::parse(&sid).expect("sid")).await.status, status);
            let settled = world.logged("recording_settled");
            let told = settled.iter().filter(|line| line["recording_sid"] == sid).map(|line| &line["status"]);
            assert_eq!(told.collect::<Vec<_>>(), [word], "it is told, once");
        }
        world.end().await;
    }
}

story! {
    async fn a_recording_without_a_call_hangs_under_its_conference_and_moves_when_the_call_is_known(world: World) {
        let conference = "CF0123456789abcdef0123456789abcdef";
        let mut first = without("CallSid");
        first.push(("ConferenceSid".to_owned(), conference.to_owned()));
        assert_eq!(send(&world, &format!("{PATH}?job=J"), first).await.0, 200);
        let sid = RecordingSid::parse(RECORDING).expect("sid");
        assert_eq!(world.recording(&sid).await.call.as_str(), conference);
        assert_eq!(send(&world, PATH, params()).await.0, 200);
        assert_eq!(world.recording(&sid).await.call.as_str(), CALL);
        world.end().await;
    }
}

story! {
    async fn bytes_that_are_no_text_are_refused_even_when_signed(world: World) {
        let body = format!("AccountSid={ACCOUNT}&CallSid={CALL}&Extra=%FF%FE&RecordingSid={RECORDING}&RecordingStatus=completed");
        let mut mac = Hmac::<Sha1>::new_from_slice(crate::harness::TOKEN.as_bytes()).expect("any key");
        mac.update(world.url(PATH).as_bytes());
        mac.update(format!("AccountSid{ACCOUNT}CallSid{CALL}Extra").as_bytes());
        mac.update(&[0xFF, 0xFE]);
        mac.update(format!("RecordingSid{RECORDING}RecordingStatuscompleted").as_bytes());
        let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
        let request = world.http.post(world.url(PATH)).header("content-type", "application/x-www-form-urlencoded");
        let answer = request.header("x-twilio-signature", signature).body(body).send().await.expect("an answer");
        assert_eq!(answer.status(), 400);
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!(body["error"]["message"], "the body is not UTF-8");
        world.end().await;
    }
}

story! {
    async fn a_key_without_a_token_takes_no_callback_and_says_so(world: World) {
        let mut world = world;
        world.stop().await;
        world.unset("TWILIO_AUTH_TOKEN");
        world.set("TWILIO_API_KEY_SID", "SK0123456789abcdef0123456789abcdef");
        world.set("TWILIO_API_KEY_SECRET", "secret");
        world.boot().await;
        assert_eq!(code(&send(&world, PATH, params()).await), (403, "no_credentials"));
        let ready: Value = world.http.get(world.url("/readyz")).send().await.expect("an answer").json().await.expect("JSON");
        assert_eq!((&ready["ready"], &ready["problems"][0]["code"]), (&Value::Bool(true), &Value::from("no_credentials")));
        world.end().await;
    }
}

story! {
    async fn methods_that_strangers_invent_make_no_time_series(world: World) {
        for n in 0..3 {
            let method = format!("INVENTED{n}").parse().expect("a method");
            world.http.request(method, world.url("/")).send().await.expect("an answer");
        }
        let metrics = world.http.get(world.url("/metrics")).bearer_auth(world.token(Role::Listener).await).send().await;
        let metrics = metrics.expect("an answer").text().await.expect("text");
        assert!(metrics.contains("method=\"other\"") && !metrics.contains("INVENTED"), "{metrics}");
        world.end().await;
    }
}

story! {
    async fn a_store_that_does_not_answer_in_time_is_a_reason_to_send_it_again(world: World) {
        let lock = world.database.lock().await;
        let answer = send(&world, PATH, params()).await;
        assert_eq!(code(&answer), (503, "not_stored"));
        drop(lock);
        // Whoever came too early may share the fate of a group that gave up; sent again, it is taken.
        world.eventually("the callback to be taken", async || send(&world, PATH, params()).await.0 == 200).await;
        world.recording(&RecordingSid::parse(RECORDING).expect("a sid")).await;
        world.end().await;
    }
}
