//! Where AWS credentials come from: each source, played by a server or a file, opens the same bucket.

use callspool_clients::Archive;
use callspool_clients::archive::{AwsCredentials, BucketConfig, Profile};
use callspool_domain::Code;
use callspool_sandbox::{S3, S3Options};

use crate::buckets::{KEY, of_s3};
use crate::raw::Raw;
use crate::world::http;

const LONG: &str = "2099-01-01T00:00:00Z";

/// An archive whose store knows nobody but who these credentials should be.
async fn archive(credentials: AwsCredentials) -> (S3, Archive) {
    let s3 = S3::start(S3Options::default()).await.expect("store");
    let config = BucketConfig::S3(of_s3(s3.base_url(), credentials));
    (s3, Archive::open_bucket(&http(), &config).expect("archive"))
}

fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).into_bytes()
}

fn document(ends: &str) -> String {
    format!(
        "{{\"Code\":\"Success\",\"Type\":\"AWS-HMAC\",\"LastUpdated\":\"2024-01-01T00:00:00Z\",\"AccessKeyId\":\"sandbox\",\
         \"SecretAccessKey\":\"sandbox-secret\",\"Token\":\"session\",\"Expiration\":\"{ends}\"}}"
    )
}

#[tokio::test]
async fn the_instances_role_by_a_session_of_its_metadata_service() {
    let metadata = Raw::by_head(|head| {
        let knows = head.to_ascii_lowercase().contains("x-aws-ec2-metadata-token: the-session");
        match head.lines().next().unwrap_or_default() {
            line if line.starts_with("PUT /latest/api/token ") => ok("the-session"),
            line if knows && line.contains("/security-credentials/role ") => ok(&document(LONG)),
            line if knows && line.contains("/security-credentials/ ") => ok("role"),
            _ => b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".to_vec(),
        }
    })
    .await;
    let endpoint = Some(metadata.url.to_string());
    let (_s3, archive) = archive(AwsCredentials::Instance { endpoint }).await;
    for _ in 0..3 {
        assert_eq!(archive.size(KEY).await, Ok(None));
    }
    assert_eq!(metadata.heads().len(), 3, "asked once, and kept");
}

#[tokio::test]
async fn credentials_that_end_soon_are_asked_for_again() {
    // object_store counts from the document's end, which is over: nothing is kept.
    let container = Raw::by_head(|_head| ok(&document("2024-01-01T00:00:00Z"))).await;
    let folder = tempfile::tempdir().expect("folder");
    let token_file = folder.path().join("token");
    std::fs::write(&token_file, "the-pod").expect("written");
    let (_s3, archive) = archive(AwsCredentials::Pod { full_uri: container.url.to_string(), token_file }).await;
    for asked in [1, 2, 3] {
        assert_eq!(archive.size(KEY).await, Ok(None));
        assert!(container.heads().len() >= asked);
    }
}

#[tokio::test]
async fn the_pods_identity_with_the_token_of_its_file() {
    let agent = Raw::by_head(|head| {
        if head.to_ascii_lowercase().contains("authorization: the-pod") {
            ok(&document(LONG))
        } else {
            b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".to_vec()
        }
    })
    .await;
    let folder = tempfile::tempdir().expect("folder");
    let token_file = folder.path().join("token");
    std::fs::write(&token_file, "the-pod").expect("written");
    let (_s3, archive) = archive(AwsCredentials::Pod { full_uri: agent.url.to_string(), token_file }).await;
    assert_eq!(archive.size(KEY).await, Ok(None));
}

#[tokio::test]
async fn a_role_taken_with_a_web_identity() {
    let sts = Raw::by_head(|head| {
        let line = head.lines().next().unwrap_or_default();
        let asks = ["Action=AssumeRoleWithWebIdentity", "WebIdentityToken=the-identity", "RoleArn=arn"];
        if !asks.iter().all(|wanted| line.contains(wanted)) {
            return b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec();
        }
        ok(&format!(
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
             <AccessKeyId>sandbox</AccessKeyId><SecretAccessKey>sandbox-secret</SecretAccessKey>\
             <SessionToken>session</SessionToken><Expiration>{LONG}</Expiration></Credentials>\
             </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
        ))
    })
    .await;
    let folder = tempfile::tempdir().expect("folder");
    let token_file = folder.path().join("token");
    std::fs::write(&token_file, "the-identity").expect("written");
    let credentials = AwsCredentials::WebIdentity {
        token_file,
        role_arn: "arn:aws:iam::123456789012:role/callspool".to_owned(),
        session_name: None,
        endpoint: Some(sts.url.to_string()),
    };
    let (_s3, archive) = archive(credentials).await;
    assert_eq!(archive.size(KEY).await, Ok(None));
}

/// A profile of this name in files that hold this.
async fn with_profile(name: &str, config: &str, credentials: &str) -> (S3, Archive, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("folder");
    let (config_file, credentials_file) = (folder.path().join("config"), folder.path().join("credentials"));
    std::fs::write(&config_file, config.replace("FOLDER", &folder.path().display().to_string())).expect("written");
    std::fs::write(&credentials_file, credentials).expect("written");
    let (config_file, credentials_file) = (Some(config_file), Some(credentials_file));
    let profile = Profile { name: name.to_owned(), config_file, credentials_file };
    let (s3, archive) = archive(AwsCredentials::Profile(profile)).await;
    (s3, archive, folder)
}

#[tokio::test]
async fn the_keys_of_a_profile() {
    let keys = "[calls]\naws_access_key_id = sandbox\naws_secret_access_key = sandbox-secret\n";
    let (_s3, archive, _folder) = with_profile("calls", "", keys).await;
    assert_eq!(archive.size(KEY).await, Ok(None));
    let (_s3, archive, _folder) = with_profile("another", "", keys).await;
    let failure = archive.size(KEY).await.expect_err("no such profile");
    assert_eq!(failure.code, Code::ArchiveUnauthorized);
    assert!(failure.detail.contains("another") && !failure.detail.contains("sandbox-secret"), "{failure}");
}

#[tokio::test]
async fn a_profiles_program_is_run_again_when_what_it_said_is_about_to_end() {
    for (ends, is_kept) in [(LONG, true), ("2024-01-01T00:00:00Z", false)] {
        let said = format!(
            "echo run >> FOLDER/runs; echo '{{\"Version\":1,\"AccessKeyId\":\"sandbox\",\"SecretAccessKey\":\
             \"sandbox-secret\",\"SessionToken\":\"session\",\"Expiration\":\"{ends}\"}}'"
        );
        let config = format!("[profile calls]\ncredential_process = {said}\n");
        let (_s3, archive, folder) = with_profile("calls", &config, "").await;
        for _ in 0..3 {
            assert_eq!(archive.size(KEY).await, Ok(None), "{ends}");
        }
        let ran = std::fs::read_to_string(folder.path().join("runs")).expect("it ran");
        assert_eq!(ran.lines().count() == 1, is_kept, "{ends}: {ran}");
    }
}
