//! The archive: the customer's object store or folder, where a recording's bytes end up for good.
//!
//! Guarantee: nothing becomes visible under a key before the caller has accepted the whole, and bytes of somebody else
//! are never overwritten. A transfer holds a bounded part of its recording, whatever its length.

mod bucket;
mod budget;
mod fingerprint;
mod local;
mod metadata;
mod rights;
mod upload;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use callspool_domain::audio::AudioFormat;
use callspool_domain::{Code, StepFailure};
use url::Url;

use crate::http::{ByteStream, Http};
pub use bucket::{
    AwsCredentials, AzureConfig, AzureCredentials, Bucket, BucketConfig, GcsConfig, GoogleCredentials, Profile,
    S3Config, Sse,
};
pub use budget::{PART_BYTES, PartBudget};
pub use fingerprint::{Fingerprint, Fingerprinter};
pub use local::LocalFolder;
pub use metadata::ObjectFacts;
pub use rights::{Disk, Folder, PROBE_KEY, Rights};
pub use upload::{Held, PutOutcome, Ready, Upload};

/// Where the archive is (`ARCHIVE_URL` and its companions).
#[derive(Debug, Clone)]
pub enum ArchiveConfig {
    /// A folder of this machine; made where it is missing when it is used for the first time.
    Local {
        /// The folder.
        root: PathBuf,
    },
    /// A bucket, or what the store calls so.
    Bucket(Box<BucketConfig>),
}

/// An open archive.
#[derive(Debug)]
pub enum Archive {
    /// A folder of this machine.
    Local(LocalFolder),
    /// A bucket of S3 or a compatible store, of Google Cloud Storage, or a container of Azure.
    Bucket(Box<Bucket>),
}

/// How an archive copy is, or was, compared with what was written (`ARCHIVE_VERIFY`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadBack {
    /// By the full-object checksum the store keeps.
    Checksum,
    /// By reading it in full.
    Read,
}

impl ReadBack {
    /// The name in settings and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Checksum => "checksum",
            Self::Read => "read",
        }
    }
}

/// An object, or the part of it that was asked for, on its way.
pub struct Object {
    /// The length of the whole object in bytes.
    pub size: u64,
    /// The bytes asked for.
    pub body: ByteStream,
}

impl Archive {
    /// Opens a folder and removes its leftover temporary files. `id` is what the ledger knows the folder by, from
    /// [`LocalFolder::establish`] on, or why there is none; while the folder with that id is away, or there is none,
    /// nothing is created and every operation fails, with [`Code::ArchiveUnavailable`] or that reason.
    pub async fn open_folder(root: &Path, id: Result<String, StepFailure>) -> Self {
        Self::Local(LocalFolder::open(root, id).await)
    }

    /// Opens a bucket, which is not asked anything.
    pub fn open_bucket(http: &Http, config: &BucketConfig) -> Result<Self, StepFailure> {
        Ok(Self::Bucket(Box::new(Bucket::open(http, config)?)))
    }

    /// Begins to write an object. `length` is what the source announced, if it did; more than that is refused.
    ///
    /// It waits here, or in a later write, until `budget` has room for the transfer's part. Nothing is visible under the
    /// key before [`Ready::publish`].
    pub async fn put(
        &self,
        key: &str,
        facts: ObjectFacts,
        length: Option<u64>,
        budget: &PartBudget,
    ) -> Result<Upload, StepFailure> {
        match self {
            Self::Local(folder) => folder.put(key, &facts.recording, length, budget).await,
            Self::Bucket(bucket) => bucket.put(key, facts, length, budget).await,
        }
    }

    /// Compares the object with what was written, and says how it did: a folder is always read in full, and a store
    /// that keeps no full-object checksum as well.
    pub async fn read_back(&self, key: &str, written: &Fingerprint, by: ReadBack) -> Result<ReadBack, StepFailure> {
        if let (Self::Bucket(bucket), ReadBack::Checksum) = (self, by)
            && bucket.checksum_agrees(key, written).await?
        {
            return Ok(ReadBack::Checksum);
        }
        let found = self.fingerprint(key).await?;
        if found == *written { Ok(ReadBack::Read) } else { Err(found.mismatch(key, written)) }
    }

    /// Reads the object in full and says what was found: the gate's check. An object that is not there is
    /// [`Code::ArchiveObjectGone`].
    pub async fn fingerprint(&self, key: &str) -> Result<Fingerprint, StepFailure> {
        match self {
            Self::Local(folder) => folder.fingerprint(key).await,
            Self::Bucket(bucket) => bucket.fingerprint(key).await,
        }
    }

    /// Opens an object for playing, from the first byte or for a part of it that lies within it; `None` where there is none.
    pub async fn read(&self, key: &str, range: Option<Range<u64>>) -> Result<Option<Object>, StepFailure> {
        match self {
            Self::Local(folder) => folder.read(key, range).await,
            Self::Bucket(bucket) => bucket.read(key, range).await,
        }
    }

    /// The object's length in bytes; `None` where there is none.
    pub async fn size(&self, key: &str) -> Result<Option<u64>, StepFailure> {
        match self {
            Self::Local(folder) => folder.size(key).await,
            Self::Bucket(bucket) => bucket.size(key).await,
        }
    }

    /// A URL that plays the object without further rights for `ttl` (at most 7 days), under this content disposition and
    /// the format's media type; `None` where the archive can't sign, or not with this disposition. Whoever has it can listen: never log it.
    pub async fn sign(
        &self,
        key: &str,
        ttl: Duration,
        disposition: &str,
        format: AudioFormat,
    ) -> Result<Option<Url>, StepFailure> {
        match self {
            Self::Local(_) => Ok(None),
            Self::Bucket(bucket) => bucket.sign(key, ttl, disposition, format).await,
        }
    }
}

impl Archive {
    /// Where anybody can read the object, if the store lets anybody; `None` where the archive has no such address.
    pub async fn public_url(&self, key: &str) -> Result<Option<Url>, StepFailure> {
        // A signed URL without its signature is that very address, on every store that signs.
        let signed = self.sign(key, Duration::from_secs(60), "inline", AudioFormat::Wav).await?;
        Ok(signed.map(|mut url| {
            url.set_query(None);
            url
        }))
    }
}

/// Keys are made safe where they are rendered. This is the second lock on the door: every segment is plain ASCII and
/// names something below the archive's root.
fn check_key(key: &str) -> Result<(), StepFailure> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'%');
    let safe = |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(plain);
    if key.split('/').all(safe) { Ok(()) } else { Err(unusable_key(key)) }
}

fn unusable_key(key: &str) -> StepFailure {
    let detail = format!("{:?} can't be a key; correct RECORDING_KEY", crate::http::quote(key));
    StepFailure::new(Code::ArchiveRejected, detail)
}
