//! The stand-in for S3 keeps the promises a careful client leans on, and differs where it is told to.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use callspool_sandbox::s3::{IfNoneMatch, Quirks, Rights, Route};
use callspool_sandbox::{Fault, S3, S3Options};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::StatusCode;
use sha2::{Digest as _, Sha256};

use crate::wire::{Answer, exchange, request};

async fn s3() -> S3 {
    S3::start(S3Options::default()).await.expect("start")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("text");
        text
    })
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn crc64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(crc_fast::crc64_nvme(bytes).to_be_bytes())
}

/// One request signed by Signature Version 4, over its headers and not its body.
async fn send(s3: &S3, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let now = jiff::Timestamp::from_microsecond(callspool_domain::Clock::System.now().as_micros()).expect("time");
    let (time, day) = (now.strftime("%Y%m%dT%H%M%SZ").to_string(), now.strftime("%Y%m%d").to_string());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut query: Vec<String> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| if pair.contains('=') { pair.into() } else { format!("{pair}=") })
        .collect();
    query.sort();
    let mut signed: BTreeMap<String, &str> =
        headers.iter().map(|(name, value)| (name.to_lowercase(), *value)).collect();
    signed.extend([
        ("host".to_owned(), "sandbox"),
        ("x-amz-content-sha256".to_owned(), "UNSIGNED-PAYLOAD"),
        ("x-amz-date".to_owned(), time.as_str()),
    ]);
    let names = signed.keys().cloned().collect::<Vec<_>>().join(";");
    let lines: String = signed.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let canonical = format!("{method}\n{path}\n{}\n{lines}\n{names}\nUNSIGNED-PAYLOAD", query.join("&"));
    let scope = format!("{day}/us-east-1/s3/aws4_request");
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
    let key = ["us-east-1", "s3", "aws4_request"]
        .iter()
        .fold(hmac(b"AWS4sandbox-secret", &day), |key, part| hmac(&key, part));
    let signature = hex(&hmac(&key, &text));
    let mut head = format!(
        "Authorization: AWS4-HMAC-SHA256 Credential=sandbox/{scope}, SignedHeaders={names}, Signature={signature}\r\n"
    );
    for (name, value) in signed.iter().filter(|(name, _)| *name != "host") {
        write!(head, "{name}: {value}\r\n").expect("text");
    }
    exchange(s3.base_url(), &request(method, target, &head, body)).await
}

const KEY: &str = "/recordings/2024/call.wav";

#[tokio::test]
async fn of_many_conditional_writes_to_a_key_exactly_one_succeeds() {
    let s3 = s3().await;
    let write = || send(&s3, "PUT", KEY, &[("if-none-match", "*")], "audio");
    let answers = futures::future::join_all((0..8).map(|_| write())).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 409, 412].contains(status)), "{statuses:?}");
    assert_eq!(write().await.status, 412);
    assert_eq!(s3.unexpected_requests(), [""; 0]);
}

#[tokio::test]
async fn a_wrong_checksum_is_refused_and_leaves_what_was_there() {
    let s3 = s3().await;
    let wrong = crc64(b"other");
    let refused = send(&s3, "PUT", KEY, &[("x-amz-checksum-crc64nvme", &wrong)], "audio").await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("<Code>BadDigest</Code>"), "{}", refused.text());
    assert_eq!(s3.keys(), [""; 0]);
    assert_eq!(send(&s3, "PUT", KEY, &[("x-amz-checksum-crc64nvme", &crc64(b"first"))], "first").await.status, 200);
    assert_eq!(send(&s3, "PUT", KEY, &[("x-amz-checksum-crc64nvme", &wrong)], "audio").await.status, 400);
    assert_eq!(s3.object("2024/call.wav").as_deref(), Some(&b"first"[..]));
    assert_eq!(s3.keys(), ["2024/call.wav"]);
}

#[tokio::test]
async fn a_checksum_is_told_only_when_asked_for_and_is_of_the_bytes_there_are() {
    let s3 = s3().await;
    let put = send(&s3, "PUT", KEY, &[("x-amz-meta-sha256", "abc"), ("content-type", "audio/wav")], "audio").await;
    assert_eq!(put.status, 200);
    let silent = send(&s3, "HEAD", KEY, &[], "").await;
    assert_eq!((silent.status, silent.header("x-amz-checksum-crc64nvme")), (200, None));
    assert_eq!((silent.header("x-amz-meta-sha256"), silent.header("content-type")), (Some("abc"), Some("audio/wav")));
    let asked = send(&s3, "HEAD", KEY, &[("x-amz-checksum-mode", "ENABLED")], "").await;
    assert_eq!(asked.header("x-amz-checksum-crc64nvme"), Some(crc64(b"audio").as_str()));
    s3.overwrite("2024/call.wav", b"rotten").expect("write");
    let rotten = send(&s3, "HEAD", &format!("{KEY}?x-amz-checksum-mode=ENABLED"), &[], "").await;
    assert_eq!(rotten.header("x-amz-checksum-crc64nvme"), Some(crc64(b"rotten").as_str()));
}

async fn begin(s3: &S3) -> String {
    let begun = send(s3, "POST", &format!("{KEY}?uploads"), &[], "").await.text();
    let (_, id) = begun.split_once("<UploadId>").expect("id");
    id.split_once('<').expect("id").0.to_owned()
}

fn part_list(etag: &str) -> String {
    format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    )
}

#[tokio::test]
async fn a_multipart_upload_checks_parts_and_the_whole() {
    let s3 = s3().await;
    let id = begin(&s3).await;
    assert_eq!(s3.open_uploads(), ["2024/call.wav"]);
    let part = format!("{KEY}?partNumber=1&uploadId={id}");
    let wrong = crc64(b"other");
    assert_eq!(send(&s3, "PUT", &part, &[("x-amz-checksum-crc64nvme", &wrong)], "audio").await.status, 400);
    let stored = send(&s3, "PUT", &part, &[("x-amz-checksum-crc64nvme", &crc64(b"audio"))], "audio").await;
    let etag = stored.header("etag").expect("etag").to_owned();
    let complete = format!("{KEY}?uploadId={id}");
    assert!(send(&s3, "POST", &complete, &[], &part_list("\"0\"")).await.text().contains("InvalidPart"));
    let completed =
        send(&s3, "POST", &complete, &[("x-amz-checksum-crc64nvme", &crc64(b"audio"))], &part_list(&etag)).await;
    assert_eq!(completed.status, 200, "{}", completed.text());
    assert_eq!(s3.object("2024/call.wav").as_deref(), Some(&b"audio"[..]));
    assert_eq!(s3.open_uploads(), [""; 0]);

    let id = begin(&s3).await;
    assert_eq!(send(&s3, "DELETE", &format!("{KEY}?uploadId={id}"), &[], "").await.status, 204);
    assert_eq!(send(&s3, "DELETE", &format!("{KEY}?uploadId={id}"), &[], "").await.status, 404);
}

#[tokio::test]
async fn there_is_one_bucket_and_writing_makes_no_other() {
    let s3 = s3().await;
    for (method, target) in [("PUT", "/another-bucket/call.wav"), ("POST", "/another-bucket/call.wav?uploads")] {
        let answer = send(&s3, method, target, &[], "").await;
        assert!(answer.status == 404 && answer.text().contains("NoSuchBucket"), "{method}: {}", answer.text());
    }
}

#[tokio::test]
async fn quirks_make_it_another_store() {
    let s3 = s3().await;
    s3.set_quirks(Quirks { missing_is_forbidden: true, ..Quirks::default() });
    assert_eq!(send(&s3, "HEAD", KEY, &[], "").await.status, 403);
    for (if_none_match, status) in [(IfNoneMatch::NotImplemented, 501), (IfNoneMatch::BadRequest, 400)] {
        s3.set_quirks(Quirks { if_none_match, ..Quirks::default() });
        assert_eq!(send(&s3, "PUT", KEY, &[("if-none-match", "*")], "audio").await.status, status);
    }
    s3.set_quirks(Quirks { without_checksums: true, ..Quirks::default() });
    assert_eq!(send(&s3, "PUT", KEY, &[("x-amz-checksum-crc64nvme", &crc64(b"other"))], "audio").await.status, 200);
    let asked = send(&s3, "HEAD", KEY, &[("x-amz-checksum-mode", "ENABLED")], "").await;
    assert_eq!((asked.status, asked.header("x-amz-checksum-crc64nvme")), (200, None));
    assert_eq!(s3.unexpected_requests(), [""; 0]);
}

#[tokio::test]
async fn faults_hit_the_part_they_are_meant_for_and_strangers_are_refused() {
    let s3 = s3().await;
    s3.faults().next(Route::UploadPart, Fault::status(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(send(&s3, "PUT", KEY, &[], "audio").await.status, 200);
    let id = begin(&s3).await;
    let part = format!("{KEY}?partNumber=1&uploadId={id}");
    let slow_down = send(&s3, "PUT", &part, &[], "audio").await;
    assert!(slow_down.status == 503 && slow_down.text().contains("<Code>SlowDown</Code>"));
    assert_eq!(send(&s3, "PUT", &part, &[], "audio").await.status, 200);
    assert_eq!(exchange(s3.base_url(), &request("GET", KEY, "", "")).await.status, 403);
    assert_eq!(s3.take_unexpected_requests().len(), 1);
    assert_eq!(s3.count_of(Route::UploadPart, "2024/call.wav"), 2);
}

#[tokio::test]
async fn rights_that_are_missing_are_refused_as_a_policy_does_it() {
    let s3 = s3().await;
    assert_eq!(send(&s3, "PUT", KEY, &[], "audio").await.status, 200);
    s3.set_rights(Rights { put: false, get: true, list: false, delete: false });
    for (method, target) in [("PUT", KEY), ("DELETE", KEY), ("GET", "/recordings?list-type=2")] {
        let refused = send(&s3, method, target, &[], "").await;
        assert!(refused.status == 403 && refused.text().contains("<Code>AccessDenied</Code>"), "{method} {target}");
    }
    let many = "<Delete><Object><Key>2024/call.wav</Key></Object></Delete>";
    let refused = send(&s3, "POST", "/recordings?delete=", &[], many).await;
    assert!(refused.status == 200 && refused.text().contains("<Key>2024/call.wav</Key><Code>AccessDenied</Code>"));
    assert_eq!(send(&s3, "HEAD", KEY, &[], "").await.status, 200);
    assert_eq!(send(&s3, "HEAD", "/recordings/missing", &[], "").await.status, 403, "nothing tells what is missing");
    s3.set_rights(Rights { get: false, ..Rights::default() });
    assert_eq!(send(&s3, "GET", KEY, &[], "").await.status, 403);
    s3.set_rights(Rights::default());
    assert_eq!(send(&s3, "HEAD", "/recordings/missing", &[], "").await.status, 404);
    assert_eq!(send(&s3, "DELETE", KEY, &[], "").await.status, 204);
    assert_eq!(s3.unexpected_requests(), [""; 0]);
}

#[tokio::test]
async fn encryption_is_asked_for_where_an_object_begins_and_refused_elsewhere() {
    let s3 = s3().await;
    let asks = [("x-amz-server-side-encryption", "AES256")];
    assert_eq!(send(&s3, "PUT", KEY, &asks, "audio").await.status, 200);
    assert_eq!(s3.encryption_asked_for("2024/call.wav").as_deref(), Some("AES256"));
    for (method, target) in [("GET", KEY), ("PUT", "/recordings/2024/call.wav?partNumber=1&uploadId=x")] {
        let refused = send(&s3, method, target, &asks, "").await;
        assert!(refused.status == 400 && refused.text().contains("<Code>InvalidArgument</Code>"), "{method} {target}");
    }
    assert_eq!(s3.take_unexpected_requests().len(), 2);
}
