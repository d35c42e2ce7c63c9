//! Calls from the outside: what a caller's request is answered, and what the events of a call leave behind.

use std::time::Duration;

use callspool_domain::recording::Status;
use callspool_domain::{CallSid, RecordingSid};
use callspool_sandbox::twilio::{CallbackAnswer, NewRecording, SendCallback, Signed, Word};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpSocket, TcpStream};

use crate::harness::{ACCOUNT, Kind, World, story};

const CALL: &str = "CA0123456789abcdef0123456789abcdef";
const LEG: &str = "CAfedcba9876543210fedcba9876543210";
const NUMBER: &str = "+14155550199";

/// What every request about a call says, and what is special about this one.
fn fields(special: &[(&str, &str)]) -> Vec<(String, String)> {
    let usual = [
        ("AccountSid", ACCOUNT),
        ("CallSid", CALL),
        ("CallStatus", "ringing"),
        ("Direction", "inbound"),
        ("To", NUMBER),
    ];
    let kept = usual.iter().filter(|(name, _)| special.iter().all(|(other, _)| other != name));
    kept.chain(special)
        .filter(|(_, value)| !value.is_empty())
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect()
}

async fn send_signed(world: &World, path: &str, special: &[(&str, &str)], signed: Signed) -> (u16, String) {
    let callback = SendCallback { url: world.url(path), params: fields(special), signed };
    let CallbackAnswer { outcome, .. } = world.twilio.send_callback(&callback).await;
    outcome.expect("an answer")
}

async fn send(world: &World, path: &str, special: &[(&str, &str)]) -> (u16, String) {
    send_signed(world, path, special, Signed::By(world.account())).await
}

/// The part of the document behind the start of the recording.
fn after_start(document: &str) -> &str {
    document.split_once("</Start>").expect("a recording is started").1
}

/// Where the document says that the recording be announced.
fn callback_url(document: &str) -> String {
    let (_, rest) = document.split_once("recordingStatusCallback=\"").expect("a callback");
    rest.split_once('"').expect("an end").0.replace("&amp;", "&")
}

async fn boot_with(world: &mut World, file: &str) {
    world.stop().await;
    world.file = file.to_owned();
    world.boot().await;
}

story! {
    async fn a_call_is_recorded_in_the_background_and_goes_where_the_file_says(world: World) {
        let mut world = world;
        boot_with(&mut world, "[[voice]]\nthen = \"stream:wss://media.example/in?a=1&b=2\"").await;
        let (status, document) = send(&world, "/api/twilio/voice?job=JOB%2F1&source=Front%20%26%20back", &[]).await;
        let url = world.url("/api/twilio/recording?job=JOB%2F1&amp;source=Front+%26+back&amp;started=twiml#rc=5&amp;rp=all");
        assert_eq!(status, 200);
        assert_eq!(
            document,
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Start><Recording recordingStatusCallback=\"{url}\" \
                 recordingStatusCallbackMethod=\"POST\" recordingStatusCallbackEvent=\"in-progress completed absent\" \
                 channels=\"dual\" track=\"both\" trim=\"do-not-trim\"></Recording></Start>\
                 <Connect><Stream url=\"wss://media.example/in?a=1&amp;b=2\"></Stream></Connect></Response>"
            )
        );
        let call = CallSid::parse(CALL).expect("a sid");
        let row = world.app().store.call(&call).await.expect("the store answers").expect("the call is known");
        assert_eq!(row.job.expect("a job").as_str(), "JOB/1");
        assert_eq!((row.to.as_deref(), row.direction.as_deref()), (Some(NUMBER), Some("inbound")));

        let recording = NewRecording::new(world.account(), World::speech()).of_call(call);
        let recording = world.twilio.add_recording(recording);
        let answer = world.twilio.announce_status(&recording, &callback_url(&document), Word::Completed).await;
        assert!(answer.expect("known").is_accepted());
        world.settle().await;
        assert!(world.history("JOB/1").await.contains("Source: Front & back"));
        world.end().await;
    }
}

story! {
    async fn each_number_and_assistant_has_its_rule_on_every_path(world: World) {
        let mut world = world;
        boot_with(
            &mut world,
            r#"
            recording_trim = "trim-silence"
            recording_callback_retry = false
            [[voice]]
            number = "+14155550199"
            then = "dial:sip:desk@example.com"
            [[voice]]
            assistant = "anna"
            then = "redirect:https://example.com/anna"
            [voice.recording]
            record_mixed_audio = false
            record_user_audio = false
            [[voice]]
            assistant = "bert"
            then = "say:Hi & <bye>"
            [voice.recording]
            enabled = false
            "#,
        )
        .await;
        for path in ["/api/twilio/voice", "/api/twilio-webhook?type=voice", "/twiml"] {
            let (status, document) = send(&world, path, &[]).await;
            assert_eq!(status, 200);
            assert_eq!(after_start(&document), "<Dial><Sip>sip:desk@example.com</Sip></Dial></Response>");
            assert!(document.contains("trim=\"trim-silence\"") && !document.contains("rc=5"), "{document}");
        }
        let (_, document) = send(&world, "/twiml?assistant=anna", &[]).await;
        assert_eq!(after_start(&document), "<Redirect method=\"POST\">https://example.com/anna</Redirect></Response>");
        assert!(document.contains("track=\"outbound\""), "{document}");
        let (_, document) = send(&world, "/twiml?assistant=bert", &[]).await;
        assert!(document.ends_with("<Response><Say>Hi &amp; &lt;bye&gt;</Say></Response>"), "{document}");
        let (_, document) = send(&world, "/twiml", &[("To", "+15550000")]).await;
        assert!(after_start(&document).starts_with("<Say>"), "a caller hears something: {document}");
        world.end().await;
    }
}

story! {
    async fn a_caller_is_answered_although_nothing_can_be_stored(world: World) {
        let lock = world.database.lock().await;
        let (status, document) = send(&world, "/api/twilio/voice?job=J", &[]).await;
        assert_eq!(status, 200);
        assert!(callback_url(&document).contains("job=J"), "what is not stored comes with the recording");
        drop(lock);
        world.end().await;
    }
}

/// The address of a server that nobody can connect to until [`open`](Self::open).
struct Gate(TcpSocket);

impl Gate {
    fn new() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        Self(socket)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().expect("an address").port()
    }

    /// Lets everybody through to the server at this port.
    fn open(self, port: u16) {
        let gate = self.0.listen(64).expect("the port is ours");
        tokio::spawn(async move {
            while let Ok((mut from, _)) = gate.accept().await {
                tokio::spawn(async move {
                    let mut to = TcpStream::connect(("127.0.0.1", port)).await.expect("the server");
                    copy_bidirectional(&mut from, &mut to).await.unwrap_or_default();
                });
            }
        });
    }
}

#[tokio::test]
async fn a_caller_is_answered_by_a_node_that_was_started_before_its_database_server() {
    let Some(mut world) = World::prepare(Kind::Postgres).await else { return };
    let gate = Gate::new();
    let mut url = url::Url::parse(world.database.url()).expect("a URL");
    let port = url.port().expect("a port");
    url.set_port(Some(gate.port())).expect("a URL with a host");
    world.set("DATABASE_URL", url.as_str());
    world.ledger.wait_for_server = true;
    world.boot().await;

    let (status, document) = send(&world, "/api/twilio/voice?job=J", &[]).await;
    assert_eq!(status, 200);
    assert!(callback_url(&document).contains("job=J"), "{document}");
    let ready = async || world.http.get(world.url("/readyz")).send().await.expect("an answer").status();
    assert_eq!(ready().await, 503);
    let said = [("RecordingSid", "RE0123456789abcdef0123456789abcdef"), ("RecordingStatus", "in-progress")];
    assert_eq!(send(&world, "/api/twilio/recording", &said).await.0, 503, "what is not stored is not acknowledged");

    gate.open(port);
    world.eventually("the database to be ready", async || ready().await == 200).await;
    world.clock.advance(Duration::from_secs(60));
    let placed = world.call("?job=J").await;
    world.settle().await;
    assert_eq!(world.recording(&placed.recording_sid).await.status, Status::Archived);
    world.end().await;
}

story! {
    async fn a_caller_is_answered_whatever_else_the_request_holds(world: World) {
        let mut world = world;
        boot_with(&mut world, "[[voice]]\nthen = \"dial:+14155550100\"").await;
        let odd: [(&str, &[(&str, &str)]); 5] = [
            ("?job=a&job=b", &[]),
            ("?job=%E9", &[]),
            ("", &[("ParentCallSid", "CA-malformed")]),
            ("", &[("From", "+1415\x00555")]),
            ("", &[("CallStatus", "")]),
        ];
        for (query, special) in odd {
            let (status, document) = send(&world, &format!("/api/twilio/voice{query}"), special).await;
            assert!(status == 200 && document.contains("<Dial>"), "{query} {special:?}: {status} {document}");
        }
        world.end().await;
    }
}

story! {
    async fn a_stranger_learns_nothing_and_changes_nothing(world: World) {
        for path in ["/api/twilio/voice", "/api/twilio/status"] {
            for signed in [Signed::Unsigned, Signed::As("x".to_owned())] {
                assert_eq!(send_signed(&world, path, &[], signed).await.0, 403);
            }
            assert_eq!(send(&world, path, &[("CallSid", "CA1/../x")]).await.0, 400);
            assert_eq!(send(&world, path, &[("CallSid", "")]).await.0, 400);
            assert_eq!(send(&world, path, &[("AccountSid", "AC99999999999999999999999999999999")]).await.0, 403);
        }
        assert_eq!(send(&world, "/api/twilio-webhook?type=sms", &[]).await.0, 400);
        assert_eq!(world.app().store.last_seq().await.expect("the store answers"), 0);
        let (_, document) = send(&world, "/twiml?job=%3C%2FStart%3E%22%0A%3CHangup%2F%3E&source=%22%3E", &[]).await;
        assert!(!document.contains("<Hangup") && document.matches("</Start>").count() == 1, "{document}");
        world.end().await;
    }
}

story! {
    async fn events_of_a_call_in_any_order_leave_its_last_state(world: World) {
        let ended = [("CallStatus", "completed"), ("CallDuration", "75"), ("Duration", "2"), ("ParentCallSid", LEG)];
        for special in [&ended[..], &[("CallStatus", "in-progress")], &[], &ended[..], &[("CallStatus", "unheard-of")]] {
            assert_eq!(send(&world, "/api/twilio/status?job=J", special).await.0, 200);
        }
        let call = CallSid::parse(CALL).expect("a sid");
        let row = world.app().store.call(&call).await.expect("the store answers").expect("the call is known");
        assert_eq!(row.status.as_deref(), Some("completed"));
        assert_eq!(row.duration_seconds, Some(75), "seconds, not the minutes that are billed");
        assert_eq!(row.parent, Some(CallSid::parse(LEG).expect("a sid")));
        assert_eq!(row.job.expect("a job").as_str(), "J");
        let lock = world.database.lock().await;
        assert_eq!(send(&world, "/api/twilio/status", &[("CallStatus", "busy")]).await.0, 503);
        drop(lock);
        world.end().await;
    }
}

story! {
    async fn a_recording_that_only_the_calls_event_names_is_archived_all_the_same(world: World) {
        let call = CallSid::parse(CALL).expect("a sid");
        let recording = NewRecording::new(world.account(), World::speech()).of_call(call);
        let recording = world.twilio.add_recording(recording);
        let special = [("CallStatus", "completed"), ("RecordingSid", recording.as_str()), ("RecordingDuration", "10")];
        assert_eq!(send(&world, "/api/twilio/status?job=J", &special).await.0, 200);
        world.settle().await;
        let row = world.recording(&RecordingSid::parse(recording.as_str()).expect("a sid")).await;
        assert_eq!(row.status, Status::Archived);
        assert_eq!(world.history("J").await.lines().count(), 1);
        world.end().await;
    }
}
