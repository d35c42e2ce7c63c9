//! Recordings that the provider encrypted: opened on the way where a private key is configured, else kept sealed, and opened
//! as soon as there is one. Nothing that was not proven becomes visible, and nothing sealed is released.

use std::path::PathBuf;
use std::time::Duration;

use callspool_domain::audio::AudioFormat;
use callspool_domain::recording::{CopyState, Status};
use callspool_domain::{Code, RecordingSid, StepName, StepState, Subject};
use callspool_sandbox::twilio::{Audio, CipherFlaw, KeyPair, PlaceCall, PlacedCall, Route};
use callspool_sandbox::{BodyKind, Fault};
use callspool_store::{RetryWhat, Role, StepRow};
use serde_json::Value;

use crate::harness::{Bucket, World, story};

const ONE: &str = "CR00000000000000000000000000000001";
const TWO: &str = "CR00000000000000000000000000000002";
/// Longer than any back-off.
const LATER: Duration = Duration::from_secs(360);
const DAYS: Duration = Duration::from_secs(72 * 3600);

/// A customer with key pairs, whose private halves lie in files.
struct Customer {
    pairs: Vec<KeyPair>,
    folder: tempfile::TempDir,
}

impl Customer {
    fn new() -> Self {
        let pairs = [ONE, TWO].map(|sid| KeyPair::generate(sid).expect("a key pair"));
        Self { pairs: pairs.into(), folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// Writes a private key; returns where it is.
    fn write(&self, pair: usize) -> PathBuf {
        let path = self.folder.path().join(format!("key-{pair}.pem"));
        let pem = self.pairs[pair].private_pem().expect("PEM");
        std::fs::write(&path, pem.expose()).expect("a file");
        path
    }

    /// callspool starts again with these private keys, each under the sid of a public one.
    async fn configure(&self, world: &mut World, keys: &[(&str, usize)]) {
        let keys: Vec<String> =
            keys.iter().map(|(sid, pair)| format!("{sid}={}", self.write(*pair).display())).collect();
        world.set("TWILIO_RECORDING_KEYS", keys.join(","));
        world.restart().await;
    }

    /// A call whose recording is encrypted with the first key.
    async fn call(&self, world: &World, audio: Audio, flaw: Option<CipherFlaw>) -> PlacedCall {
        self.place(world, audio, flaw, true).await
    }

    async fn place(&self, world: &World, audio: Audio, flaw: Option<CipherFlaw>, in_callback: bool) -> PlacedCall {
        let mut place = PlaceCall::new(world.account(), world.url("/api/twilio/recording?job=J"), audio);
        let mut encryption = self.pairs[0].encryption().expect("a public key");
        (encryption.flaw, encryption.in_callback) = (flaw, in_callback);
        place.recording.encryption = Some(encryption);
        let placed = world.twilio.place_call(place).await;
        assert!(placed.callbacks.iter().all(|callback| callback.is_accepted()), "{:?}", placed.callbacks);
        world.settle().await;
        placed
    }
}

async fn archive_step(world: &World, sid: &RecordingSid) -> StepRow {
    world.step(StepName::Archive, Subject::Recording(sid.clone())).await
}

/// Archived as the audio that was encrypted, good, and linked once.
async fn assert_opened(world: &World, sid: &RecordingSid) {
    let row = world.recording(sid).await;
    assert_eq!(row.status, Status::Archived, "{:?} {:?}", row.reason, archive_step(world, sid).await);
    let copy = row.archive.expect("a copy");
    assert!(copy.object_key.ends_with(".wav"), "{}", copy.object_key);
    assert_eq!(copy.sha256, world.twilio.media_sha256(sid, AudioFormat::Wav));
    assert_eq!((copy.state, copy.findings), (CopyState::Verified, Vec::new()));
    assert_eq!(world.history("J").await.lines().count(), 1);
}

/// Kept as it came, linked once, and nothing of it called audio. Returns its key.
async fn assert_sealed(world: &World, sid: &RecordingSid) -> String {
    let row = world.recording(sid).await;
    assert_eq!(row.status, Status::Sealed, "{:?} {:?}", row.reason, archive_step(world, sid).await);
    assert_eq!(row.archive, None, "ciphertext is no audio");
    let copy = row.sealed.expect("a sealed copy");
    assert!(copy.object_key.ends_with(".wav.enc"), "{}", copy.object_key);
    let wav = world.twilio.media_length(sid, AudioFormat::Wav).expect("known");
    assert_eq!((copy.state, copy.bytes), (CopyState::Verified, Some(wav + 16)));
    assert_eq!(world.history("J").await.lines().count(), 1);
    copy.object_key
}

/// `GET` as a listener; the status and the JSON of the answer.
async fn get(world: &World, path: &str) -> (u16, Value) {
    let token = world.token(Role::Listener).await;
    let request = world.http.get(world.url(path)).bearer_auth(token).header("accept", "application/json");
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
}

story! {
    with ["TWILIO_DELETE_AFTER" = "1h", "RECORDING_FORMAT" = "mp3", "RECORDING_CHANNELS" = "mono"]
    async fn with_the_private_key_a_recording_is_opened_on_the_way_and_released_like_any_other(world: World) {
        let customer = Customer::new();
        customer.configure(&mut world, &[(TWO, 1), (ONE, 0)]).await;
        let sid = customer.call(&world, World::speech(), None).await.recording_sid;
        assert_opened(&world, &sid).await;
        assert_eq!(world.archive_files().len(), 1);
        assert_eq!(world.twilio.media_requests(&sid), 1, "asked at once for what can be had");
        let events = world.app().store.recording_events(&sid, 50).await.expect("the store answers");
        let verified = events.iter().find(|event| event.kind == "archive_verified").expect("an event");
        assert_eq!(verified.data["instead"], serde_json::json!(["wav", "as-recorded"]));
        world.advance(Duration::from_secs(7200)).await;
        assert_eq!(world.twilio.deleted(), [sid]);
        world.end().await;
    }
}

story! {
    with ["TWILIO_DELETE_AFTER" = "1h"]
    async fn without_a_key_it_is_sealed_and_opens_by_itself_once_there_is_one(world: World) {
        let customer = Customer::new();
        let placed = customer.call(&world, World::speech(), None).await;
        let sid = placed.recording_sid;
        let key = assert_sealed(&world, &sid).await;
        assert_eq!(world.archive_files(), [key.clone()]);

        let (status, answer) = get(&world, &format!("/r/{sid}")).await;
        assert_eq!((status, &answer["error"]["code"]), (404, &Value::from("recording_sealed")), "{answer}");
        let (_, answer) = get(&world, &format!("/api/v1/recordings/{sid}")).await;
        assert_eq!((&answer["status"], &answer["bytes"]), (&Value::from("sealed"), &Value::Null), "{answer}");
        assert_eq!(answer["encryption"]["public_key_sid"], ONE);
        let copies: Vec<&str> = answer["copies"].as_array().expect("copies").iter().filter_map(|c| c["place"].as_str()).collect();
        assert_eq!(copies, ["provider", "sealed"]);
        assert_eq!(answer["release"]["open"], false);

        world.advance(DAYS).await;
        let accepted = world.app().store.accept(&sid, "no matter", "a test", world.clock.now()).await;
        assert_eq!(accepted.expect("the store answers"), callspool_store::Accepted::NotArchived);
        assert!(world.twilio.deleted().is_empty(), "released although nobody has seen whether it is audio");

        customer.configure(&mut world, &[(ONE, 0)]).await;
        world.sweep().await;
        world.settle().await;
        assert_opened(&world, &sid).await;
        assert_eq!(world.archive_files().len(), 2, "what was sealed stays: nothing is deleted from the archive");
        assert!(world.twilio.deleted().is_empty(), "the delay counts from now");
        world.advance(Duration::from_secs(7200)).await;
        assert_eq!(world.twilio.deleted(), [sid]);
        world.end().await;
    }
}

story! {
    with ["TWILIO_DELETE_AFTER" = "1h"]
    async fn a_wrong_key_seals_it_and_waits_for_a_person_and_the_right_one_opens_it(world: World) {
        let customer = Customer::new();
        customer.configure(&mut world, &[(ONE, 1)]).await;
        let sid = customer.call(&world, World::speech(), None).await.recording_sid;
        assert_sealed(&world, &sid).await;
        let step = archive_step(&world, &sid).await;
        assert_eq!((step.state, step.code), (StepState::Parked, Some(Code::MediaKeyWrong)), "{:?}", step.detail);
        world.advance(DAYS).await;
        assert!(world.twilio.deleted().is_empty());
        let attempts = archive_step(&world, &sid).await.attempt;
        customer.configure(&mut world, &[(ONE, 0)]).await;
        world.sweep().await;
        world.settle().await;
        assert_eq!(archive_step(&world, &sid).await.attempt, attempts, "it waits for a person");
        let retried = world.app().store.retry(RetryWhat::Recording(sid.clone()), world.clock.now()).await;
        assert_eq!(retried.expect("the store answers"), 1);
        world.settle().await;
        assert_opened(&world, &sid).await;
        world.end().await;
    }
}

async fn damage_is_never_archived(mut world: World, flaw: CipherFlaw) {
    let customer = Customer::new();
    customer.configure(&mut world, &[(ONE, 0)]).await;
    let sid = customer.call(&world, World::speech(), Some(flaw)).await.recording_sid;
    for _ in 0..3 {
        let step = archive_step(&world, &sid).await;
        assert_eq!((step.state, step.code), (StepState::Waiting, Some(Code::MediaDamaged)), "{:?}", step.detail);
        assert_eq!(world.archive_files(), Vec::<String>::new());
        assert!(!world.history("J").await.contains("Event: Recording |"), "nothing bad is linked");
        world.advance(LATER).await;
    }
    world.advance(DAYS).await;
    let row = world.recording(&sid).await;
    assert_eq!(row.reason.as_deref(), Some("media_damaged for 24 h, always the same bytes"));
    assert_eq!(row.status, Status::Failed);
    assert!(world.twilio.deleted().is_empty());
    world.end().await;
}

story! {
    with ["TWILIO_DELETE_AFTER" = "1h"]
    async fn a_tag_that_proves_nothing_is_damage(world: World) {
        damage_is_never_archived(world, CipherFlaw::Tag).await;
    }
}

story! {
    async fn one_changed_bit_is_damage_although_it_parses(world: World) {
        damage_is_never_archived(world, CipherFlaw::Content).await;
    }
}

story! {
    async fn ciphertext_that_was_cut_is_damage(world: World) {
        damage_is_never_archived(world, CipherFlaw::Cut).await;
    }
}

story! {
    async fn what_the_provider_deleted_is_opened_from_our_sealed_copy(world: World) {
        let customer = Customer::new();
        let sid = customer.call(&world, World::speech(), None).await.recording_sid;
        assert_sealed(&world, &sid).await;
        world.twilio.delete(&sid);
        customer.configure(&mut world, &[(ONE, 0)]).await;
        world.sweep().await;
        world.settle().await;
        assert_opened(&world, &sid).await;
        world.end().await;
    }
}

story! {
    async fn a_callback_that_does_not_say_so_is_made_up_for_by_the_resource(world: World) {
        let customer = Customer::new();
        for format in ["wav", "mp3"] {
            world.set("RECORDING_FORMAT", format);
            customer.configure(&mut world, &[(ONE, 0)]).await;
            let placed = customer.place(&world, World::speech(), None, false).await;
            let row = world.recording(&placed.recording_sid).await;
            assert_eq!(row.status, Status::Archived, "{format}: {:?}", archive_step(&world, &placed.recording_sid).await);
            let copy = row.archive.expect("a copy");
            assert_eq!(copy.sha256, world.twilio.media_sha256(&placed.recording_sid, AudioFormat::Wav));
            assert_eq!(copy.object_key, format!("recordings/2024/03/15/{}-J.wav", placed.call_sid));
        }
        world.end().await;
    }
}

story! {
    async fn what_is_no_ciphertext_is_not_sealed(world: World) {
        let customer = Customer::new();
        let page = Fault::WrongBody { body: BodyKind::Xml, disguised: true };
        for (fault, code) in [
            (page, Code::MediaNotAudio),
            (Fault::Truncate { bytes: 50_000, announced: true }, Code::MediaTruncated),
            (Fault::Truncate { bytes: 0, announced: false }, Code::MediaEmpty),
        ] {
            world.twilio.faults().next(Route::Media, fault);
            let sid = customer.call(&world, World::speech(), None).await.recording_sid;
            assert_eq!(archive_step(&world, &sid).await.code, Some(code));
            assert_eq!(world.recording(&sid).await.status, Status::Announced);
            world.advance(LATER).await;
            assert_eq!(world.recording(&sid).await.status, Status::Sealed);
        }
        assert_eq!(world.archive_files().len(), 3);
        world.end().await;
    }
}

story! {
    async fn a_sealed_object_says_what_opens_it(world: World, bucket: Bucket) {
        let customer = Customer::new();
        let sid = customer.call(&world, World::speech(), None).await.recording_sid;
        let key = assert_sealed(&world, &sid).await;
        assert_eq!(bucket.keys(), [key.clone()]);
        let details = world.twilio.recording(&sid).and_then(|recording| recording.encryption_details).expect("details");
        let metadata = bucket.metadata(&world, &key).await;
        for (name, field) in [
            ("encryption-public-key-sid", "public_key_sid"),
            ("encryption-cek", "encrypted_cek"),
            ("encryption-iv", "iv"),
        ] {
            assert_eq!(metadata.get(name).map(String::as_str), details[field].as_str());
        }
        assert_eq!(metadata.get("channels"), None, "nothing was measured");
        bucket.end(world).await;
    }
}

story! {
    async fn a_long_one_in_parts_becomes_visible_only_once_it_is_proven(world: World, bucket: Bucket) {
        let customer = Customer::new();
        customer.configure(&mut world, &[(ONE, 0)]).await;
        let long = Audio::wav_bytes(20_000_000);
        let damaged = customer.call(&world, long.clone(), Some(CipherFlaw::Tag)).await.recording_sid;
        assert_eq!(archive_step(&world, &damaged).await.code, Some(Code::MediaDamaged));
        assert_eq!((bucket.keys(), bucket.open_uploads()), (Vec::new(), Vec::new()));
        let good = customer.call(&world, long, None).await.recording_sid;
        assert_opened(&world, &good).await;
        assert_eq!(bucket.keys().len(), 1);
        bucket.end(world).await;
    }
}
