//! An archive in a local folder.
//!
//! A folder holds no metadata, so whose a file is is decided by its bytes and by what the ledger knows of it: the same
//! bytes are ours, other bytes are ours only where the ledger says that we wrote some. Keys are checked again here, and
//! symbolic links within the folder are not followed. Whoever can write to the folder himself is trusted not to race us.

mod disk;
mod identity;
mod temporary;
mod trial;

use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use callspool_domain::{Code, RecordingSid, StepFailure};
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;

use self::disk::{blocking, failure};
pub(super) use self::temporary::Temporary;
use super::fingerprint::{Fingerprint, Fingerprinter};
use super::upload::{Place, Upload};
use super::{Object, PartBudget};

/// Uploads grow here, on the same file system, until they are published.
const TEMPORARY_FOLDER: &str = ".callspool-tmp";
/// What one transfer holds: our buffer and the file layer's.
const BUFFER_BYTES: usize = 512 * 1024;
const PLAY_BYTES: usize = 64 * 1024;

/// An open folder; it may be away for now.
#[derive(Debug, Clone)]
pub struct LocalFolder {
    root: PathBuf,
    id: Arc<OnceLock<String>>,
    /// Why there is none, as long as there is none.
    unknown: StepFailure,
}

impl LocalFolder {
    /// The first use of a folder: makes it where it is missing and gives it the id `fresh`, or returns the one it has.
    /// Never for a folder with a known id: what is missing there is not mounted.
    pub async fn establish(root: &Path, fresh: &str) -> Result<String, StepFailure> {
        let (root, fresh) = (root.to_owned(), fresh.to_owned());
        blocking(move || {
            let what = format!("making the archive folder {}", root.display());
            identity::establish(&root, &fresh).map_err(|error| failure(&error, &what))
        })
        .await
    }

    /// Opens the folder with this id and removes temporary files that no living process holds. A folder that is away
    /// fails each operation instead, until it is back, and one without an id until [`LocalFolder::know`].
    pub async fn open(root: &Path, id: Result<String, StepFailure>) -> Self {
        let nobody_said = || StepFailure::new(Code::ArchiveUnavailable, "the archive folder has no id yet");
        let (id, unknown) = match id {
            Ok(id) => (OnceLock::from(id), nobody_said()),
            Err(failure) => (OnceLock::new(), failure),
        };
        let folder = Self { root: root.to_owned(), id: Arc::new(id), unknown };
        let opened = folder.clone();
        let swept = blocking(move || {
            opened.check()?;
            let what = format!("looking for leftovers in {}", opened.root.display());
            temporary::remove_leftovers(&opened.root.join(TEMPORARY_FOLDER)).map_err(|error| failure(&error, &what))
        });
        if let Err(failure) = swept.await {
            tracing::warn!(%failure, "nothing is archived until the folder can be used");
        }
        folder
    }

    /// Makes sure that this very folder is at its place now.
    fn check(&self) -> Result<(), StepFailure> {
        self.id.get().ok_or_else(|| self.unknown.clone()).and_then(|id| identity::check(&self.root, id))
    }

    /// Learns the id of a folder that could not be made when it was opened: from now on it is used.
    pub fn know(&self, id: String) {
        // It is known once; whoever comes later has read the same id from the ledger.
        self.id.set(id).unwrap_or_default();
    }

    pub(super) async fn put(
        &self,
        key: &str,
        recording: &RecordingSid,
        length: Option<u64>,
        budget: &PartBudget,
    ) -> Result<Upload, StepFailure> {
        check_key(key)?;
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
        check_key(key)?;
        let (folder, key) = (self.clone(), key.to_owned());
        blocking(move || {
            let found = disk::open_file(&folder.root, &key);
            // After looking: what is missing from a folder that went away meanwhile is not gone.
            folder.check()?;
            found.map_err(|error| failure(&error, &format!("opening {key}")))
        })
        .await
    }
}

/// Beside what any archive refuses, a key does not reach what is ours in the folder.
fn check_key(key: &str) -> Result<(), StepFailure> {
    let ours = key.split('/').any(|segment| matches!(segment, TEMPORARY_FOLDER | identity::MARKER));
    if ours { Err(super::unusable_key(key)) } else { super::check_key(key) }
}
