//! The settings under their old names: each is honoured, refused by name, or named at the start as having no effect.

use callspool::config::{Config, Settings};
use callspool_clients::archive::{ArchiveConfig, BucketConfig, S3Config};
use callspool_domain::recording::Status;

use crate::harness::{Bucket, World, story};

fn read(pairs: &[(&str, &str)]) -> Config {
    Config::read(Settings::merge("", pairs).expect("no file")).expect("a configuration")
}

story! {
    async fn a_bucket_under_its_old_names_is_the_archive(world: World, bucket: Bucket) {
        let mut world = world;
        world.stop().await;
        let url = world.setting("ARCHIVE_URL").expect("a bucket");
        world.unset("ARCHIVE_URL");
        world.set("AWS_S3_BUCKET", url.strip_prefix("s3://").expect("a bucket"));
        world.set("AWS_REGION", "us-east-1");
        world.boot().await;
        let placed = world.call("?job=J").await;
        world.settle().await;
        assert_eq!(world.recording(&placed.recording_sid).await.status, Status::Archived);
        assert_eq!(bucket.keys().len(), 1);
        bucket.end(world).await;
    }
}

fn s3(config: &Config) -> &S3Config {
    match &config.archive.place {
        ArchiveConfig::Bucket(bucket) => match &**bucket {
            BucketConfig::S3(s3) => s3,
            other => panic!("{} is no bucket of S3", other.name()),
        },
        ArchiveConfig::Local { .. } => panic!("no bucket is heard"),
    }
}

#[test]
fn each_old_name_of_the_bucket_means_the_same() {
    for (bucket, region) in [("S3_BUCKET", "S3_REGION"), ("AWS_S3_BUCKET", "AWS_REGION"), ("S3_BUCKET", "AWS_REGION")] {
        let config = read(&[(bucket, "calls"), (region, "us-west-2"), ("S3_ENDPOINT", "https://store.example.com")]);
        let s3 = s3(&config);
        assert_eq!((s3.bucket.as_str(), s3.region.as_str()), ("calls", "us-west-2"), "{bucket} {region}");
        assert_eq!(s3.endpoint.as_ref().and_then(|url| url.host_str()), Some("store.example.com"));
    }
    assert_eq!(s3(&read(&[("S3_BUCKET", "calls")])).region, "us-east-1", "their default");
}

#[test]
fn port_listens_on_all_addresses_as_platforms_expect() {
    assert_eq!(read(&[("PORT", "3000")]).server.listen.to_string(), "0.0.0.0:3000");
}

/// A default bucket of theirs is none of ours: what they had set beside it must not be ignored in silence.
#[test]
fn settings_of_a_bucket_without_a_bucket_are_remarked_on() {
    for name in ["S3_REGION", "AWS_REGION", "S3_ENDPOINT", "AWS_ACCESS_KEY_ID"] {
        let config = read(&[(name, "https://x"), ("AWS_SECRET_ACCESS_KEY", "y")]);
        let remarks = config.remarks.join("\n");
        assert!(remarks.contains("S3_BUCKET") && remarks.contains("folder"), "{name}: {remarks}");
        assert!(!remarks.contains("https://x"), "{remarks}");
    }
    assert!(!read(&[]).remarks.join("\n").contains("S3_BUCKET"));
    assert!(!read(&[("S3_BUCKET", "b"), ("S3_REGION", "r")]).remarks.join("\n").contains("S3_BUCKET"));
}
