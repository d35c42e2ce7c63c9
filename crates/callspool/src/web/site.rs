//! What the routes share besides the [`App`]: how the outside addresses us, and what is limited over all requests.

use std::sync::Arc;

use callspool_clients::ArchiveConfig;
use callspool_clients::archive::BucketConfig;
use url::Url;

use super::access::Throttle;
use crate::lifecycle::App;

/// The HTTP side of one process.
#[derive(Debug)]
pub(crate) struct Site {
    /// The process.
    pub app: Arc<App>,
    /// Scheme, host and port of `APP_URL`, as browsers write an origin.
    pub origin: String,
    /// The path of `APP_URL`, without a slash at its end; what stands in front of us takes it away again.
    pub base: String,
    /// The `Content-Security-Policy` of every answer.
    pub content_policy: String,
    /// Failed sign-ins of late.
    pub throttle: Throttle,
}

impl Site {
    pub(crate) fn new(app: Arc<App>) -> Self {
        let url = Url::parse(&app.config.server.app_url).ok();
        let origin = url.as_ref().map_or_else(String::new, |url| url.origin().ascii_serialization());
        let base = url.as_ref().map_or_else(String::new, |url| url.path().trim_end_matches('/').to_owned());
        let content_policy = content_policy(&app.config.archive.place);
        Self { app, origin, base, content_policy, throttle: Throttle::default() }
    }

    /// True where browsers reach us by HTTPS.
    pub(crate) fn is_https(&self) -> bool {
        self.origin.starts_with("https:")
    }

    /// A path of ours as a browser must ask for it.
    pub(crate) fn href(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// Everything comes from us, no script or style stands in a page. Audio, and the redirect that follows a sign-in on the way
/// to it, may also come from where the archive's signed URLs lead.
fn content_policy(archive: &ArchiveConfig) -> String {
    let store = match archive {
        ArchiveConfig::Local { .. } => String::new(),
        ArchiveConfig::Bucket(bucket) => match &**bucket {
            BucketConfig::S3(s3) => match &s3.endpoint {
                Some(endpoint) => origin(endpoint),
                None => {
                    let host = format!("s3.{}.amazonaws.com", s3.region);
                    format!(" https://{host} https://{}.{host}", s3.bucket)
                }
            },
            BucketConfig::Gcs(gcs) => origin(&gcs.endpoint()),
            BucketConfig::Azure(azure) => origin(&azure.endpoint),
        },
    };
    format!(
        "default-src 'self'; media-src 'self'{store}; form-action 'self'{store}; \
         base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
    )
}

fn origin(url: &url::Url) -> String {
    format!(" {}", url.origin().ascii_serialization())
}
