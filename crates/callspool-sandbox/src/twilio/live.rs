//! Recordings of running calls, started and stopped by REST, strict about every parameter
//! (<https://www.twilio.com/docs/voice/api/recording#create-a-recording-for-a-call>).
//!
//! Their callbacks wait until a test lets them go, so that a story decides what comes first, and what never comes.

use axum::response::{IntoResponse, Response};
use callspool_domain::{CallSid, RecordingSid};
use http::{StatusCode, header};
use serde_json::Value;

use super::rest::{Query, Refusal, json_answer, unexpected};
use super::state::{NewRecording, World};
use super::target::{Under, Which};
use super::{Account, Audio, Twilio, Word, callbacks};
use crate::twilio::CallbackAnswer;

/// Where a recording is announced, and in which states.
#[derive(Debug, Clone)]
pub(super) struct Announce {
    url: String,
    events: Vec<String>,
}

/// The parameters of a request, each with the values it may have; an empty list stands for any.
type Allowed = &'static [(&'static str, &'static [&'static str])];

const START: Allowed = &[
    ("RecordingStatusCallback", &[]),
    ("RecordingStatusCallbackMethod", &["POST"]),
    ("RecordingStatusCallbackEvent", &["in-progress", "completed", "absent"]),
    ("Trim", &["trim-silence", "do-not-trim"]),
    ("RecordingChannels", &["mono", "dual"]),
    ("RecordingTrack", &["inbound", "outbound", "both"]),
];
const UPDATE: Allowed = &[("Status", &["paused", "in-progress", "stopped"]), ("PauseBehavior", &["silence", "skip"])];

/// Reads a form, and says what is wrong with it.
fn read(form: &[u8], allowed: Allowed) -> Result<Query, String> {
    let form = Query::parse(std::str::from_utf8(form).ok());
    for (name, value) in form.pairs() {
        let known = allowed.iter().find(|(known, _)| known == name);
        let (_, values) = known.ok_or_else(|| format!("unknown parameter {name}"))?;
        // The events may come one by one, or with spaces between them.
        if !values.is_empty() && !value.split(' ').all(|word| values.contains(&word)) {
            return Err(format!("{name} can't be {value}"));
        }
    }
    Ok(form)
}

fn wrong(why: &str) -> Response {
    unexpected(Refusal::bad_request(20001, why.to_owned()), false, why)
}

/// `POST …/Calls/{call}/Recordings.json`
pub(super) fn start(world: &World, account: &Account, call: &CallSid, path: &str, form: &[u8]) -> Response {
    let form = match read(form, START) {
        Ok(form) => form,
        Err(why) => return wrong(&why),
    };
    let url = form.get("RecordingStatusCallback").unwrap_or_default().to_owned();
    if !url.is_empty() && !url.starts_with("http://") && !url.starts_with("https://") {
        return wrong("RecordingStatusCallback is no absolute URL");
    }
    let state = world.ledger().call(call).filter(|known| known.account == account.sid).map(|call| call.status.clone());
    match state.as_deref() {
        None => return Refusal::not_found(path).answer(false),
        Some("in-progress") => {}
        Some(state) => {
            let message = format!("Requested resource is not eligible for recording: the call is {state}");
            return Refusal::bad_request(21220, message).answer(false);
        }
    }
    let track = form.get("RecordingTrack").unwrap_or("both").to_owned();
    let dual = form.get("RecordingChannels") == Some("dual") && track == "both";
    let audio = if dual { Audio::seconds(0) } else { Audio::seconds(0).mono() };
    let spec =
        NewRecording { status: "in-progress".to_owned(), track, ..NewRecording::new(account.sid.clone(), audio) };
    let recording = world.add_recording(spec.of_call(call.clone()));
    let events = form.pairs().iter().filter(|(name, _)| name == "RecordingStatusCallbackEvent");
    let mut events: Vec<String> =
        events.flat_map(|(_, words)| words.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect();
    if events.is_empty() {
        events.push("completed".to_owned());
    }
    let mut ledger = world.ledger();
    if let Some(made) = ledger.recording_mut(&recording.sid) {
        made.announce = Some(Announce { url, events }).filter(|announce| !announce.url.is_empty());
    }
    ledger.waiting.push((recording.sid.clone(), Word::InProgress));
    drop(ledger);
    let answer = world.recording_json(&recording);
    (StatusCode::CREATED, [(header::CONTENT_TYPE, "application/json")], answer.to_string()).into_response()
}

/// `POST …/Calls/{call}/Recordings/{recording or Twilio.CURRENT}.json`
pub(super) fn update(
    world: &World,
    account: &Account,
    (under, which): (&Under, &Which),
    path: &str,
    form: &[u8],
) -> Response {
    let form = match read(form, UPDATE) {
        Ok(form) => form,
        Err(why) => return wrong(&why),
    };
    let Some(status) = form.get("Status") else { return wrong("Status is missing") };
    let now = world.clock.now();
    let mut ledger = world.ledger();
    let is_of = |spec: &NewRecording| match under {
        Under::Account => false,
        Under::Call(call) => spec.call.as_ref() == Some(call),
        Under::Conference(conference) => spec.conference.as_ref() == Some(conference),
    };
    let mut found = ledger.recordings.iter_mut().filter(|one| one.spec.account == account.sid && is_of(&one.spec));
    let recording = match which {
        Which::Sid(sid) => found.find(|one| one.sid == *sid && one.deleted.is_none()),
        // It stands for the one that runs, and for none where there are several.
        Which::Current => {
            let mut running = found.filter(|one| one.runs());
            running.next().filter(|_| running.next().is_none())
        }
    };
    let Some(recording) = recording else { return Refusal::not_found(path).answer(false) };
    if !recording.runs() {
        let message = format!("Recording is {} and can't be {status}", recording.status);
        return Refusal::bad_request(16114, message).answer(false);
    }
    let sid = recording.sid.clone();
    if status == "stopped" {
        recording.end(now);
        let mut answer = world.recording_json(recording);
        // Only the answer itself says so; whoever fetches it is told of its processing, or of its end.
        answer["status"] = Value::from("stopped");
        ledger.waiting.push((sid, Word::Completed));
        return json_answer(&answer);
    }
    status.clone_into(&mut recording.status);
    json_answer(&world.recording_json(recording))
}

impl Twilio {
    /// Moves a call on: `ringing`, `in-progress`, or to its end, with which its recordings end. No effect on an unknown one.
    pub fn set_call_status(&self, call: &CallSid, status: &str) {
        let now = self.world().clock.now();
        let mut ledger = self.world().ledger();
        ledger
            .calls
            .iter_mut()
            .filter(|known| known.sid == *call)
            .for_each(|known| status.clone_into(&mut known.status));
        if matches!(status, "completed" | "busy" | "failed" | "no-answer" | "canceled") {
            let mut ended = Vec::new();
            for recording in ledger.recordings.iter_mut().filter(|one| one.spec.call.as_ref() == Some(call)) {
                if recording.runs() {
                    recording.end(now);
                    ended.push((recording.sid.clone(), Word::Completed));
                }
            }
            ledger.waiting.extend(ended);
        }
    }

    /// Sends the callbacks of recordings that were started by REST, in the order of what they tell. What is not accepted
    /// waits for the next time.
    pub async fn deliver(&self) -> Vec<CallbackAnswer> {
        let world = self.world();
        let mut answers = Vec::new();
        let waiting = world.ledger().waiting.clone();
        for (sid, word) in waiting {
            let Some(recording) = self.recording(&sid) else { continue };
            let announce = recording.announce.as_ref();
            if let Some(announce) = announce.filter(|one| one.events.iter().any(|event| event == word.as_str())) {
                let callback = callbacks::announcement(world, &recording, &word, &announce.url);
                let answer = callbacks::send(world, &callback, &world.draw()).await;
                let accepted = answer.is_accepted();
                answers.push(answer);
                if !accepted {
                    continue;
                }
            }
            // Only now: whoever gives up waiting for the answers has lost nothing.
            world.ledger().waiting.retain(|(other, told)| *other != sid || *told != word);
        }
        answers
    }

    /// Where a recording that was started by REST is announced.
    pub fn callback_of(&self, sid: &RecordingSid) -> Option<String> {
        Some(self.recording(sid)?.announce?.url)
    }
}
