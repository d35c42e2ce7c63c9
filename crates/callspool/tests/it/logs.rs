//! The log of the real program: what strangers write appears in it, and never as a line of its own.

use callspool_domain::{AccountSid, Clock};
use callspool_sandbox::twilio::{Audio, NewRecording, Route, Word};
use callspool_sandbox::{Twilio, TwilioOptions};

use crate::harness::process::Program;
use crate::harness::{ACCOUNT, TOKEN};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_can_forge_a_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let account = AccountSid::parse(ACCOUNT).expect("account");
    let twilio = Twilio::start(TwilioOptions::new(Clock::System, account.clone(), TOKEN)).await.expect("it starts");
    let archive = folder.path().join("archive");
    let program = Program::new(&[
        ("DATABASE_URL", format!("sqlite://{}", folder.path().join("callspool.db").display())),
        ("ARCHIVE_URL", format!("file://{}", archive.display())),
        ("TWILIO_ACCOUNT_SID", ACCOUNT.to_owned()),
        ("TWILIO_AUTH_TOKEN", TOKEN.to_owned()),
        ("TWILIO_API_URL", twilio.base_url().to_owned()),
        ("TWILIO_DELETE_AFTER", "1s".to_owned()),
        ("CALLSPOOL_LOG_LEVEL", "debug".to_owned()),
    ]);
    let log = folder.path().join("log");
    let process = program.start_with_log(&log).await;
    let recording = NewRecording::new(account, Audio::seconds(1)).of_call(twilio.new_call_sid());
    let recording = twilio.add_recording(recording);
    let forged = "%0A2026-11-21T00:00:00.000000Z%20%20INFO%20forged%1B%5B31m%0D";
    for (job, word) in
        [(format!("J{forged}"), Word::Other("x\nforged".to_owned())), (format!("J{forged}"), Word::Completed)]
    {
        let url = program.url(&format!("/api/twilio/recording?job={job}&source=S{forged}"));
        let answer = twilio.announce_status(&recording, &url, word).await.expect("a known recording");
        assert!(answer.is_accepted(), "{answer:?}");
    }
    // What is refused is told as well: an id too long, a path nobody serves.
    let url = program.url(&format!("/api/twilio/recording?job={}{forged}", "x".repeat(600)));
    twilio.announce_status(&recording, &url, Word::Completed).await.expect("a known recording");
    drop(reqwest::get(program.url(&format!("/nowhere{forged}"))).await);
    twilio.wait_for(Route::Delete, 1).await;
    assert!(process.terminate());

    let log = std::fs::read_to_string(&log).expect("a log in UTF-8");
    assert!(log.contains("recording_saved_to_airtable_s3"), "{log}");
    assert!(log.contains("forged"), "the job id is told: {log}");
    for line in log.lines() {
        let level = line.split_whitespace().nth(1);
        assert!(matches!(level, Some("DEBUG" | "INFO" | "WARN" | "ERROR")), "half a line: {line:?}");
        assert!(!line.starts_with("2026-11-21T00:00:00.000000Z"), "forged: {line:?}");
        assert!(!line.contains(['\u{1b}', '\r']), "{line:?}");
    }
}
