//! What to set at Twilio, for this public address.

use crate::config::Config;

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
  Call status callback       {base}/api/twilio/status{retry}   (POST; events: completed)

Where something else answers, in its TwiML, before <Connect>, <Dial> or <Say>:
  <Start><Recording recordingStatusCallback=\"{base}/api/twilio/recording?job=JOB{amp}\"
    recordingStatusCallbackEvent=\"in-progress completed absent\" channels=\"dual\" trim=\"{trim}\"/></Start>

Where calls are placed by REST (POST …/Calls.json or …/Calls/CA…/Recordings.json):
  RecordingStatusCallback       {base}/api/twilio/recording?job=JOB{retry}
  RecordingStatusCallbackEvent  in-progress completed absent
  RecordingChannels             dual
  Trim                          {trim}

The fragment asks Twilio to try again where callspool can't be reached or can't store; it is not sent and not signed
(https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides). <Record> is a voicemail verb: it blocks the
call and records one side.

An API key for TWILIO_API_KEY_SID needs: read recordings, read calls{delete}.
The Auth Token stays necessary: it signs the callbacks.",
        amp = retry.replace('&', "&amp;"),
        delete = if config.recording.delete_after.is_some() { ", delete recordings" } else { "" },
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::configured;
    use super::*;

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
}
