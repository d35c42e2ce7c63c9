//! Who we are at the archive's store, under the names that its maker's own tools use.

use std::path::PathBuf;

use callspool_clients::archive::{AwsCredentials, AzureCredentials, GoogleCredentials, Profile};

use super::Settings;

/// A static key where one is set, else the profile that is named, else what the platform provides under the names that AWS itself uses
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>), else the instance's role.
pub(super) fn aws(settings: &mut Settings) -> AwsCredentials {
    let key = (settings.text("AWS_ACCESS_KEY_ID"), settings.secret("AWS_SECRET_ACCESS_KEY"));
    if key.0.is_some() != key.1.is_some() {
        settings.problem("AWS_ACCESS_KEY_ID", "and AWS_SECRET_ACCESS_KEY must be set together");
    }
    if let (Some(access_key_id), Some(secret_access_key)) = key {
        let session_token = settings.secret("AWS_SESSION_TOKEN");
        return AwsCredentials::Static { access_key_id, secret_access_key, session_token };
    }
    if let Some(name) = settings.text("AWS_PROFILE") {
        let file = |name: &str| settings.text(name).map(PathBuf::from);
        let (config_file, credentials_file) = (file("AWS_CONFIG_FILE"), file("AWS_SHARED_CREDENTIALS_FILE"));
        return AwsCredentials::Profile(Profile { name, config_file, credentials_file });
    }
    let identity = (settings.text("AWS_WEB_IDENTITY_TOKEN_FILE"), settings.text("AWS_ROLE_ARN"));
    if let (Some(token_file), Some(role_arn)) = identity {
        let session_name = settings.text("AWS_ROLE_SESSION_NAME");
        let endpoint = settings.text("AWS_ENDPOINT_URL_STS");
        return AwsCredentials::WebIdentity { token_file: token_file.into(), role_arn, session_name, endpoint };
    }
    if let Some(relative_uri) = settings.text("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
        return AwsCredentials::Container { relative_uri };
    }
    let pod =
        (settings.text("AWS_CONTAINER_CREDENTIALS_FULL_URI"), settings.text("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"));
    if let (Some(full_uri), Some(token_file)) = pod {
        return AwsCredentials::Pod { full_uri, token_file: token_file.into() };
    }
    AwsCredentials::Instance { endpoint: settings.text("AWS_EC2_METADATA_SERVICE_ENDPOINT") }
}

/// A key where one is set, else the machine's service account; at a stand-in nobody, unless a key is set
/// (<https://cloud.google.com/docs/authentication/application-default-credentials>).
pub(super) fn google(settings: &mut Settings, is_stand_in: bool) -> GoogleCredentials {
    if let Some(key) = settings.secret("GOOGLE_SERVICE_ACCOUNT_KEY") {
        return GoogleCredentials::ServiceAccount(key);
    }
    match settings.text("GOOGLE_APPLICATION_CREDENTIALS") {
        Some(path) => GoogleCredentials::File(path.into()),
        None if is_stand_in => GoogleCredentials::Nobody,
        None => GoogleCredentials::Machine,
    }
}

/// The account's key where one is set, else a shared access signature, else an application of Entra's, else the machine's
/// managed identity (<https://learn.microsoft.com/en-us/azure/developer/intro/passwordless-overview>).
pub(super) fn azure(settings: &mut Settings) -> AzureCredentials {
    if let Some(key) = settings.secret("AZURE_STORAGE_KEY") {
        return AzureCredentials::Key(key);
    }
    if let Some(token) = settings.secret("AZURE_STORAGE_SAS_TOKEN") {
        return AzureCredentials::Sas(token);
    }
    let (tenant, client) = (settings.text("AZURE_TENANT_ID"), settings.text("AZURE_CLIENT_ID"));
    let authority = settings.text("AZURE_AUTHORITY_HOST");
    let (secret, token_file) = (settings.secret("AZURE_CLIENT_SECRET"), settings.text("AZURE_FEDERATED_TOKEN_FILE"));
    match (tenant, client, secret, token_file) {
        (Some(tenant), Some(client), Some(secret), _) => AzureCredentials::Client { tenant, client, secret, authority },
        (Some(tenant), Some(client), None, Some(token_file)) => {
            AzureCredentials::Workload { tenant, client, token_file: token_file.into(), authority }
        }
        (_, client, None, None) => AzureCredentials::Managed { client, endpoint: settings.text("IDENTITY_ENDPOINT") },
        _ => {
            settings.problem("AZURE_TENANT_ID", "and AZURE_CLIENT_ID must be set with the secret or the token's file");
            AzureCredentials::Managed { client: None, endpoint: None }
        }
    }
}
