//! Trying an archive's rights out on one small object, or file, of our own.
//!
//! Guarantee: nothing but that one object, always under the same key, is written or deleted, so that trials whose deletion
//! is refused don't pile up.

use std::path::PathBuf;

use callspool_domain::{Code, StepFailure};

/// The key of the object, below the archive's prefix.
pub const PROBE_KEY: &str = "callspool-doctor/probe.txt";
/// A key under which nothing ever is.
pub(super) const MISSING_KEY: &str = "callspool-doctor/nothing-is-here.txt";
/// Where both are; listing is asked for these keys alone.
pub(super) const PROBE_FOLDER: &str = "callspool-doctor";
/// What the object holds.
pub(super) const PROBE_BYTES: &[u8] = b"Written by callspool doctor to try its rights out. It may be deleted.\n";

/// What the credentials of a bucket may do.
#[derive(Debug)]
pub struct Rights {
    /// Writing an object.
    pub put: Result<(), StepFailure>,
    /// Reading it, byte for byte; what follows was tried only where it was written.
    pub get: Result<(), StepFailure>,
    /// Asking for its length.
    pub head: Result<(), StepFailure>,
    /// Listing: without it what is missing can't be told from what is forbidden.
    pub list: Result<(), StepFailure>,
    /// Whether what is missing is told apart from what is forbidden.
    pub missing_is_told: bool,
    /// Deleting it.
    pub delete: Result<(), StepFailure>,
}

/// What was found of an archive folder.
#[derive(Debug, Clone)]
pub struct Folder {
    /// The folder, or where it is not there yet the nearest one above it that is.
    pub tried: PathBuf,
    /// Whether it is there.
    pub exists: bool,
    /// What is free on its file system.
    pub disk: Disk,
}

/// A file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// Which one.
    pub device: u64,
    /// How many bytes we may still write.
    pub free_bytes: u64,
}

/// The bytes that came back are not those that were written.
pub(super) fn came_back_different() -> StepFailure {
    let detail = format!("{PROBE_KEY} came back with other bytes than were written; find out what changes them");
    StepFailure::new(Code::ArchiveMismatch, detail)
}
