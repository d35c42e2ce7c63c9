//! Does a TwiML document record a call so that callspool hears of it? Ours and, where it is on our own host, another's.
//!
//! Facts are those of <https://www.twilio.com/docs/voice/twiml/recording> and <https://www.twilio.com/docs/voice/twiml/record>.

use callspool_domain::call::CallStatus;
use callspool_domain::{AccountSid, CallSid};
use callspool_store::CallEvent;
use url::Url;

use super::numbers::{asks_for_retries, path_below, same_origin};
use super::tags::{self, Tag};
use super::{Finding, Severity, Topic};
use crate::config::{Config, Then, VoiceRule};
use crate::intake::{PATHS, voice_document};

/// What Twilio knows; `failed` is spoken of in one of its guides and refused by others (error 13621).
const EVENTS: [&str; 3] = ["in-progress", "completed", "absent"];
const NO_CALL: &str = "CA00000000000000000000000000000000";
const NO_ACCOUNT: &str = "AC00000000000000000000000000000000";

/// The TwiML that callspool itself would write, and the rules behind it.
pub(super) fn of_ours(config: &Config) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        config.voice.rules.iter().enumerate().flat_map(|(n, rule)| of_rule(n, rule)).collect();
    let Some(event) = some_call(config) else { return findings };
    let written = voice_document(config, &event, None);
    let (about, Ok(base)) = ("TwiML that callspool writes", Url::parse(&config.server.app_url)) else {
        return findings;
    };
    let linted = lint(config, &written, &base, about);
    if linted.is_empty() {
        findings.push(Finding::ok(about, "records in the background and calls back for every event"));
    }
    findings.extend(linted);
    if !config.voice.callback_retry {
        let found = "asks for no retries (RECORDING_CALLBACK_RETRY=off): an announcement that can't be stored is not sent again";
        findings.push(Finding::new(Severity::Advice, Topic::RetryMissing, about, found, "set it to on"));
    }
    findings
}

fn some_call(config: &Config) -> Option<CallEvent> {
    let account = config.accounts.first().map(|account| account.sid.clone());
    Some(CallEvent {
        account: account.or_else(|| AccountSid::parse(NO_ACCOUNT).ok())?,
        call: CallSid::parse(NO_CALL).ok()?,
        status: CallStatus::new("ringing".to_owned()),
        job: None,
        source: None,
        parent: None,
        direction: None,
        from: None,
        to: None,
        duration_seconds: None,
        record: None,
        format: None,
    })
}

fn of_rule(n: usize, rule: &VoiceRule) -> Option<Finding> {
    let about = format!("[[voice]] rule {}", n + 1);
    match (&rule.then, rule.track) {
        (_, None) => {
            let found = "its calls are not recorded";
            let todo = "nothing, if that is meant ([voice.recording])";
            Some(Finding::new(Severity::Note, Topic::VoiceNotRecorded, about, found, todo))
        }
        (Some(Then::Redirect(url)), Some(_)) => {
            let host = url.host_str().unwrap_or_default();
            let found = format!("callspool records, and TwiML at {host} goes on, which doctor does not read");
            let todo = "see that it starts no second recording, and has no <Record>";
            Some(Finding::new(Severity::Note, Topic::VoiceRedirect, about, found, todo))
        }
        _ => None,
    }
}

/// What is wrong with the recordings of a document that was found at `base`.
pub(super) fn lint(config: &Config, document: &str, base: &Url, about: &str) -> Vec<Finding> {
    let tags = tags::of(document);
    let mut findings = Vec::new();
    let mut note = |severity, topic, found: String, todo: &str| {
        findings.push(Finding::new(severity, topic, about, found, todo));
    };
    let goes_on = tags.iter().any(|tag| matches!(tag.name.as_str(), "Connect" | "Dial" | "Stream" | "Enqueue"));
    for tag in tags.iter().filter(|tag| matches!(tag.name.as_str(), "Connect" | "Stream" | "Response")) {
        if tag.attribute("record").is_some() {
            let found = format!("<{}> has no attribute record: Twilio ignores it, and nothing is recorded", tag.name);
            note(Severity::Loses, Topic::TwimlRecordIgnored, found, "use <Start><Recording> before it");
        }
    }
    if tags.iter().any(|tag| tag.name == "Record") {
        let (severity, found) = if goes_on {
            (
                Severity::Loses,
                "<Record> waits for a voicemail, records the caller alone, and what follows it is not reached",
            )
        } else {
            (Severity::Note, "<Record> records a voicemail: the caller alone, on one channel")
        };
        note(severity, Topic::TwimlRecordVerb, found.to_owned(), "use <Start><Recording> to record a conversation");
    }
    let recorders: Vec<&Tag> = tags.iter().filter(|tag| is_recorder(tag)).collect();
    if recorders.is_empty() && !document.contains("<Redirect") {
        let found = "starts no recording".to_owned();
        let todo = "add <Start><Recording> (callspool policy twilio), unless recordings are started by REST";
        note(Severity::Note, Topic::TwimlNotRecorded, found, todo);
    }
    for tag in recorders {
        findings.extend(of_recorder(config, tag, base, about));
    }
    findings
}

/// Whether a document records the call.
pub(super) fn records(document: &str) -> bool {
    tags::of(document).iter().any(is_recorder)
}

fn is_recorder(tag: &Tag) -> bool {
    match tag.name.as_str() {
        "Recording" | "Record" => true,
        "Dial" | "Conference" => tag.attribute("record").is_some_and(|how| how != "do-not-record" && how != "false"),
        _ => false,
    }
}

fn of_recorder(config: &Config, tag: &Tag, base: &Url, about: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = &tag.name;
    let mut note = |severity, topic, found: String, todo: &str| {
        findings.push(Finding::new(severity, topic, about, found, todo));
    };
    let Some(callback) = tag.attribute("recordingStatusCallback").filter(|url| !url.is_empty()) else {
        let found = format!("<{name}> records and calls nobody back");
        note(
            Severity::Loses,
            Topic::TwimlCallback,
            found,
            "give it a recordingStatusCallback (callspool policy twilio)",
        );
        return findings;
    };
    let app = Url::parse(&config.server.app_url).ok();
    let callback = base.join(callback).ok();
    let is_ours = |url: &Url| {
        app.as_ref()
            .is_some_and(|app| same_origin(app, url) && path_below(app, url).is_some_and(|path| PATHS.contains(&path)))
    };
    if !callback.as_ref().is_some_and(is_ours) {
        let found = format!("<{name}> calls back to another address than callspool's");
        let todo = "set recordingStatusCallback to what callspool policy twilio prints";
        note(Severity::Loses, Topic::TwimlCallback, found, todo);
    } else if config.voice.callback_retry && !callback.as_ref().is_some_and(asks_for_retries) {
        let found = format!("the callback of <{name}> asks for no retries: one that can't be stored is not sent again");
        note(Severity::Advice, Topic::RetryMissing, found, "add #rc=5&rp=all to its URL (in TwiML #rc=5&amp;rp=all)");
    }
    let events: Vec<&str> =
        tag.attribute("recordingStatusCallbackEvent").unwrap_or("completed").split_whitespace().collect();
    let todo = "set recordingStatusCallbackEvent to \"in-progress completed absent\"";
    if !events.contains(&"completed") {
        let found = format!("<{name}> does not ask for the event completed, so no recording is announced");
        note(Severity::Loses, Topic::TwimlEvents, found, todo);
    } else if !events.contains(&"absent") {
        let found = format!("<{name}> does not ask for the event absent, so nobody learns that none was made");
        note(Severity::Advice, Topic::TwimlEvents, found, todo);
    }
    if let Some(event) = events.iter().find(|event| !EVENTS.contains(event)) {
        let found = format!("<{name}> asks for the event {event:.20}, which Twilio may refuse (error 13621)");
        note(Severity::Advice, Topic::TwimlEvents, found, todo);
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    fn found(pairs: &[(&str, &str)], document: &str) -> Vec<(Severity, String)> {
        let mut settings = vec![("APP_URL", "https://calls.example.com/base")];
        settings.extend_from_slice(pairs);
        let config = Config::read(Settings::of(&settings)).expect("valid settings");
        let base = Url::parse("https://calls.example.com/other/answer").expect("a URL");
        let findings = lint(&config, document, &base, "here");
        findings.iter().map(|finding| (finding.severity, finding.json()["code"].to_string().replace('"', ""))).collect()
    }

    #[test]
    fn each_habit_that_loses_a_recording_is_named() {
        use Severity::{Advice, Loses, Note};
        let good = "recordingStatusCallback='/base/api/twilio/recording?job=1#rc=5&amp;rp=all' recordingStatusCallbackEvent='in-progress completed absent'";
        let start =
            |attributes: &str| format!("<Response><Start><Recording {attributes}/></Start><Dial>x</Dial></Response>");
        let retried = "recordingStatusCallbackEvent='completed absent'";
        for (document, expected) in [
            (start(good), vec![]),
            (start(""), vec![(Loses, "twiml_callback")]),
            (start(&good.replace("/base", "")), vec![(Loses, "twiml_callback")]),
            (start(&good.replace("#rc=5&amp;rp=all", "")), vec![(Advice, "retry_missing")]),
            (start(&good.replace(" absent", "")), vec![(Advice, "twiml_events")]),
            (start(&good.replace("completed ", "")), vec![(Loses, "twiml_events")]),
            (start(&good.replace("absent'", "absent failed'")), vec![(Advice, "twiml_events")]),
            (format!("<Response><Dial record='record-from-answer-dual' {good}>x</Dial></Response>"), vec![]),
            (
                format!("<Response><Dial record='do-not-record' {retried}>x</Dial></Response>"),
                vec![(Note, "twiml_not_recorded")],
            ),
            ("<Response><Say>x</Say></Response>".to_owned(), vec![(Note, "twiml_not_recorded")]),
            (
                format!("<Response><Record {good}/><Connect><Stream url='wss://x'/></Connect></Response>"),
                vec![(Loses, "twiml_record_verb")],
            ),
            (format!("<Response><Say>x</Say><Record {good}/></Response>"), vec![(Note, "twiml_record_verb")]),
            (
                "<Response><Connect record='true'><Stream url='wss://x'/></Connect></Response>".to_owned(),
                vec![(Loses, "twiml_record_ignored"), (Note, "twiml_not_recorded")],
            ),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|(severity, code)| (severity, code.to_owned())).collect();
            assert_eq!(found(&[], &document), expected, "{document}");
        }
        let off = [("RECORDING_CALLBACK_RETRY", "off")];
        assert_eq!(found(&off, &start(&good.replace("#rc=5&amp;rp=all", ""))), vec![]);
    }
}
