//! The folder of the archive is away (a disk that is not mounted leaves an empty folder at its place, and nothing of ours
//! may come to lie in that), can't be written, or holds something else than was written.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use callspool_domain::recording::Status;
use callspool_domain::{Code, RecordingSid, StepName, StepState, Subject};

use crate::harness::{World, story};

/// Longer than any back-off of an outage.
const LATER: Duration = Duration::from_secs(90);

/// Where the folder is while it is away.
fn elsewhere(world: &World) -> PathBuf {
    world.folder.path().join("elsewhere")
}

/// Takes the folder away and leaves an empty one, as the end of a mount does.
fn unmount(world: &World) {
    fs::rename(world.archive_folder(), elsewhere(world)).expect("moved away");
    fs::create_dir(world.archive_folder()).expect("an empty folder");
}

fn mount(world: &World) {
    fs::remove_dir(world.archive_folder()).expect("still empty");
    fs::rename(elsewhere(world), world.archive_folder()).expect("moved back");
}

async fn assert_waits_for_the_folder(world: &World, recording: &RecordingSid) {
    let step = world.step(StepName::Archive, Subject::Recording(recording.clone())).await;
    assert_eq!((step.state, step.code), (StepState::Waiting, Some(Code::ArchiveUnavailable)), "{:?}", step.detail);
}

story! {
    async fn nothing_is_written_into_the_empty_folder_of_a_disk_that_is_away(world: World) {
        world.call("?job=J").await;
        world.settle().await;
        unmount(&world);
        let placed = world.call("?job=J").await;
        world.settle().await;
        assert_waits_for_the_folder(&world, &placed.recording_sid).await;
        world.advance(LATER).await;
        assert_waits_for_the_folder(&world, &placed.recording_sid).await;
        mount(&world);
        world.advance(LATER).await;
        assert_eq!(world.recording(&placed.recording_sid).await.status, Status::Archived);
        assert_eq!(world.archive_files().len(), 2);
        world.end().await;
    }
}

story! {
    async fn a_disk_that_is_away_at_the_start_is_waited_for_and_needs_no_restart(world: World) {
        let mut world = world;
        world.call("?job=J").await;
        world.settle().await;
        world.stop().await;
        unmount(&world);
        world.boot().await;
        let placed = world.call("?job=J").await;
        world.settle().await;
        assert_waits_for_the_folder(&world, &placed.recording_sid).await;
        mount(&world);
        world.advance(LATER).await;
        assert_eq!(world.recording(&placed.recording_sid).await.status, Status::Archived);
        world.end().await;
    }
}

story! {
    async fn the_folder_of_another_archive_is_not_taken_for_ours(world: World) {
        let first = world.call("?job=J").await;
        world.settle().await;
        fs::rename(world.archive_folder(), elsewhere(&world)).expect("moved away");
        fs::create_dir(world.archive_folder()).expect("a folder");
        fs::write(world.archive_folder().join(".callspool-archive"), "01ARZ3NDEKTSV4RRFFQ69G5FAV\n").expect("another id");
        let second = world.call("?job=J").await;
        world.settle().await;
        assert_waits_for_the_folder(&world, &second.recording_sid).await;
        assert_eq!(world.recording(&first.recording_sid).await.status, Status::Archived);
        assert_eq!(world.archive_files(), Vec::<String>::new(), "nothing was written into it");
        world.end().await;
    }
}

story! {
    async fn a_folder_that_can_not_be_made_at_the_first_start_is_used_once_it_can(world: World) {
        let mut world = world;
        world.stop().await;
        // A file where one of its parents should be: nobody, not even root, can make a folder below it.
        let blocked = world.folder.path().join("blocked");
        fs::write(&blocked, "").expect("a file");
        world.set("ARCHIVE_URL", format!("file://{}", blocked.join("archive").display()));
        world.boot().await;
        let placed = world.call("?job=J").await;
        world.settle().await;
        let step = world.step(StepName::Archive, Subject::Recording(placed.recording_sid.clone())).await;
        assert_eq!(step.state, StepState::Waiting, "{:?}", step.detail);
        world.advance(LATER).await;
        assert_eq!(world.recording(&placed.recording_sid).await.status, Status::Announced);

        fs::remove_file(&blocked).expect("it is there");
        for _ in 0..20 {
            world.advance(Duration::from_secs(5)).await;
        }
        assert_eq!(world.recording(&placed.recording_sid).await.status, Status::Archived);
        assert_eq!(world.recorded("J").await, 1);
        world.end().await;
    }
}

/// Puts a file where the archive needs a folder: like a full disk, it lets nobody write, not even root.
async fn written_once_it_can_be(world: World, folder: &str, code: Code) {
    world.call("?job=J").await;
    world.settle().await;
    let (blocked, aside) = (world.archive_folder().join(folder), world.folder.path().join("aside"));
    fs::rename(&blocked, &aside).expect("there is one after the first recording");
    fs::write(&blocked, "").expect("a file");
    let placed = world.call("?job=J").await;
    world.settle().await;
    for _ in 0..2 {
        let step = world.step(StepName::Archive, Subject::Recording(placed.recording_sid.clone())).await;
        assert_eq!((step.state, step.code), (StepState::Waiting, Some(code)), "{:?}", step.detail);
        assert_eq!((world.recorded("J").await, world.twilio.deleted().len()), (1, 0));
        world.advance(LATER).await;
    }
    fs::remove_file(&blocked).expect("the file");
    fs::rename(&aside, &blocked).expect("the folder");
    world.advance(LATER).await;
    assert_eq!(world.recording(&placed.recording_sid).await.status, Status::Archived);
    assert_eq!((world.archive_files().len(), world.recorded("J").await), (2, 2));
    world.end().await;
}

story! {
    async fn a_recording_that_can_not_be_begun_in_the_folder_waits_until_it_can(world: World) {
        written_once_it_can_be(world, ".callspool-tmp", Code::ArchiveUnavailable).await;
    }
}

story! {
    async fn a_recording_that_can_not_get_its_name_in_the_folder_waits_until_it_can(world: World) {
        written_once_it_can_be(world, "recordings", Code::ArchiveUnauthorized).await;
    }
}

story! {
    with ["TWILIO_DELETE_AFTER" = "1h"]
    async fn a_copy_in_the_folder_that_is_changed_or_gone_keeps_the_providers(world: World) {
        let placed = world.call("?job=J").await;
        world.settle().await;
        let key = world.recording(&placed.recording_sid).await.archive.expect("a copy").object_key;
        let file = world.archive_folder().join(key);
        let whole = fs::read(&file).expect("the file");
        let mut turned = whole.clone();
        *turned.last_mut().expect("a byte") ^= 1;
        world.clock.advance(Duration::from_secs(3600));
        for (found, code) in [
            (Some(&turned[..]), Code::ArchiveMismatch),
            (Some(&whole[..whole.len() - 1]), Code::ArchiveMismatch),
            (None, Code::ArchiveObjectGone),
        ] {
            match found {
                Some(bytes) => fs::write(&file, bytes).expect("written"),
                None => fs::remove_file(&file).expect("removed"),
            }
            world.advance(Duration::from_secs(360)).await;
            let step = world.step(StepName::Release, Subject::Recording(placed.recording_sid.clone())).await;
            assert_eq!((step.state, step.code), (StepState::Waiting, Some(code)), "{:?}", step.detail);
            assert!(world.twilio.deleted().is_empty(), "the only good copy was released");
        }
        fs::write(&file, &whole).expect("written");
        world.advance(Duration::from_secs(360)).await;
        assert_eq!(world.twilio.deleted(), [placed.recording_sid]);
        world.end().await;
    }
}
