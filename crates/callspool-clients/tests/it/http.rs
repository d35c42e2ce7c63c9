//! The only HTTP client: caps, and what a broken exchange is called.

use std::time::Duration;

use callspool_clients::http::{ReadError, Response, read_capped};

use crate::raw::Raw;

async fn read(raw: &Raw, max: usize) -> Result<usize, ReadError> {
    let response = reqwest::Client::builder().no_proxy().build().expect("client").get(raw.url.clone()).send().await;
    read_capped(Response::new(response.expect("head"), Duration::from_secs(60)), max).await.map(|body| body.len())
}

#[tokio::test]
async fn a_body_is_read_up_to_its_cap_and_no_further() {
    let raw = Raw::start(format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(1000))).await;
    assert_eq!(read(&raw, 1000).await.expect("fits"), 1000);
    assert!(matches!(read(&raw, 999).await, Err(ReadError::TooLong(999))));
}

#[tokio::test]
async fn an_announced_length_is_not_believed_before_the_bytes_come() {
    let raw = Raw::start("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nshort").await;
    assert!(matches!(read(&raw, 1000).await, Err(ReadError::Broken(_))));
}
