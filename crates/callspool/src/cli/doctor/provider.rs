//! Each account at the provider: are the credentials accepted, what may they do, is the account in use, do the clocks agree.

use std::time::Duration;

use callspool_clients::http::Http;
use callspool_clients::provider::Twilio;
use callspool_domain::{Clock, Code, Timestamp};

use super::{Finding, Severity, Topic, numbers};
use crate::config::{AccountSettings, Config, VoiceRule};
use crate::lifecycle::client_of;

/// Both clocks may be this far apart, the way of the answer included.
const TOLERATED: Duration = Duration::from_secs(30);
/// Amazon refuses what was signed this long ago, or ahead
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>, `RequestTimeTooSkewed`).
const REFUSED: Duration = Duration::from_secs(15 * 60);

pub(super) async fn examine(config: &Config, http: &Http, clock: &Clock) -> Vec<Finding> {
    let mut findings = Vec::new();
    for account in &config.accounts {
        let client = client_of(http, account);
        let sid = account.sid.as_str();
        match client.may_read_recordings().await {
            Ok(shown) => {
                findings.push(Finding::ok(sid, "credentials are accepted, and recordings can be read"));
                findings.extend(shown.0.and_then(|there| skew(there, clock.now())));
            }
            // With credentials that are refused everything else is refused too.
            Err(failure) => {
                findings.push(Finding::failed(sid, &failure));
                continue;
            }
        }
        findings.extend(state(&client, account).await);
        findings.extend(calls(&client, sid).await);
        findings.extend(delete_right(config, account));
        findings.extend(start_right(config, account));
        findings.extend(numbers::examine(config, http, account, &client).await);
    }
    findings
}

fn skew(there: Timestamp, here: Timestamp) -> Option<Finding> {
    let apart = there.since(here).max(here.since(there));
    if apart <= TOLERATED {
        return None;
    }
    let severity = if apart < REFUSED { Severity::Advice } else { Severity::Loses };
    let found = format!("it is {} s away from Twilio's, which shows {}", apart.as_secs(), there.history());
    let todo = "set this machine's clock, and keep it set (NTP): stores refuse requests signed at another time";
    Some(Finding::new(severity, Topic::ClockSkew, "clock", found, todo))
}

/// An API key signs in with a name of its own.
fn is_key(account: &AccountSettings) -> bool {
    account.api_user != account.sid.as_str()
}

async fn state(client: &Twilio, account: &AccountSettings) -> Option<Finding> {
    let sid = account.sid.as_str();
    match client.account_status().await {
        Ok(status) if status == "active" => None,
        Ok(status) => Some(Finding::new(
            Severity::Loses,
            Topic::AccountNotActive,
            sid,
            format!("the account is {status}"),
            "see the Twilio Console: it makes no calls and no recordings",
        )),
        Err(failure) if is_key(account) && failure.code.is_refused_credentials() => Some(Finding::new(
            Severity::Note,
            Topic::AccountUnread,
            sid,
            "whether the account is active is not told to this API key, as is usual",
            "nothing needs to be done",
        )),
        Err(failure) => Some(Finding::failed(sid, &failure)),
    }
}

async fn calls(client: &Twilio, sid: &str) -> Option<Finding> {
    match client.may_read_calls().await {
        Ok(_) => None,
        Err(failure) if failure.code.is_refused_credentials() => Some(Finding::new(
            Severity::Note,
            Topic::CallsUnreadable,
            sid,
            "calls can't be read, so a job that knows a call's parent alone is not found",
            "give the API key the right to read calls",
        )),
        Err(failure) => Some(Finding::failed(sid, &failure)),
    }
}

/// Whether a key may delete is known only when it has deleted something.
fn delete_right(config: &Config, account: &AccountSettings) -> Option<Finding> {
    config.recording.delete_after.filter(|_| is_key(account))?;
    let found = "whether the API key may delete recordings is not tried out";
    let todo = "where it is a restricted key, see that it has this right: nothing is released without it";
    Some(Finding::new(Severity::Note, Topic::DeleteRightUntried, account.sid.as_str(), found, todo))
}

/// Whether a key may start recordings, and stop them, is known only when it has done it. What our TwiML started is
/// stopped by a request as well.
fn start_right(config: &Config, account: &AccountSettings) -> Option<Finding> {
    let is_ours = |rule: &&VoiceRule| rule.account.as_ref().is_none_or(|sid| *sid == account.sid);
    let ours = || config.voice.rules.iter().filter(is_ours).filter(|_| is_key(account));
    let starts = ours().any(VoiceRule::is_by_request);
    let stops = config.recording.max.is_some() && ours().any(|rule| rule.track.is_some());
    let (found, todo) = match (starts, stops) {
        (true, true) => (
            "whether the API key may start recordings ([voice.recording] start = \"rest\") and stop them (RECORDING_MAX) \
             is not tried out",
            "where it is a restricted key, see that it may create and update recordings of calls",
        ),
        (true, false) => (
            "whether the API key may start recordings ([voice.recording] start = \"rest\") is not tried out",
            "where it is a restricted key, see that it may create recordings of calls",
        ),
        (false, true) => (
            "whether the API key may stop recordings that callspool's TwiML started (RECORDING_MAX) is not tried out",
            "where it is a restricted key, see that it may update recordings of calls, or set RECORDING_MAX=never",
        ),
        (false, false) => return None,
    };
    Some(Finding::new(Severity::Note, Topic::StartRightUntried, account.sid.as_str(), found, todo))
}

/// A refusal that says something of the credentials, and nothing of recordings.
pub(super) fn is_refusal(code: Code) -> bool {
    code.is_refused_credentials() || code == Code::ProviderRejected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_apart_are_told_and_far_apart_lose() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let severity = |there, here| skew(at(there), at(here)).map(|finding| finding.severity);
        assert_eq!((severity(100, 130), severity(130, 100)), (None, None));
        assert_eq!((severity(0, 31), severity(31, 0)), (Some(Severity::Advice), Some(Severity::Advice)));
        assert_eq!(severity(0, 900), Some(Severity::Loses));
    }
}
