//! The archive in a local folder: what is visible when, whose files are whose, and where a key may lead.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use callspool_clients::Archive;
use callspool_clients::archive::{Held, LocalFolder, PartBudget, PutOutcome, ReadBack, Ready};
use callspool_domain::{Code, StepFailure};
use futures::TryStreamExt as _;
use tempfile::TempDir;

use crate::world::{audio, bytes, facts, fingerprint};

const ID: &str = "01FOLDER";
const KEY: &str = "recordings/2024/03/15/CA1-JOB%20456.wav";

struct Folder {
    place: TempDir,
    archive: Archive,
}

impl Folder {
    async fn new() -> Self {
        let place = tempfile::tempdir().expect("folder");
        let archive = open(&place.path().join("archive")).await;
        Self { place, archive }
    }

    fn root(&self) -> PathBuf {
        self.place.path().join("archive")
    }

    fn path(&self) -> PathBuf {
        self.root().join(KEY)
    }

    fn temporary_files(&self) -> usize {
        std::fs::read_dir(self.root().join(".callspool-tmp")).expect("folder").count()
    }

    async fn ready(&self, key: &str, content: &[u8]) -> Result<Ready, StepFailure> {
        let mut upload = self.archive.put(key, facts(), None, &PartBudget::default()).await?;
        for piece in content.chunks(10_000) {
            upload.write(piece).await?;
        }
        upload.finish().await
    }

    async fn put(&self, content: &[u8], held: Held) -> Result<PutOutcome, StepFailure> {
        self.ready(KEY, content).await?.publish(&audio(), held).await
    }
}

/// A first start: the ledger knows nothing of the folder.
async fn open(root: &Path) -> Archive {
    Archive::open_folder(root, LocalFolder::establish(root, ID).await).await
}

/// A later start.
async fn reopen(root: &Path, id: &str) -> Archive {
    Archive::open_folder(root, Ok(id.to_owned())).await
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("there").permissions().mode() & 0o777
}

#[tokio::test]
async fn a_file_is_visible_as_a_whole_or_not_at_all() {
    let folder = Folder::new().await;
    let content = bytes(700_000);
    let ready = folder.ready(KEY, &content).await.expect("written");
    assert_eq!(*ready.fingerprint(), fingerprint(&content));
    assert!(!folder.path().exists() && folder.archive.size(KEY).await == Ok(None));
    assert_eq!(ready.publish(&audio(), Held::Nothing).await, Ok(PutOutcome::Stored));
    assert_eq!(std::fs::read(folder.path()).expect("file"), content);
    assert_eq!(folder.archive.size(KEY).await, Ok(Some(700_000)));
    assert_eq!(folder.temporary_files(), 0);
}

#[tokio::test]
async fn what_is_given_up_or_dropped_leaves_nothing() {
    let folder = Folder::new().await;
    let mut upload = folder.archive.put(KEY, facts(), None, &PartBudget::default()).await.expect("upload");
    upload.write(&bytes(300_000)).await.expect("written");
    assert_eq!(folder.temporary_files(), 1);
    upload.abort().await.expect("aborted");
    assert_eq!(folder.temporary_files(), 0);
    folder.ready(KEY, b"abc").await.expect("written").abort().await.expect("aborted");
    drop(folder.ready(KEY, b"abc").await.expect("written"));
    assert_eq!(folder.temporary_files(), 0);
    assert!(!folder.path().exists());
}

#[tokio::test]
async fn a_foreign_file_stays_and_the_key_is_reported_taken() {
    let folder = Folder::new().await;
    std::fs::create_dir_all(folder.path().parent().expect("parent")).expect("folders");
    std::fs::write(folder.path(), "somebody's notes").expect("file");
    assert_eq!(folder.put(b"ours", Held::Nothing).await, Ok(PutOutcome::Foreign));
    assert_eq!(std::fs::read(folder.path()).expect("file"), b"somebody's notes");
    assert_eq!(folder.temporary_files(), 0);
}

#[tokio::test]
async fn our_own_file_is_kept_replaced_or_spared_as_the_ledger_knows_it() {
    let folder = Folder::new().await;
    assert_eq!(folder.put(b"first", Held::Nothing).await, Ok(PutOutcome::Stored));
    assert_eq!(folder.put(b"first", Held::Nothing).await, Ok(PutOutcome::AlreadyOurs));
    assert_eq!(folder.put(b"other", Held::Nothing).await, Ok(PutOutcome::Foreign));
    assert_eq!(folder.put(b"second", Held::Unverified).await, Ok(PutOutcome::Stored));
    assert_eq!(std::fs::read(folder.path()).expect("file"), b"second");
    assert_eq!(folder.put(b"third", Held::Verified).await, Ok(PutOutcome::OursDifferent));
    assert_eq!(std::fs::read(folder.path()).expect("file"), b"second");
    assert_eq!(folder.temporary_files(), 0);
}

#[tokio::test]
async fn of_two_writers_of_one_key_one_wins_and_nothing_is_mixed() {
    let folder = Folder::new().await;
    let (one, two) = (bytes(400_000), vec![7; 300_000]);
    let (first, second) = (folder.ready(KEY, &one).await, folder.ready(KEY, &two).await);
    let (audio, held) = (audio(), Held::Nothing);
    let (first, second) =
        tokio::join!(first.expect("written").publish(&audio, held), second.expect("written").publish(&audio, held));
    let stored = std::fs::read(folder.path()).expect("file");
    match (first.expect("settled"), second.expect("settled")) {
        (PutOutcome::Stored, PutOutcome::Foreign) => assert_eq!(stored, one),
        (PutOutcome::Foreign, PutOutcome::Stored) => assert_eq!(stored, two),
        both => panic!("{both:?}"),
    }
}

#[tokio::test]
async fn a_changed_file_is_a_mismatch_and_a_removed_one_is_gone() {
    let folder = Folder::new().await;
    let written = fingerprint(b"as it was written");
    folder.put(b"as it was written", Held::Nothing).await.expect("stored");
    for by in [ReadBack::Checksum, ReadBack::Read] {
        assert_eq!(folder.archive.read_back(KEY, &written, by).await, Ok(ReadBack::Read));
    }
    assert_eq!(folder.archive.fingerprint(KEY).await, Ok(written.clone()));
    std::fs::write(folder.path(), "as it was writtem").expect("damaged");
    let failure = folder.archive.read_back(KEY, &written, ReadBack::Checksum).await.expect_err("damaged");
    assert_eq!(failure.code, Code::ArchiveMismatch);
    assert!(failure.detail.contains(KEY) && failure.detail.contains(&written.sha256), "{failure}");
    std::fs::remove_file(folder.path()).expect("removed");
    for failure in [
        folder.archive.read_back(KEY, &written, ReadBack::Read).await.map(drop).expect_err("gone"),
        folder.archive.fingerprint(KEY).await.map(drop).expect_err("gone"),
    ] {
        assert_eq!(failure.code, Code::ArchiveObjectGone);
    }
}

#[tokio::test]
async fn a_file_is_played_whole_or_in_part() {
    let folder = Folder::new().await;
    let content = bytes(300_000);
    folder.put(&content, Held::Nothing).await.expect("stored");
    for (range, expected) in
        [(None, &content[..]), (Some(0..1), &content[..1]), (Some(70_000..299_999), &content[70_000..299_999])]
    {
        let object = folder.archive.read(KEY, range).await.expect("opened").expect("there");
        let played: Vec<_> = object.body.try_collect().await.expect("played");
        assert_eq!((object.size, played.concat()), (300_000, expected.to_vec()));
    }
    assert!(folder.archive.read("recordings/none.wav", None).await.expect("looked").is_none());
}

#[tokio::test]
async fn more_than_was_announced_is_refused() {
    let folder = Folder::new().await;
    let mut upload = folder.archive.put(KEY, facts(), Some(10), &PartBudget::default()).await.expect("upload");
    upload.write(b"0123456789").await.expect("as announced");
    assert_eq!(upload.write(b"x").await.expect_err("too much").code, Code::MediaOverlong);
}

#[tokio::test]
async fn no_key_leads_out_of_the_folder() {
    let folder = Folder::new().await;
    for key in [
        "",
        "/etc/x",
        "../x",
        "a/../../x",
        "a//b",
        "a/./b",
        "a/",
        "a\0b",
        "a b",
        "ä",
        ".callspool-tmp/x",
        ".callspool-archive",
        "a\\b\n",
    ] {
        assert_eq!(folder.ready(key, b"x").await.map(drop).expect_err(key).code, Code::ArchiveRejected, "{key:?}");
        assert_eq!(folder.archive.size(key).await.expect_err(key).code, Code::ArchiveRejected, "{key:?}");
    }
    assert_eq!(std::fs::read_dir(folder.place.path()).expect("folder").count(), 1);
}

#[tokio::test]
async fn no_link_leads_out_of_the_folder() {
    let folder = Folder::new().await;
    let outside = folder.place.path().join("outside");
    std::fs::create_dir(&outside).expect("folder");
    std::fs::write(outside.join("secret"), "secret").expect("file");
    symlink(&outside, folder.root().join("recordings")).expect("link");
    assert_eq!(folder.put(b"x", Held::Nothing).await.expect_err("link").code, Code::ArchiveUnauthorized);
    let read = folder.archive.read("recordings/secret", None).await.map(drop);
    assert_eq!(read.expect_err("link").code, Code::ArchiveUnauthorized);
    assert_eq!(std::fs::read_dir(&outside).expect("folder").count(), 1);
    symlink(outside.join("secret"), folder.root().join("file")).expect("link");
    assert_eq!(folder.archive.fingerprint("file").await.map(drop).expect_err("link").code, Code::ArchiveUnauthorized);
}

#[tokio::test]
async fn a_link_in_the_place_of_a_file_is_foreign() {
    let folder = Folder::new().await;
    let target = folder.place.path().join("target");
    std::fs::write(&target, "untouched").expect("file");
    std::fs::create_dir_all(folder.path().parent().expect("parent")).expect("folders");
    symlink(&target, folder.path()).expect("link");
    assert_eq!(folder.put(b"x", Held::Unverified).await, Ok(PutOutcome::Foreign));
    assert_eq!(std::fs::read(&target).expect("file"), b"untouched");
}

#[tokio::test]
async fn a_folder_that_is_not_mounted_is_an_outage_and_is_not_filled() {
    let folder = Folder::new().await;
    folder.put(b"x", Held::Nothing).await.expect("stored");
    let away = folder.place.path().join("away");
    std::fs::rename(folder.root(), &away).expect("unmounted");
    std::fs::create_dir(folder.root()).expect("mount point");
    assert_eq!(folder.put(b"y", Held::Nothing).await.expect_err("unmounted").code, Code::ArchiveUnavailable);
    assert_eq!(std::fs::read_dir(folder.root()).expect("folder").count(), 0);
    std::fs::remove_dir(folder.root()).expect("removed");
    assert_eq!(folder.archive.fingerprint(KEY).await.map(drop).expect_err("no folder").code, Code::ArchiveUnavailable);
    std::fs::rename(&away, folder.root()).expect("mounted");
    assert_eq!(folder.put(b"x", Held::Nothing).await, Ok(PutOutcome::AlreadyOurs));
}

#[tokio::test]
async fn a_start_removes_what_a_dead_process_left_and_spares_what_a_living_one_writes() {
    let folder = Folder::new().await;
    std::fs::write(folder.root().join(".callspool-tmp/left-over"), "half a recording").expect("file");
    let growing = folder.ready(KEY, b"abc").await.expect("written");
    assert_eq!(folder.temporary_files(), 2);
    reopen(&folder.root(), ID).await;
    assert_eq!(folder.temporary_files(), 1);
    assert_eq!(growing.publish(&audio(), Held::Nothing).await, Ok(PutOutcome::Stored));
}

#[tokio::test]
async fn started_while_it_is_not_mounted_nothing_is_created_and_all_fails_until_it_is_there() {
    let folder = Folder::new().await;
    folder.put(b"x", Held::Nothing).await.expect("stored");
    let (root, away) = (folder.root(), folder.place.path().join("away"));
    std::fs::rename(&root, &away).expect("unmounted");
    for mount_point in [false, true] {
        if mount_point {
            std::fs::create_dir(&root).expect("mount point");
        }
        let folder = Folder { archive: reopen(&root, ID).await, ..Folder::new().await };
        for failure in [
            folder.put(b"y", Held::Nothing).await.map(drop).expect_err("put"),
            folder.archive.fingerprint(KEY).await.map(drop).expect_err("fingerprint"),
            folder.archive.size(KEY).await.map(drop).expect_err("size"),
            folder.archive.read(KEY, None).await.map(drop).expect_err("read"),
        ] {
            assert_eq!(failure.code, Code::ArchiveUnavailable, "{failure}");
            assert!(failure.detail.contains(&*root.to_string_lossy()) && failure.detail.contains(ID), "{failure}");
        }
        assert_eq!(root.exists(), mount_point);
    }
    assert_eq!(std::fs::read_dir(&root).expect("mount point").count(), 0);
    let started_without = reopen(&root, ID).await;
    std::fs::remove_dir(&root).expect("removed");
    std::fs::rename(&away, &root).expect("mounted");
    let folder = Folder { place: folder.place, archive: started_without };
    assert_eq!(folder.put(b"x", Held::Nothing).await, Ok(PutOutcome::AlreadyOurs));
    assert_eq!(folder.archive.fingerprint(KEY).await, Ok(fingerprint(b"x")));
}

#[tokio::test]
async fn another_archive_in_its_place_is_neither_written_nor_believed() {
    let folder = Folder::new().await;
    let ready = folder.ready(KEY, b"x").await.expect("written");
    std::fs::write(folder.root().join(".callspool-archive"), "01OTHER\n").expect("another marker");
    assert_eq!(ready.publish(&audio(), Held::Nothing).await.expect_err("publish").code, Code::ArchiveUnavailable);
    assert!(!folder.path().exists());
    assert_eq!(folder.archive.fingerprint(KEY).await.expect_err("other").code, Code::ArchiveUnavailable);
    // What the failure advises to somebody who means this folder.
    std::fs::write(folder.root().join(".callspool-archive"), format!("{ID}\n")).expect("adopted");
    assert_eq!(folder.put(b"x", Held::Nothing).await, Ok(PutOutcome::Stored));
}

#[tokio::test]
async fn a_folder_without_its_hidden_one_is_still_the_archive() {
    let folder = Folder::new().await;
    std::fs::remove_dir(folder.root().join(".callspool-tmp")).expect("not in the backup");
    assert_eq!(folder.put(b"x", Held::Nothing).await, Ok(PutOutcome::Stored));
}

#[tokio::test]
async fn a_first_start_takes_the_id_that_is_there_and_of_two_at_once_one_gives_it() {
    let place = tempfile::tempdir().expect("folder");
    let root = place.path().join("new/archive");
    let (one, two) = tokio::join!(LocalFolder::establish(&root, "01ONE"), LocalFolder::establish(&root, "01TWO"));
    let id = one.expect("made");
    assert!(id == "01ONE" || id == "01TWO", "{id}");
    assert_eq!(two, Ok(id.clone()));
    assert_eq!(LocalFolder::establish(&root, "01THREE").await, Ok(id));
}

#[tokio::test]
async fn recordings_are_for_their_owner_alone() {
    let folder = Folder::new().await;
    let growing = folder.ready(KEY, b"x").await.expect("written");
    let hidden = folder.root().join(".callspool-tmp");
    for entry in std::fs::read_dir(&hidden).expect("folder") {
        assert_eq!(mode(&entry.expect("entry").path()), 0o600);
    }
    growing.publish(&audio(), Held::Nothing).await.expect("stored");
    assert_eq!(mode(&folder.path()), 0o600);
    let below = folder.path();
    for made in below.ancestors().skip(1).take_while(|made| made.starts_with(folder.root())).chain([&*hidden]) {
        assert_eq!(mode(made), 0o700, "{}", made.display());
    }
}

#[tokio::test]
async fn a_folder_that_can_not_be_made_is_named_by_every_operation() {
    let place = tempfile::tempdir().expect("folder");
    std::fs::write(place.path().join("file"), "").expect("file");
    let archive = open(&place.path().join("file/archive")).await;
    let failure = archive.size(KEY).await.expect_err("below a file");
    assert!(failure.detail.contains("file/archive"), "{failure}");
}

#[tokio::test]
async fn the_root_may_be_reached_by_a_link() {
    let place = tempfile::tempdir().expect("folder");
    std::fs::create_dir(place.path().join("disk")).expect("folder");
    symlink(place.path().join("disk"), place.path().join("archive")).expect("link");
    let folder = Folder { archive: open(&place.path().join("archive")).await, place };
    assert_eq!(folder.put(b"x", Held::Nothing).await, Ok(PutOutcome::Stored));
    assert_eq!(std::fs::read(folder.place.path().join("disk").join(KEY)).expect("file"), b"x");
}
