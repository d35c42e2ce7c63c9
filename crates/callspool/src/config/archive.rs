//! Where the recordings go: a local folder, or a bucket of S3 or a compatible store, of Google's, or of Azure's.

mod credentials;

use std::path::PathBuf;

use callspool_clients::archive::{ArchiveConfig, AzureConfig, BucketConfig, GcsConfig, ReadBack, S3Config, Sse};
use url::Url;

use super::Settings;

/// The archive.
#[derive(Debug, Clone)]
pub struct ArchiveSettings {
    /// Where it is.
    pub place: ArchiveConfig,
    /// How a fresh copy is read back.
    pub read_back: ReadBack,
}

impl ArchiveSettings {
    pub(super) fn read(settings: &mut Settings) -> Self {
        let bucket = settings.text("S3_BUCKET");
        let default =
            bucket.as_ref().map_or_else(|| "file://./callspool-data/archive".to_owned(), |name| format!("s3://{name}"));
        let url = settings.text("ARCHIVE_URL").unwrap_or(default);
        let place = match url.split_once("://") {
            Some(("s3", rest)) => {
                let location = Location::read(settings, rest);
                Some(BucketConfig::S3(read_s3(settings, location)))
            }
            Some(("gs", rest)) => {
                let location = Location::read(settings, rest);
                Some(BucketConfig::Gcs(read_gcs(settings, location)))
            }
            Some(("az", rest)) => {
                let location = Location::read(settings, rest);
                Some(BucketConfig::Azure(read_azure(settings, location)))
            }
            _ => None,
        };
        let s3 = place.as_ref().filter(|place| matches!(place, BucketConfig::S3(_))).map(BucketConfig::name);
        if let Some(name) = bucket.filter(|name| s3 != Some(name)) {
            settings.problem("S3_BUCKET", format!("({name}) disagrees with ARCHIVE_URL"));
        }
        let place = match place {
            Some(bucket) => ArchiveConfig::Bucket(Box::new(bucket)),
            None => ArchiveConfig::Local { root: read_folder(settings, &url) },
        };
        Self { place, read_back: read_back(settings) }
    }
}

fn read_folder(settings: &mut Settings, url: &str) -> PathBuf {
    let path = url.strip_prefix("file://").unwrap_or_default();
    if path.is_empty() {
        settings.problem(
            "ARCHIVE_URL",
            "must be file:///path, s3://bucket[/prefix], gs://bucket[/prefix] or az://container[/prefix]",
        );
    }
    PathBuf::from(path)
}

fn read_back(settings: &mut Settings) -> ReadBack {
    match settings.text_or("ARCHIVE_VERIFY", "checksum").as_str() {
        "checksum" => ReadBack::Checksum,
        "read" => ReadBack::Read,
        _ => {
            settings.problem("ARCHIVE_VERIFY", "must be checksum or read");
            ReadBack::Read
        }
    }
}

/// What stands behind the scheme: the bucket's name, and the prefix of all keys without slashes at its ends.
struct Location<'a> {
    name: &'a str,
    prefix: Option<String>,
}

impl<'a> Location<'a> {
    fn read(settings: &mut Settings, rest: &'a str) -> Self {
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let plain = |text: &str, more: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
        let prefix = prefix.trim_matches('/');
        let segments_are_safe =
            prefix.is_empty() || prefix.split('/').all(|segment| !matches!(segment, "" | "." | ".."));
        if name.is_empty() || !plain(name, ".-_") || !plain(prefix, "._-/") || !segments_are_safe {
            settings.problem(
                "ARCHIVE_URL",
                "must be s3://bucket[/prefix], gs://… or az://… of letters, digits and . _ - /",
            );
        }
        Self { name, prefix: Some(prefix.to_owned()).filter(|prefix| !prefix.is_empty()) }
    }
}

/// A store's address of its own.
fn endpoint(settings: &mut Settings, name: &str) -> Option<Url> {
    let endpoint: Option<Url> = settings.parsed(name);
    if endpoint.as_ref().is_some_and(|url| !matches!(url.scheme(), "http" | "https")) {
        settings.problem(name, "must be an http or https address");
    }
    endpoint
}

fn read_s3(settings: &mut Settings, location: Location<'_>) -> S3Config {
    let endpoint = endpoint(settings, "S3_ENDPOINT");
    S3Config {
        bucket: location.name.to_owned(),
        prefix: location.prefix,
        region: settings.text_or("S3_REGION", "us-east-1"),
        sse: read_sse(settings, endpoint.is_none()),
        endpoint,
        credentials: credentials::aws(settings),
    }
}

fn read_sse(settings: &mut Settings, on_aws: bool) -> Sse {
    let text = settings.text("S3_SSE");
    match text.as_deref() {
        Some("none") => Sse::None,
        Some("AES256") => Sse::Aes256,
        None => {
            if on_aws {
                Sse::Aes256
            } else {
                Sse::None
            }
        }
        Some(text) => match text.strip_prefix("aws:kms:").filter(|key| !key.is_empty()) {
            Some(key_id) => Sse::Kms { key_id: key_id.to_owned() },
            None => {
                settings.problem("S3_SSE", "must be AES256, aws:kms:<key id> or none");
                Sse::None
            }
        },
    }
}

fn read_gcs(settings: &mut Settings, location: Location<'_>) -> GcsConfig {
    let endpoint = endpoint(settings, "GCS_ENDPOINT");
    GcsConfig {
        bucket: location.name.to_owned(),
        prefix: location.prefix,
        credentials: credentials::google(settings, endpoint.is_some()),
        endpoint,
    }
}

fn read_azure(settings: &mut Settings, location: Location<'_>) -> AzureConfig {
    let account = settings.text("AZURE_STORAGE_ACCOUNT").unwrap_or_default();
    let is_name = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if account.is_empty() || !is_name(&account) {
        settings.problem("AZURE_STORAGE_ACCOUNT", "must name the storage account (lower-case letters and digits)");
    }
    let endpoint = endpoint(settings, "AZURE_STORAGE_ENDPOINT")
        .or_else(|| Url::parse(&format!("https://{account}.blob.core.windows.net/")).ok());
    let endpoint = endpoint.unwrap_or_else(|| {
        // Of the two names above at least one is wrong, and that is told.
        #[expect(clippy::expect_used, reason = "a constant URL")]
        Url::parse("https://blob.core.windows.net/").expect("a URL")
    });
    AzureConfig {
        account,
        container: location.name.to_owned(),
        prefix: location.prefix,
        endpoint,
        credentials: credentials::azure(settings),
    }
}
