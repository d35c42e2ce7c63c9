//! Where the recordings go: a local folder, or a bucket of S3 or of a compatible store.

use std::path::PathBuf;

use callspool_clients::archive::{ArchiveConfig, AwsCredentials, ReadBack, S3Config, Sse};
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
        let s3 = url.strip_prefix("s3://").map(|rest| rest.split_once('/').unwrap_or((rest, "")));
        if let Some(name) = bucket.filter(|name| s3.is_none_or(|(bucket, _)| bucket != name)) {
            settings.problem("S3_BUCKET", format!("({name}) disagrees with ARCHIVE_URL"));
        }
        let place = match s3 {
            Some((bucket, prefix)) => ArchiveConfig::S3(Box::new(read_s3(settings, bucket, prefix))),
            None => ArchiveConfig::Local { root: read_folder(settings, &url) },
        };
        Self { place, read_back: read_back(settings) }
    }
}

fn read_folder(settings: &mut Settings, url: &str) -> PathBuf {
    let path = url.strip_prefix("file://").unwrap_or_default();
    if path.is_empty() {
        settings.problem("ARCHIVE_URL", "must be file:///path or s3://bucket[/prefix]");
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

fn read_s3(settings: &mut Settings, bucket: &str, prefix: &str) -> S3Config {
    let plain = |text: &str, more: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
    let prefix = prefix.trim_matches('/');
    let segments_are_safe = prefix.is_empty() || prefix.split('/').all(|segment| !matches!(segment, "" | "." | ".."));
    if bucket.is_empty() || !plain(bucket, ".-_") || !plain(prefix, "._-/") || !segments_are_safe {
        settings.problem("ARCHIVE_URL", "must be s3://bucket[/prefix] of letters, digits and . _ - /");
    }
    let endpoint: Option<Url> = settings.parsed("S3_ENDPOINT");
    if endpoint.as_ref().is_some_and(|url| !matches!(url.scheme(), "http" | "https")) {
        settings.problem("S3_ENDPOINT", "must be an http or https address");
    }
    S3Config {
        bucket: bucket.to_owned(),
        prefix: Some(prefix.to_owned()).filter(|prefix| !prefix.is_empty()),
        region: settings.text_or("S3_REGION", "us-east-1"),
        sse: read_sse(settings, endpoint.is_none()),
        endpoint,
        credentials: read_credentials(settings),
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

/// A static key where one is set, else what the platform provides under the names that AWS itself uses
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>), else the instance's role.
fn read_credentials(settings: &mut Settings) -> AwsCredentials {
    let key = (settings.text("AWS_ACCESS_KEY_ID"), settings.secret("AWS_SECRET_ACCESS_KEY"));
    if key.0.is_some() != key.1.is_some() {
        settings.problem("AWS_ACCESS_KEY_ID", "and AWS_SECRET_ACCESS_KEY must be set together");
    }
    if let (Some(access_key_id), Some(secret_access_key)) = key {
        let session_token = settings.secret("AWS_SESSION_TOKEN");
        return AwsCredentials::Static { access_key_id, secret_access_key, session_token };
    }
    let identity = (settings.text("AWS_WEB_IDENTITY_TOKEN_FILE"), settings.text("AWS_ROLE_ARN"));
    if let (Some(token_file), Some(role_arn)) = identity {
        let session_name = settings.text("AWS_ROLE_SESSION_NAME");
        return AwsCredentials::WebIdentity { token_file: token_file.into(), role_arn, session_name };
    }
    if let Some(relative_uri) = settings.text("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
        return AwsCredentials::Container { relative_uri };
    }
    let pod =
        (settings.text("AWS_CONTAINER_CREDENTIALS_FULL_URI"), settings.text("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"));
    if let (Some(full_uri), Some(token_file)) = pod {
        return AwsCredentials::Pod { full_uri, token_file: token_file.into() };
    }
    AwsCredentials::Instance
}
