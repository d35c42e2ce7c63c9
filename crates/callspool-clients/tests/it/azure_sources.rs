//! Where Azure credentials come from, besides the account's key: each source, played by a server, opens the same container.

use callspool_clients::Archive;
use callspool_clients::archive::{AzureConfig, AzureCredentials, BucketConfig};
use callspool_domain::{Code, Secret};
use callspool_sandbox::{Azure, AzureOptions};
use url::Url;

use crate::buckets::KEY;
use crate::raw::Raw;
use crate::world::http;

const TOKEN: &str = "the-token-of-entra";

/// An archive whose store knows a token of Entra's.
async fn archive(credentials: AzureCredentials) -> (Azure, Archive) {
    let azure = Azure::start(AzureOptions::default()).await.expect("store");
    azure.trust(Secret::new(TOKEN));
    let config = AzureConfig {
        account: "sandbox".to_owned(),
        container: "recordings".to_owned(),
        prefix: None,
        endpoint: Url::parse(&azure.endpoint()).expect("url"),
        credentials,
    };
    let archive = Archive::open_bucket(&http(), &BucketConfig::Azure(config)).expect("archive");
    (azure, archive)
}

fn ok(body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

fn refused() -> Vec<u8> {
    b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec()
}

#[tokio::test]
async fn the_token_of_an_application_is_asked_for_once() {
    let entra = Raw::by_head(|head| {
        if head.starts_with("POST /the-tenant/oauth2/v2.0/token ") {
            ok(&format!("{{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"{TOKEN}\"}}"))
        } else {
            refused()
        }
    })
    .await;
    let client = |tenant: &str| AzureCredentials::Client {
        tenant: tenant.to_owned(),
        client: "the-application".to_owned(),
        secret: Secret::new("the-secret"),
        authority: Some(entra.url.to_string().trim_end_matches('/').to_owned()),
    };
    let (azure, known) = archive(client("the-tenant")).await;
    for _ in 0..3 {
        assert_eq!(known.size(KEY).await, Ok(None));
    }
    assert_eq!(entra.heads().len(), 1, "asked once, and kept");
    assert_eq!(azure.unexpected_requests(), Vec::<String>::new());
    let (azure, stranger) = archive(client("another-tenant")).await;
    let failure = stranger.size(KEY).await.expect_err("no token");
    assert_eq!(failure.code, Code::ArchiveUnauthorized, "{failure:?}");
    assert!(!failure.detail.contains("the-secret"), "{}", failure.detail);
    assert_eq!(azure.requests().len(), 0, "without a token nothing is asked");
}

#[tokio::test]
async fn the_token_of_the_machine_or_of_one_of_its_identities() {
    let machine = Raw::by_head(|head| {
        let line = head.lines().next().unwrap_or_default();
        let asks = head.to_ascii_lowercase().contains("metadata: true") && line.contains("resource=");
        // What `expires_on` holds is a text of seconds.
        let token = format!("{{\"access_token\":\"{TOKEN}\",\"expires_on\":\"4102444800\",\"token_type\":\"Bearer\"}}");
        if asks && !line.contains("client_id=unknown") { ok(&token) } else { refused() }
    })
    .await;
    let managed = |client: Option<&str>| AzureCredentials::Managed {
        client: client.map(str::to_owned),
        endpoint: Some(format!("{}metadata/identity/oauth2/token", machine.url)),
    };
    for client in [None, Some("the-identity")] {
        let (azure, archive) = archive(managed(client)).await;
        assert_eq!(archive.size(KEY).await, Ok(None));
        let heads = machine.heads();
        let line = heads.last().and_then(|head| head.lines().next()).expect("a request");
        assert_eq!(line.contains("client_id=the-identity"), client.is_some(), "{line}");
        assert_eq!(azure.unexpected_requests(), Vec::<String>::new());
    }
    let (_azure, stranger) = archive(managed(Some("unknown"))).await;
    assert_eq!(stranger.size(KEY).await.expect_err("no token").code, Code::ArchiveUnauthorized);
}

#[tokio::test]
async fn a_token_that_the_store_does_not_take_is_a_refusal() {
    let machine =
        Raw::start(ok("{\"access_token\":\"another\",\"expires_on\":\"4102444800\",\"token_type\":\"Bearer\"}")).await;
    let endpoint = Some(machine.url.to_string());
    let (azure, archive) = archive(AzureCredentials::Managed { client: None, endpoint }).await;
    assert_eq!(archive.size(KEY).await.expect_err("refused").code, Code::ArchiveUnauthorized);
    assert_eq!(azure.take_unexpected_requests().len(), 1);
}
