//! A process that is killed in the middle of its work has lost nothing that it had acknowledged.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use callspool_domain::Lane;
use callspool_store::{OpenOptions, Store};
use futures::future::join_all;

use crate::scene::{at, claim, policy};
use crate::words::{callback, recording};

const DATABASE: &str = "CALLSPOOL_TEST_CHILD_DATABASE";
const FIRST: &str = "CALLSPOOL_TEST_CHILD_FIRST";
/// How many callbacks come at once.
const AT_ONCE: u32 = 16;

#[tokio::test]
async fn after_kill_nine_every_acknowledged_callback_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("callspool.db").display());
    let mut acknowledged = Vec::new();
    for round in 0_u32..4 {
        acknowledged.extend(write_until_killed(
            &url,
            round * 100_000,
            150 + 70 * usize::try_from(round).expect("small"),
        ));
    }
    let store = Store::open(&url, policy(), OpenOptions::default()).await.expect("a store");
    for n in &acknowledged {
        let row = store.recording(&recording(*n)).await.expect("a read");
        assert!(row.is_some(), "callback {n} was acknowledged and is lost");
    }
    let mut claimed = 0;
    loop {
        match claim(&store, Lane::Transfer, 1000, at(0)).await.len() {
            0 => break,
            n => claimed += n,
        }
    }
    assert!(claimed >= acknowledged.len(), "and each has its step");
    store.close().await;
}

/// Lets a child write, kills it once it has acknowledged so many, and returns all it has.
fn write_until_killed(url: &str, first: u32, acknowledgements: usize) -> Vec<u32> {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "durability::child_that_writes_until_it_is_killed", "--ignored", "--nocapture"])
        .env(DATABASE, url)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut read = |most| {
        let numbers = lines.by_ref().map_while(Result::ok).filter_map(|line| line.strip_prefix("ack ")?.parse().ok());
        numbers.take(most).collect::<Vec<u32>>()
    };
    let mut acknowledged = read(acknowledgements);
    assert_eq!(acknowledged.len(), acknowledgements, "the child ended by itself");
    child.kill().expect("a kill");
    child.wait().expect("an end");
    acknowledged.extend(read(usize::MAX));
    acknowledged
}

#[tokio::test]
#[ignore = "started by the test above, which kills it"]
#[expect(clippy::disallowed_methods, reason = "a child process is told by its environment what to do")]
async fn child_that_writes_until_it_is_killed() {
    let (Ok(url), Ok(first)) = (std::env::var(DATABASE), std::env::var(FIRST)) else { return };
    let store = Store::open(&url, policy(), OpenOptions::default()).await.expect("a store");
    let first: u32 = first.parse().expect("a number");
    for begin in (first..).step_by(AT_ONCE as usize) {
        let writes = (begin..begin + AT_ONCE).map(|n| {
            let store = store.clone();
            async move {
                store.record_callback(callback(n, "completed"), at(0)).await.expect("a callback");
                let mut stdout = std::io::stdout().lock();
                writeln!(stdout, "ack {n}").and_then(|()| stdout.flush()).expect("a pipe");
            }
        });
        join_all(writes).await;
    }
}
