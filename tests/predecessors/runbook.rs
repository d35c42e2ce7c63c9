//! The six steps of the runbook's end-to-end test, and its failure modes.

use std::time::Duration;

use callspool_domain::{CallSid, JobId};
use callspool_sandbox::Fault;
use callspool_sandbox::airtable::Route as TableRoute;
use callspool_sandbox::twilio::{SendCallback, Signed};
use callspool_store::Role;
use http::StatusCode;
use serde_json::Value;

use super::{CALL, LATER, call_row, follow, until_logged};
use crate::harness::{ACCOUNT, Bucket, Table, World, story};

const AGENT: &str = "[[voice]]\nthen = \"stream:wss://agent.example/in\"";

/// A request about a call, as Twilio sends it; the status and the body of the answer.
async fn about_the_call(world: &World, path: &str, special: &[(&str, &str)]) -> (u16, String) {
    let usual = [("AccountSid", ACCOUNT), ("CallSid", CALL), ("To", "+14155550199"), ("Direction", "inbound")];
    let pairs = usual.iter().chain(special);
    let params = pairs.map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let callback = SendCallback { url: world.url(path), params, signed: Signed::By(world.account()) };
    world.twilio.send_callback(&callback).await.outcome.expect("an answer")
}

async fn with_agent(world: &mut World) {
    world.stop().await;
    AGENT.clone_into(&mut world.file);
    world.boot().await;
}

story! {
    async fn step_1_a_test_call_is_answered_and_recorded_on_both_channels(world: World) {
        let mut world = world;
        with_agent(&mut world).await;
        let (status, twiml) = about_the_call(&world, "/api/twilio/voice", &[("CallStatus", "ringing")]).await;
        assert_eq!(status, 200);
        assert!(twiml.contains("<Start><Recording ") && twiml.contains("channels=\"dual\""), "{twiml}");
        assert!(twiml.contains("trim=\"do-not-trim\""), "{twiml}");
        assert!(twiml.contains(&world.url("/api/twilio/recording")), "its recording is announced here: {twiml}");
        world.end().await;
    }
}

story! {
    async fn step_2_the_conversation_goes_to_the_agent_and_its_end_is_noted(world: World) {
        let mut world = world;
        with_agent(&mut world).await;
        let (_, twiml) = about_the_call(&world, "/api/twilio/voice", &[("CallStatus", "ringing")]).await;
        assert!(twiml.contains("<Connect><Stream url=\"wss://agent.example/in\">"), "{twiml}");
        let ended = [("CallStatus", "completed"), ("CallDuration", "75")];
        assert_eq!(about_the_call(&world, "/api/twilio/status", &ended).await.0, 200);
        let row = call_row(&world, &CallSid::parse(CALL).expect("a sid")).await;
        assert_eq!((row.status.as_deref(), row.duration_seconds), (Some("completed"), Some(75)));
        world.end().await;
    }
}

story! {
    async fn step_3_the_recording_callback_is_received(world: World) {
        let placed = world.call("?job=JOB456").await;
        assert!(placed.callbacks[0].is_accepted());
        until_logged(&world, "recording_callback", &placed).await;
        let lines = world.logged("recording_callback");
        assert_eq!((lines.len(), lines[0]["status"].as_str()), (1, Some("completed")));
        world.settle().await;
        world.end().await;
    }
}

story! {
    with ["RECORDING_FORMAT" = "mp3"]
    async fn step_4_the_file_is_at_the_place_of_its_date_call_and_job(world: World, bucket: Bucket) {
        let placed = world.call("?job=JOB456").await;
        world.settle().await;
        assert_eq!(bucket.keys(), [format!("recordings/2024/03/15/{}-JOB456.mp3", placed.call_sid)]);
        bucket.end(world).await;
    }
}

story! {
    async fn step_5_the_url_is_appended_to_the_same_jobs_history(world: World, table: Table) {
        let record = table.job("JOB456");
        table.edit_cell(&record, "job_history", "---- | 2024-03-14 09:00:00 | Event: Created");
        let placed = world.call("?job=JOB456").await;
        world.settle().await;
        let line = format!(
            "---- | 2024-03-15 14:30:22 | Event: Recording | Source: IVR | URL: {}",
            world.url(&format!("/r/{}", placed.recording_sid))
        );
        assert_eq!(table.history(&record), format!("---- | 2024-03-14 09:00:00 | Event: Created\n{line}"));
        assert_eq!(table.records().len(), 1, "no new rows");
        table.end(world).await;
    }
}

/// A fresh signed URL of our own, as `callspool url` and the API give it.
async fn signed_url(world: &World, recording: &str) -> String {
    let token = world.token(Role::Listener).await;
    let request = world.http.post(world.url(&format!("/api/v1/recordings/{recording}/url"))).bearer_auth(token);
    let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    answer["signed_url"].as_str().expect("a signed URL").to_owned()
}

async fn status_of(world: &World, url: &str) -> u16 {
    world.http.get(url).send().await.expect("an answer").status().as_u16()
}

story! {
    async fn step_6_a_signed_url_plays_and_expires_after_15_minutes(world: World) {
        let placed = world.call("?job=JOB456").await;
        world.settle().await;
        let url = signed_url(&world, placed.recording_sid.as_str()).await;
        assert_eq!(status_of(&world, &url).await, 200);
        world.advance(Duration::from_secs(15 * 60 - 1)).await;
        assert_eq!(status_of(&world, &url).await, 200);
        world.advance(Duration::from_secs(1)).await;
        assert_eq!(status_of(&world, &url).await, 403);
        world.end().await;
    }
}

// Their repair was done by hand, and only for those who complained: our link in the history does not expire.
story! {
    async fn signed_url_expiration_is_repaired_by_a_fresh_one(world: World) {
        let placed = world.call("?job=JOB456").await;
        world.settle().await;
        let old = signed_url(&world, placed.recording_sid.as_str()).await;
        world.advance(Duration::from_secs(3600)).await;
        let fresh = signed_url(&world, placed.recording_sid.as_str()).await;
        assert_eq!((status_of(&world, &old).await, status_of(&world, &fresh).await), (403, 200));
        assert_eq!(follow(&world, &placed).await.0, 200);
        world.end().await;
    }
}

story! {
    async fn airtable_update_failures_are_retried_within_15_minutes(world: World, table: Table) {
        let record = table.job("JOB456");
        table.faults().always(TableRoute::List, Fault::status(StatusCode::SERVICE_UNAVAILABLE));
        let placed = world.call("?job=JOB456").await;
        world.settle().await;
        world.advance(Duration::from_secs(3600)).await;
        assert_eq!(table.lines_of(&record, &placed), 0);
        table.faults().clear_all();
        // Once it answers again the line is written within seconds; what held it up for an hour changes nothing.
        world.advance(LATER).await;
        assert_eq!(table.lines_of(&record, &placed), 1);
        table.end(world).await;
    }
}

/// The URL of a job's last line.
async fn last_url(world: &World, job: &str) -> String {
    let history = world.history(job).await;
    let line = history.lines().last().expect("a line");
    let (_, url) = line.split_once(" | URL: ").expect("a URL");
    url.split(" | ").next().unwrap_or_default().to_owned()
}

// "Update job history with new URL" was said, and nothing did it.
story! {
    with ["RECORDING_LINK" = "signed"]
    async fn a_signed_url_in_the_history_is_renewed_by_one_command(world: World, bucket: Bucket) {
        let mut world = world;
        let placed = world.call("?job=JOB456").await;
        world.settle().await;
        let (history, old) = (world.history("JOB456").await, last_url(&world, "JOB456").await);
        assert!(history.starts_with("---- | 2024-03-15 14:30:22 | Event: Recording | Source: IVR | URL: "), "{history}");
        assert!(old.starts_with(bucket.s3().base_url()) && old.contains("X-Amz-Expires=900&"), "15 minutes: {old}");
        world.stop().await;
        let said = world.run(&["url", placed.recording_sid.as_str(), "--relink"]).await;
        assert_eq!(said.code, Some(0), "{said:?}");
        world.boot().await;
        let (renewed, url) = (world.history("JOB456").await, last_url(&world, "JOB456").await);
        let added = renewed.strip_prefix(&history).expect("what stood there stays").trim_start();
        assert!(added.contains(" | Event: Link renewed | Source: IVR | URL: ") && added.lines().count() == 1, "{added}");
        let job = JobId::parse("JOB456").expect("a job id");
        let field = world.app().store.job(&job).await.expect("the store answers").and_then(|job| job.url);
        assert_eq!(field.as_ref(), Some(&url));
        let (address, mark) = url.split_once('#').expect("a mark");
        assert_eq!(mark, placed.recording_sid.as_str());
        assert_eq!(status_of(&world, address).await, 200, "{url}");
        bucket.end(world).await;
    }
}

story! {
    with ["RECORDING_PUBLIC_URL" = "true"]
    async fn a_public_url_is_written_where_it_is_asked_for(world: World, bucket: Bucket) {
        let placed = world.call("?job=JOB456").await;
        world.settle().await;
        let name = world.setting("ARCHIVE_URL").expect("a bucket").replace("s3://", "");
        let object = format!("recordings/2024/03/15/{}-JOB456.wav", placed.call_sid);
        let base = bucket.s3().base_url().trim_end_matches('/').to_owned();
        let url = format!("{base}/{name}/{object}#{}", placed.recording_sid);
        let line = format!("---- | 2024-03-15 14:30:22 | Event: Recording | Source: IVR | URL: {url}");
        assert_eq!(world.history("JOB456").await, line);
        bucket.end(world).await;
    }
}

// Theirs had one job for a call, for good.
story! {
    async fn the_same_jobs_history_is_that_of_the_job_it_is_tied_to_now(world: World, table: Table) {
        let (before, after) = (table.job("JOB456"), table.job("JOB789"));
        let placed = world.call("?job=JOB456").await;
        world.settle().await;
        world.put(&format!("/api/v1/calls/{}", placed.call_sid), serde_json::json!({"job_id": "JOB789"})).await;
        world.settle().await;
        let link = world.url(&format!("/r/{}", placed.recording_sid));
        let moved = format!("---- | 2024-03-15 14:30:22 | Event: Moved | Source: IVR | URL: {link} | To: JOB789");
        assert_eq!(table.history(&before).lines().last(), Some(moved.as_str()));
        let line = format!("---- | 2024-03-15 14:30:22 | Event: Recording | Source: IVR | URL: {link}");
        assert_eq!(table.history(&after), line);
        assert_eq!(table.records().len(), 2, "no new rows");
        table.end(world).await;
    }
}
