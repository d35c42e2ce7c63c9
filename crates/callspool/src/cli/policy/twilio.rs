//! What to set at Twilio, for this public address.

use crate::config::{Config, VoiceRule};

/// The settings, for a person to copy.
pub(super) fn settings(config: &Config) -> String {
    let base = &config.server.app_url;
    let trim = config.voice.trim;
    let retry = "#rc=5&rp=all";
    let remark = if base.starts_with("https://") {
        String::new()
    } else {
        format!("\nTwilio has to reach {base} from outside: set APP_URL to the public https address first.\n")
    };
    format!(
        "\
{remark}
Each phone number or TwiML application, where callspool answers calls:
  Voice URL                  {base}/api/twilio/voice{retry}   (POST)
  Call status callback       {base}/api/twilio/status{retry}   (POST; tells of the end)

Where something else answers, in its TwiML, before <Connect>, <Dial> or <Say>:
  <Start><Recording recordingStatusCallback=\"{base}/api/twilio/recording?job=JOB{amp}\"
    recordingStatusCallbackEvent=\"in-progress completed absent\" channels=\"dual\" trim=\"{trim}\"/></Start>

Where calls are placed by REST (POST …/Calls.json or …/Calls/CA…/Recordings.json):
  RecordingStatusCallback       {base}/api/twilio/recording?job=JOB{retry}
  RecordingStatusCallbackEvent  in-progress completed absent
  RecordingChannels             dual
  Trim                          {trim}
{by_request}
The fragment asks Twilio to try again where callspool can't be reached or can't store; it is not sent and not signed
(https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides). <Record> is a voicemail verb: it blocks the
call and records one side.

An API key for TWILIO_API_KEY_SID needs: {rights}.
The Auth Token stays necessary: it signs the callbacks.",
        amp = retry.replace('&', "&amp;"),
        by_request = by_request(config, retry),
        rights = rights(config).join(", "),
    )
}

/// What a restricted key may have to do. One that we started is stopped by changing it, however it was started
/// (<https://www.twilio.com/docs/voice/api/recording#update-a-recording-resource>).
fn rights(config: &Config) -> Vec<&'static str> {
    let mut rights = vec!["read recordings", "read calls"];
    if config.voice.rules.iter().any(VoiceRule::is_by_request) {
        rights.push("create recordings (start = \"rest\")");
    }
    if config.recording.max.is_some() {
        rights.push("update recordings (RECORDING_MAX)");
    }
    if config.recording.delete_after.is_some() {
        rights.push("delete recordings (TWILIO_DELETE_AFTER)");
    }
    rights
}

/// Where calls of other programs are recorded by a request, word of them is needed while they last
/// (<https://www.twilio.com/docs/voice/api/call-resource#statuscallbackevent>: each event is a parameter of its own).
fn by_request(config: &Config, retry: &str) -> String {
    if !config.voice.rules.iter().any(VoiceRule::is_by_request) {
        return String::new();
    }
    let base = &config.server.app_url;
    format!(
        "
Where something else answers and [voice.recording] has start = \"rest\", callspool must hear that a call is answered. The
call status callback of a number or an application tells of the end alone, and such a call gets no recording: ask for it
where the call is made (POST …/Calls.json):
  StatusCallback                {base}/api/twilio/status?job=JOB{retry}
  StatusCallbackEvent           answered
  StatusCallbackEvent           completed
"
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::configured;
    use super::*;
    use crate::config::Settings;

    #[test]
    fn every_address_is_the_public_one_and_no_secret_is_told() {
        let text = settings(&configured(&[
            ("APP_URL", "https://calls.example.com/base"),
            ("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000001"),
            ("TWILIO_AUTH_TOKEN", "hunter2"),
            ("TWILIO_DELETE_AFTER", "24h"),
        ]));
        assert_eq!(text.matches("https://calls.example.com/base/api/twilio/").count(), 4);
        assert!(text.contains("delete recordings") && !text.contains("hunter2") && !text.contains("set APP_URL"));
        assert!(settings(&configured(&[])).contains("set APP_URL"));
    }

    fn rights_of(text: &str) -> &str {
        text.lines()
            .find_map(|line| line.strip_prefix("An API key for TWILIO_API_KEY_SID needs: "))
            .expect("the rights")
    }

    #[test]
    fn a_key_is_to_have_each_right_that_is_used_and_no_other() {
        let rights = |pairs: &[(&str, &str)]| rights_of(&settings(&configured(pairs))).to_owned();
        let usual = rights(&[]);
        assert!(
            usual.contains("update recordings") && !usual.contains("create") && !usual.contains("delete"),
            "{usual}"
        );
        assert_eq!(rights(&[("RECORDING_MAX", "never")]), "read recordings, read calls.");
        assert!(rights(&[("TWILIO_DELETE_AFTER", "24h")]).contains("delete recordings"));
    }

    #[test]
    fn recording_by_a_request_needs_the_right_and_the_event_answered() {
        let by_request = |start: &str| {
            let file = format!("[[voice]]\nthen = \"say:x\"\n[voice.recording]\nstart = \"{start}\"\n");
            settings(&Config::read(Settings::merge(&file, &[]).expect("a file")).expect("valid settings"))
        };
        let text = by_request("rest");
        assert!(rights_of(&text).contains("create recordings") && rights_of(&text).contains("update recordings"));
        assert!(
            text.contains("StatusCallbackEvent           answered\n") && text.contains("/status?job=JOB#rc=5&rp=all")
        );
        let text = by_request("twiml");
        assert!(!rights_of(&text).contains("create") && !text.contains("answered\n"), "{text}");
    }
}
