//! A client that hides nothing: it sends one request on its own connection and tells every byte that came back, and
//! how the connection ended.

use std::io::ErrorKind;

use base64::Engine as _;
use callspool_domain::clock::ManualClock;
use callspool_domain::{AccountSid, Clock, Timestamp};
use callspool_sandbox::{Twilio, TwilioOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    /// 0 where no whole head came.
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// How the connection ended; `None` is an orderly close.
    pub(crate) end: Option<ErrorKind>,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// Sends a request head and body as they are and reads to the end of the connection.
pub(crate) async fn exchange(base_url: &str, request: &str) -> Answer {
    let address = base_url.strip_prefix("http://").expect("http");
    let mut stream = TcpStream::connect(address).await.expect("connect");
    stream.write_all(request.as_bytes()).await.expect("send");
    read_to_end(&mut stream).await
}

pub(crate) async fn read_to_end(stream: &mut TcpStream) -> Answer {
    let mut all = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    let end = loop {
        match stream.read(&mut buffer).await {
            Ok(0) => break None,
            Ok(size) => all.extend_from_slice(&buffer[..size]),
            Err(error) => break Some(error.kind()),
        }
    };
    let split = all.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let (head, body) = split.map_or((&all[..], &[][..]), |at| (&all[..at], &all[at + 4..]));
    let head = String::from_utf8_lossy(head).into_owned();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Answer { status, head, body: body.to_vec(), end }
}

pub(crate) fn request(method: &str, target: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {target} HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
}

pub(crate) const TOKEN: &str = "12345";

pub(crate) fn account() -> AccountSid {
    AccountSid::parse("AC00000000000000000000000000000001").expect("sid")
}

/// A Twilio with one account, at 2024-03-15 14:30:22 UTC.
pub(crate) async fn twilio() -> (Twilio, ManualClock) {
    let clock = ManualClock::new(Timestamp::from_micros(1_710_513_022_000_000));
    let options = TwilioOptions::new(Clock::Manual(clock.clone()), account(), TOKEN);
    (Twilio::start(options).await.expect("start"), clock)
}

pub(crate) fn basic(user: &str, password: &str) -> String {
    let coded = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Authorization: Basic {coded}\r\n")
}

/// A request below the account's path, with its token.
pub(crate) async fn ask(twilio: &Twilio, method: &str, path: &str) -> Answer {
    let target = format!("/2010-04-01/Accounts/{}{path}", account());
    let credentials = basic(account().as_str(), TOKEN);
    exchange(twilio.base_url(), &request(method, &target, &credentials, "")).await
}
