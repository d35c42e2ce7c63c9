//! Credentials of a profile in AWS's own files: keys, a program, an assumed role, SSO.
//!
//! `aws-config` reads the files and knows what to ask; its requests go through our own client. It does not keep what it got,
//! so that is done here: one request at a time, and again five minutes before the end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use aws_config::Region;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use callspool_domain::Clock;
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use tokio::sync::Mutex;
use url::Url;

use crate::http::{Breakage, Http, causes};

/// STS and SSO answer with a few kilobytes.
const ANSWER_BYTES: usize = 256 * 1024;
/// They are renewed so long before they end.
const AHEAD: Duration = Duration::from_secs(300);

/// A profile, and where the files are if not in `~/.aws`.
#[derive(Debug, Clone, Default)]
pub struct Profile {
    /// `AWS_PROFILE`.
    pub name: String,
    /// `AWS_CONFIG_FILE`.
    pub config_file: Option<PathBuf>,
    /// `AWS_SHARED_CREDENTIALS_FILE`.
    pub credentials_file: Option<PathBuf>,
}

/// What a profile's credentials come from.
#[derive(Debug)]
pub(super) struct ProfileCredentials {
    inner: ProfileFileCredentialsProvider,
    held: Mutex<Option<Held>>,
}

#[derive(Debug)]
struct Held {
    credential: Arc<AwsCredential>,
    /// Microseconds since 1970; `None` where they don't end.
    ends: Option<i64>,
}

impl ProfileCredentials {
    pub(super) fn new(http: &Http, profile: &Profile, region: &str) -> Self {
        let connector = SharedHttpConnector::new(Connector(http.clone()));
        let config = ProviderConfig::without_region()
            .with_region(Some(Region::new(region.to_owned())))
            .with_http_client(http_client_fn(move |_settings, _components| connector.clone()));
        let mut files = EnvConfigFiles::builder();
        files = match &profile.config_file {
            Some(path) => files.with_file(EnvConfigFileKind::Config, path),
            None => files.include_default_config_file(true),
        };
        files = match &profile.credentials_file {
            Some(path) => files.with_file(EnvConfigFileKind::Credentials, path),
            None => files.include_default_credentials_file(true),
        };
        let inner = ProfileFileCredentialsProvider::builder()
            .configure(&config)
            .profile_name(&profile.name)
            .profile_files(files.build())
            .build();
        Self { inner, held: Mutex::new(None) }
    }
}

#[async_trait]
impl CredentialProvider for ProfileCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut held = self.held.lock().await;
        // Their end is told by the time of day, and judged by the store.
        let lives = |held: &Held, ahead: Duration| {
            held.ends.is_none_or(|ends| (Clock::System.now() + ahead).as_micros() < ends)
        };
        if let Some(held) = held.as_ref().filter(|held| lives(held, AHEAD)) {
            return Ok(Arc::clone(&held.credential));
        }
        let got = match self.inner.provide_credentials().await {
            Ok(got) => got,
            Err(error) => {
                return match held.as_ref().filter(|held| lives(held, Duration::ZERO)) {
                    Some(held) => Ok(Arc::clone(&held.credential)),
                    None => Err(object_store::Error::Generic { store: "S3", source: explained(&error).into() }),
                };
            }
        };
        let ends = got.expiry().and_then(|ends| ends.duration_since(UNIX_EPOCH).ok());
        let credential = Arc::new(AwsCredential {
            key_id: got.access_key_id().to_owned(),
            secret_key: got.secret_access_key().to_owned(),
            token: got.session_token().map(str::to_owned),
        });
        let ends = ends.and_then(|ends| i64::try_from(ends.as_micros()).ok());
        *held = Some(Held { credential: Arc::clone(&credential), ends });
        Ok(credential)
    }
}

/// An error with its causes, which alone say what is wrong.
fn explained(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::once(error.to_string()).chain(causes(error).map(ToString::to_string)).collect::<Vec<_>>().join(": ")
}

#[derive(Debug, Clone)]
struct Connector(Http);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let http = self.0.clone();
        HttpConnectorFuture::new(async move { send(&http, request).await })
    }
}

async fn send(http: &Http, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let (parts, body) = request.into_parts();
    let url: Url =
        parts.uri.to_string().parse().map_err(|error: url::ParseError| ConnectorError::user(error.into()))?;
    let body = body.bytes().map(<[u8]>::to_vec).unwrap_or_default();
    let length = body.len() as u64;
    let mut sent = reqwest::Request::new(parts.method, url);
    *sent.headers_mut() = parts.headers;
    *sent.body_mut() = Some(body.into());
    let answer = http.upload(sent, length, ANSWER_BYTES).await.map_err(|broken| match broken.how {
        Breakage::Stalled => ConnectorError::timeout(broken.into()),
        _ => ConnectorError::io(broken.into()),
    })?;
    let mut response = http::Response::new(SdkBody::from(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
}
