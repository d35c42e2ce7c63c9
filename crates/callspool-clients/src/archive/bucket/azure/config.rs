//! The settings of a container of Azure's, and what `object_store` makes of them.

use std::path::PathBuf;

use callspool_domain::Secret;
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use url::Url;

use crate::archive::bucket::doorway::one_more_try;

/// How a container of Azure Blob Storage is reached.
#[derive(Debug, Clone)]
pub struct AzureConfig {
    /// The storage account.
    pub account: String,
    /// The container's name.
    pub container: String,
    /// What all keys begin with, without slashes at the ends.
    pub prefix: Option<String>,
    /// The account's address.
    pub endpoint: Url,
    /// Who we are there.
    pub credentials: AzureCredentials,
}

/// Where the credentials come from. The environment is read by the configuration alone and handed in here.
#[derive(Debug, Clone)]
pub enum AzureCredentials {
    /// The account's key (`AZURE_STORAGE_KEY`).
    Key(Secret),
    /// A shared access signature (`AZURE_STORAGE_SAS_TOKEN`). URLs can't be signed with it.
    Sas(Secret),
    /// An application of Entra's with a secret.
    Client {
        /// `AZURE_TENANT_ID`.
        tenant: String,
        /// `AZURE_CLIENT_ID`.
        client: String,
        /// `AZURE_CLIENT_SECRET`.
        secret: Secret,
        /// `AZURE_AUTHORITY_HOST`.
        authority: Option<String>,
    },
    /// An application of Entra's with a token from a file: workload identity of AKS.
    Workload {
        /// `AZURE_TENANT_ID`.
        tenant: String,
        /// `AZURE_CLIENT_ID`.
        client: String,
        /// `AZURE_FEDERATED_TOKEN_FILE`.
        token_file: PathBuf,
        /// `AZURE_AUTHORITY_HOST`.
        authority: Option<String>,
    },
    /// The machine's managed identity, or the one of them with this client id.
    Managed {
        /// `AZURE_CLIENT_ID`.
        client: Option<String>,
        /// `IDENTITY_ENDPOINT`.
        endpoint: Option<String>,
    },
}

/// The settings in the shape `object_store` wants them.
pub(super) fn builder(config: &AzureConfig) -> MicrosoftAzureBuilder {
    let builder = MicrosoftAzureBuilder::new()
        .with_account(&config.account)
        .with_container_name(&config.container)
        .with_endpoint(config.endpoint.as_str().trim_end_matches('/').to_owned())
        .with_retry(one_more_try());
    let with = |builder: MicrosoftAzureBuilder, key: AzureConfigKey, text: &Option<String>| match text {
        Some(text) => builder.with_config(key, text),
        None => builder,
    };
    match &config.credentials {
        AzureCredentials::Key(key) => builder.with_access_key(key.expose()),
        AzureCredentials::Sas(token) => {
            builder.with_config(AzureConfigKey::SasKey, token.expose().trim_start_matches('?'))
        }
        AzureCredentials::Client { tenant, client, secret, authority } => {
            let builder = builder.with_client_secret_authorization(client, secret.expose(), tenant);
            with(builder, AzureConfigKey::AuthorityHost, authority)
        }
        AzureCredentials::Workload { tenant, client, token_file, authority } => {
            let builder = builder
                .with_tenant_id(tenant)
                .with_client_id(client)
                .with_federated_token_file(token_file.to_string_lossy());
            with(builder, AzureConfigKey::AuthorityHost, authority)
        }
        AzureCredentials::Managed { client, endpoint } => {
            let builder = with(builder, AzureConfigKey::ClientId, client);
            with(builder, AzureConfigKey::MsiEndpoint, endpoint)
        }
    }
}
