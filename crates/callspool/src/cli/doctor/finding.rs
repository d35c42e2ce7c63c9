//! What doctor found: how bad it is, under a stable code that has a page, and what to do about it.
//!
//! Guarantee: neither a telephone number nor a secret of the configuration is in a finding, whatever a service answered.

use std::fmt;

use callspool_domain::{Code, Secret, StepFailure};
use serde_json::{Value, json};

use super::mask;

/// How bad it is; the later, the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) enum Severity {
    /// It is as it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// Better otherwise.
    Advice,
    /// It could not be looked at: an outside service failed.
    Unknown,
    /// A recording, or its place in the job record, would be lost.
    Loses,
}

impl Severity {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Advice => "advice",
            Self::Unknown => "unknown",
            Self::Loses => "loses",
        }
    }
}

macro_rules! topics {
    ($($name:ident = $text:literal;)*) => {
        /// What a finding is about, where it is no failure of a step: the name of its page in `docs/doctor/`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Topic { $($name,)* }

        impl Topic {
            /// All of them, for the pages.
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$name,)*];

            fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

topics! {
    ConfigurationInvalid = "configuration_invalid";
    SettingUnused = "setting_unused";
    AccountMissing = "account_missing";
    TokenMissing = "token_missing";
    AppUrlNotHttps = "app_url_not_https";
    AppUrlNotPublic = "app_url_not_public";
    DeleteAfter = "delete_after";
    LinkStyle = "link_style";
    DatabaseUnusable = "database_unusable";
    DatabaseNotReady = "database_not_ready";
    DiskSpaceLow = "disk_space_low";
    ApiTokenMissing = "api_token_missing";
    CallbackUnreachable = "callback_unreachable";
    CallbackRefused = "callback_refused";
    CallbackWrongAnswer = "callback_wrong_answer";
    ClockSkew = "clock_skew";
    AccountNotActive = "account_not_active";
    AccountUnread = "account_unread";
    CallsUnreadable = "calls_unreadable";
    DeleteRightUntried = "delete_right_untried";
    StartRightUntried = "start_right_untried";
    NumbersUnreadable = "numbers_unreadable";
    NumberUrlWrong = "number_url_wrong";
    NumberElsewhere = "number_elsewhere";
    NumberUnanswered = "number_unanswered";
    NumberOnTrunk = "number_on_trunk";
    ApplicationHidden = "application_hidden";
    StatusCallbackMissing = "status_callback_missing";
    RetryMissing = "retry_missing";
    VoiceRuleMissing = "voice_rule_missing";
    VoiceNotRecorded = "voice_not_recorded";
    RestNotTold = "rest_not_told";
    RestTwice = "rest_twice";
    VoiceRedirect = "voice_redirect";
    TwimlUnreadable = "twiml_unreadable";
    TwimlNotRecorded = "twiml_not_recorded";
    TwimlCallback = "twiml_callback";
    TwimlEvents = "twiml_events";
    TwimlRecordVerb = "twiml_record_verb";
    TwimlRecordIgnored = "twiml_record_ignored";
    ArchiveNoDelete = "archive_no_delete";
    ArchiveNoList = "archive_no_list";
    ArchiveSameDisk = "archive_same_disk";
    ArchiveFolderShared = "archive_folder_shared";
    ColumnKind = "column_kind";
    SchemaUnread = "schema_unread";
}

/// The stable code of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Fine,
    Topic(Topic),
    Failure(Code),
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Finding {
    pub(super) severity: Severity,
    subject: Subject,
    /// What it is about: an account, a number, a setting.
    pub(super) about: String,
    /// What was found.
    found: String,
    /// What to do.
    todo: String,
}

impl Finding {
    pub(super) fn new(
        severity: Severity,
        topic: Topic,
        about: impl Into<String>,
        found: impl Into<String>,
        todo: impl Into<String>,
    ) -> Self {
        let subject = Subject::Topic(topic);
        Self { severity, subject, about: about.into(), found: found.into(), todo: todo.into() }
    }

    /// It is as it should be.
    pub(super) fn ok(about: impl Into<String>, found: impl Into<String>) -> Self {
        let (about, found) = (about.into(), found.into());
        Self { severity: Severity::Ok, subject: Subject::Fine, about, found, todo: String::new() }
    }

    /// A request failed as it would fail in a step. Where the service as such is out, nothing is known.
    pub(super) fn failed(about: impl Into<String>, failure: &StepFailure) -> Self {
        Self {
            severity: if is_weather(failure.code) { Severity::Unknown } else { Severity::Loses },
            subject: Subject::Failure(failure.code),
            about: about.into(),
            found: failure.detail.clone(),
            todo: "see the page".to_owned(),
        }
    }

    /// The same where it is no weather: a folder of our own machine.
    pub(super) fn losing(self) -> Self {
        Self { severity: Severity::Loses, ..self }
    }

    /// The same finding of this.
    pub(super) fn about(self, about: String) -> Self {
        Self { about, ..self }
    }

    /// Takes every secret out of it that a service may have repeated, and masks telephone numbers.
    pub(super) fn clean(mut self, secrets: &[Secret]) -> Self {
        for text in [&mut self.about, &mut self.found, &mut self.todo] {
            for secret in secrets {
                *text = text.replace(secret.expose(), "[redacted]");
            }
            *text = mask::numbers(text);
        }
        self
    }

    /// Whether it says the same about something else.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (self.severity, self.subject, &self.found, &self.todo)
            == (other.severity, other.subject, &other.found, &other.todo)
    }

    /// Whether this is what it is about.
    pub(super) fn is(&self, topic: Topic) -> bool {
        self.subject == Subject::Topic(topic)
    }

    fn code(&self) -> &'static str {
        match self.subject {
            Subject::Fine => "ok",
            Subject::Topic(topic) => topic.as_str(),
            Subject::Failure(code) => code.as_str(),
        }
    }

    fn page(&self) -> Option<String> {
        match self.subject {
            Subject::Fine => None,
            Subject::Topic(topic) => Some(format!("docs/doctor/{}.md", topic.as_str())),
            Subject::Failure(code) => Some(format!("docs/errors/{code}.md")),
        }
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "severity": self.severity.as_str(), "code": self.code(), "about": self.about, "found": self.found,
            "do": self.todo, "page": self.page(),
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = self.severity.as_str();
        match self.page() {
            None => write!(f, "{severity:<8}{}: {}", self.about, self.found),
            Some(page) => {
                let (code, about, found, todo) = (self.code(), &self.about, &self.found, &self.todo);
                write!(f, "{severity:<8}{code}  {about}: {found}; {todo} ({page})")
            }
        }
    }
}

/// True where the service did not do its part, so that nothing is known of what we asked for.
fn is_weather(code: Code) -> bool {
    matches!(
        code,
        Code::ProviderThrottled
            | Code::ProviderUnavailable
            | Code::ProviderUnreachable
            | Code::ProviderReset
            | Code::ProviderStalled
            | Code::ProviderUnreadable
            | Code::ArchiveThrottled
            | Code::ArchiveUnavailable
            | Code::ArchiveUnreachable
            | Code::ArchiveStalled
            | Code::RecordsThrottled
            | Code::RecordsUnavailable
            | Code::RecordsUnreachable
            | Code::RecordsStalled
            | Code::RecordsUnreadable
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_topic_has_a_page_and_every_page_a_topic() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/doctor");
        let index = std::fs::read_to_string(folder.join("README.md")).expect("docs/doctor/README.md");
        for topic in Topic::ALL {
            let name = topic.as_str();
            let page = std::fs::read_to_string(folder.join(format!("{name}.md"))).expect(name);
            assert!(page.starts_with(&format!("# `{name}`\n")), "{name}");
            assert!(index.contains(&format!("({name}.md)")), "{name} is not in the index");
        }
        assert_eq!(std::fs::read_dir(folder).expect("docs/doctor").count(), Topic::ALL.len() + 1);
    }

    #[test]
    fn what_a_service_repeats_of_a_secret_is_not_told() {
        let failure = StepFailure::new(Code::ProviderRejected, "bad token hunter2 for +14155550199");
        let finding = Finding::failed("hunter2", &failure).clean(&[Secret::new("hunter2")]);
        let text = format!("{finding} {}", finding.json());
        assert!(!text.contains("hunter2") && !text.contains("4155550199"), "{text}");
    }
}
