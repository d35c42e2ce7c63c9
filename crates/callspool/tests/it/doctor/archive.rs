//! Rights on the bucket, and the folder.

use base64::Engine as _;
use callspool_sandbox::s3::{Rights, Route};
use callspool_sandbox::{Brand, Fault, Gcs, GcsOptions};

use super::{doctor, put_in_order};
use crate::harness::{AzureContainer, Bucket, GoogleBucket, World, story};

const PROBE: &str = "calls/callspool-doctor/probe.txt";

story! {
    async fn least_rights_are_no_error_and_what_stays_is_one_object(world: World, bucket: Bucket) {
        let mut world = world;
        put_in_order(&mut world).await;
        let prefix = [("ARCHIVE_URL", "s3://recordings/calls")];
        let told = doctor(&world, &prefix).await;
        assert_eq!((told.exit, told.codes(), bucket.keys()), (0, vec![], vec![]), "{}", told.text);
        bucket.s3().set_rights(Rights { list: false, delete: false, ..Rights::default() });
        for _ in 0..2 {
            let told = doctor(&world, &prefix).await;
            assert_eq!((told.exit, told.codes()), (0, vec!["archive_no_delete", "archive_no_list"]));
            assert!(told.only("archive_no_delete")["found"].as_str().expect("text").contains(PROBE));
            assert_eq!(bucket.keys(), [PROBE]);
        }
        bucket.s3().set_rights(Rights::default());
        assert_eq!((doctor(&world, &prefix).await.exit, bucket.keys()), (0, vec![]));
        bucket.end(world).await;
    }
}

story! {
    async fn a_bucket_that_can_not_be_written_or_read_loses(world: World, bucket: Bucket) {
        for rights in [Rights { put: false, ..Rights::default() }, Rights { get: false, ..Rights::default() }] {
            bucket.s3().set_rights(rights);
            let told = doctor(&world, &[]).await;
            assert_eq!(told.exit, 1);
            assert!(told.severities("archive_unauthorized").contains(&"loses"), "{}", told.text);
        }
        bucket.s3().set_rights(Rights::default());
        let told = doctor(&world, &[("ARCHIVE_URL", "s3://nowhere")]).await;
        assert_eq!((told.exit, told.severities("archive_rejected")), (1, vec!["loses"]), "{}", told.text);
        let told = doctor(&world, &[("AWS_SECRET_ACCESS_KEY", "wrong")]).await;
        assert!(told.severities("archive_unauthorized").contains(&"loses"), "{}", told.text);
        bucket.take_unexpected_requests();
        bucket.end(world).await;
    }
}

story! {
    async fn a_bucket_that_is_out_leaves_it_open(world: World, bucket: Bucket) {
        let mut world = world;
        put_in_order(&mut world).await;
        bucket.faults().always(Route::PutObject, Fault::throttled(1));
        let told = doctor(&world, &[]).await;
        assert_eq!((told.exit, &told.only("archive_throttled")["severity"]), (3, &"unknown".into()));
        bucket.end(world).await;
    }
}

story! {
    async fn a_folder_that_is_not_the_one_archived_to_loses(world: World) {
        std::fs::remove_file(world.archive_folder().join(".callspool-archive")).expect("the marker was there");
        let told = doctor(&world, &[]).await;
        assert_eq!((told.exit, &told.only("archive_unavailable")["severity"]), (1, &"loses".into()));
        world.end().await;
    }
}

/// Rights, wrong settings and an outage, as Google and Azure tell of them.
async fn rights_and_settings(world: World, bucket: Bucket, scheme: &str, wrong: (&str, &str)) {
    let mut world = world;
    put_in_order(&mut world).await;
    let here = format!("{scheme}://recordings/calls");
    let prefix = [("ARCHIVE_URL", here.as_str())];
    let told = doctor(&world, &prefix).await;
    assert_eq!((told.exit, told.codes(), bucket.keys()), (0, vec![], vec![]), "{}", told.text);

    bucket.set_rights(Rights { list: false, delete: false, ..Rights::default() });
    for _ in 0..2 {
        let told = doctor(&world, &prefix).await;
        assert_eq!((told.exit, told.codes()), (0, vec!["archive_no_delete", "archive_no_list"]), "{}", told.text);
        assert!(told.only("archive_no_delete")["found"].as_str().expect("text").contains(PROBE));
        let cannot_tell = told.only("archive_no_list")["found"].as_str().expect("text").contains("can't be told");
        assert_eq!(cannot_tell, bucket.brand() == Brand::Gcs, "Azure tells what is missing without that right");
        assert_eq!(bucket.keys(), [PROBE]);
    }
    for rights in [Rights { put: false, ..Rights::default() }, Rights { get: false, ..Rights::default() }] {
        bucket.set_rights(Rights::default());
        assert_eq!((doctor(&world, &prefix).await.exit, bucket.keys()), (0, vec![]), "what lay there is gone");
        bucket.set_rights(rights);
        let told = doctor(&world, &prefix).await;
        assert_eq!(told.exit, 1, "{}", told.text);
        assert!(told.severities("archive_unauthorized").contains(&"loses"), "{}", told.text);
    }
    bucket.set_rights(Rights::default());

    let told = doctor(&world, &[("ARCHIVE_URL", &format!("{scheme}://nowhere"))]).await;
    assert_eq!((told.exit, told.severities("archive_rejected")), (1, vec!["loses"]), "{}", told.text);
    assert_eq!(bucket.unexpected_requests(), Vec::<String>::new());
    let told = doctor(&world, &[wrong]).await;
    assert!(told.severities("archive_unauthorized").contains(&"loses"), "{}", told.text);
    assert!(!told.text.contains(wrong.1), "a wrong secret is one as well: {}", told.text);
    bucket.take_unexpected_requests();

    for (route, status, code) in [(Route::List, 503, "archive_throttled"), (Route::Delete, 500, "archive_unavailable")]
    {
        bucket.faults().always(route, Fault::status(http::StatusCode::from_u16(status).expect("a status")));
        let told = doctor(&world, &prefix).await;
        bucket.faults().clear(route);
        assert_eq!((told.exit, told.severities(code)), (3, vec!["unknown"]), "{route:?}: {}", told.text);
    }
    bucket.go_down().await;
    let told = doctor(&world, &prefix).await;
    assert_eq!((told.exit, told.severities("archive_unreachable")), (3, vec!["unknown"]), "{}", told.text);
    bucket.come_back().await.expect("the port is ours");
    bucket.end(world).await;
}

story! {
    async fn a_bucket_at_google_is_tried_like_any_other(world: World, bucket: GoogleBucket) {
        let other = Gcs::start(GcsOptions::default()).await.expect("a stand-in with a key of its own");
        let wrong = ("GOOGLE_SERVICE_ACCOUNT_KEY", other.service_account().expose());
        rights_and_settings(world, bucket, "gs", wrong).await;
    }
}

story! {
    async fn a_container_at_azure_is_tried_like_any_other(world: World, bucket: AzureContainer) {
        let wrong = base64::engine::general_purpose::STANDARD.encode("the key of another account");
        rights_and_settings(world, bucket, "az", ("AZURE_STORAGE_KEY", &wrong)).await;
    }
}
