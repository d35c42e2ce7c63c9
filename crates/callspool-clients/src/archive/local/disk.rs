//! Folders and files on disk: found without following links, made durable, and their errors named.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use callspool_domain::{Code, StepFailure};

/// Runs file work where it may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StepFailure> + Send + 'static,
) -> Result<T, StepFailure> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        let detail = format!("file work was cut off ({error}); it is tried again");
        Err(StepFailure::new(Code::ArchiveUnavailable, detail))
    })
}

/// Names a file system's error.
pub(super) fn failure(error: &io::Error, what: &str) -> StepFailure {
    let (code, advice) = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => (Code::ArchiveFull, "make room"),
        ErrorKind::ReadOnlyFilesystem => (Code::ArchiveFull, "the file system is read-only; mount it for writing"),
        ErrorKind::PermissionDenied => (
            Code::ArchiveUnauthorized,
            "let callspool read and write the archive folder, on a file system that has hard links",
        ),
        ErrorKind::FileTooLarge | ErrorKind::InvalidInput | ErrorKind::InvalidFilename | ErrorKind::Unsupported => {
            (Code::ArchiveRejected, "the file system can't hold this file; use another one")
        }
        ErrorKind::NotFound => (Code::ArchiveUnavailable, "the archive folder is gone; is it mounted?"),
        _ => (Code::ArchiveUnavailable, "check the disk"),
    };
    StepFailure::new(code, format!("{what}: {error}; {advice}"))
}

/// Makes a folder where it is missing, with those above it, and brings that to stable storage.
pub(super) fn make_root(root: &Path) -> io::Result<()> {
    let root = std::path::absolute(root)?;
    let missing: Vec<&Path> = root.ancestors().take_while(|folder| !folder.exists()).collect();
    private_folder().recursive(true).create(&root)?;
    missing.iter().filter_map(|made| made.parent()).try_for_each(|folder| File::open(folder)?.sync_all())
}

/// Opens the file under a key; `None` where there is none. A link in its place, or on the way, is an error.
pub(super) fn open_file(root: &Path, key: &str) -> io::Result<Option<File>> {
    let mut path = root.to_owned();
    let mut segments = key.split('/').peekable();
    while let Some(segment) = segments.next() {
        path.push(segment);
        let found = match fs::symlink_metadata(&path) {
            Ok(found) => found.file_type(),
            Err(error) if error.kind() == ErrorKind::NotFound && root.is_dir() => return Ok(None),
            Err(error) => return Err(error),
        };
        if segments.peek().is_none() != found.is_file() || segments.peek().is_some() != found.is_dir() {
            return Err(in_the_way(&path));
        }
    }
    File::open(path).map(Some)
}

/// Makes a folder below one that is there; one that is there already is fine.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    match private_folder().create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Recordings are nobody's business but their owner's.
fn private_folder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

/// Makes the folders above a key, one by one below the root, which itself must be there.
pub(super) fn make_folders(root: &Path, key: &str) -> io::Result<()> {
    let mut path = root.to_owned();
    let Some((folders, _)) = key.rsplit_once('/') else { return Ok(()) };
    for segment in folders.split('/') {
        path.push(segment);
        make_folder(&path)?;
        if !fs::symlink_metadata(&path)?.is_dir() {
            return Err(in_the_way(&path));
        }
    }
    Ok(())
}

/// Brings every folder from the key's own up to the root to stable storage: another transfer may have made one of them a
/// moment ago without having got so far itself.
pub(super) fn sync_folders(root: &Path, key: &str) -> io::Result<()> {
    let file = root.join(key);
    for folder in file.ancestors().skip(1).take_while(|folder| folder.starts_with(root)) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn in_the_way(path: &Path) -> io::Error {
    io::Error::new(ErrorKind::PermissionDenied, format!("{} is a link or of another kind", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trouble_of_a_disk_has_its_code() {
        for (errno, name, code) in [
            (28, "ENOSPC", Code::ArchiveFull),
            (122, "EDQUOT", Code::ArchiveFull),
            (30, "EROFS", Code::ArchiveFull),
            (13, "EACCES", Code::ArchiveUnauthorized),
            (1, "EPERM", Code::ArchiveUnauthorized),
            (2, "ENOENT", Code::ArchiveUnavailable),
            (5, "EIO", Code::ArchiveUnavailable),
            (116, "ESTALE", Code::ArchiveUnavailable),
            (27, "EFBIG", Code::ArchiveRejected),
            (36, "ENAMETOOLONG", Code::ArchiveRejected),
        ] {
            let failure = failure(&io::Error::from_raw_os_error(errno), "writing k");
            assert_eq!(failure.code, code, "{name}: {failure}");
            assert!(failure.detail.starts_with("writing k: "), "{failure}");
        }
    }
}
