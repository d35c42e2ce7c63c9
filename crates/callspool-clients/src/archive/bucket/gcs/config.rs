//! The settings of a bucket of Google's, and what `object_store` makes of them.

use std::path::PathBuf;

use callspool_domain::Secret;
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use url::Url;

use crate::archive::bucket::doorway::one_more_try;

const GOOGLE: &str = "https://storage.googleapis.com/";

/// How a bucket of Google Cloud Storage is reached.
#[derive(Debug, Clone)]
pub struct GcsConfig {
    /// Its name.
    pub bucket: String,
    /// What all keys begin with, without slashes at the ends.
    pub prefix: Option<String>,
    /// The store's address where it is not Google's.
    pub endpoint: Option<Url>,
    /// Who we are there.
    pub credentials: GoogleCredentials,
}

/// Where the credentials come from. The environment is read by the configuration alone and handed in here.
#[derive(Debug, Clone)]
pub enum GoogleCredentials {
    /// A service account's key, or the file that `gcloud auth application-default login` writes
    /// (`GOOGLE_APPLICATION_CREDENTIALS`).
    File(PathBuf),
    /// A service account's key as it stands in such a file (`GOOGLE_SERVICE_ACCOUNT_KEY`).
    ServiceAccount(Secret),
    /// The machine's service account, from its metadata server: Compute Engine, Cloud Run, and workload identity of GKE.
    Machine,
    /// Nobody in particular: a stand-in's.
    Nobody,
}

impl GcsConfig {
    /// The base of all requests.
    #[expect(clippy::expect_used, reason = "a constant URL")]
    pub fn endpoint(&self) -> Url {
        self.endpoint.clone().unwrap_or_else(|| Url::parse(GOOGLE).expect("a URL"))
    }
}

/// The settings in the shape `object_store` wants them.
pub(super) fn builder(config: &GcsConfig) -> GoogleCloudStorageBuilder {
    let builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(&config.bucket)
        .with_base_url(config.endpoint().as_str().trim_end_matches('/'))
        .with_retry(one_more_try());
    match &config.credentials {
        GoogleCredentials::File(path) => builder.with_application_credentials(path.to_string_lossy()),
        GoogleCredentials::ServiceAccount(key) => builder.with_config(GoogleConfigKey::ServiceAccountKey, key.expose()),
        GoogleCredentials::Machine => builder,
        GoogleCredentials::Nobody => builder.with_bearer_token("").with_skip_signature(true),
    }
}
