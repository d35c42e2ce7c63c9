//! The forms in which the provider may send the same callback: by GET, as JSON, signed with a shared key.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use callspool_domain::{CallSid, RecordingSid};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::StatusCode;
use serde_json::json;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::harness::{ACCOUNT, TOKEN, World, story};

const RECORDING: &str = "RE0123456789abcdef0123456789abcdef";
const CALL: &str = "CA0123456789abcdef0123456789abcdef";
const PATH: &str = "/api/twilio/recording";
const SETTINGS: &str = "x-twilio-webhooks-signature-settings";

fn fields() -> [(&'static str, &'static str); 4] {
    [("AccountSid", ACCOUNT), ("CallSid", CALL), ("RecordingSid", RECORDING), ("RecordingStatus", "in-progress")]
}

fn query() -> String {
    fields().map(|(name, value)| format!("{name}={value}")).join("&")
}

/// What the signature of a form covers: the URL and the pairs, which are in order already.
fn signed_text(url: &str) -> String {
    fields().iter().fold(url.to_owned(), |text, (name, value)| text + name + value)
}

fn sha1(secret: &str, text: &str) -> String {
    let mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("any key").chain_update(text);
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

fn sha256(secret: &str, text: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key").chain_update(text);
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

async fn status(request: reqwest::RequestBuilder) -> StatusCode {
    request.send().await.expect("an answer").status()
}

async fn assert_stored(world: &World, job: &str) {
    let sid = RecordingSid::parse(RECORDING).expect("a sid");
    let recording = world.recording(&sid).await;
    assert_eq!(recording.call, CallSid::parse(CALL).expect("a sid"));
    assert_eq!(recording.job.expect("a job").as_str(), job);
}

async fn assert_nothing_is_stored(world: &World) {
    assert_eq!(world.app().store.last_seq().await.expect("the store answers"), 0);
}

story! {
    async fn a_callback_may_come_by_get(world: World) {
        let url = world.url(&format!("{PATH}?job=J&{}", query()));
        let get = |signature: String| world.http.get(&url).header("x-twilio-signature", signature);
        assert_eq!(status(get(sha1("guess", &url))).await, 403);
        assert_eq!(status(get(sha1(TOKEN, &signed_text(&url)))).await, 403, "the parameters are in the URL alone");
        assert_eq!(status(world.http.get(&url)).await, 403);
        assert_nothing_is_stored(&world).await;
        assert_eq!(status(get(sha1(TOKEN, &url))).await, 200);
        assert_stored(&world, "J").await;
        world.end().await;
    }
}

story! {
    async fn a_callback_may_be_json_whose_hash_is_signed(world: World) {
        let body = json!({
            "AccountSid": ACCOUNT, "CallSid": CALL, "RecordingSid": RECORDING, "RecordingStatus": "in-progress",
            "RecordingDuration": 7, "New": {"nested": [1, null]},
        })
        .to_string();
        let url = |body: &str| world.url(&format!("{PATH}?job=J&bodySHA256={}", hex::encode(Sha256::digest(body))));
        let post = |url: &str, body: &str| {
            let request = world.http.post(url).header("content-type", "application/json").body(body.to_owned());
            request.header("x-twilio-signature", sha1(TOKEN, url))
        };
        let without_hash = world.url(&format!("{PATH}?job=J"));
        assert_eq!(status(post(&without_hash, &body)).await, 403, "its body is not signed");
        assert_eq!(status(post(&url("{}"), &body)).await, 403, "another body is signed");
        for malformed in ["[]", "{\"AccountSid\":", "RecordingSid=1", &"[".repeat(10_000)] {
            assert_eq!(status(post(&url(malformed), malformed)).await, 400, "{malformed:.20}");
        }
        assert_nothing_is_stored(&world).await;
        assert_eq!(status(post(&url(&body), &body)).await, 200);
        assert_stored(&world, "J").await;
        world.end().await;
    }
}

story! {
    with ["TWILIO_WEBHOOK_KEYS" = "one=the first secret, two=the second"]
    async fn a_shared_key_signs_in_place_of_the_token_and_only_the_one_that_is_named(world: World) {
        let url = world.url(&format!("{PATH}?job=J"));
        let text = signed_text(&url);
        let post = |settings: &str, signature: String| {
            let request = world.http.post(&url).form(&fields()).header(SETTINGS, settings);
            request.header("x-twilio-signature", signature)
        };
        for (settings, signature) in [
            ("key=one,algorithm=HMAC_SHA256", sha1("the first secret", &text)),
            ("key=one,algorithm=HMAC_SHA256", sha256("the second", &text)),
            ("key=one,algorithm=HMAC_SHA1", sha1(TOKEN, &text)),
            ("key=three,algorithm=HMAC_SHA1", sha1(TOKEN, &text)),
            ("key=one,algorithm=HMAC_MD5", sha1(TOKEN, &text)),
            ("key=one", sha1(TOKEN, &text)),
            ("key=one", sha1("the first secret", &text)),
            ("algorithm=HMAC_SHA1", sha1(TOKEN, &text)),
            ("", sha1("the first secret", &text)),
        ] {
            assert_eq!(status(post(settings, signature)).await, 403, "{settings}");
        }
        assert_nothing_is_stored(&world).await;
        for (settings, signature) in [
            ("key=one,algorithm=HMAC_SHA256", sha256("the first secret", &text)),
            ("algorithm=HMAC_SHA1, key=two", sha1("the second", &text)),
            ("", sha1(TOKEN, &text)),
        ] {
            assert_eq!(status(post(settings, signature)).await, 200, "{settings}");
        }
        assert_stored(&world, "J").await;
        world.end().await;
    }
}
