//! The rows of the matrix: every fault that a stand-in can play, with the particulars that matter to a client.

use std::time::Duration;

use callspool_sandbox::{BodyKind, Fault, FaultKind};
use http::StatusCode;

use crate::harness::Nobody;

/// Every status that a service, or something in front of it, may answer with.
const STATUSES: [u16; 15] = [400, 401, 403, 404, 408, 409, 410, 412, 413, 422, 500, 502, 503, 504, 507];
/// A body breaks off here: within the head of a WAV file, of a list, of an error.
const EARLY: u64 = 20;
/// So long that a client with a bound has long given up, and one without has not noticed yet.
const LONG_HEAD: usize = 2 << 20;

/// All of them, as they stand here. `elsewhere` is where redirects lead; nobody may follow one.
fn all(elsewhere: &str) -> Vec<Fault> {
    let status = |code: u16| StatusCode::from_u16(code).expect("a status");
    let mut faults: Vec<Fault> = STATUSES.map(|code| Fault::status(status(code))).to_vec();
    let page = |code, body| Fault::Status { code: status(code), retry_after: None, body };
    faults.extend([page(502, BodyKind::Html), page(500, BodyKind::Empty)]);
    faults.extend([Fault::status(StatusCode::TOO_MANY_REQUESTS), Fault::throttled(7), Fault::throttled(u64::MAX)]);
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    faults.extend([
        Fault::Status { code: unavailable, retry_after: Some(90), body: BodyKind::Own },
        Fault::RetryAfter { code: unavailable, text: "Fri, 15 Mar 2094 14:30:22 GMT" },
        Fault::RetryAfter { code: StatusCode::TOO_MANY_REQUESTS, text: "Fri, 15 Mar 2024 14:32:22 GMT" },
        Fault::RetryAfter { code: StatusCode::TOO_MANY_REQUESTS, text: "99999999999999999999999999" },
        Fault::Early(unavailable),
    ]);
    faults.extend([301, 307].map(|code| Fault::Redirect { code: status(code), to: elsewhere.to_owned() }));
    faults.extend([Fault::Refuse, Fault::LostReply]);
    faults.extend([false, true].map(|carried_out| Fault::Reset { carried_out }));
    faults.extend([Fault::Endless(StatusCode::OK), Fault::Endless(StatusCode::INTERNAL_SERVER_ERROR)]);
    faults.extend([Fault::HugeHead(LONG_HEAD), Fault::FlipByte(0)]);
    let wrong = |body, disguised| Fault::WrongBody { body, disguised };
    faults.extend([BodyKind::Html, BodyKind::Json, BodyKind::Xml, BodyKind::Empty].map(|body| wrong(body, false)));
    faults.extend([BodyKind::Html, BodyKind::Xml].map(|body| wrong(body, true)));
    faults.push(Fault::Text { media_type: "application/json", text: "{\"records\": [{\"id\": \"rec".to_owned() });
    faults.push(about_something_else());
    faults.extend([Fault::CutAfter(EARLY), Fault::Stall(EARLY), Fault::Longer(4099), Fault::Hang]);
    faults.extend([false, true].map(|announced| Fault::Truncate { bytes: EARLY, announced }));
    faults
        .extend([Fault::Delay(Duration::from_millis(5)), Fault::Drip { bytes: 4096, every: Duration::from_millis(1) }]);
    faults
}

/// Those that show by time alone, or those that do not. A redirect of theirs leads to `nobody`.
pub(super) fn of(nobody: &Nobody, silent: bool) -> Vec<Fault> {
    let mut faults = all(&format!("http://{}/elsewhere", nobody.address()));
    faults.retain(|fault| is_silence(fault) == silent);
    faults
}

/// Well formed for each service that speaks JSON, but about a recording, a call and a record that nobody asked for.
fn about_something_else() -> Fault {
    let text = serde_json::json!({
        "sid": "RE99999999999999999999999999999999",
        "account_sid": "AC99999999999999999999999999999999",
        "call_sid": "CA99999999999999999999999999999999",
        "parent_call_sid": "CA99999999999999999999999999999999",
        "status": "deleted",
        "records": [{
            "id": "rec99999999999999",
            "fields": { "Job ID": "OTHER", "Call SID": "CA99999999999999999999999999999999", "job_history": "theirs" },
        }],
    });
    Fault::Text { media_type: "application/json", text: text.to_string() }
}

/// Whether it is [`about_something_else`].
pub(super) fn is_about_something_else(fault: &Fault) -> bool {
    *fault == about_something_else()
}

/// Whether it shows by nothing but time passing.
fn is_silence(fault: &Fault) -> bool {
    matches!(fault.kind(), FaultKind::Hang | FaultKind::Stall)
}

#[test]
fn no_fault_of_the_sandbox_is_left_out() {
    let rows = all("http://127.0.0.1:1/");
    let left_out = FaultKind::ALL.iter().filter(|kind| !rows.iter().any(|fault| fault.kind() == **kind));
    assert_eq!(left_out.collect::<Vec<_>>(), Vec::<&FaultKind>::new(), "give each a row");
}
