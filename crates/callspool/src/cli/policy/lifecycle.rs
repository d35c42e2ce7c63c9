//! The bucket's own housekeeping
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-configuration-examples.html>).

use callspool_clients::archive::S3Config;
use serde_json::{Value, json};

/// Uploads whose process died are of no use after this many days.
const ABORT_AFTER: u32 = 7;
/// Versions that were replaced or deleted stay this long, against mistakes.
const OLD_VERSIONS: u32 = 30;

/// The rules for this bucket; without `expire_after` nothing is ever deleted.
pub(super) fn rules(bucket: &S3Config, infrequent_after: u32, expire_after: Option<u32>) -> Value {
    let filter = json!({ "Prefix": super::prefix(bucket) });
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
}
