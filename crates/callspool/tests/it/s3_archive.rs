//! The archive in S3: every recording is one object of the right bytes, whatever the store does on the way.

mod elsewhere;
mod faults;
mod keys;
mod objects;
mod release;

use std::time::Duration;

use callspool_domain::audio::AudioFormat;
use callspool_domain::recording::Status;
use callspool_domain::{RecordingSid, StepName, Subject};
use callspool_sandbox::Fault;
use callspool_sandbox::s3::Route;
use callspool_sandbox::twilio::{Audio, PlaceCall, PlacedCall};
use callspool_store::{ArchiveRow, StepRow};
use sha2::{Digest as _, Sha256};

use crate::harness::{Bucket, World};

/// Longer than any back-off.
const LATER: Duration = Duration::from_secs(360);

/// Speech that fits one part.
fn short() -> Audio {
    Audio::seconds(2)
}

/// Speech that takes two parts.
fn long() -> Audio {
    Audio::wav_bytes(9 << 20)
}

/// Places a call of job `J` with this recording.
async fn place(world: &World, audio: Audio) -> PlacedCall {
    place_at(world, audio, "/api/twilio/recording?job=J").await
}

/// Places a call whose recording is announced at this path.
async fn place_at(world: &World, audio: Audio, path: &str) -> PlacedCall {
    let placed = world.twilio.place_call(PlaceCall::new(world.account(), world.url(path), audio)).await;
    assert!(placed.callbacks.iter().all(|callback| callback.is_accepted()), "{:?}", placed.callbacks);
    placed
}

async fn archive_step(world: &World, recording: &RecordingSid) -> StepRow {
    world.step(StepName::Archive, Subject::Recording(recording.clone())).await
}

/// The recording is archived, and what lies at its key in the bucket is what the provider has.
async fn assert_archived(world: &World, bucket: &Bucket, recording: &RecordingSid) -> ArchiveRow {
    let row = world.recording(recording).await;
    assert_eq!(row.status, Status::Archived, "{:?}", archive_step(world, recording).await);
    let copy = row.archive.expect("an archive copy");
    let sha256 = hex::encode(Sha256::digest(bucket.object(&copy.object_key).expect("the object")));
    assert_eq!(Some(&sha256), world.twilio.media_sha256(recording, AudioFormat::Wav).as_ref());
    assert_eq!(copy.sha256, Some(sha256));
    copy
}

/// Waits until every upload that was given up has been aborted in the background.
async fn assert_no_upload_stays_open(world: &World, bucket: &Bucket) {
    world.eventually("broken uploads to be aborted", async || bucket.open_uploads().is_empty()).await;
}

/// An object that arrived while nobody was told, and whose bytes changed before they were read back, is written again.
async fn damaged_before_it_is_read_back(world: World, bucket: Bucket) {
    for (audio, route) in [(short(), Route::PutObject), (long(), Route::CompleteMultipart)] {
        let before = bucket.keys();
        bucket.faults().next(route, Fault::LostReply);
        let placed = place(&world, audio).await;
        world.settle().await;
        let key = bucket.keys().into_iter().find(|key| !before.contains(key)).expect("it has arrived");
        let mut bytes = bucket.object(&key).expect("the object");
        *bytes.last_mut().expect("a byte") ^= 1;
        bucket.overwrite(&key, &bytes).expect("written");
        world.advance(LATER).await;
        assert_eq!(assert_archived(&world, &bucket, &placed.recording_sid).await.object_key, key);
        assert_eq!(bucket.keys().len(), before.len() + 1);
    }
    bucket.end(world).await;
}
