//! What every store can do, and what it says about an object: the one seam between them.
//!
//! A store writes under a condition, so that nothing is replaced unseen. Where its interface has none, it says so with
//! the operation, and the caller looks first.

use std::time::Duration;

use bytes::Bytes;
use callspool_domain::audio::AudioFormat;
use callspool_domain::recording::Contents;
use object_store::path::Path;
use reqwest::header::HeaderValue;
use url::Url;

use super::azure::AzureContainer;
use super::failure::Trouble;
use super::gcs::GcsBucket;
use super::s3::S3Bucket;
use crate::archive::Fingerprint;
use crate::http::Response;

/// An open store. Clones share their connections.
#[derive(Debug, Clone)]
pub(super) enum Store {
    S3(S3Bucket),
    Gcs(GcsBucket),
    Azure(AzureContainer),
}

/// What is written beside the bytes.
#[derive(Debug, Clone)]
pub(super) struct Label {
    pub(super) contents: Contents,
    pub(super) metadata: Vec<(&'static str, String)>,
}

/// What must hold at a key for a write to happen.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    /// Nothing is there.
    Absent,
    /// What was found there still is.
    Unchanged(Found),
}

/// What a store tells of an object.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    pub(super) bytes: u64,
    /// Whose recording it says it is.
    pub(super) recording: Option<String>,
    /// Names this state of it: a generation, or an ETag.
    pub(super) version: Option<String>,
    /// The checksum of the whole that the store itself keeps.
    pub(super) checksum: Option<Checksum>,
}

/// A checksum of a whole object, in the store's own writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Checksum {
    Crc64Nvme(String),
    Crc32c(String),
}

impl Found {
    /// Whether length and checksum are those of what was written; `None` where the store keeps no checksum.
    pub(super) fn agrees(&self, written: &Fingerprint) -> Option<bool> {
        let same = match self.checksum.as_ref()? {
            Checksum::Crc64Nvme(found) => *found == written.crc64nvme,
            Checksum::Crc32c(found) => *found == written.crc32c,
        };
        Some(same && self.bytes == written.bytes)
    }
}

/// An upload in parts that is under way.
#[derive(Debug)]
pub(super) enum Session {
    S3(super::s3::Session),
    Gcs(super::gcs::Session),
    Azure(super::azure::Session),
}

/// Calls the same method of whatever store it is.
macro_rules! on {
    ($store:expr, $name:ident($($argument:expr),*)) => {
        match $store {
            Store::S3(store) => store.$name($($argument),*).await,
            Store::Gcs(store) => store.$name($($argument),*).await,
            Store::Azure(store) => store.$name($($argument),*).await,
        }
    };
}

impl Store {
    /// Whether it may keep a checksum of a whole object that it computed itself. Azure keeps the MD5 of what came in one
    /// request, and for a list of blocks whatever it was told.
    pub(super) fn keeps_checksums(&self) -> bool {
        !matches!(self, Self::Azure(_))
    }

    /// What is under a key; `None` where nothing is.
    pub(super) async fn look(&self, path: &Path) -> Result<Option<Found>, Trouble> {
        on!(self, look(path))
    }

    /// An object on its way, from its first byte or for this `Range`; `None` where there is none.
    pub(super) async fn get(&self, path: &Path, range: Option<HeaderValue>) -> Result<Option<Response>, Trouble> {
        on!(self, get(path, range))
    }

    /// Writes an object in one request.
    pub(super) async fn put(&self, path: &Path, body: Bytes, label: &Label, on: &Condition) -> Result<(), Trouble> {
        on!(self, put(path, body, label, on))
    }

    /// Begins an upload in parts.
    pub(super) async fn begin(&self, path: &Path, label: Label) -> Result<Session, Trouble> {
        match self {
            Self::S3(store) => store.begin(path, &label).await.map(Session::S3),
            Self::Gcs(store) => store.begin(path, &label).await.map(Session::Gcs),
            Self::Azure(_) => super::azure::Session::new(label).map(Session::Azure),
        }
    }

    /// Sends the next part, or keeps it for the completion where it is the last one and would complete the upload.
    pub(super) async fn send_part(
        &self,
        path: &Path,
        session: &mut Session,
        part: Bytes,
        is_last: bool,
    ) -> Result<(), Trouble> {
        match (self, session) {
            (Self::S3(store), Session::S3(session)) => store.send_part(path, session, part).await,
            (Self::Gcs(store), Session::Gcs(session)) => store.send_part(path, session, part, is_last).await,
            (Self::Azure(store), Session::Azure(session)) => store.send_part(path, session, part).await,
            _ => Err(Trouble::another_store()),
        }
    }

    /// Makes the object of its parts. S3 can't be told to spare what is there.
    pub(super) async fn complete(&self, path: &Path, session: &mut Session, on: &Condition) -> Result<(), Trouble> {
        match (self, session) {
            (Self::S3(store), Session::S3(session)) => store.complete(path, session).await,
            (Self::Gcs(store), Session::Gcs(session)) => store.complete(path, session, on).await,
            (Self::Azure(store), Session::Azure(session)) => store.complete(path, session, on).await,
            _ => Err(Trouble::another_store()),
        }
    }

    /// Gives the parts up. An upload that is not there any more is one that was given up.
    pub(super) async fn abort(&self, path: &Path, session: &Session) -> Result<(), Trouble> {
        match (self, session) {
            (Self::S3(store), Session::S3(session)) => store.abort(path, session).await,
            (Self::Gcs(store), Session::Gcs(session)) => store.abort(path, session).await,
            // Azure drops blocks that no list has named by itself, after a week.
            (Self::Azure(_), Session::Azure(_)) => Ok(()),
            _ => Err(Trouble::another_store()),
        }
    }

    /// A URL that plays the object; `None` where this store, with these credentials, can't sign it so.
    pub(super) async fn sign(
        &self,
        path: &Path,
        ttl: Duration,
        disposition: &str,
        format: AudioFormat,
    ) -> Result<Option<Url>, Trouble> {
        on!(self, sign(path, ttl, disposition, format))
    }

    /// Whether the keys of this folder may be listed: one page is asked for.
    pub(super) async fn list(&self, folder: &Path) -> Result<(), Trouble> {
        on!(self, list(folder))
    }

    /// Deletes an object.
    pub(super) async fn delete(&self, path: &Path) -> Result<(), Trouble> {
        on!(self, delete(path))
    }

    /// Makes sure that there are credentials, so that their absence is not taken for trouble with the store.
    pub(super) async fn credentials(&self) -> Result<(), Trouble> {
        on!(self, credentials())
    }
}
