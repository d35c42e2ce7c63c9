//! What callers hear: the rules of `[[voice]]`, by called number or assistant, and how their calls are recorded.

use callspool_domain::AccountSid;
use callspool_domain::audio::AudioFormat;
use callspool_domain::recording::{StartedBy, Track};
use serde::Deserialize;
use url::Url;

use super::{AccountSettings, Settings};

/// Everything about answering calls.
#[derive(Debug, Clone)]
pub struct VoiceSettings {
    /// The rules, in the order of the file.
    pub rules: Vec<VoiceRule>,
    /// `RECORDING_TRIM`.
    pub trim: &'static str,
    /// Whether callback URLs ask for retries.
    pub callback_retry: bool,
}

/// What to do with the calls of one number or assistant, or with all others.
#[derive(Debug, Clone)]
pub struct VoiceRule {
    /// The account whose calls alone it is for.
    pub account: Option<AccountSid>,
    /// The called number.
    pub number: Option<String>,
    /// `?assistant=` of the voice webhook.
    pub assistant: Option<String>,
    /// What comes after the start of the recording; `None` where callers are answered by somebody else.
    pub then: Option<Then>,
    /// Which voices are recorded; `None` records nothing.
    pub track: Option<Track>,
    /// How the recording is started.
    pub start: StartedBy,
    /// The container to fetch, where it is another than `RECORDING_FORMAT`.
    pub format: Option<AudioFormat>,
}

impl VoiceRule {
    /// Whether its calls are recorded by a request to the provider.
    pub fn is_by_request(&self) -> bool {
        self.track.is_some() && self.start == StartedBy::Rest
    }
}

/// What comes after the start of the recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// A media stream to this address (`wss`).
    Stream(Url),
    /// A call to this party.
    Dial(Party),
    /// The TwiML at this address.
    Redirect(Url),
    /// A spoken text.
    Say(String),
}

/// Whom to call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Party {
    /// A telephone number.
    Number(String),
    /// A SIP address, `sip:` included.
    Sip(String),
    /// A client of Twilio's, by its name.
    Client(String),
}

impl Party {
    /// The noun inside `<Dial>` (<https://www.twilio.com/docs/voice/twiml/dial#nouns>).
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Number(_) => "Number",
            Self::Sip(_) => "Sip",
            Self::Client(_) => "Client",
        }
    }

    /// What the noun holds.
    pub fn address(&self) -> &str {
        let (Self::Number(address) | Self::Sip(address) | Self::Client(address)) = self;
        address
    }
}

impl VoiceSettings {
    pub(super) fn read(settings: &mut Settings, accounts: &[AccountSettings]) -> Self {
        let rules: Vec<VoiceRule> = settings.voice().iter().filter_map(|table| table.rule(settings)).collect();
        for sid in rules.iter().filter_map(|rule| rule.account.as_ref()) {
            if accounts.iter().all(|account| account.sid != *sid) {
                settings.problem("[[voice]] account", format!("{sid} is not configured"));
            }
        }
        let trim = match settings.text_or("RECORDING_TRIM", "do-not-trim").as_str() {
            "do-not-trim" => "do-not-trim",
            "trim-silence" => "trim-silence",
            _ => {
                settings.problem("RECORDING_TRIM", "must be do-not-trim or trim-silence");
                "do-not-trim"
            }
        };
        Self { rules, trim, callback_retry: settings.truth("RECORDING_CALLBACK_RETRY", true) }
    }

    /// The rule for a call of this account: that of its assistant, else of the called number, else the one that names
    /// neither.
    pub fn rule_for(&self, account: &AccountSid, number: Option<&str>, assistant: Option<&str>) -> Option<&VoiceRule> {
        let rules = || self.rules.iter().filter(|rule| rule.account.as_ref().is_none_or(|sid| sid == account));
        let of_assistant = || rules().find(|rule| rule.assistant.is_some() && rule.assistant.as_deref() == assistant);
        let of_number = || rules().find(|rule| rule.number.is_some() && rule.number.as_deref() == number);
        let of_all = || rules().find(|rule| rule.number.is_none() && rule.assistant.is_none());
        of_assistant().or_else(of_number).or_else(of_all)
    }
}

/// One `[[voice]]` as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VoiceTable {
    account: Option<String>,
    number: Option<String>,
    assistant: Option<String>,
    then: Option<String>,
    #[serde(default)]
    recording: RecordingTable,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RecordingTable {
    enabled: bool,
    start: StartedBy,
    format: Option<AudioFormat>,
    record_user_audio: bool,
    record_assistant_audio: bool,
    record_mixed_audio: bool,
}

impl Default for RecordingTable {
    fn default() -> Self {
        Self {
            enabled: true,
            start: StartedBy::Twiml,
            format: None,
            record_user_audio: true,
            record_assistant_audio: true,
            record_mixed_audio: true,
        }
    }
}

impl VoiceTable {
    fn rule(&self, settings: &mut Settings) -> Option<VoiceRule> {
        if self.number.is_some() && self.assistant.is_some() {
            settings.problem("[[voice]]", "must name a number or an assistant, not both");
        }
        let account = match self.account.as_deref().map(AccountSid::parse).transpose() {
            Ok(account) => account,
            Err(error) => {
                settings.problem("[[voice]] account", error);
                return None;
            }
        };
        let RecordingTable { start, format, .. } = self.recording;
        let then = self.then.as_deref().and_then(Then::parse);
        // Whoever answers the callers himself needs us for the recording alone.
        if then.is_none() && (self.then.is_some() || start == StartedBy::Twiml) {
            settings.problem(
                "[[voice]] then",
                "must be stream:wss://…, dial:+15551234567 (or a sip: address, or client:NAME), redirect:https://… or say:…",
            );
            return None;
        }
        let RecordingTable { enabled, record_user_audio, record_assistant_audio, record_mixed_audio, .. } =
            self.recording;
        // One recording holds both sides, each on its channel; it is only narrowed where one side alone is wanted.
        let track = match (enabled, record_mixed_audio, record_user_audio, record_assistant_audio) {
            (false, ..) | (true, false, false, false) => None,
            (true, false, true, false) => Some(Track::User),
            (true, false, false, true) => Some(Track::Assistant),
            (true, ..) => Some(Track::Mixed),
        };
        let (number, assistant) = (self.number.clone(), self.assistant.clone());
        Some(VoiceRule { account, number, assistant, then, track, start, format })
    }
}

impl Then {
    fn parse(text: &str) -> Option<Self> {
        let (verb, rest) = text.split_once(':')?;
        let rest = rest.trim();
        let address =
            |schemes: &[&str]| Url::parse(rest).ok().filter(|url| schemes.contains(&url.scheme()) && url.has_host());
        match verb {
            "stream" => address(&["wss"]).map(Self::Stream),
            "redirect" => address(&["https", "http"]).map(Self::Redirect),
            "say" => (!rest.is_empty()).then(|| Self::Say(rest.to_owned())),
            "dial" => Party::parse(rest).map(Self::Dial),
            _ => None,
        }
    }
}

impl Party {
    fn parse(text: &str) -> Option<Self> {
        if text.starts_with("sip:") && text.len() > 4 {
            return Some(Self::Sip(text.to_owned()));
        }
        if let Some(name) = text.strip_prefix("client:") {
            return (!name.is_empty()).then(|| Self::Client(name.to_owned()));
        }
        let digits = text.strip_prefix('+').unwrap_or(text);
        let is_number = !digits.is_empty() && digits.len() <= 15 && digits.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| Self::Number(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Settings};
    use super::*;

    const ONE: &str = "AC00000000000000000000000000000001";
    const TWO: &str = "AC00000000000000000000000000000002";

    fn read(file: &str) -> Result<Config, String> {
        let settings = Settings::merge(file, &[]).map_err(|problems| problems.to_string())?;
        Config::read(settings).map_err(|problems| problems.to_string())
    }

    #[test]
    fn the_nearest_rule_is_taken() {
        let config = read(
            r#"
            [[voice]]
            then = "say:everybody else"
            [[voice]]
            number = "+15550001"
            then = "dial:+15559999"
            [[voice]]
            assistant = "anna"
            then = "stream:wss://media.example/anna"
            [voice.recording]
            record_mixed_audio = false
            record_assistant_audio = false
            "#,
        )
        .expect("valid");
        let account = AccountSid::parse(ONE).expect("a sid");
        let rule = |number, assistant| config.voice.rule_for(&account, number, assistant);
        let then = |number, assistant| rule(number, assistant).and_then(|rule| rule.then.clone());
        assert_eq!(then(Some("+15550001"), None), Some(Then::Dial(Party::Number("+15559999".to_owned()))));
        assert!(matches!(then(Some("+15550001"), Some("anna")), Some(Then::Stream(_))));
        assert_eq!(then(Some("+15550002"), Some("bert")), Some(Then::Say("everybody else".to_owned())));
        assert_eq!(then(None, None), Some(Then::Say("everybody else".to_owned())));
        assert_eq!(rule(None, Some("anna")).and_then(|rule| rule.track), Some(Track::User));
    }

    #[test]
    fn a_rule_of_one_account_is_for_no_other() {
        let config = read(&format!(
            "[[account]]\nsid = \"{ONE}\"\nauth_token = \"x\"\n\
             [[voice]]\naccount = \"{ONE}\"\nthen = \"say:one\"\n[[voice]]\nthen = \"say:all\""
        ))
        .expect("valid");
        let then = |sid| {
            let account = AccountSid::parse(sid).expect("a sid");
            config.voice.rule_for(&account, Some("+1"), None).and_then(|rule| rule.then.clone())
        };
        assert_eq!(then(ONE), Some(Then::Say("one".to_owned())));
        assert_eq!(then(TWO), Some(Then::Say("all".to_owned())));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (file, named) in [
            ("[[voice]]\nthen = \"stream:https://media.example\"", "then"),
            ("[[voice]]\nthen = \"dial:anybody\"", "then"),
            ("[[voice]]\nthen = \"say:\"", "then"),
            ("[[voice]]\nnumber = \"+1\"", "then"),
            ("[[voice]]\nthen = \"say:x\"\nnumbr = \"+1\"", "numbr"),
            ("[[voice]]\nthen = \"say:x\"\nnumber = \"+1\"\nassistant = \"a\"", "not both"),
            ("[[voice]]\nthen = \"say:x\"\naccount = \"AC00000000000000000000000000000001\"", "not configured"),
            ("[[voice]]\nthen = \"\"\n[voice.recording]\nstart = \"rest\"", "then"),
            ("[[voice]]\nthen = \"say:x\"\n[voice.recording]\nstart = \"later\"", "later"),
            ("[[voice]]\nthen = \"say:x\"\n[voice.recording]\nformat = \"flac\"", "flac"),
            ("voice = \"say:x\"", "voice"),
            ("recording_trim = \"some\"", "RECORDING_TRIM"),
        ] {
            let problems = read(file).expect_err(file);
            assert!(problems.contains(named), "{file}: {problems}");
        }
    }
}
