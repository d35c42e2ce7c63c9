//! Whoever listens while the audio's place meets each fault: the whole audio, an error that says so, or a connection that
//! visibly breaks. Never other bytes that look whole, no internal text, no secret, and no redirect but our own.

use std::time::Duration;

use callspool_domain::audio::AudioFormat;
use callspool_domain::recording::Status;
use callspool_domain::{RecordingSid, StepName, StepState, Subject};
use callspool_sandbox::twilio::{Audio, PlaceCall, PlacedCall, Route as ProviderRoute};
use callspool_sandbox::{Brand, Fault, s3};
use callspool_store::Role;
use http::{StatusCode, header};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::faults;
use crate::harness::{Bucket, IMPATIENT, Kind, Nobody, TOKEN, World};

/// Far more than the audio has.
const ENDLESS: usize = 1 << 20;

/// What a listener got.
#[derive(Debug)]
enum Heard {
    /// A body that was whole, under a status of success.
    Whole(Vec<u8>),
    /// An error.
    Refused(StatusCode, String),
    /// The connection broke.
    Broken,
}

/// A listener before a recording that comes through callspool.
struct Room {
    world: World,
    nobody: Nobody,
    authorization: String,
    placed: PlacedCall,
    /// The SHA-256 of the audio at the provider.
    truth: String,
}

impl Room {
    async fn enter(world: World) -> Self {
        let url = world.url("/api/twilio/recording?job=J");
        let placed = world.twilio.place_call(PlaceCall::new(world.account(), url, Audio::seconds(1))).await;
        world.settle().await;
        let truth = world.twilio.media_sha256(&placed.recording_sid, AudioFormat::Wav).expect("known");
        let authorization = format!("Bearer {}", world.token(Role::Listener).await);
        Self { world, nobody: World::listen_for_nobody(), authorization, placed, truth }
    }

    fn recording(&self) -> &RecordingSid {
        &self.placed.recording_sid
    }

    /// Follows the permanent link as a player would; `through` where the store would sign.
    async fn listen(&self, through: bool) -> Heard {
        let play = format!("/calls/{}/recording/{}/play", self.placed.call_sid, self.recording());
        let path = if through {
            format!("{play}?proxy=1")
        } else {
            let link = self.get(&format!("/r/{}", self.recording())).await.expect("callspool answers");
            let location = link.headers().get(header::LOCATION).map(|to| to.to_str().expect("text").to_owned());
            assert_eq!((link.status(), location.as_deref()), (StatusCode::FOUND, Some(play.as_str())));
            play
        };
        // What breaks at once takes the head with it.
        let Ok(mut answer) = self.get(&path).await else { return Heard::Broken };
        let status = answer.status();
        assert!(!status.is_redirection(), "led to {:?}", answer.headers().get(header::LOCATION));
        let mut body = Vec::new();
        loop {
            match answer.chunk().await {
                Err(_broken) => return Heard::Broken,
                Ok(None) => break,
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            }
            assert!(body.len() < ENDLESS, "it has no end");
        }
        if status.is_success() {
            Heard::Whole(body)
        } else {
            Heard::Refused(status, String::from_utf8(body).expect("text"))
        }
    }

    async fn get(&self, path: &str) -> reqwest::Result<reqwest::Response> {
        let request = self.world.http.get(self.world.url(path)).header(header::AUTHORIZATION, &self.authorization);
        request.send().await
    }

    /// Asks for a part of the audio: what comes whole is that part. One turned byte of it is beyond telling.
    async fn check_part(&self, whole: &[u8], fault: &Fault) {
        let play = format!("/calls/{}/recording/{}/play?proxy=1", self.placed.call_sid, self.recording());
        let request = self.world.http.get(self.world.url(&play)).header(header::AUTHORIZATION, &self.authorization);
        let Ok(answer) = request.header(header::RANGE, "bytes=100-199").send().await else { return };
        let status = answer.status();
        let Ok(part) = answer.bytes().await else { return };
        match status {
            StatusCode::PARTIAL_CONTENT if !matches!(fault, Fault::FlipByte(_)) => {
                assert!(part == whole[100..200], "another part: {fault:?}");
            }
            StatusCode::OK => assert!(part == whole, "other bytes taken as whole: {fault:?}"),
            _ => assert!(!costs_nothing(fault) || status == StatusCode::PARTIAL_CONTENT, "{fault:?}: {status}"),
        }
    }

    /// What must hold of whatever was heard; true where it was the whole audio.
    fn check(&self, heard: &Heard, fault: &Fault) -> bool {
        match heard {
            Heard::Whole(bytes) => {
                let sha256 = hex::encode(Sha256::digest(bytes));
                assert_eq!(sha256, self.truth, "other bytes taken as whole: {fault:?}, {} bytes", bytes.len());
                true
            }
            Heard::Refused(status, text) => {
                let body: Value = serde_json::from_str(text).unwrap_or_else(|_| panic!("{fault:?}: {text}"));
                let (code, message) = (body["error"]["code"].as_str(), body["error"]["message"].as_str());
                assert!(code.is_some() && message.is_some_and(|message| message.contains(' ')), "{fault:?}: {text}");
                assert!(
                    *status == StatusCode::SERVICE_UNAVAILABLE || *status == StatusCode::NOT_FOUND,
                    "{status}: {text}"
                );
                let inner = ["127.0.0.1", "http://", TOKEN, "sandbox", "reqwest", "hyper", "os error", "HTTP "];
                let shown = inner.iter().find(|inner| text.contains(**inner));
                assert_eq!(shown, None, "{fault:?} shows what is nobody's business: {text}");
                false
            }
            Heard::Broken => false,
        }
    }

    async fn end(self) {
        assert!(self.nobody.was_left_alone(), "a redirect was followed");
        self.world.end().await;
    }
}

/// Whether a listener hears the whole all the same.
fn costs_nothing(fault: &Fault) -> bool {
    matches!(fault, Fault::Delay(_) | Fault::Drip { .. })
}

/// A world in which a listener waits as short as a story about silence needs, where that is what it is about.
async fn world(kind: Kind, silent: bool) -> Option<World> {
    let mut world = World::prepare(kind).await?;
    if silent {
        world.patience.read_timeout = IMPATIENT;
    }
    Some(world)
}

async fn before_it_is_archived(kind: Kind) {
    for silent in [false, true] {
        let Some(mut world) = world(kind, silent).await else { return };
        world.boot().await;
        // It stays at the provider for as long as the clock stands.
        world.twilio.faults().next(ProviderRoute::Media, Fault::status(StatusCode::SERVICE_UNAVAILABLE));
        let room = Room::enter(world).await;
        let step = room.world.step(StepName::Archive, Subject::Recording(room.recording().clone())).await;
        assert_eq!(step.state, StepState::Waiting);
        for fault in faults::of(&room.nobody, silent) {
            room.world.twilio.faults().always(ProviderRoute::Media, fault.clone());
            let whole = room.check(&room.listen(false).await, &fault);
            assert_eq!(whole, costs_nothing(&fault), "{fault:?}");
            room.world.twilio.faults().clear_all();
            assert!(room.check(&room.listen(false).await, &fault), "{fault:?} outlasts its end");
        }
        assert_eq!(room.world.recording(room.recording()).await.status, Status::Announced);
        room.world.advance(Duration::from_secs(360)).await;
        assert_eq!(room.world.recording(room.recording()).await.status, Status::Archived);
        room.end().await;
    }
}

/// Through callspool from a bucket; the provider's copy, which would stand in for it, is gone.
async fn from_a_bucket(brand: Brand) {
    for silent in [false, true] {
        let Some(mut world) = world(Kind::Sqlite, silent).await else { return };
        let bucket = Bucket::of(brand, &mut world).await;
        world.boot().await;
        let room = Room::enter(world).await;
        assert_eq!(room.world.recording(room.recording()).await.status, Status::Archived);
        let Heard::Whole(whole_audio) = room.listen(true).await else { panic!("it plays") };
        for fault in faults::of(&room.nobody, silent) {
            // The provider's copy stands in while there is one.
            for instead in [true, false] {
                bucket.faults().always(s3::Route::Get, fault.clone());
                if !instead {
                    room.world.twilio.faults().always(ProviderRoute::Media, Fault::status(StatusCode::NOT_FOUND));
                }
                let heard = room.listen(true).await;
                let whole = room.check(&heard, &fault);
                assert!(whole || !costs_nothing(&fault), "{fault:?}: {heard:?}");
                assert!(!whole || instead || costs_nothing(&fault), "{fault:?}: there is no other copy");
                room.check_part(&whole_audio, &fault).await;
                room.world.twilio.faults().clear_all();
                bucket.faults().clear_all();
            }
            assert!(room.check(&room.listen(true).await, &fault), "{fault:?} outlasts its end");
        }
        assert_eq!(bucket.unexpected_requests(), Vec::<String>::new());
        room.end().await;
    }
}

async fn from_a_folder(kind: Kind) {
    let Some(mut world) = world(kind, false).await else { return };
    world.boot().await;
    let room = Room::enter(world).await;
    let key = room.world.recording(room.recording()).await.archive.expect("a copy").object_key;
    let file = room.world.archive_folder().join(key);
    let whole = std::fs::read(&file).expect("the file");
    let mut turned = whole.clone();
    *turned.last_mut().expect("a byte") ^= 1;
    let longer = [whole.as_slice(), b"more"].concat();
    let fault = Fault::status(StatusCode::NOT_FOUND);
    for bytes in [Some(&turned[..]), Some(&whole[..whole.len() / 2]), Some(&longer), Some(b""), None] {
        match bytes {
            Some(bytes) => std::fs::write(&file, bytes).expect("written"),
            None => std::fs::remove_file(&file).expect("removed"),
        }
        // With the provider's copy in its place, and without one.
        assert!(room.check(&room.listen(false).await, &fault), "the provider's copy stands in");
        room.world.twilio.faults().always(ProviderRoute::Media, fault.clone());
        assert!(!room.check(&room.listen(false).await, &fault), "{:?} bytes", bytes.map(<[u8]>::len));
        room.world.twilio.faults().clear_all();
        std::fs::write(&file, &whole).expect("written");
        assert!(room.check(&room.listen(false).await, &fault));
    }
    room.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_from_the_provider_is_whole_or_visibly_not_on_sqlite() {
    before_it_is_archived(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_from_the_provider_is_whole_or_visibly_not_on_postgres() {
    before_it_is_archived(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_from_s3_is_whole_or_visibly_not() {
    from_a_bucket(Brand::S3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_from_google_is_whole_or_visibly_not() {
    from_a_bucket(Brand::Gcs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_from_azure_is_whole_or_visibly_not() {
    from_a_bucket(Brand::Azure).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_from_a_folder_is_whole_or_visibly_not() {
    from_a_folder(Kind::Sqlite).await;
}
