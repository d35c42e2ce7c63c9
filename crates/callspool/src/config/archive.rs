//! Where the recordings go.

use std::path::PathBuf;

use callspool_domain::Secret;
use url::Url;

use super::Settings;

/// The archive.
#[derive(Debug, Clone)]
pub enum ArchiveSettings {
    /// A local folder.
    Folder(FolderSettings),
    /// A bucket of S3 or of a compatible store.
    S3(Box<S3Settings>),
}

/// A local folder.
#[derive(Debug, Clone)]
pub struct FolderSettings {
    /// Its path; made if it does not exist.
    pub path: PathBuf,
}

/// A bucket of S3 or of a compatible store.
#[derive(Debug, Clone)]
pub struct S3Settings {
    /// Its name.
    pub bucket: String,
    /// What stands before every key, without a slash at either end; may be empty.
    pub prefix: String,
    /// The region.
    pub region: String,
    /// A compatible store's address; keys are then addressed path style.
    pub endpoint: Option<String>,
    /// Static credentials; without them the instance's, the container's or a web identity's are used.
    pub credentials: Option<S3Credentials>,
    /// How the store encrypts at rest.
    pub encryption: Encryption,
    /// Always read a fresh copy back in full.
    pub verify_by_read: bool,
}

/// Static credentials.
#[derive(Debug, Clone)]
pub struct S3Credentials {
    /// The access key's id.
    pub key_id: String,
    /// The access key.
    pub secret: Secret,
    /// The session's token, for temporary credentials.
    pub session_token: Option<Secret>,
}

/// Encryption at rest by the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// Whatever the bucket does by itself.
    None,
    /// SSE-S3.
    Aes256,
    /// SSE-KMS under this key.
    Kms(String),
}

impl ArchiveSettings {
    pub(super) fn read(settings: &mut Settings) -> Self {
        let bucket = settings.text("S3_BUCKET");
        let default = bucket.as_ref().map_or_else(|| "file://./callspool-data/archive".to_owned(), |name| format!("s3://{name}"));
        let url = settings.text("ARCHIVE_URL").unwrap_or(default);
        let verify = settings.text_or("ARCHIVE_VERIFY", "checksum");
        if !matches!(verify.as_str(), "checksum" | "read") {
            settings.problem("ARCHIVE_VERIFY", "must be checksum or read");
        }
        let s3 = url.strip_prefix("s3://").map(|rest| rest.split_once('/').unwrap_or((rest, "")));
        if let Some(name) = bucket.filter(|name| s3.is_none_or(|(bucket, _)| bucket != name)) {
            settings.problem("S3_BUCKET", format!("({name}) disagrees with ARCHIVE_URL"));
        }
        if let Some((bucket, prefix)) = s3 {
            return Self::S3(Box::new(S3Settings::read(settings, bucket, prefix, verify == "read")));
        }
        let path = url.strip_prefix("file://").unwrap_or_default();
        if path.is_empty() {
            settings.problem("ARCHIVE_URL", "must be file:///path or s3://bucket[/prefix]");
        }
        Self::Folder(FolderSettings { path: PathBuf::from(path) })
    }
}

impl S3Settings {
    fn read(settings: &mut Settings, bucket: &str, prefix: &str, verify_by_read: bool) -> Self {
        let plain = |text: &str, more: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
        let prefix = prefix.trim_matches('/');
        let segments_are_safe = prefix.is_empty() || prefix.split('/').all(|segment| !matches!(segment, "" | "." | ".."));
        if bucket.is_empty() || !plain(bucket, ".-_") || !plain(prefix, "._-/") || !segments_are_safe {
            settings.problem("ARCHIVE_URL", "must be s3://bucket[/prefix] of letters, digits and . _ - /");
        }
        let endpoint = settings.text("S3_ENDPOINT");
        if endpoint.as_deref().is_some_and(|endpoint| !Url::parse(endpoint).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))) {
            settings.problem("S3_ENDPOINT", "must be an http or https address");
        }
        let encryption = match settings.text("S3_SSE").as_deref() {
            None if endpoint.is_some() => Encryption::None,
            None | Some("AES256") => Encryption::Aes256,
            Some("none") => Encryption::None,
            Some(text) => match text.strip_prefix("aws:kms:").filter(|key| !key.is_empty()) {
                Some(key) => Encryption::Kms(key.to_owned()),
                None => {
                    settings.problem("S3_SSE", "must be AES256, aws:kms:<key id> or none");
                    Encryption::None
                }
            },
        };
        Self {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            region: settings.text_or("S3_REGION", "us-east-1"),
            endpoint,
            credentials: S3Credentials::read(settings),
            encryption,
            verify_by_read,
        }
    }
}

impl S3Credentials {
    fn read(settings: &mut Settings) -> Option<Self> {
        match (settings.text("AWS_ACCESS_KEY_ID"), settings.secret("AWS_SECRET_ACCESS_KEY")) {
            (Some(key_id), Some(secret)) => Some(Self { key_id, secret, session_token: settings.secret("AWS_SESSION_TOKEN") }),
            (None, None) => None,
            _ => {
                settings.problem("AWS_ACCESS_KEY_ID", "and AWS_SECRET_ACCESS_KEY must be set together");
                None
            }
        }
    }
}
