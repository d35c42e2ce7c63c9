//! The bucket's own housekeeping.

use callspool_clients::archive::BucketConfig;
use serde_json::{Value, json};

/// Uploads whose process died are of no use after this many days.
const ABORT_AFTER: u32 = 7;
/// Versions that were replaced or deleted stay this long, against mistakes.
const OLD_VERSIONS: u32 = 30;

/// The rules for this bucket; without `expire_after` nothing is ever deleted.
pub(super) fn rules(bucket: &BucketConfig, infrequent_after: u32, expire_after: Option<u32>) -> Value {
    let prefix = super::prefix(bucket);
    match bucket {
        BucketConfig::S3(_) => of_s3(&prefix, infrequent_after, expire_after),
        BucketConfig::Gcs(_) => of_google(&prefix, infrequent_after, expire_after),
        BucketConfig::Azure(azure) => {
            of_azure(&format!("{}/{prefix}", azure.container), infrequent_after, expire_after)
        }
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-configuration-examples.html>
fn of_s3(prefix: &str, infrequent_after: u32, expire_after: Option<u32>) -> Value {
    let filter = json!({ "Prefix": prefix });
    let mut recordings = json!({
        "ID": "callspool-recordings",
        "Status": "Enabled",
        "Filter": filter,
        "Transitions": [{ "Days": infrequent_after, "StorageClass": "STANDARD_IA" }],
        "NoncurrentVersionExpiration": { "NoncurrentDays": OLD_VERSIONS },
    });
    if let Some(days) = expire_after {
        recordings["Expiration"] = json!({ "Days": days });
    }
    let uploads = json!({
        "ID": "callspool-broken-uploads",
        "Status": "Enabled",
        "Filter": filter,
        "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": ABORT_AFTER },
    });
    json!({ "Rules": [recordings, uploads] })
}

/// <https://cloud.google.com/storage/docs/lifecycle>. An upload that broke ends by itself after a week there
/// (<https://cloud.google.com/storage/docs/resumable-uploads>).
fn of_google(prefix: &str, infrequent_after: u32, expire_after: Option<u32>) -> Value {
    let rule = |action: Value, mut condition: Value| {
        if !prefix.is_empty() {
            condition["matchesPrefix"] = json!([prefix]);
        }
        json!({ "action": action, "condition": condition })
    };
    let mut rules = vec![
        rule(
            json!({ "type": "SetStorageClass", "storageClass": "NEARLINE" }),
            json!({ "age": infrequent_after, "matchesStorageClass": ["STANDARD"] }),
        ),
        rule(json!({ "type": "Delete" }), json!({ "daysSinceNoncurrentTime": OLD_VERSIONS })),
    ];
    if let Some(days) = expire_after {
        rules.push(rule(json!({ "type": "Delete" }), json!({ "age": days, "isLive": true })));
    }
    json!({ "lifecycle": { "rule": rules } })
}

/// <https://learn.microsoft.com/en-us/azure/storage/blobs/lifecycle-management-policy-structure>: a prefix begins with the
/// container. Blocks of an upload that broke go by themselves after a week
/// (<https://learn.microsoft.com/en-us/rest/api/storageservices/put-block>).
fn of_azure(prefix: &str, infrequent_after: u32, expire_after: Option<u32>) -> Value {
    let mut actions = json!({ "tierToCool": { "daysAfterModificationGreaterThan": infrequent_after } });
    if let Some(days) = expire_after {
        actions["delete"] = json!({ "daysAfterModificationGreaterThan": days });
    }
    json!({ "rules": [{
        "name": "callspoolRecordings",
        "enabled": true,
        "type": "Lifecycle",
        "definition": {
            "filters": { "blobTypes": ["blockBlob"], "prefixMatch": [prefix] },
            "actions": { "baseBlob": actions },
        },
    }] })
}

#[cfg(test)]
mod tests {
    use super::super::bucket;
    use super::super::tests::configured;
    use super::*;

    #[test]
    fn what_is_to_be_kept_never_expires() {
        let config = configured(&[("ARCHIVE_URL", "s3://calls/archive")]);
        let bucket = bucket(&config).expect("a bucket");
        let kept = rules(bucket, 90, None);
        assert!(kept["Rules"][0].get("Expiration").is_none());
        assert_eq!(kept["Rules"][0]["Filter"]["Prefix"], "archive/");
        let expiring = rules(bucket, 90, Some(365));
        assert_eq!(expiring["Rules"][0]["Expiration"]["Days"], 365);
        assert_eq!(expiring["Rules"][1]["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"], 7);
    }

    #[test]
    fn google_and_azure_are_told_the_same_in_their_words() {
        let rules_of = |url, expire_after| {
            let config = configured(&[("ARCHIVE_URL", url), ("AZURE_STORAGE_ACCOUNT", "calls")]);
            rules(bucket(&config).expect("a bucket"), 90, expire_after)
        };
        let google = rules_of("gs://calls/archive", Some(365));
        let google = google["lifecycle"]["rule"].as_array().expect("rules");
        assert_eq!(google[0]["action"], json!({ "type": "SetStorageClass", "storageClass": "NEARLINE" }));
        assert_eq!(google[0]["condition"]["age"], 90);
        assert_eq!(google[2]["condition"], json!({ "age": 365, "isLive": true, "matchesPrefix": ["archive/"] }));
        let kept = rules_of("gs://calls", None);
        assert!(!kept.to_string().contains("isLive") && !kept.to_string().contains("matchesPrefix"));

        let azure = rules_of("az://calls/archive", Some(365));
        let definition = &azure["rules"][0]["definition"];
        assert_eq!(definition["filters"]["prefixMatch"], json!(["calls/archive/"]));
        let blobs = &definition["actions"]["baseBlob"];
        assert_eq!(blobs["tierToCool"]["daysAfterModificationGreaterThan"], 90);
        assert_eq!(blobs["delete"]["daysAfterModificationGreaterThan"], 365);
        let kept = rules_of("az://calls", None);
        assert_eq!(kept["rules"][0]["definition"]["filters"]["prefixMatch"], json!(["calls/"]));
        assert!(kept["rules"][0]["definition"]["actions"]["baseBlob"].get("delete").is_none());
    }
}
