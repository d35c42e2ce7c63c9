//! A file that grows beside the archive and is published under its key in one step, or disappears.
//!
//! While it grows it is locked, so that a starting process can tell it from what a dead one left behind.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use callspool_domain::{RecordingSid, StepFailure};
use tokio::io::{AsyncWriteExt as _, BufWriter};

use super::disk::{self, blocking, failure};
use super::{BUFFER_BYTES, LocalFolder, TEMPORARY_FOLDER};
use crate::archive::budget::Claim;
use crate::archive::fingerprint::{Fingerprint, Fingerprinter};
use crate::archive::upload::{Held, PutOutcome};

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A growing file.
#[derive(Debug)]
pub(in crate::archive) struct Temporary {
    writer: BufWriter<tokio::fs::File>,
    path: RemovedOnDrop,
    folder: LocalFolder,
    key: String,
    _claim: Claim,
}

impl Temporary {
    pub(super) async fn create(
        folder: LocalFolder,
        key: String,
        recording: &RecordingSid,
        claim: Claim,
    ) -> Result<Self, StepFailure> {
        let what = format!("beginning to write {key}");
        let stem = format!("{recording}-{}", std::process::id());
        let checked = folder.clone();
        let (file, path) = blocking(move || {
            checked.check()?;
            let hidden = checked.root.join(TEMPORARY_FOLDER);
            let created = disk::make_folder(&hidden).and_then(|()| create_locked(&hidden.join(stem)));
            created.map_err(|error| failure(&error, &what))
        })
        .await?;
        let mut file = tokio::fs::File::from_std(file);
        file.set_max_buf_size(BUFFER_BYTES / 2);
        let writer = BufWriter::with_capacity(BUFFER_BYTES / 2, file);
        Ok(Self { writer, path, folder, key, _claim: claim })
    }

    pub(in crate::archive) async fn write(&mut self, bytes: &[u8]) -> Result<(), StepFailure> {
        self.writer.write_all(bytes).await.map_err(|error| failure(&error, &format!("writing {}", self.key)))
    }

    pub(in crate::archive) async fn finish(&mut self) -> Result<(), StepFailure> {
        let flushed = async {
            self.writer.flush().await?;
            self.writer.get_ref().sync_all().await
        };
        flushed.await.map_err(|error| failure(&error, &format!("writing {} to the disk", self.key)))
    }

    pub(in crate::archive) async fn publish(self, written: Fingerprint, held: Held) -> Result<PutOutcome, StepFailure> {
        let what = format!("publishing {}", self.key);
        blocking(move || {
            self.folder.check()?;
            publish(&self.folder.root, &self.key, &self.path.0, &written, held).map_err(|error| failure(&error, &what))
        })
        .await
    }

    pub(in crate::archive) async fn abort(self) -> Result<(), StepFailure> {
        let what = format!("removing what was written of {}", self.key);
        blocking(move || fs::remove_file(&self.path.0).map_err(|error| failure(&error, &what))).await
    }
}

/// Links the file to its place, which fails where there is one already, and makes that durable.
fn publish(root: &Path, key: &str, temporary: &Path, written: &Fingerprint, held: Held) -> io::Result<PutOutcome> {
    let target = root.join(key);
    disk::make_folders(root, key)?;
    let outcome = match fs::hard_link(temporary, &target) {
        Ok(()) => PutOutcome::Stored,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let outcome = taken(root, key, written, held)?;
            if outcome == PutOutcome::Stored {
                fs::rename(temporary, &target)?;
            }
            outcome
        }
        Err(error) => return Err(error),
    };
    disk::sync_folders(root, key)?;
    Ok(outcome)
}

/// What to do about a file that is there already; [`PutOutcome::Stored`] asks for it to be replaced.
fn taken(root: &Path, key: &str, written: &Fingerprint, held: Held) -> io::Result<PutOutcome> {
    if !fs::symlink_metadata(root.join(key))?.is_file() {
        return Ok(PutOutcome::Foreign);
    }
    let file = disk::open_file(root, key)?
        .ok_or_else(|| io::Error::new(ErrorKind::Interrupted, "what was there a moment ago is gone"))?;
    if Fingerprinter::of(&file)? == *written {
        file.sync_all()?;
        return Ok(PutOutcome::AlreadyOurs);
    }
    Ok(match held {
        Held::Nothing => PutOutcome::Foreign,
        Held::Unverified => PutOutcome::Stored,
        Held::Verified => PutOutcome::OursDifferent,
    })
}

/// Makes a file nobody else has, and locks it.
pub(super) fn create_locked(stem: &Path) -> io::Result<(File, RemovedOnDrop)> {
    loop {
        let path = stem.with_extension(format!("{}.part", NEXT.fetch_add(1, Ordering::Relaxed)));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => return file.lock().map(|()| (file, RemovedOnDrop(path))),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Removes files whose writers are dead: nobody holds their lock.
pub(super) fn remove_leftovers(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        // A file that can't be opened or locked is somebody's who lives, or is not ours to remove.
        if File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
            drop(RemovedOnDrop(path));
        }
    }
    Ok(())
}

/// A path that is removed when it is dropped; after it was renamed or removed that finds nothing.
#[derive(Debug)]
pub(super) struct RemovedOnDrop(pub(super) PathBuf);

impl Drop for RemovedOnDrop {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(path = %self.0.display(), %error, "a temporary file stays until the next start");
        }
    }
}
