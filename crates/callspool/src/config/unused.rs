//! What is set and changes nothing, as the rest of the configuration stands.
//!
//! Whoever set it relies on it, so that it is told at start and by `doctor`. It stops nothing: what is left over from a
//! change, or set by a platform, must not keep recordings from being taken.

use std::fmt;

use callspool_clients::archive::{ArchiveConfig, AwsCredentials, AzureCredentials, BucketConfig, GoogleCredentials};

use super::{RecordingSettings, SETTINGS, Setting, Settings, VoiceRule, VoiceSettings};

/// A setting without effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unused {
    /// Its name, with the others that are read for it, or which rule it is.
    pub name: String,
    /// Why it changes nothing.
    pub why: String,
}

impl fmt::Display for Unused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is set, but {}", self.name, self.why)
    }
}

const OF_S3: [&str; 2] = ["S3_ENDPOINT", "S3_SSE"];
const OF_GOOGLE: [&str; 2] = ["GCS_ENDPOINT", "GOOGLE_SERVICE_ACCOUNT_KEY"];
const OF_AZURE: [&str; 4] =
    ["AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_ENDPOINT"];
const OF_AIRTABLE: [&str; 6] = [
    "AIRTABLE_ENDPOINT_URL",
    "AIRTABLE_JOB_FIELD",
    "AIRTABLE_CALL_FIELD",
    "AIRTABLE_HISTORY_FIELD",
    "AIRTABLE_URL_FIELD",
    "AIRTABLE_RPS",
];

pub(super) fn find(
    settings: &Settings,
    archive: &ArchiveConfig,
    recording: &RecordingSettings,
    voice: &VoiceSettings,
) -> Vec<Unused> {
    let mut found: Vec<Unused> = settings
        .later()
        .iter()
        .map(|name| Unused { name: name.clone(), why: "it has no effect in this version".to_owned() })
        .collect();
    let is_set = |name: &str| settings.text(name).is_some();
    let mut unused = |names: &[&str], why: &str| {
        let set = names.iter().filter(|name| is_set(name));
        found.extend(set.map(|name| Unused { name: all_names(name), why: why.to_owned() }));
    };
    match archive {
        ArchiveConfig::Local { .. } => {
            let why = "there is no bucket (S3_BUCKET or ARCHIVE_URL): recordings go into a folder of this machine";
            unused(&OF_S3, why);
            // A platform may have set these two although no bucket is meant; as often one is, and its name is missing.
            unused(&["S3_REGION", "AWS_ACCESS_KEY_ID"], why);
            unused(&OF_GOOGLE, why);
            unused(&OF_AZURE, why);
        }
        ArchiveConfig::Bucket(bucket) => {
            for (scheme, names) in [("s3", OF_S3.as_slice()), ("gs", &OF_GOOGLE), ("az", &OF_AZURE)] {
                if scheme != scheme_of(bucket) {
                    unused(names, &format!("ARCHIVE_URL is {}://", scheme_of(bucket)));
                }
            }
            credentials(bucket, &is_set, &mut unused);
        }
    }
    if !is_set("AIRTABLE_API_KEY") {
        unused(&OF_AIRTABLE, "without AIRTABLE_API_KEY: job records are kept in callspool's own database");
    }
    if recording.delete_after.is_none() && recording.release_without_job {
        unused(&["RELEASE_WITHOUT_JOB"], "nothing is released: TWILIO_DELETE_AFTER is never");
    }
    found.extend(voice.rules.iter().enumerate().filter_map(|(n, rule)| {
        let first = voice.rules.iter().take(n).position(|earlier| covers(earlier, rule))?;
        let why = format!("no call comes to it: rule {} is for the same calls and comes first", first + 1);
        Some(Unused { name: format!("[[voice]] rule {}", n + 1), why })
    }));
    found
}

/// The names that a setting may have been set by; which of them it was, is not kept.
fn all_names(name: &str) -> String {
    let setting = SETTINGS.iter().find(|setting| setting.name == name);
    setting.map_or_else(|| name.to_owned(), |setting: &Setting| setting.names().collect::<Vec<_>>().join(" or "))
}

fn scheme_of(bucket: &BucketConfig) -> &'static str {
    match bucket {
        BucketConfig::S3(_) => "s3",
        BucketConfig::Gcs(_) => "gs",
        BucketConfig::Azure(_) => "az",
    }
}

/// Of several credentials one is used; half of a pair is none.
fn credentials(bucket: &BucketConfig, is_set: &dyn Fn(&str) -> bool, unused: &mut dyn FnMut(&[&str], &str)) {
    match bucket {
        BucketConfig::S3(s3) => {
            let is_static = matches!(s3.credentials, AwsCredentials::Static { .. });
            if is_static {
                unused(&["AWS_PROFILE"], "AWS_ACCESS_KEY_ID comes first");
            } else {
                unused(&["AWS_SESSION_TOKEN"], "without AWS_ACCESS_KEY_ID");
            }
            if !is_static && !matches!(s3.credentials, AwsCredentials::Profile(_)) {
                let why = "without AWS_PROFILE, not even for the profile `default`";
                unused(&["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"], why);
            }
            if matches!(s3.credentials, AwsCredentials::Instance { .. }) {
                for (one, other) in [
                    ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"),
                    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
                ] {
                    for (name, missing) in [(one, other), (other, one)] {
                        if !is_set(missing) {
                            unused(&[name], &format!("without {missing}, so that the instance's role is used"));
                        }
                    }
                }
            }
        }
        BucketConfig::Gcs(gcs) => {
            if matches!(gcs.credentials, GoogleCredentials::ServiceAccount(_)) {
                unused(&["GOOGLE_APPLICATION_CREDENTIALS"], "GOOGLE_SERVICE_ACCOUNT_KEY comes first");
            }
        }
        BucketConfig::Azure(azure) => match azure.credentials {
            AzureCredentials::Key(_) => {
                unused(&["AZURE_STORAGE_SAS_TOKEN", "AZURE_CLIENT_SECRET"], "AZURE_STORAGE_KEY comes first");
            }
            AzureCredentials::Sas(_) => unused(&["AZURE_CLIENT_SECRET"], "AZURE_STORAGE_SAS_TOKEN comes first"),
            _ => {}
        },
    }
}

/// Whether every call that is for one rule is for this earlier one.
fn covers(earlier: &VoiceRule, rule: &VoiceRule) -> bool {
    (&earlier.number, &earlier.assistant) == (&rule.number, &rule.assistant)
        && (earlier.account.is_none() || earlier.account == rule.account)
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Settings};

    fn names(file: &str, pairs: &[(&str, &str)]) -> Vec<String> {
        let config = Config::read(Settings::merge(file, pairs).expect("a file")).expect("valid settings");
        config.unused.into_iter().map(|unused| unused.name).collect()
    }

    #[test]
    fn what_changes_nothing_is_found_and_what_does_is_not() {
        let (s3, gs, az) =
            (("ARCHIVE_URL", "s3://calls"), ("ARCHIVE_URL", "gs://calls"), ("ARCHIVE_URL", "az://calls"));
        let (account, key) = (("AZURE_STORAGE_ACCOUNT", "calls"), ("AZURE_STORAGE_KEY", "a2V5"));
        let keys = [("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s")];
        for (pairs, expected) in [
            (vec![], vec![]),
            (
                vec![("S3_ENDPOINT", "http://127.0.0.1:9"), key],
                vec!["S3_ENDPOINT", "AZURE_STORAGE_KEY or AZURE_STORAGE_ACCOUNT_KEY"],
            ),
            (keys.to_vec(), vec!["AWS_ACCESS_KEY_ID"]),
            (vec![("AWS_REGION", "eu-west-1")], vec!["S3_REGION or AWS_REGION or AWS_DEFAULT_REGION"]),
            (vec![s3, keys[0], keys[1], ("S3_SSE", "none")], vec![]),
            (vec![s3, keys[0], keys[1], ("AWS_PROFILE", "p")], vec!["AWS_PROFILE"]),
            (vec![s3, ("AWS_PROFILE", "p"), ("AWS_CONFIG_FILE", "/f")], vec![]),
            (vec![s3, ("AWS_SHARED_CREDENTIALS_FILE", "/f")], vec!["AWS_SHARED_CREDENTIALS_FILE"]),
            (vec![s3, ("AWS_ROLE_ARN", "arn")], vec!["AWS_ROLE_ARN"]),
            (vec![s3, ("AWS_ROLE_ARN", "arn"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/f")], vec![]),
            (vec![s3, ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/r"), ("AWS_ROLE_ARN", "arn")], vec![]),
            (vec![gs, ("S3_SSE", "AES256"), ("AWS_REGION", "eu-west-1")], vec!["S3_SSE"]),
            (
                vec![gs, ("GOOGLE_SERVICE_ACCOUNT_KEY", "{}"), ("GOOGLE_APPLICATION_CREDENTIALS", "/f")],
                vec!["GOOGLE_APPLICATION_CREDENTIALS"],
            ),
            (vec![az, account, key, ("AZURE_STORAGE_SAS_TOKEN", "sv=1")], vec!["AZURE_STORAGE_SAS_TOKEN"]),
            (
                vec![az, account, key, ("GCS_ENDPOINT", "http://127.0.0.1:9")],
                vec!["GCS_ENDPOINT or STORAGE_EMULATOR_HOST"],
            ),
            (vec![("AIRTABLE_URL_FIELD", "URL")], vec!["AIRTABLE_URL_FIELD"]),
            (vec![("RELEASE_WITHOUT_JOB", "true")], vec!["RELEASE_WITHOUT_JOB"]),
            (vec![("RELEASE_WITHOUT_JOB", "true"), ("TWILIO_DELETE_AFTER", "24h")], vec![]),
            (vec![("RECORDING_RETENTION_DAYS", "90")], vec!["RECORDING_RETENTION_DAYS"]),
        ] {
            assert_eq!(names("", &pairs), expected, "{pairs:?}");
        }
    }

    #[test]
    fn a_rule_that_no_call_comes_to_is_found() {
        let sid = "AC00000000000000000000000000000001";
        let of_one = format!(
            "[[account]]\nsid = \"{sid}\"\nauth_token = \"x\"\n[[voice]]\naccount = \"{sid}\"\nthen = \"say:x\"\n"
        );
        let of_all = "[[voice]]\nthen = \"say:x\"\n";
        assert_eq!(names(&format!("{of_one}{of_all}"), &[]), Vec::<String>::new());
        assert_eq!(names(&format!("{of_one}{of_all}{of_all}"), &[]), ["[[voice]] rule 3"]);
    }
}
