//! Names and texts: the closed list of settings, where their texts come from, and the reading of single values.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use callspool_domain::Secret;

use super::Problems;
use super::provider::ACCOUNT_KEYS;
use super::voice::VoiceTable;

/// One setting's name in the environment; in the file it is the same in lower case.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The name.
    pub name: &'static str,
    /// An older name of the same; the two must agree.
    pub alias: Option<&'static str>,
    /// What platforms and tools set for the same by themselves, whoever likes it or not. Ours wins over it, and the first
    /// of these over the next.
    pub platform: &'static [&'static str],
}

const fn setting(name: &'static str) -> Setting {
    Setting { name, alias: None, platform: &[] }
}

const fn aliased(name: &'static str, alias: &'static str) -> Setting {
    Setting { name, alias: Some(alias), platform: &[] }
}

const fn provided(name: &'static str, platform: &'static [&'static str]) -> Setting {
    Setting { name, alias: None, platform }
}

impl Setting {
    /// All names that are read for it, its own first.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.name).chain(self.alias).chain(self.platform.iter().copied())
    }
}

/// Every setting there is.
pub const SETTINGS: &[Setting] = &[
    setting("CALLSPOOL_LISTEN"),
    setting("PORT"),
    setting("APP_URL"),
    setting("CALLSPOOL_LOG"),
    setting("CALLSPOOL_LOG_LEVEL"),
    setting("DATABASE_URL"),
    setting("ARCHIVE_URL"),
    aliased("S3_BUCKET", "AWS_S3_BUCKET"),
    // <https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html>
    provided("S3_REGION", &["AWS_REGION", "AWS_DEFAULT_REGION"]),
    setting("S3_ENDPOINT"),
    setting("AWS_ACCESS_KEY_ID"),
    setting("AWS_SECRET_ACCESS_KEY"),
    setting("AWS_SESSION_TOKEN"),
    setting("AWS_PROFILE"),
    setting("AWS_CONFIG_FILE"),
    setting("AWS_SHARED_CREDENTIALS_FILE"),
    setting("AWS_EC2_METADATA_SERVICE_ENDPOINT"),
    setting("AWS_ENDPOINT_URL_STS"),
    setting("AWS_WEB_IDENTITY_TOKEN_FILE"),
    setting("AWS_ROLE_ARN"),
    setting("AWS_ROLE_SESSION_NAME"),
    setting("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
    setting("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    setting("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
    setting("S3_SSE"),
    provided("GCS_ENDPOINT", &["STORAGE_EMULATOR_HOST"]),
    setting("GOOGLE_APPLICATION_CREDENTIALS"),
    setting("GOOGLE_SERVICE_ACCOUNT_KEY"),
    aliased("AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME"),
    aliased("AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCOUNT_KEY"),
    setting("AZURE_STORAGE_SAS_TOKEN"),
    setting("AZURE_STORAGE_ENDPOINT"),
    setting("AZURE_TENANT_ID"),
    setting("AZURE_CLIENT_ID"),
    setting("AZURE_CLIENT_SECRET"),
    setting("AZURE_FEDERATED_TOKEN_FILE"),
    setting("AZURE_AUTHORITY_HOST"),
    setting("IDENTITY_ENDPOINT"),
    setting("ARCHIVE_VERIFY"),
    setting("TWILIO_ACCOUNT_SID"),
    setting("TWILIO_AUTH_TOKEN"),
    setting("TWILIO_API_KEY_SID"),
    setting("TWILIO_API_KEY_SECRET"),
    setting("TWILIO_WEBHOOK_KEYS"),
    setting("TWILIO_RECORDING_KEYS"),
    setting("TWILIO_API_URL"),
    setting("TWILIO_DELETE_AFTER"),
    setting("RELEASE_WITHOUT_JOB"),
    setting("AIRTABLE_API_KEY"),
    setting("AIRTABLE_BASE_ID"),
    setting("AIRTABLE_TABLE"),
    setting("AIRTABLE_ENDPOINT_URL"),
    setting("AIRTABLE_JOB_FIELD"),
    setting("AIRTABLE_CALL_FIELD"),
    setting("AIRTABLE_HISTORY_FIELD"),
    setting("AIRTABLE_URL_FIELD"),
    setting("AIRTABLE_RPS"),
    setting("RECORDING_FORMAT"),
    setting("RECORDING_CHANNELS"),
    setting("RECORDING_TRIM"),
    setting("RECORDING_MAX"),
    setting("RECORDING_CALLBACK_RETRY"),
    setting("RECORDING_KEY"),
    setting("RECORDING_LINK"),
    setting("RECORDING_LINK_TTL"),
    setting("RECORDING_PUBLIC_URL"),
    setting("RECONCILE_EVERY"),
    setting("RECONCILE_WINDOW"),
];

/// Settings of the interface whose behaviour is not built yet: named at start, so that nobody relies on them unknowingly.
pub const LATER: &[&str] = &["TWILIO_EXTERNAL_STORAGE_URL", "RECORDING_RETENTION_DAYS", "ALERT_WEBHOOK_URL"];

/// Columns that can be left unused by naming none. Any other empty text counts as not set, also in the environment, where
/// that is how a variable is left out.
const EMPTY_MEANS_UNUSED: [&str; 2] = ["AIRTABLE_CALL_FIELD", "AIRTABLE_URL_FIELD"];

/// Texts by name, and what was found wrong so far.
#[derive(Debug, Default)]
pub struct Settings {
    texts: BTreeMap<String, String>,
    voice: Vec<VoiceTable>,
    accounts: Vec<BTreeMap<String, String>>,
    later: Vec<String>,
    problems: Vec<String>,
}

impl Settings {
    /// Reads the file, if there is one, and the process environment over it. `NAME_FILE` names a file that holds the text.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn load(file: Option<&Path>) -> Result<Self, Problems> {
        let text = match file {
            None => String::new(),
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| Problems(vec![format!("{}: can't be read: {error}", path.display())]))?,
        };
        Self::over_file(&text, |name| std::env::var(name).ok())
    }

    /// The file's text with pairs in place of the environment; for programs that configure callspool themselves.
    pub fn merge(file: &str, environment: &[(&str, &str)]) -> Result<Self, Problems> {
        Self::over_file(file, |name| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, text)| (*text).to_owned())
        })
    }

    /// Only these pairs; for programs that configure callspool themselves (the demo, tests).
    pub fn of(pairs: &[(&str, &str)]) -> Self {
        let texts = pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Self { texts, ..Self::default() }.with_aliases()
    }

    fn over_file(file: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Self, Problems> {
        let mut settings = Self::from_file(file)?;
        for name in names() {
            let is_set = |text: &String| !text.is_empty() || EMPTY_MEANS_UNUSED.contains(&name);
            if let Some(text) = environment(name).filter(is_set) {
                settings.texts.insert(name.to_owned(), text);
            } else if let Some(path) = environment(&format!("{name}_FILE")).filter(|path| !path.is_empty()) {
                match std::fs::read_to_string(&path) {
                    Ok(text) => drop(settings.texts.insert(name.to_owned(), text.trim_end().to_owned())),
                    Err(error) => settings.problem(&format!("{name}_FILE"), format!("{path} can't be read: {error}")),
                }
            }
        }
        settings.later.extend(LATER.iter().filter(|name| environment(name).is_some()).map(|name| (*name).to_owned()));
        Ok(settings.with_aliases())
    }

    fn from_file(file: &str) -> Result<Self, Problems> {
        let table: toml::Table = file.parse().map_err(|error| Problems(vec![not_toml(file, &error)]))?;
        let mut settings = Self::default();
        for (key, value) in table {
            if key == "voice" {
                match value.try_into() {
                    Ok(voice) => settings.voice = voice,
                    Err(error) => settings.problem("[[voice]]", format!("can't be read: {}", error.message())),
                }
                continue;
            }
            if key == "account" {
                settings.read_accounts(value);
                continue;
            }
            let name = key.to_uppercase();
            let known = key == key.to_lowercase() && names().any(|known| known == name);
            let text = match value {
                toml::Value::String(text) => Some(text),
                toml::Value::Integer(number) => Some(number.to_string()),
                toml::Value::Float(number) => Some(number.to_string()),
                toml::Value::Boolean(truth) => Some(truth.to_string()),
                _ => None,
            };
            match text {
                Some(text) if known => drop(settings.texts.insert(name, text)),
                None if known => settings.problem(&key, "must be a text, a number, true or false"),
                _ if LATER.contains(&name.as_str()) => settings.later.push(name),
                _ => settings.problem(&key, "is not a setting"),
            }
        }
        if settings.problems.is_empty() { Ok(settings) } else { Err(Problems(settings.problems)) }
    }

    /// The texts of every `[[account]]`. What is wrong is told without the text, which may be a secret.
    fn read_accounts(&mut self, value: toml::Value) {
        let Ok(tables) = value.try_into::<Vec<toml::Table>>() else {
            return self.problem("account", "must be written as tables, [[account]]");
        };
        for table in tables {
            let mut texts = BTreeMap::new();
            for (key, value) in table {
                let label = format!("[[account]] {key}");
                let name = key.strip_suffix("_file").unwrap_or(&key).to_owned();
                match value {
                    _ if !ACCOUNT_KEYS.contains(&name.as_str()) => self.problem(&label, "is not a setting"),
                    toml::Value::String(text) if name == key => drop(texts.insert(name, text)),
                    toml::Value::String(path) => match std::fs::read_to_string(&path) {
                        Ok(text) => drop(texts.insert(name, text.trim_end().to_owned())),
                        Err(error) => self.problem(&label, format!("{path} can't be read: {error}")),
                    },
                    _ => self.problem(&label, "must be a text"),
                }
            }
            self.accounts.push(texts);
        }
    }

    /// Moves texts under an older name to the name, with which they must agree, and those under a platform's name where
    /// there is none under ours.
    fn with_aliases(mut self) -> Self {
        for Setting { name, alias, platform } in SETTINGS {
            if let Some(old) = alias.and_then(|alias| self.texts.remove(alias)) {
                match self.texts.get(*name) {
                    Some(text) if *text != old => {
                        self.problem(name, format!("disagrees with {}", alias.unwrap_or(name)));
                    }
                    _ => drop(self.texts.insert((*name).to_owned(), old)),
                }
            }
            for other in *platform {
                let text = self.texts.remove(*other).filter(|text| !text.is_empty());
                if let (Some(text), None) = (text, self.text(name)) {
                    self.texts.insert((*name).to_owned(), text);
                }
            }
        }
        self
    }

    /// The text of a setting; an empty one counts as not set.
    pub fn text(&self, name: &str) -> Option<String> {
        self.texts.get(name).filter(|text| !text.is_empty()).cloned()
    }

    /// The text of a setting for which empty means "not used".
    pub fn text_or(&self, name: &str, default: &str) -> String {
        self.texts.get(name).cloned().unwrap_or_else(|| default.to_owned())
    }

    /// The texts of the file's `[[account]]` tables, by key.
    pub(super) fn take_accounts(&mut self) -> Vec<BTreeMap<String, String>> {
        std::mem::take(&mut self.accounts)
    }

    /// The `[[voice]]` tables of the file.
    pub(super) fn voice(&self) -> Vec<VoiceTable> {
        self.voice.clone()
    }

    /// A secret text.
    pub fn secret(&self, name: &str) -> Option<Secret> {
        self.text(name).map(Secret::new)
    }

    /// A parsed value; a text that can't be parsed is noted as a problem and counts as not set.
    pub fn parsed<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        let text = self.text(name)?;
        text.parse().map_err(|error| self.problem(name, error)).ok()
    }

    /// `true` or `false`.
    pub fn truth(&mut self, name: &str, default: bool) -> bool {
        match self.text(name).as_deref() {
            None => default,
            Some("true" | "1" | "yes" | "on") => true,
            Some("false" | "0" | "no" | "off") => false,
            Some(_) => {
                self.problem(name, "must be true or false");
                default
            }
        }
    }

    /// A length of time: a whole number and `s`, `m`, `h` or `d`.
    pub fn duration(&mut self, name: &str) -> Option<Duration> {
        let text = self.text(name)?;
        let parsed = parse_duration(&text);
        if parsed.is_none() {
            self.problem(name, "must be a length of time like 90s, 15m, 24h or 7d");
        }
        parsed
    }

    /// The same where `never` is a length too: `None`.
    pub fn duration_or_never(&mut self, name: &str, default: Option<Duration>) -> Option<Duration> {
        match self.text(name).as_deref() {
            None => default,
            Some("never") => None,
            Some(_) => self.duration(name),
        }
    }

    /// Notes that a setting is wrong. The text must not hold the setting's value where that is a secret.
    pub fn problem(&mut self, name: &str, text: impl Display) {
        self.problems.push(format!("{name} {text}"));
    }

    /// The settings of [`LATER`] that are set.
    pub(super) fn later(&self) -> &[String] {
        &self.later
    }

    /// The configuration, if no problem was noted.
    pub fn into_result<T>(self, value: T) -> Result<T, Problems> {
        if self.problems.is_empty() { Ok(value) } else { Err(Problems(self.problems)) }
    }
}

/// Where the file is no TOML, and why; never the line itself, which may hold a secret.
fn not_toml(file: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| file.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!("the file is not TOML: line {line}, column {column}: {}", error.message())
}

fn names() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().flat_map(Setting::names)
}

/// Reads `90s`, `15m`, `24h`, `7d`.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let number: u64 = text.strip_suffix(unit)?.trim().parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    number.checked_mul(seconds).filter(|seconds| *seconds <= 100 * 365 * 86_400).map(Duration::from_secs)
}
