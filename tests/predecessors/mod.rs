//! What five earlier systems did, told again: one story for each scenario that their documents describe, or for the
//! deviation that replaces it. `docs/predecessors.md` lists them by name and says why something differs; a test holds the two
//! together.

mod dual_recorder;
mod fallback;
mod poller;
mod runbook;
mod settings;
mod table;
mod webhook_handler;

use callspool_domain::CallSid;
use callspool_sandbox::twilio::{CallbackAnswer, PlacedCall, SendCallback, Signed};
use callspool_store::{CallRow, Role};
use reqwest::Response;
use serde_json::Value;

use crate::harness::{ACCOUNT, World};

/// Longer than any back-off.
const LATER: std::time::Duration = std::time::Duration::from_secs(360);
const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

const CALL: &str = "CA0123456789abcdef0123456789abcdef";
const RECORDING: &str = "RE0123456789abcdef0123456789abcdef";

/// A callback of the earlier systems' fields, with these changed; an empty text leaves one out.
fn fields(special: &[(&str, &str)]) -> Vec<(String, String)> {
    let usual = [
        ("AccountSid", ACCOUNT),
        ("CallSid", CALL),
        ("RecordingSid", RECORDING),
        ("RecordingUrl", "https://api.twilio.com/2010-04-01/Accounts/x/Recordings/x"),
        ("RecordingStatus", "completed"),
    ];
    let kept = usual.iter().filter(|(name, _)| special.iter().all(|(other, _)| other != name));
    let all = kept.chain(special).filter(|(_, text)| !text.is_empty());
    all.map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

/// Sends it to one of their paths; the status and the JSON of the answer.
async fn send(world: &World, path: &str, special: &[(&str, &str)]) -> (u16, Value) {
    send_signed(world, path, special, Signed::By(world.account())).await
}

async fn send_signed(world: &World, path: &str, special: &[(&str, &str)], signed: Signed) -> (u16, Value) {
    let callback = SendCallback { url: world.url(path), params: fields(special), signed };
    let CallbackAnswer { outcome, .. } = world.twilio.send_callback(&callback).await;
    let (status, body) = outcome.expect("an answer");
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

/// Whether a log line of this name tells of the call's recording.
fn is_logged(world: &World, name: &str, placed: &PlacedCall) -> bool {
    world.logged(name).iter().any(|line| line["recording_sid"] == placed.recording_sid.as_str())
}

/// Waits for such a line: what is told after a commit may come a moment after the queue is seen idle.
async fn until_logged(world: &World, name: &str, placed: &PlacedCall) {
    world.eventually(name, async || is_logged(world, name, placed)).await;
}

/// Follows a path as somebody who may listen.
async fn listen(world: &World, path: &str) -> Response {
    let token = world.token(Role::Listener).await;
    world.http.get(world.url(path)).bearer_auth(token).send().await.expect("an answer")
}

/// Follows the permanent link of a recording, wherever it leads; the status and the bytes that are heard.
async fn follow(world: &World, placed: &PlacedCall) -> (u16, Vec<u8>) {
    let answer = listen(world, &format!("/r/{}", placed.recording_sid)).await;
    let Some(to) = answer.headers().get("location") else { return (answer.status().as_u16(), Vec::new()) };
    let to = to.to_str().expect("an address");
    let heard = match to.strip_prefix('/') {
        Some(_) => listen(world, to).await,
        None => world.http.get(to).send().await.expect("an answer"),
    };
    (heard.status().as_u16(), heard.bytes().await.expect("bytes").to_vec())
}

async fn call_row(world: &World, sid: &CallSid) -> CallRow {
    world.app().store.call(sid).await.expect("the store answers").expect("the call is known")
}
