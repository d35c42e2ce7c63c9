//! The settings of a bucket, and what `object_store` makes of them.

use std::path::PathBuf;
use std::sync::Arc;

use callspool_domain::Secret;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, Checksum};
use url::Url;

use super::profile::{Profile, ProfileCredentials};
use crate::archive::bucket::doorway::one_more_try;
use crate::http::Http;

/// How a bucket is reached.
#[derive(Debug, Clone)]
pub struct S3Config {
    /// Its name.
    pub bucket: String,
    /// What all keys begin with, without slashes at the ends.
    pub prefix: Option<String>,
    /// Its region.
    pub region: String,
    /// The store's address where it is not AWS; addressed by path then.
    pub endpoint: Option<Url>,
    /// Who we are there.
    pub credentials: AwsCredentials,
    /// How the store encrypts what we write.
    pub sse: Sse,
}

/// Where the credentials come from. The environment is read by the configuration alone and handed in here.
#[derive(Debug, Clone)]
pub enum AwsCredentials {
    /// A key of our own.
    Static {
        /// `AWS_ACCESS_KEY_ID`.
        access_key_id: String,
        /// `AWS_SECRET_ACCESS_KEY`.
        secret_access_key: Secret,
        /// `AWS_SESSION_TOKEN`.
        session_token: Option<Secret>,
    },
    /// A profile in AWS's own files.
    Profile(Profile),
    /// A role taken with a token from a file (EKS, OIDC).
    WebIdentity {
        /// `AWS_WEB_IDENTITY_TOKEN_FILE`.
        token_file: PathBuf,
        /// `AWS_ROLE_ARN`.
        role_arn: String,
        /// `AWS_ROLE_SESSION_NAME`.
        session_name: Option<String>,
        /// `AWS_ENDPOINT_URL_STS`.
        endpoint: Option<String>,
    },
    /// The role of an ECS task.
    Container {
        /// `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`.
        relative_uri: String,
    },
    /// The identity of an EKS pod.
    Pod {
        /// `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
        full_uri: String,
        /// `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`.
        token_file: PathBuf,
    },
    /// The role of the EC2 instance, by IMDSv2.
    Instance {
        /// `AWS_EC2_METADATA_SERVICE_ENDPOINT`.
        endpoint: Option<String>,
    },
}

/// `S3_SSE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sse {
    /// With the store's own keys.
    Aes256,
    /// With this KMS key.
    Kms {
        /// The key's id or ARN.
        key_id: String,
    },
    /// Nothing is asked for.
    None,
}

/// The settings in the shape `object_store` wants them.
pub(super) fn builder(http: &Http, config: &S3Config) -> object_store::Result<AmazonS3Builder> {
    let by_path = config.endpoint.is_some() || config.bucket.contains('.');
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&config.bucket)
        .with_region(&config.region)
        .with_virtual_hosted_style_request(!by_path)
        .with_checksum_algorithm(Checksum::CRC64NVME)
        // The store checks the CRC as it writes, and the gate the SHA-256 before it releases; to sign the bytes as well
        // would hash each of them a second time.
        .with_unsigned_payload(true)
        // The request for many keys answers 200 and hides a missing right in its body; compatible stores may lack it
        // (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>).
        .with_disable_bulk_delete(true)
        .with_retry(one_more_try());
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(endpoint.as_str().trim_end_matches('/'));
    }
    builder = match &config.sse {
        Sse::Aes256 => builder.with_config("aws_server_side_encryption".parse()?, "AES256"),
        Sse::Kms { key_id } => builder.with_sse_kms_encryption(key_id),
        Sse::None => builder,
    };
    Ok(with_credentials(http, builder, config))
}

fn with_credentials(http: &Http, builder: AmazonS3Builder, config: &S3Config) -> AmazonS3Builder {
    let path = |path: &PathBuf| path.to_string_lossy().into_owned();
    match &config.credentials {
        AwsCredentials::Profile(profile) => {
            builder.with_credentials(Arc::new(ProfileCredentials::new(http, profile, &config.region)))
        }
        AwsCredentials::Static { access_key_id, secret_access_key, session_token } => {
            let builder = builder.with_access_key_id(access_key_id).with_secret_access_key(secret_access_key.expose());
            match session_token {
                Some(token) => builder.with_token(token.expose()),
                None => builder,
            }
        }
        AwsCredentials::WebIdentity { token_file, role_arn, session_name, endpoint } => {
            let builder = builder
                .with_config(AmazonS3ConfigKey::WebIdentityTokenFile, path(token_file))
                .with_config(AmazonS3ConfigKey::RoleArn, role_arn);
            let builder = match endpoint {
                Some(endpoint) => builder.with_config(AmazonS3ConfigKey::StsEndpoint, endpoint),
                None => builder,
            };
            match session_name {
                Some(name) => builder.with_config(AmazonS3ConfigKey::RoleSessionName, name),
                None => builder,
            }
        }
        AwsCredentials::Container { relative_uri } => {
            builder.with_config(AmazonS3ConfigKey::ContainerCredentialsRelativeUri, relative_uri)
        }
        AwsCredentials::Pod { full_uri, token_file } => builder
            .with_config(AmazonS3ConfigKey::ContainerCredentialsFullUri, full_uri)
            .with_config(AmazonS3ConfigKey::ContainerAuthorizationTokenFile, path(token_file)),
        AwsCredentials::Instance { endpoint } => match endpoint {
            Some(endpoint) => builder.with_metadata_endpoint(endpoint.trim_end_matches('/')),
            None => builder,
        },
    }
}
