//! An archive in a local folder.
//!
//! A folder holds no metadata, so whose a file is is decided by its bytes and by what the ledger knows of it: the same
//! bytes are ours, other bytes are ours only where the ledger says that we wrote some. Keys are checked again here, and
//! symbolic links within the folder are not followed. Whoever can write to the folder himself is trusted not to race us.

mod disk;
mod temporary;

use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use callspool_domain::{Code, RecordingSid, StepFailure};
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;

use self::disk::{blocking, failure};
pub(super) use self::temporary::Temporary;
use super::fingerprint::{Fingerprint, Fingerprinter};
use super::upload::{Place, Upload};
use super::{Object, PartBudget};

/// Uploads grow here, on the same file system, until they are published. It also tells an archive from the empty folder
/// that is left when its file system is not mounted.
const TEMPORARY_FOLDER: &str = ".callspool-tmp";
/// What one transfer holds: our buffer and the file layer's.
const BUFFER_BYTES: usize = 512 * 1024;
const PLAY_BYTES: usize = 64 * 1024;

/// An open folder.
#[derive(Debug, Clone)]
pub struct LocalFolder {
    root: PathBuf,
}

impl LocalFolder {
    /// Opens the folder, makes it where it is missing, and removes temporary files that no living process holds.
    pub(super) async fn open(root: &Path) -> Result<Self, StepFailure> {
        let root = root.to_owned();
        blocking(move || {
            let what = format!("opening the archive folder {}", root.display());
            disk::make_root(&root.join(TEMPORARY_FOLDER)).map_err(|error| failure(&error, &what))?;
            let root = root.canonicalize().map_err(|error| failure(&error, &what))?;
            temporary::remove_leftovers(&root.join(TEMPORARY_FOLDER)).map_err(|error| failure(&error, &what))?;
            Ok(Self { root })
        })
        .await
    }

    /// The folder, with symbolic links above it resolved.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(super) async fn put(
        &self,
        key: &str,
        recording: &RecordingSid,
        length: Option<u64>,
        budget: &PartBudget,
    ) -> Result<Upload, StepFailure> {
        check(key)?;
        let claim = budget.claim(BUFFER_BYTES).await;
        let temporary = Temporary::create(self.clone(), key.to_owned(), recording, claim).await?;
        Ok(Upload::new(Place::Local(Box::new(temporary)), length))
    }

    pub(super) async fn fingerprint(&self, key: &str) -> Result<Fingerprint, StepFailure> {
        let what = format!("reading {key} back");
        let file = self.open_file(key).await?.ok_or_else(|| {
            let detail = format!("{key} is no longer in {}; find out who removed it", self.root.display());
            StepFailure::new(Code::ArchiveObjectGone, detail)
        })?;
        blocking(move || Fingerprinter::of(file).map_err(|error| failure(&error, &what))).await
    }

    pub(super) async fn read(&self, key: &str, range: Option<Range<u64>>) -> Result<Option<Object>, StepFailure> {
        let what = format!("playing {key}");
        let Some(mut file) = self.open_file(key).await? else { return Ok(None) };
        let opened = {
            let what = what.clone();
            blocking(move || {
                let size = file.metadata().map_err(|error| failure(&error, &what))?.len();
                let range = range.unwrap_or(0..size);
                file.seek(SeekFrom::Start(range.start)).map_err(|error| failure(&error, &what))?;
                Ok((size, file, range.end.saturating_sub(range.start)))
            })
        };
        let (size, file, wanted) = opened.await?;
        let part = tokio::fs::File::from_std(file).take(wanted);
        let body = ReaderStream::with_capacity(part, PLAY_BYTES).map_err(move |error| failure(&error, &what));
        Ok(Some(Object { size, body: body.boxed() }))
    }

    pub(super) async fn size(&self, key: &str) -> Result<Option<u64>, StepFailure> {
        let what = format!("looking at {key}");
        let Some(file) = self.open_file(key).await? else { return Ok(None) };
        blocking(move || file.metadata().map(|found| Some(found.len())).map_err(|error| failure(&error, &what))).await
    }

    /// The file under a key; `None` where there is none.
    async fn open_file(&self, key: &str) -> Result<Option<File>, StepFailure> {
        check(key)?;
        let (root, key) = (self.root.clone(), key.to_owned());
        blocking(move || {
            let what = format!("opening {key}");
            disk::open_file(&root, &key).map_err(|error| failure(&error, &what))
        })
        .await
    }
}

/// Beside what any archive refuses, a key does not reach into our own temporary folder.
fn check(key: &str) -> Result<(), StepFailure> {
    let hidden = key.split('/').any(|segment| segment == TEMPORARY_FOLDER);
    if hidden { Err(super::unusable_key(key)) } else { super::check_key(key) }
}
