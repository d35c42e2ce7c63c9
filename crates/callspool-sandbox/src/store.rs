//! Any of the stand-ins for stores, for tests that mean all of them.

use std::collections::BTreeMap;
use std::io;

use crate::faults::Faults;
use crate::s3::{Rights, Route};
use crate::shelf::Shelf;
use crate::{Azure, AzureOptions, Gcs, GcsOptions, Request, RequestProbe, S3, S3Options};

/// One of the stores.
#[derive(Debug)]
pub enum Store {
    /// S3.
    S3(S3),
    /// Google Cloud Storage.
    Gcs(Gcs),
    /// Azure Blob Storage.
    Azure(Azure),
}

/// Which of the stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brand {
    /// S3.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage.
    Azure,
}

/// Calls the same method of whatever store it is.
macro_rules! on {
    ($store:expr, $name:ident($($argument:expr),*) $($then:tt)*) => {
        match $store {
            Store::S3(store) => store.$name($($argument),*) $($then)*,
            Store::Gcs(store) => store.$name($($argument),*) $($then)*,
            Store::Azure(store) => store.$name($($argument),*) $($then)*,
        }
    };
}

impl Brand {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::S3, Self::Gcs, Self::Azure];
}

impl Store {
    /// Starts one with its default options.
    ///
    /// # Errors
    /// When a port or a folder can't be had.
    pub async fn start(brand: Brand) -> io::Result<Self> {
        Ok(match brand {
            Brand::S3 => Self::S3(S3::start(S3Options::default()).await?),
            Brand::Gcs => Self::Gcs(Gcs::start(GcsOptions::default()).await?),
            Brand::Azure => Self::Azure(Azure::start(AzureOptions::default()).await?),
        })
    }

    /// Which one it is.
    pub fn brand(&self) -> Brand {
        match self {
            Self::S3(_) => Brand::S3,
            Self::Gcs(_) => Brand::Gcs,
            Self::Azure(_) => Brand::Azure,
        }
    }

    /// The settings that a program needs to use it with this prefix, by their names in the environment.
    pub fn settings(&self, prefix: &str) -> Vec<(&'static str, String)> {
        match self {
            Self::S3(s3) => {
                let options = S3Options::default();
                vec![
                    ("ARCHIVE_URL", format!("s3://{}{prefix}", options.bucket)),
                    ("AWS_ACCESS_KEY_ID", options.access_key),
                    ("AWS_SECRET_ACCESS_KEY", options.secret_key.expose().to_owned()),
                    ("S3_ENDPOINT", s3.base_url().to_owned()),
                ]
            }
            Self::Gcs(gcs) => vec![
                ("ARCHIVE_URL", format!("gs://{}{prefix}", GcsOptions::default().bucket)),
                ("GCS_ENDPOINT", gcs.base_url().to_owned()),
                ("GOOGLE_SERVICE_ACCOUNT_KEY", gcs.service_account().expose().to_owned()),
            ],
            Self::Azure(azure) => {
                let options = AzureOptions::default();
                vec![
                    ("ARCHIVE_URL", format!("az://{}{prefix}", options.container)),
                    ("AZURE_STORAGE_ENDPOINT", azure.endpoint()),
                    ("AZURE_STORAGE_ACCOUNT", options.account),
                    ("AZURE_STORAGE_KEY", options.key.expose().to_owned()),
                ]
            }
        }
    }

    /// The script of faults.
    pub fn faults(&self) -> &Faults<Route> {
        on!(self, faults())
    }

    /// Gives the credentials these rights from now on.
    pub fn set_rights(&self, rights: Rights) {
        on!(self, set_rights(rights));
    }

    /// See [`Server::set_probe`](crate::Server::set_probe).
    pub fn set_probe(&self, probe: RequestProbe) {
        on!(self, set_probe(probe));
    }

    /// See [`Server::go_down`](crate::Server::go_down).
    pub async fn go_down(&self) {
        on!(self, go_down().await);
    }

    /// See [`Server::come_back`](crate::Server::come_back).
    ///
    /// # Errors
    /// When the socket can't be opened again.
    pub async fn come_back(&self) -> io::Result<()> {
        on!(self, come_back().await)
    }

    /// See [`Server::requests`](crate::Server::requests).
    pub fn requests(&self) -> Vec<Request<Route>> {
        on!(self, requests())
    }

    /// See [`Server::count`](crate::Server::count).
    pub fn count(&self, route: Route) -> u64 {
        on!(self, count(route))
    }

    /// See [`Server::wait_for`](crate::Server::wait_for).
    pub async fn wait_for(&self, route: Route, count: u64) {
        on!(self, wait_for(route, count).await);
    }

    /// See [`Server::unexpected_requests`](crate::Server::unexpected_requests).
    pub fn unexpected_requests(&self) -> Vec<String> {
        on!(self, unexpected_requests())
    }

    /// See [`Server::take_unexpected_requests`](crate::Server::take_unexpected_requests).
    pub fn take_unexpected_requests(&self) -> Vec<String> {
        on!(self, take_unexpected_requests())
    }

    /// The keys of all objects, sorted.
    pub fn keys(&self) -> Vec<String> {
        self.shelf().map_or_else(S3::keys, Shelf::keys)
    }

    /// An object's bytes.
    pub fn object(&self, key: &str) -> Option<Vec<u8>> {
        match self.shelf() {
            Ok(shelf) => shelf.get(key)?.bytes().ok(),
            Err(s3) => s3.object(key),
        }
    }

    /// Writes an object behind everybody's back: someone else's, or other bytes under a key of ours, which keeps what is
    /// said about it.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn overwrite(&self, key: &str, bytes: &[u8]) -> io::Result<()> {
        match self.shelf() {
            Ok(shelf) => shelf.overwrite(key, bytes),
            Err(s3) => s3.overwrite(key, bytes),
        }
    }

    /// Removes an object behind everybody's back.
    ///
    /// # Errors
    /// When there is none.
    pub fn remove(&self, key: &str) -> io::Result<()> {
        match self.shelf() {
            Ok(shelf) => shelf.remove(key),
            Err(s3) => s3.remove(key),
        }
    }

    /// The keys of uploads that somebody would have to clean up. Azure has none: it drops blocks by itself.
    pub fn open_uploads(&self) -> Vec<String> {
        match self {
            Self::S3(s3) => s3.open_uploads(),
            Self::Gcs(gcs) => gcs.open_uploads(),
            Self::Azure(_) => Vec::new(),
        }
    }

    /// What an object says about itself, by its names in S3; `None` for S3 itself, which is asked by a signed URL.
    pub fn metadata(&self, key: &str) -> Option<BTreeMap<String, String>> {
        let metadata = self.shelf().ok()?.get(key)?.metadata.into_iter();
        // Azure's names have no dashes.
        Some(metadata.map(|(name, text)| (name.replace('_', "-"), text)).collect())
    }

    /// Where Google's and Azure's objects lie; those of S3 are with the server behind it.
    fn shelf(&self) -> Result<&Shelf, &S3> {
        match self {
            Self::S3(s3) => Err(s3),
            Self::Gcs(gcs) => Ok(gcs.shelf()),
            Self::Azure(azure) => Ok(azure.shelf()),
        }
    }
}
