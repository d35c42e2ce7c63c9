//! The configuration: one TOML file and the environment over it, read once, typed, all problems reported together.
//!
//! This is the only room that reads the environment. Unknown keys of the file are refused, secrets are never printed, and
//! a program that starts has a configuration in which every value makes sense.

mod archive;
mod provider;
mod reconcile;
mod recording;
mod records;
mod server;
pub(crate) mod settings;
mod unused;
mod voice;

use std::path::{Path, PathBuf};

use callspool_clients::archive::ArchiveConfig;
use callspool_domain::Policy;

pub use archive::ArchiveSettings;
pub use provider::{AccountSettings, WebhookKey};
pub use reconcile::ReconcileSettings;
pub use recording::{LinkStyle, RecordingSettings};
pub use records::{AirtableSettings, RecordsSettings};
pub use server::ServerSettings;
pub use settings::{LATER, SETTINGS, Setting, Settings};
pub use unused::Unused;
pub use voice::{Party, Then, VoiceRule, VoiceSettings};

/// Where the file is looked for, in this order, unless `--config` names it.
pub const FILES: [&str; 2] = ["callspool.toml", "/etc/callspool.toml"];

/// Everything the configuration decides.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where we listen and how we are reached.
    pub server: ServerSettings,
    /// The accounts whose recordings we keep.
    pub accounts: Vec<AccountSettings>,
    /// The keys shared with the provider that may sign instead of an account's token.
    pub webhook_keys: Vec<WebhookKey>,
    /// Where the recordings go.
    pub archive: ArchiveSettings,
    /// Where the jobs are.
    pub records: RecordsSettings,
    /// In which form, under which key, and for how long the provider keeps them.
    pub recording: RecordingSettings,
    /// How often the provider is asked what it has.
    pub reconcile: ReconcileSettings,
    /// What callers hear, and how their calls are recorded.
    pub voice: VoiceSettings,
    /// What is set and changes nothing.
    pub unused: Vec<Unused>,
    /// Remarks for the log at start: what is not configured, or set but of no effect.
    pub remarks: Vec<String>,
}

/// Everything that is wrong with a configuration, one line each.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has {} problem(s):\n{}", .0.len(), .0.join("\n"))]
pub struct Problems(pub Vec<String>);

impl Config {
    /// Reads the file (the named one, else the first of [`FILES`] that exists, else none) and the environment.
    pub fn load(file: Option<&Path>) -> Result<Self, Problems> {
        let file = file.map(PathBuf::from).or_else(|| FILES.iter().map(PathBuf::from).find(|path| path.exists()));
        Self::read(Settings::load(file.as_deref())?)
    }

    /// Makes the typed configuration of named texts.
    pub fn read(mut settings: Settings) -> Result<Self, Problems> {
        let server = ServerSettings::read(&mut settings);
        let accounts = AccountSettings::read_all(&mut settings);
        let webhook_keys = WebhookKey::read_all(&mut settings);
        let archive = ArchiveSettings::read(&mut settings);
        let records = RecordsSettings::read(&mut settings);
        let recording = RecordingSettings::read(&mut settings);
        if recording.link == LinkStyle::Public && matches!(archive.place, ArchiveConfig::Local { .. }) {
            settings.problem("RECORDING_LINK", "can't be public with an archive in a folder, which has no address");
        }
        let reconcile = ReconcileSettings::read(&mut settings);
        let voice = VoiceSettings::read(&mut settings, &accounts);
        let unused = unused::find(&settings, &archive.place, &recording, &voice);
        let mut remarks: Vec<String> = unused.iter().map(ToString::to_string).collect();
        if accounts.iter().all(|account| account.tokens.is_empty()) {
            remarks.push(
                "no Auth Token is configured (TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN): every callback is refused".into(),
            );
        }
        if matches!(records, RecordsSettings::BuiltIn) {
            remarks.push("job records are kept in callspool's own database (AIRTABLE_API_KEY is not set)".into());
        }
        if recording.delete_after.is_none() {
            remarks.push("the provider's copies are kept (TWILIO_DELETE_AFTER is never; 24h is recommended)".into());
        }
        if reconcile.every.is_none() {
            remarks.push("the provider is never asked what it has (RECONCILE_EVERY is never): a lost callback is a lost recording, unless callspool reconcile is run".into());
        }
        settings.into_result(Self {
            server,
            accounts,
            webhook_keys,
            archive,
            records,
            recording,
            reconcile,
            voice,
            unused,
            remarks,
        })
    }

    /// What the plan and the gate need of it.
    pub fn policy(&self) -> Policy {
        Policy {
            app_url: self.server.app_url.clone(),
            delete_after: self.recording.delete_after,
            release_without_job: self.recording.release_without_job,
            find_jobs: matches!(&self.records, RecordsSettings::Airtable(airtable) if airtable.call_field.is_some()),
            recording_max: self.recording.max,
            recording_keys: self.recording.keys.public_keys().cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, Problems> {
        Config::read(Settings::of(pairs))
    }

    #[test]
    fn nothing_at_all_is_a_working_configuration() {
        let config = read(&[]).expect("defaults");
        assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.server.app_url, "http://127.0.0.1:8080");
        assert_eq!(config.recording.delete_after, None);
        assert!(matches!(config.archive.place, ArchiveConfig::Local { .. }));
        assert_eq!(config.remarks.len(), 3);
    }

    #[test]
    fn a_password_in_the_address_would_stand_in_every_link() {
        let problems =
            read(&[("APP_URL", "https://bob:hunter2@calls.example.com")]).expect_err("a problem").to_string();
        assert!(problems.contains("APP_URL") && !problems.contains("hunter2"), "{problems}");
    }

    #[test]
    fn all_problems_are_reported_at_once_by_name() {
        let problems = read(&[
            ("TWILIO_DELETE_AFTER", "soon"),
            ("TWILIO_ACCOUNT_SID", "AC1"),
            ("RECORDING_FORMAT", "flac"),
            ("RECORDING_KEY", "../{call_sid}"),
            ("AIRTABLE_API_KEY", "pat-secret"),
            ("CALLSPOOL_LISTEN", "here"),
        ])
        .expect_err("six problems");
        let text = problems.to_string();
        for name in [
            "TWILIO_DELETE_AFTER",
            "TWILIO_ACCOUNT_SID",
            "RECORDING_FORMAT",
            "RECORDING_KEY",
            "AIRTABLE_BASE_ID",
            "CALLSPOOL_LISTEN",
        ] {
            assert!(text.contains(name), "{name} is missing in: {text}");
        }
        assert!(!text.contains("pat-secret"));
    }

    #[test]
    fn several_accounts_have_each_their_own_credentials_and_region() {
        let (one, two) = ("AC00000000000000000000000000000001", "AC00000000000000000000000000000002");
        let file = format!(
            "[[account]]\nsid = \"{two}\"\nauth_token = \"new, old\"\napi_key_sid = \"SK2\"\napi_key_secret = \"s2\"\n\
             api_url = \"https://api.dublin.ie1.twilio.com\""
        );
        let environment = [("TWILIO_ACCOUNT_SID", one), ("TWILIO_AUTH_TOKEN", "t1")];
        let config = Config::read(Settings::merge(&file, &environment).expect("file")).expect("config");
        let told: Vec<_> = config
            .accounts
            .iter()
            .map(|account| {
                (account.sid.as_str(), account.tokens.len(), account.api_user.as_str(), account.api_url.host_str())
            })
            .collect();
        assert_eq!(told, [(one, 1, one, Some("api.twilio.com")), (two, 2, "SK2", Some("api.dublin.ie1.twilio.com"))]);
    }

    #[test]
    fn what_is_wrong_with_an_account_is_told_without_its_secrets() {
        let sid = "AC00000000000000000000000000000001";
        for (file, named) in [
            ("[[account]]\nauth_token = \"hunter2\"".to_owned(), "sid"),
            (format!("[[account]]\nsid = \"{sid}\""), "auth_token"),
            (format!("[[account]]\nsid = \"{sid}\"\nauth_token = 4711"), "auth_token"),
            (format!("[[account]]\nsid = \"{sid}\"\nauth_tokn = \"hunter2\""), "auth_tokn"),
            (format!("[[account]]\nsid = \"{sid}\"\nauth_token_file = \"/nowhere\""), "/nowhere"),
            (format!("[[account]]\nsid = \"{sid}\"\nauth_token = \"x\"\n").repeat(2), "twice"),
            ("account = \"hunter2\"".to_owned(), "[[account]]"),
        ] {
            let read = Settings::merge(&file, &[]).and_then(Config::read);
            let problems = read.expect_err(&file).to_string();
            assert!(problems.contains(named), "{file}: {problems}");
            assert!(!problems.contains("hunter2") && !problems.contains("4711"), "{problems}");
        }
    }

    #[test]
    fn a_private_key_that_can_not_be_used_is_told_by_its_file_and_without_its_text() {
        let folder = tempfile::tempdir().expect("a folder");
        let sid = "CR00000000000000000000000000000001";
        let file = folder.path().join("key.pem");
        let name = file.display().to_string();
        for (text, told) in [
            ("-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----\n", "-topk8"),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nhunter2\n-----END ENCRYPTED PRIVATE KEY-----\n", "passphrase"),
            ("-----BEGIN PRIVATE KEY-----\nhunter2!\n-----END PRIVATE KEY-----\n", "no private key"),
            ("-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----\n", "not RSA"),
            ("hunter2", "no private key"),
        ] {
            std::fs::write(&file, text).expect("a file");
            let problems = read(&[("TWILIO_RECORDING_KEYS", &format!("{sid}={name}"))]).expect_err(text).to_string();
            assert!(problems.contains(&name) && problems.contains(told), "{problems}");
            assert!(!problems.contains("hunter2") && !problems.contains("aHVudGVyMg"), "{problems}");
        }
        for (list, told) in [
            (format!("{sid}=/nowhere/key.pem"), "/nowhere/key.pem"),
            (format!("CR1={name}"), "32 hexadecimal digits"),
            ("-----BEGIN PRIVATE KEY----- hunter2".to_owned(), "CR…=file"),
        ] {
            let problems = read(&[("TWILIO_RECORDING_KEYS", &list)]).expect_err(&list).to_string();
            assert!(problems.contains(told) && !problems.contains("hunter2"), "{problems}");
        }
    }

    #[test]
    fn a_bucket_that_disagrees_with_the_archive_url_is_an_error() {
        let pairs = [("ARCHIVE_URL", "s3://one/prefix"), ("S3_BUCKET", "two")];
        assert!(read(&pairs).expect_err("disagree").to_string().contains("S3_BUCKET"));
        assert!(read(&[("ARCHIVE_URL", "s3://one/prefix"), ("AWS_S3_BUCKET", "one")]).is_ok());
    }

    #[test]
    fn what_a_platform_sets_by_itself_gives_way_and_two_names_of_ours_must_agree() {
        let region = |pairs: &[(&str, &str)]| {
            let bucket = [("ARCHIVE_URL", "s3://calls")];
            let config = read(&[&bucket, pairs].concat()).expect("valid");
            let ArchiveConfig::Bucket(bucket) = config.archive.place else { panic!("a bucket") };
            let callspool_clients::archive::BucketConfig::S3(s3) = *bucket else { panic!("S3") };
            s3.region
        };
        let (ours, platforms, default) =
            (("S3_REGION", "eu-west-1"), ("AWS_REGION", "us-west-2"), ("AWS_DEFAULT_REGION", "us-east-2"));
        assert_eq!(region(&[default, platforms, ours]), "eu-west-1");
        assert_eq!(region(&[default, platforms]), "us-west-2");
        assert_eq!(region(&[default]), "us-east-2");
        assert_eq!(region(&[]), "us-east-1");
        let file = "archive_url = \"s3://calls\"\ns3_region = \"eu-west-1\"";
        assert!(Config::read(Settings::merge(file, &[platforms]).expect("file")).is_ok(), "the file is ours");
        for (name, old) in [
            ("S3_BUCKET", "AWS_S3_BUCKET"),
            ("AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME"),
            ("AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCOUNT_KEY"),
        ] {
            let problems = read(&[(name, "one"), (old, "two")]).expect_err(name).to_string();
            assert!(problems.contains(&format!("{name} disagrees with {old}")), "{problems}");
        }
    }

    #[test]
    fn the_file_is_overlaid_by_the_environment_and_refuses_unknown_keys() {
        let file = "twilio_delete_after = \"24h\"\nrecording_format = \"mp3\"\nrelease_without_job = true";
        let config =
            Config::read(Settings::merge(file, &[("RECORDING_FORMAT", "wav")]).expect("file")).expect("config");
        assert_eq!(config.recording.delete_after, Some(Duration::from_secs(86_400)));
        assert_eq!(config.recording.format.extension(), "wav");
        assert!(config.recording.release_without_job);
        assert!(Settings::merge("s3_buckt = \"x\"", &[]).expect_err("unknown").to_string().contains("s3_buckt"));
    }

    #[test]
    fn a_malformed_file_is_told_without_its_text() {
        let error =
            Settings::merge("port = 1\ntwilio_auth_token = SuperSecret123", &[]).expect_err("no TOML").to_string();
        assert!(error.contains("line 2") && !error.contains("SuperSecret"), "{error}");
    }

    #[test]
    fn a_log_level_that_is_none_is_a_problem() {
        assert!(
            read(&[("CALLSPOOL_LOG_LEVEL", "a=b=c")])
                .expect_err("no level")
                .to_string()
                .contains("CALLSPOOL_LOG_LEVEL")
        );
    }

    #[test]
    fn an_empty_column_is_not_used_and_any_other_empty_text_is_not_set() {
        let file = "airtable_api_key = \"pat\"\nairtable_base_id = \"app1\"\nairtable_table = \"Jobs\"\nrecording_format = \"mp3\"";
        let environment = [("AIRTABLE_CALL_FIELD", ""), ("RECORDING_FORMAT", "")];
        let config = Config::read(Settings::merge(file, &environment).expect("file")).expect("config");
        assert!(!config.policy().find_jobs);
        assert_eq!(config.recording.format.extension(), "mp3");
    }
}
