//! Whether a folder can be archived to: is it the right one, can files be made in it, is there room.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use callspool_domain::StepFailure;

use super::disk::{self, blocking, failure};
use super::temporary::{RemovedOnDrop, create_locked};
use super::{LocalFolder, identity};
use crate::archive::rights::{Disk, Folder, PROBE_BYTES, came_back_different};

/// What a trial is called; nothing of it stays.
const TRIAL: &str = ".callspool-doctor";

impl LocalFolder {
    /// Tries out the folder at `root`, which the ledger knows by `id`; `None` where it does not know it yet. A folder that
    /// is not there, and that nothing was archived to, is one that will be made: the one above it is tried.
    pub async fn try_out(root: &Path, id: Option<String>) -> Result<Folder, StepFailure> {
        let root = root.to_owned();
        blocking(move || {
            if let Some(id) = &id {
                identity::check(&root, id)?;
            }
            let what = format!("trying the archive folder {}", root.display());
            let tried = nearest(&root).map_err(|error| failure(&error, &what))?;
            let bytes = write_and_read(&tried).map_err(|error| failure(&error, &what))?;
            if bytes != PROBE_BYTES {
                return Err(came_back_different());
            }
            let disk = Disk::of(&tried).map_err(|error| failure(&error, &what))?;
            Ok(Folder { exists: root.is_dir(), tried, disk })
        })
        .await
    }
}

/// The folder itself, or the nearest one above it that is there.
fn nearest(root: &Path) -> io::Result<std::path::PathBuf> {
    let root = std::path::absolute(root)?;
    let found = root.ancestors().find(|folder| folder.is_dir());
    found.map(Path::to_owned).ok_or_else(|| ErrorKind::NotFound.into())
}

/// Does what an upload does: a file that grows beside, a hard link that publishes it, and reading it back.
fn write_and_read(folder: &Path) -> io::Result<Vec<u8>> {
    let (mut file, growing) = create_locked(&folder.join(TRIAL))?;
    file.write_all(PROBE_BYTES).and_then(|()| file.sync_all())?;
    let published = RemovedOnDrop(growing.0.with_extension("published"));
    fs::hard_link(&growing.0, &published.0)?;
    let bytes = fs::read(&published.0)?;
    disk::sync_folders(folder, TRIAL)?;
    Ok(bytes)
}

impl Disk {
    /// The file system that a path is on.
    pub fn of(path: &Path) -> io::Result<Self> {
        let numbers = rustix::fs::statvfs(path)?;
        let free_bytes = numbers.f_bavail.saturating_mul(numbers.f_frsize);
        Ok(Self { device: fs::metadata(path)?.dev(), free_bytes })
    }
}
