//! Callbacks arrive signed, repeated, out of order and again, as asked.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use callspool_domain::Secret;
use callspool_sandbox::twilio::{Audio, NewRecording, PlaceCall, SendCallback, Signed, Word, sign};
use http::StatusCode;

use crate::wire::{TOKEN, account, twilio};

type Pairs = Vec<(String, String)>;

#[derive(Debug, Clone)]
struct Received {
    target: String,
    signature: Option<String>,
    idempotency_token: Option<String>,
    params: Pairs,
}

impl Received {
    fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Clone, Default)]
struct Inbox(Arc<Mutex<Vec<Received>>>, Arc<Mutex<Vec<StatusCode>>>);

impl Inbox {
    fn received(&self) -> Vec<Received> {
        self.0.lock().expect("lock").clone()
    }
}

async fn receive(State(inbox): State<Inbox>, request: Request) -> (StatusCode, &'static str) {
    let (head, body) = request.into_parts();
    let header = |name: &str| head.headers.get(name).map(|value| value.to_str().expect("text").to_owned());
    let body = axum::body::to_bytes(body, 1 << 20).await.expect("body");
    inbox.0.lock().expect("lock").push(Received {
        target: head.uri.to_string(),
        signature: header("x-twilio-signature"),
        idempotency_token: header("i-twilio-idempotency-token"),
        params: form_urlencoded::parse(&body).into_owned().collect(),
    });
    (inbox.1.lock().expect("lock").pop().unwrap_or(StatusCode::NO_CONTENT), "")
}

async fn listen() -> (Inbox, String) {
    let inbox = Inbox::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let base_url = format!("http://{}", listener.local_addr().expect("address"));
    let app = Router::new().fallback(receive).with_state(inbox.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (inbox, base_url)
}

#[tokio::test]
async fn a_call_is_announced_in_order_and_signed_over_the_url_without_its_fragment() {
    let (twilio, _) = twilio().await;
    let (inbox, base_url) = listen().await;
    let url = format!("{base_url}/recording?job=JOB%2F456#rc=5&rp=all");
    let mut place = PlaceCall::new(account(), &url, Audio::seconds(7));
    place.statuses = vec![Word::InProgress, Word::Completed];
    place.repeats = 1;
    let placed = twilio.place_call(place).await;
    assert!(placed.callbacks.iter().all(|answer| answer.is_accepted()), "{placed:?}");
    let received = inbox.received();
    let words: Vec<_> = received.iter().map(|callback| callback.param("RecordingStatus").expect("status")).collect();
    assert_eq!(words, ["in-progress", "in-progress", "completed", "completed"]);
    for callback in &received {
        assert_eq!(callback.target, "/recording?job=JOB%2F456");
        let signed = format!("{base_url}/recording?job=JOB%2F456");
        assert_eq!(callback.signature.as_deref(), Some(sign(&Secret::new(TOKEN), &signed, &callback.params).as_str()));
    }
    assert_eq!(received[2].idempotency_token, received[3].idempotency_token);
    assert_ne!(received[0].idempotency_token, received[3].idempotency_token);
    assert_eq!(received[0].param("RecordingDuration"), None);
    assert_eq!(received[3].param("RecordingDuration"), Some("7"));
    assert_eq!(received[3].param("RecordingStartTime"), Some("Fri, 15 Mar 2024 14:30:22 +0000"));
    assert_eq!(received[3].param("CallSid"), Some(placed.call_sid.as_str()));
}

#[tokio::test]
async fn reordered_callbacks_come_after_the_recording_has_ended() {
    let (twilio, _) = twilio().await;
    let (inbox, base_url) = listen().await;
    let mut place = PlaceCall::new(account(), &base_url, Audio::seconds(1));
    place.statuses = vec![Word::InProgress, Word::Absent(16101)];
    place.reorder = true;
    let placed = twilio.place_call(place).await;
    let received = inbox.received();
    let words: Vec<_> = received.iter().map(|callback| callback.param("RecordingStatus").expect("status")).collect();
    assert_eq!(words, ["absent", "in-progress"]);
    assert_eq!(received[0].param("ErrorCode"), Some("16101"));
    let recording = twilio.recording(&placed.recording_sid).expect("there");
    assert_eq!((recording.status.as_str(), recording.error_code), ("absent", Some(16101)));
}

#[tokio::test]
async fn a_refused_callback_is_sent_again_only_as_the_fragment_asks() {
    let (twilio, _) = twilio().await;
    let (inbox, base_url) = listen().await;
    let sid = twilio.add_recording(NewRecording::new(account(), Audio::seconds(1)));
    let fail = |times: usize| *inbox.1.lock().expect("lock") = vec![StatusCode::SERVICE_UNAVAILABLE; times];
    fail(1);
    let answer = twilio.announce_status(&sid, &base_url, Word::Completed).await.expect("known");
    assert_eq!((answer.attempts, answer.outcome), (1, Ok((503, String::new()))));
    fail(2);
    let url = format!("{base_url}/#rc=5&rp=5xx");
    let answer = twilio.announce_status(&sid, &url, Word::Completed).await.expect("known");
    assert_eq!((answer.attempts, answer.is_accepted()), (3, true));
    let nobody = twilio.announce_status(&sid, "http://127.0.0.1:1/", Word::Completed).await.expect("known");
    assert_eq!(nobody.attempts, 2, "one retry where there is no connection");
    assert!(nobody.outcome.is_err());
}

#[tokio::test]
async fn any_callback_can_be_sent_with_any_signature() {
    let (twilio, _) = twilio().await;
    let (inbox, base_url) = listen().await;
    let params: Pairs = vec![("RecordingSid".into(), "RE../../etc".into()), ("RecordingSid".into(), "é\n".into())];
    for signed in
        [Signed::By(account()), Signed::With(Secret::new("other")), Signed::As("garbage".into()), Signed::Unsigned]
    {
        twilio.send_callback(&SendCallback { url: base_url.clone(), params: params.clone(), signed }).await;
    }
    let received = inbox.received();
    assert!(received.iter().all(|callback| callback.params == params));
    let signatures: Vec<_> = received.into_iter().map(|callback| callback.signature).collect();
    let by = |token: &str| Some(sign(&Secret::new(token), &base_url, &params));
    assert_eq!(signatures, [by(TOKEN), by("other"), Some("garbage".into()), None]);
}
