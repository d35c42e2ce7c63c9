//! The five scenarios of the fallback: S3 works, refuses, is not there, does not answer; Airtable fails.
//!
//! The settings have the names that they had there.

use callspool_domain::audio::AudioFormat;
use callspool_domain::recording::Status;
use callspool_sandbox::Fault;
use callspool_sandbox::airtable::Route as TableRoute;
use callspool_sandbox::s3::Route;
use callspool_sandbox::twilio::PlacedCall;
use http::StatusCode;

use super::{DAY, LATER, follow, is_logged, until_logged};
use crate::harness::{Bucket, Table, World, story};

/// What the log tells of a recording that is stored, linked and to be deleted at Twilio, in this order.
const STORED: [&str; 3] =
    ["recording_s3_upload_success", "recording_saved_to_airtable_s3", "twilio_deletion_scheduled"];
/// And of one whose job is given Twilio's copy meanwhile.
const FALLEN_BACK: [&str; 3] =
    ["recording_s3_fallback_to_twilio", "recording_saved_to_airtable_twilio", "twilio_recording_preserved"];
const URL_FIELD: &str = "Recording URL (Twilio/S3)";

/// A table beside the bucket, which gets its names of old.
async fn beside(world: &mut World) -> Table {
    world.stop().await;
    let table = Table::beside(world).await;
    let url = world.setting("ARCHIVE_URL").expect("a bucket");
    world.unset("ARCHIVE_URL");
    world.set("AWS_S3_BUCKET", url.strip_prefix("s3://").expect("a bucket"));
    world.set("AWS_REGION", "us-east-1");
    world.set("TWILIO_DELETE_AFTER", "24h");
    world.boot().await;
    table
}

/// Changes settings as their manual tests did, and restarts.
async fn with(world: &mut World, settings: &[(&str, &str)]) {
    world.stop().await;
    for (name, text) in settings {
        world.set(name, *text);
    }
    world.boot().await;
}

/// Places a call while the bucket that is configured does not exist, as in their manual tests; returns the name of the one
/// that does.
async fn call_without_bucket(world: &mut World) -> (String, PlacedCall) {
    let name = world.setting("AWS_S3_BUCKET").expect("a bucket");
    with(world, &[("AWS_S3_BUCKET", "non-existent-bucket-12345")]).await;
    let placed = world.call("?job=J").await;
    world.settle().await;
    world.advance(LATER).await;
    (name, placed)
}

/// The recording can't be stored now, and still is neither lost nor unheard nor deleted.
async fn assert_kept_at_twilio(world: &World, placed: &PlacedCall) {
    assert_eq!(world.recording(&placed.recording_sid).await.status, Status::Announced);
    assert!(!is_logged(world, "recording_s3_upload_success", placed));
    assert!(!is_logged(world, "recording_saved_to_airtable_s3", placed));
    assert!(!is_logged(world, "twilio_deletion_scheduled", placed));
    let (status, heard) = follow(world, placed).await;
    assert_eq!(status, 200, "its link plays Twilio's copy");
    assert_eq!(Some(heard.len() as u64), world.twilio.media_length(&placed.recording_sid, AudioFormat::Wav));
    assert!(world.twilio.deleted().is_empty(), "the recording is deleted at Twilio");
}

/// After about a minute the job is told, by the log's names of old too, and is given a link that plays Twilio's copy.
async fn assert_fell_back(world: &World, table: &Table, record: &str, placed: &PlacedCall) {
    for name in FALLEN_BACK {
        until_logged(world, name, placed).await;
    }
    assert_eq!(table.history(record).matches(" | Event: Recording pending upload | ").count(), 1);
    assert_eq!(table.cell(record, URL_FIELD), world.url(&format!("/r/{}", placed.recording_sid)));
    let told = async || world.numbers().await.get("callspool_fallbacks_total", &[]) == Some(1.0);
    world.eventually("the fallback to be counted", told).await;
    assert_kept_at_twilio(world, placed).await;
}

/// Once the cause is gone the recording is stored, linked, and released after the delay: theirs stayed at Twilio for good.
async fn assert_caught_up(world: &World, bucket: &Bucket, table: &Table, record: &str, placed: &PlacedCall) {
    assert_eq!(world.recording(&placed.recording_sid).await.status, Status::Archived);
    assert_eq!(bucket.keys().len(), 1);
    for name in STORED {
        until_logged(world, name, placed).await;
    }
    assert_eq!(table.cell(record, URL_FIELD), world.url(&format!("/r/{}", placed.recording_sid)));
    world.advance(DAY).await;
    assert_eq!(world.twilio.deleted(), [placed.recording_sid.clone()]);
}

async fn end(world: World, bucket: Bucket, table: Table) {
    assert_eq!(table.unexpected_requests(), Vec::<String>::new());
    bucket.end(world).await;
}

story! {
    async fn scenario_1_normal_flow(world: World, bucket: Bucket) {
        let mut world = world;
        let table = beside(&mut world).await;
        let record = table.job("J");
        let placed = world.call("?job=J").await;
        world.settle().await;
        for name in STORED {
            until_logged(&world, name, &placed).await;
        }
        for name in ["recording_s3_fallback_to_twilio", "recording_saved_to_airtable_twilio", "airtable_update_error"] {
            assert!(world.logged(name).is_empty(), "{name}");
        }
        // Not a signed URL, which dies: the permanent link, which leads to a fresh one.
        assert_eq!(table.cell(&record, URL_FIELD), world.url(&format!("/r/{}", placed.recording_sid)));
        world.advance(DAY - std::time::Duration::from_secs(1)).await;
        assert!(world.twilio.deleted().is_empty(), "released early");
        world.restart().await;
        world.advance(std::time::Duration::from_secs(1)).await;
        assert_eq!(world.twilio.deleted(), [placed.recording_sid], "their timer did not survive a restart");
        end(world, bucket, table).await;
    }
}

story! {
    async fn scenario_2_s3_credentials_invalid(world: World, bucket: Bucket) {
        let mut world = world;
        let table = beside(&mut world).await;
        let record = table.job("J");
        let names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
        let [key, secret] = names.map(|name| world.setting(name).expect("a key"));
        with(&mut world, &[("AWS_ACCESS_KEY_ID", "invalid"), ("AWS_SECRET_ACCESS_KEY", "invalid")]).await;
        let placed = world.call("?job=J").await;
        world.settle().await;
        world.advance(LATER).await;
        assert_fell_back(&world, &table, &record, &placed).await;
        let refused = bucket.take_unexpected_requests();
        assert!(!refused.is_empty() && refused.iter().all(|request| request.contains("403")), "{refused:?}");
        with(&mut world, &[("AWS_ACCESS_KEY_ID", &key), ("AWS_SECRET_ACCESS_KEY", &secret)]).await;
        world.advance(LATER).await;
        assert_caught_up(&world, &bucket, &table, &record, &placed).await;
        end(world, bucket, table).await;
    }
}

story! {
    async fn scenario_3_s3_bucket_does_not_exist(world: World, bucket: Bucket) {
        let mut world = world;
        let table = beside(&mut world).await;
        let record = table.job("J");
        let (name, placed) = call_without_bucket(&mut world).await;
        assert_fell_back(&world, &table, &record, &placed).await;
        with(&mut world, &[("AWS_S3_BUCKET", &name)]).await;
        world.advance(LATER).await;
        assert_caught_up(&world, &bucket, &table, &record, &placed).await;
        end(world, bucket, table).await;
    }
}

story! {
    async fn scenario_4_network_timeout_to_s3(world: World, bucket: Bucket) {
        let mut world = world;
        let table = beside(&mut world).await;
        world.grow_impatient().await;
        let record = table.job("J");
        bucket.faults().always(Route::PutObject, Fault::Hang);
        let placed = world.call("?job=J").await;
        world.settle().await;
        assert_kept_at_twilio(&world, &placed).await;
        bucket.faults().clear_all();
        bucket.faults().lift();
        world.advance(LATER).await;
        assert_caught_up(&world, &bucket, &table, &record, &placed).await;
        end(world, bucket, table).await;
    }
}

// Their manual test 2: the field "starts with https://api.twilio.com", and stayed so.
story! {
    with ["RECORDING_LINK" = "signed"]
    async fn twilios_url_stands_in_the_field_until_the_archive_has_one(world: World, bucket: Bucket) {
        let mut world = world;
        let table = beside(&mut world).await;
        let record = table.job("J");
        let (name, placed) = call_without_bucket(&mut world).await;
        for name in FALLEN_BACK {
            until_logged(&world, name, &placed).await;
        }
        let (base, account, sid) = (world.twilio.base_url().trim_end_matches('/'), world.account(), &placed.recording_sid);
        let twilios = format!("{base}/2010-04-01/Accounts/{account}/Recordings/{sid}#{sid}");
        assert_eq!(table.cell(&record, URL_FIELD), twilios);
        with(&mut world, &[("AWS_S3_BUCKET", &name)]).await;
        world.advance(LATER).await;
        for name in STORED {
            until_logged(&world, name, &placed).await;
        }
        let url = table.cell(&record, URL_FIELD);
        assert!(url.starts_with(bucket.s3().base_url()) && url.contains("X-Amz-Signature="), "{url}");
        let (address, mark) = url.split_once('#').expect("a mark");
        assert_eq!(mark, placed.recording_sid.as_str());
        assert_eq!(world.http.get(address).send().await.expect("an answer").status(), StatusCode::OK);
        let history = table.history(&record);
        let lines: Vec<&str> = history.lines().collect();
        assert!(lines.len() == 2 && lines[0].contains(" | Event: Recording pending upload | "), "{history}");
        assert!(lines[0].ends_with(&twilios) && lines[1].ends_with(&url), "{history}");
        world.advance(DAY).await;
        assert_eq!(world.twilio.deleted(), [placed.recording_sid.clone()]);
        end(world, bucket, table).await;
    }
}

// Theirs lost the URL.
story! {
    async fn scenario_5_airtable_update_fails_and_the_url_is_written_later(world: World, bucket: Bucket) {
        let mut world = world;
        let table = beside(&mut world).await;
        let record = table.job("J");
        table.faults().always(TableRoute::PatchMany, Fault::status(StatusCode::INTERNAL_SERVER_ERROR));
        let placed = world.call("?job=J").await;
        world.settle().await;
        world.eventually("the error", async || !world.logged("airtable_update_error").is_empty()).await;
        until_logged(&world, "recording_s3_upload_success", &placed).await;
        assert!(!is_logged(&world, "recording_saved_to_airtable_s3", &placed));
        until_logged(&world, "twilio_recording_preserved", &placed).await;
        world.advance(DAY).await;
        assert!(world.twilio.deleted().is_empty(), "theirs deleted it, and the only pointer was gone");
        table.faults().clear_all();
        world.advance(LATER).await;
        assert_eq!(table.lines_of(&record, &placed), 1);
        until_logged(&world, "recording_saved_to_airtable_s3", &placed).await;
        assert_eq!(table.cell(&record, URL_FIELD), world.url(&format!("/r/{}", placed.recording_sid)));
        assert_eq!(world.twilio.deleted(), [placed.recording_sid]);
        end(world, bucket, table).await;
    }
}
