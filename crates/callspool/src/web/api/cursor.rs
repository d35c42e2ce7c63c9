//! Where a page ended, as a text that callers hand back without looking into it: a moment and an id.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use callspool_domain::{CallSid, RecordingSid, Timestamp};
use callspool_store::{CallCursor, CallRow, RecordingCursor, RecordingRow};

use crate::web::refusal::Refusal;

/// Where a page of recordings ended.
pub(crate) fn write_recording_cursor(last: &RecordingRow) -> String {
    write(last.announced_at, last.sid.as_str())
}

/// Reads what [`write_recording_cursor`] wrote.
pub(crate) fn read_recording_cursor(text: &str) -> Result<RecordingCursor, Refusal> {
    let (announced_at, id) = read(text)?;
    let recording = RecordingSid::parse(&id).map_err(|_| not_ours())?;
    Ok(RecordingCursor { announced_at, recording })
}

/// Where a page of calls ended.
pub(super) fn write_call_cursor(last: &CallRow) -> String {
    write(last.created_at, last.sid.as_str())
}

/// Reads what [`write_call_cursor`] wrote.
pub(super) fn read_call_cursor(text: &str) -> Result<CallCursor, Refusal> {
    let (created_at, id) = read(text)?;
    let call = CallSid::parse(&id).map_err(|_| not_ours())?;
    Ok(CallCursor { created_at, call })
}

fn write(at: Timestamp, id: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{}.{id}", at.as_micros()))
}

fn read(text: &str) -> Result<(Timestamp, String), Refusal> {
    let plain = BASE64_URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let plain = plain.ok_or_else(not_ours)?;
    let (micros, id) = plain.split_once('.').ok_or_else(not_ours)?;
    let micros = micros.parse().map_err(|_| not_ours())?;
    Ok((Timestamp::from_micros(micros), id.to_owned()))
}

fn not_ours() -> Refusal {
    Refusal::malformed("after must be the next of the page before")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nothing_else_does() {
        let sid = "RE0123456789abcdef0123456789abcdef";
        let cursor = read_recording_cursor(&write(Timestamp::from_micros(42), sid)).expect("ours");
        assert_eq!((cursor.announced_at.as_micros(), cursor.recording.as_str()), (42, sid));
        for foreign in ["", "x", "%", &write(Timestamp::from_micros(1), "RE1"), "MTIz"] {
            assert!(read_recording_cursor(foreign).is_err(), "{foreign}");
        }
    }
}
