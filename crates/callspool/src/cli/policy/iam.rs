//! The least rights on the bucket that archiving and playing need.

use callspool_clients::archive::{BucketConfig, S3Config, Sse};
use serde_json::{Value, json};

/// The policy, or the role, for this bucket.
pub(super) fn policy(bucket: &BucketConfig, with_delete: bool) -> Value {
    match bucket {
        BucketConfig::S3(s3) => of_s3(s3, &super::prefix(bucket), with_delete),
        BucketConfig::Gcs(_) => of_google(with_delete),
        BucketConfig::Azure(_) => of_azure(with_delete),
    }
}

/// HEAD is `s3:GetObject`, and every request of a multipart upload but its abort is `s3:PutObject`
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html>).
fn of_s3(bucket: &S3Config, prefix: &str, with_delete: bool) -> Value {
    let mut actions = vec!["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"];
    if with_delete {
        actions.push("s3:DeleteObject");
    }
    let arn = format!("arn:{}:s3:::{}", partition(&bucket.region), bucket.bucket);
    let mut statements = vec![
        json!({
            "Sid": "Recordings",
            "Effect": "Allow",
            "Action": actions,
            "Resource": format!("{arn}/{prefix}*"),
        }),
        // Without it what is missing can't be told from what is forbidden: S3 answers 403 to both. A condition on the
        // prefix would not hold for HEAD, which carries none.
        json!({
            "Sid": "TellMissingFromForbidden",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": arn,
        }),
    ];
    if let Sse::Kms { key_id } = &bucket.sse {
        statements.push(key_statement(&bucket.region, key_id));
    }
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// Names in GovCloud and in China begin with a partition of their own
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>).
fn partition(region: &str) -> &'static str {
    match region {
        region if region.starts_with("us-gov-") => "aws-us-gov",
        region if region.starts_with("cn-") => "aws-cn",
        _ => "aws",
    }
}

/// A custom role (<https://cloud.google.com/iam/docs/creating-custom-roles>). Uploads are `create`; reading an object and
/// its description is `get`; without `list` what is missing is 403. To write over an object of ours that was never verified
/// needs `delete` there (<https://cloud.google.com/storage/docs/access-control/iam-json>).
fn of_google(with_delete: bool) -> Value {
    let mut permissions = vec!["storage.objects.create", "storage.objects.get", "storage.objects.list"];
    if with_delete {
        permissions.push("storage.objects.delete");
    }
    json!({
        "title": "callspool archive",
        "description": "Keeps call recordings in a bucket, and plays them",
        "stage": "GA",
        "includedPermissions": permissions,
    })
}

/// A custom role (<https://learn.microsoft.com/en-us/azure/role-based-access-control/custom-roles>). Reading and listing
/// blobs is `read`; Put Blob, Put Block and Put Block List are `write`
/// (<https://learn.microsoft.com/en-us/rest/api/storageservices/authorize-with-azure-active-directory>). A role can be
/// assignable to a subscription or a resource group, and is then assigned to the container alone.
fn of_azure(with_delete: bool) -> Value {
    const BLOBS: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs";
    let mut actions = vec![format!("{BLOBS}/read"), format!("{BLOBS}/write")];
    if with_delete {
        actions.push(format!("{BLOBS}/delete"));
    }
    json!({
        "Name": "callspool archive",
        "IsCustom": true,
        "Description": "Keeps call recordings in a container, and plays them",
        "Actions": [],
        "NotActions": [],
        "DataActions": actions,
        "NotDataActions": [],
        "AssignableScopes": ["/subscriptions/SUBSCRIPTION"],
    })
}

/// Writing needs a data key; reading, and a multipart upload, needs its decryption
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html>).
fn key_statement(region: &str, key_id: &str) -> Value {
    let keys = format!("arn:{}:kms:{region}:*:key", partition(region));
    let mut statement = json!({
        "Sid": "Key",
        "Effect": "Allow",
        "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
        "Resource": match key_id {
            arn if arn.starts_with("arn:") && arn.contains(":key/") => arn.to_owned(),
            alias if alias.contains("alias/") => format!("{keys}/*"),
            id => format!("{keys}/{id}"),
        },
    });
    // A policy names keys, never aliases.
    if let Some((_, alias)) = key_id.split_once("alias/") {
        statement["Condition"] =
            json!({ "ForAnyValue:StringEquals": { "kms:ResourceAliases": format!("alias/{alias}") } });
    }
    statement
}

#[cfg(test)]
mod tests {
    use super::super::bucket;
    use super::super::tests::configured;
    use super::*;

    fn policy_of(pairs: &[(&str, &str)], with_delete: bool) -> Value {
        policy(bucket(&configured(pairs)).expect("a bucket"), with_delete)
    }

    #[test]
    fn the_rights_end_at_the_prefix_and_deleting_is_none_of_them() {
        let policy = policy_of(&[("ARCHIVE_URL", "s3://calls/archive/2026")], false);
        assert_eq!(policy["Statement"][0]["Resource"], "arn:aws:s3:::calls/archive/2026/*");
        assert_eq!(policy["Statement"][1]["Resource"], "arn:aws:s3:::calls");
        assert!(!policy.to_string().contains("DeleteObject"));
        assert_eq!(policy["Statement"].as_array().map(Vec::len), Some(2));
        let policy = policy_of(&[("ARCHIVE_URL", "s3://calls")], true);
        assert_eq!(policy["Statement"][0]["Resource"], "arn:aws:s3:::calls/*");
        assert!(policy.to_string().contains("s3:DeleteObject"));
    }

    #[test]
    fn the_rights_are_those_of_the_readme_and_no_others() {
        let policy = policy_of(&[("ARCHIVE_URL", "s3://my-recordings/calls")], false);
        let readme = include_str!("../../../../../README.md");
        let (_, text) = readme.split_once("```json\n{\"Version\"").expect("the policy in the README");
        let (text, _) = text.split_once("```").expect("its end");
        let told: Value = serde_json::from_str(&format!("{{\"Version\"{text}")).expect("JSON");
        for n in [0, 1] {
            for name in ["Effect", "Action", "Resource"] {
                assert_eq!(policy["Statement"][n][name], told["Statement"][n][name]);
            }
        }
    }

    #[test]
    fn names_begin_with_the_partition_of_the_region() {
        for (region, partition) in
            [("eu-west-1", "aws"), ("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn"), ("us-east-1", "aws")]
        {
            let pairs = [("ARCHIVE_URL", "s3://calls"), ("S3_REGION", region), ("S3_SSE", "aws:kms:1234-ab")];
            let policy = policy_of(&pairs, false);
            assert_eq!(policy["Statement"][0]["Resource"], format!("arn:{partition}:s3:::calls/*"));
            assert_eq!(policy["Statement"][1]["Resource"], format!("arn:{partition}:s3:::calls"));
            assert_eq!(policy["Statement"][2]["Resource"], format!("arn:{partition}:kms:{region}:*:key/1234-ab"));
        }
    }

    #[test]
    fn a_role_of_google_or_azure_deletes_only_where_it_is_asked_to() {
        let of = |url, with_delete| policy_of(&[("ARCHIVE_URL", url), ("AZURE_STORAGE_ACCOUNT", "calls")], with_delete);
        let google = |with_delete| of("gs://calls/archive", with_delete)["includedPermissions"].clone();
        assert_eq!(google(false), json!(["storage.objects.create", "storage.objects.get", "storage.objects.list"]));
        assert_eq!(google(true)[3], "storage.objects.delete");
        let azure = |with_delete| of("az://calls/archive", with_delete);
        let blobs = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs";
        assert_eq!(azure(false)["DataActions"], json!([format!("{blobs}/read"), format!("{blobs}/write")]));
        assert_eq!(azure(true)["DataActions"][2], format!("{blobs}/delete"));
        assert_eq!(azure(true)["Actions"], json!([]), "nothing of the account itself");
    }

    #[test]
    fn a_key_comes_with_its_rights() {
        let key = |sse: &str| {
            let policy =
                policy_of(&[("ARCHIVE_URL", "s3://calls"), ("S3_REGION", "eu-west-1"), ("S3_SSE", sse)], false);
            policy["Statement"][2].clone()
        };
        assert_eq!(key("aws:kms:1234-ab")["Resource"], "arn:aws:kms:eu-west-1:*:key/1234-ab");
        let arn = "arn:aws:kms:us-east-1:111122223333:key/1234-ab";
        assert_eq!(key(&format!("aws:kms:{arn}"))["Resource"], arn);
        let alias = key("aws:kms:alias/calls");
        assert_eq!(alias["Resource"], "arn:aws:kms:eu-west-1:*:key/*");
        assert_eq!(alias["Condition"]["ForAnyValue:StringEquals"]["kms:ResourceAliases"], "alias/calls");
    }
}
