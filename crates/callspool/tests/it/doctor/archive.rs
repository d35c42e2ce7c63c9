//! Rights on the bucket, and the folder.

use callspool_sandbox::Fault;
use callspool_sandbox::s3::{Rights, Route};

use super::{doctor, put_in_order};
use crate::harness::{Bucket, World, story};

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
