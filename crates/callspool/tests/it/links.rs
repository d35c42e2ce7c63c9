//! Which URL stands in the job's record (`RECORDING_LINK`): from the provider's during an outage to the archive's after
//! it, each line once, and every URL with the recording's mark.

use std::time::Duration;

use callspool_domain::JobId;
use callspool_sandbox::Fault;
use callspool_sandbox::s3::Route;
use callspool_sandbox::twilio::{PlaceCall, PlacedCall, Word};
use callspool_store::kind;
use http::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Bucket, Table, World, story};

/// Longer than any back-off, and than the minute after which a job is told of a delay.
const LATER: Duration = Duration::from_secs(360);

async fn url_field(world: &World, job: &str) -> Option<String> {
    let job = JobId::parse(job).expect("a job id");
    world.app().store.job(&job).await.expect("the store answers").and_then(|job| job.url)
}

/// The lines of the job about the recording, as `(event, URL)`.
async fn lines(world: &World, job: &str, placed: &PlacedCall) -> Vec<(String, String)> {
    let history = world.history(job).await;
    let part = |line: &str, name: &str| {
        let rest = line.split(&format!(" | {name}: ")).nth(1).unwrap_or_default();
        rest.split(" | ").next().unwrap_or_default().to_owned()
    };
    let ours = history.lines().filter(|line| line.contains(placed.recording_sid.as_str()));
    ours.map(|line| (part(line, "Event"), part(line, "URL"))).collect()
}

fn events(lines: &[(String, String)]) -> Vec<&str> {
    lines.iter().map(|(event, _)| event.as_str()).collect()
}

/// The audio that a URL plays without further rights.
async fn plays(world: &World, url: &str) -> usize {
    let (address, mark) = url.split_once('#').expect("a mark");
    assert!(mark.starts_with("RE"), "{url}");
    let answer = world.http.get(address).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK, "{url}");
    answer.bytes().await.expect("a body").len()
}

/// The bucket is away for a while; what the job learns meanwhile and after it.
async fn outage(world: &World, bucket: &Bucket) -> (PlacedCall, Vec<(String, String)>) {
    for route in [Route::PutObject, Route::Head] {
        bucket.faults().always(route, Fault::Refuse);
    }
    let placed = world.call("?job=J").await;
    world.settle().await;
    assert_eq!(world.history("J").await, "", "the first tries are nobody's business");
    world.advance(LATER).await;
    let during = lines(world, "J", &placed).await;
    assert_eq!(events(&during), ["Recording pending upload"]);
    assert_eq!(url_field(world, "J").await.as_ref(), Some(&during[0].1));
    world.advance(LATER).await;
    assert_eq!(lines(world, "J", &placed).await, during, "it is told once");
    bucket.faults().clear_all();
    world.advance(LATER).await;
    let after = lines(world, "J", &placed).await;
    assert_eq!(events(&after), ["Recording pending upload", "Recording"]);
    assert_eq!(url_field(world, "J").await.as_ref(), Some(&after[1].1));
    (placed, after)
}

fn provider_url(world: &World, placed: &PlacedCall) -> String {
    let (base, account, recording) = (world.twilio.base_url(), world.account(), &placed.recording_sid);
    format!("{}/2010-04-01/Accounts/{account}/Recordings/{recording}#{recording}", base.trim_end_matches('/'))
}

story! {
    async fn a_permanent_link_is_the_same_before_and_after(world: World, bucket: Bucket) {
        let (placed, lines) = outage(&world, &bucket).await;
        let link = world.url(&format!("/r/{}", placed.recording_sid));
        assert!(lines.iter().all(|(_, url)| *url == link), "{lines:?}");
        bucket.end(world).await;
    }
}

story! {
    with ["RECORDING_LINK" = "signed"]
    async fn a_signed_link_plays_without_access_and_replaces_the_providers(world: World, bucket: Bucket) {
        let (placed, lines) = outage(&world, &bucket).await;
        assert_eq!(lines[0].1, provider_url(&world, &placed));
        assert!(lines[1].1.starts_with(bucket.s3().base_url()) && lines[1].1.contains("X-Amz-Signature="), "{lines:?}");
        let bytes = world.recording(&placed.recording_sid).await.archive.and_then(|copy| copy.bytes);
        assert_eq!(u64::try_from(plays(&world, &lines[1].1).await).ok(), bytes);
        bucket.end(world).await;
    }
}

story! {
    with ["RECORDING_PUBLIC_URL" = "true"]
    async fn a_public_link_is_the_buckets_own_address(world: World, bucket: Bucket) {
        let (placed, lines) = outage(&world, &bucket).await;
        assert_eq!(lines[0].1, provider_url(&world, &placed));
        let key = world.recording(&placed.recording_sid).await.archive.expect("a copy").object_key;
        let base = bucket.s3().base_url().trim_end_matches('/');
        let name = world.setting("ARCHIVE_URL").expect("set").replace("s3://", "");
        assert_eq!(lines[1].1, format!("{base}/{name}/{key}#{}", placed.recording_sid));
        bucket.end(world).await;
    }
}

story! {
    with ["RECORDING_LINK" = "signed"]
    async fn a_folder_is_signed_for_by_callspool(world: World) {
        let placed = world.call("?job=J").await;
        world.settle().await;
        let lines = lines(&world, "J", &placed).await;
        let link = world.url(&format!("/r/{}?expires=", placed.recording_sid));
        assert!(lines[0].1.starts_with(&link), "{lines:?}");
        let bytes = world.recording(&placed.recording_sid).await.archive.and_then(|copy| copy.bytes);
        assert_eq!(u64::try_from(plays(&world, &lines[0].1).await).ok(), bytes);
        world.advance(Duration::from_secs(901)).await;
        let address = lines[0].1.split('#').next().expect("an address").to_owned();
        assert_eq!(world.http.get(address).send().await.expect("an answer").status(), StatusCode::FORBIDDEN);
        world.end().await;
    }
}

story! {
    with ["RECORDING_LINK" = "signed"]
    async fn a_link_is_renewed_in_the_record_as_often_as_somebody_asks(world: World, table: Table) {
        let record = table.job("J");
        let placed = world.call("?job=J").await;
        world.settle().await;
        let mut fields = vec![table.cell(&record, "Recording URL (Twilio/S3)")];
        for asked in 1..=2 {
            world.advance(Duration::from_secs(3600)).await;
            world.app().store.renew_link(&placed.recording_sid, world.clock.now()).await.expect("owed");
            world.settle().await;
            assert_eq!(table.history(&record).matches("Event: Link renewed").count(), asked);
            fields.push(table.cell(&record, "Recording URL (Twilio/S3)"));
            assert!(plays(&world, &fields[asked]).await > 44);
        }
        assert!(fields[0] != fields[1] && fields[1] != fields[2], "{fields:?}");
        assert_eq!(table.lines_of(&record, &placed), 6, "three lines, each with the id in its URL and in its mark");
        table.end(world).await;
    }
}

story! {
    async fn a_job_learns_why_there_is_no_recording(world: World, table: Table) {
        let record = table.job("J");
        let url = world.url("/api/twilio/recording?job=J&source=Sales");
        let call = PlaceCall::new(world.account(), url, World::speech());
        let placed = world.twilio.place_call(PlaceCall { statuses: vec![Word::Absent(16101)], ..call }).await;
        world.settle().await;
        let history = table.history(&record);
        let end = format!(
            "| Event: No recording | Source: Sales | Reason: absent (16101 too short) | Recording: {}",
            placed.recording_sid
        );
        assert!(history.ends_with(&end) && history.lines().count() == 1, "{history}");
        assert_eq!(table.cell(&record, "Recording URL (Twilio/S3)"), "", "there is nothing to play");
        world.restart().await;
        world.advance(LATER).await;
        assert_eq!(table.history(&record), history);
        table.end(world).await;
    }
}

story! {
    async fn a_call_that_moves_leaves_word_in_the_job_it_has_left(world: World, table: Table) {
        let (first, second) = (table.job("FIRST"), table.job("SECOND"));
        let placed = world.call("?job=FIRST").await;
        world.settle().await;
        let put = async |job: &str| {
            let path = format!("/api/v1/calls/{}", placed.call_sid);
            let (status, body) = world.put(&path, json!({ "job_id": job })).await;
            assert_eq!(status, 200, "{body}");
            world.settle().await;
        };
        for _ in 0..2 {
            put("SECOND").await;
            let link = world.url(&format!("/r/{}", placed.recording_sid));
            let last = table.history(&first).lines().last().expect("a line").to_owned();
            assert!(last.ends_with(&format!(" | Event: Moved | Source: IVR | URL: {link} | To: SECOND")), "{last}");
            assert_eq!((table.lines_of(&first, &placed), table.lines_of(&second, &placed)), (2, 1));
        }
        put("FIRST").await;
        assert_eq!((table.lines_of(&first, &placed), table.lines_of(&second, &placed)), (2, 2), "no second line there");
        assert!(table.history(&second).ends_with(" | To: FIRST"));
        table.end(world).await;
    }
}

story! {
    with ["TWILIO_DELETE_AFTER" = "1h"]
    async fn a_moved_call_is_released_once_its_present_job_knows(world: World, table: Table) {
        table.job("FIRST");
        let placed = world.call("?job=FIRST").await;
        world.settle().await;
        world.put(&format!("/api/v1/calls/{}", placed.call_sid), json!({ "job_id": "LATE" })).await;
        world.advance(Duration::from_secs(7200)).await;
        assert!(world.twilio.deleted().is_empty(), "LATE has no record yet");
        table.job("LATE");
        world.advance(Duration::from_secs(6 * 3600)).await;
        assert_eq!(world.twilio.deleted(), [placed.recording_sid]);
        table.end(world).await;
    }
}

story! {
    with ["RECORDING_LINK" = "signed"]
    async fn the_command_prints_fresh_urls_and_renews_links(world: World) {
        let placed = world.call("?job=J").await;
        let jobless = world.call("").await;
        world.settle().await;
        world.stop().await;
        let (known, jobless) = (placed.recording_sid.as_str(), jobless.recording_sid.as_str());
        let nobody = format!("RE{}", "9".repeat(32));

        let said = world.run(&["url", known, jobless, "--ttl", "1h"]).await;
        let links = [known, jobless].map(|sid| world.url(&format!("/r/{sid}?expires=")));
        let urls: Vec<&str> = said.out.lines().collect();
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(urls.len() == 2 && urls.iter().zip(&links).all(|(url, link)| url.starts_with(link)), "{said:?}");

        let said = world.run(&["url", &nobody, known, "--json"]).await;
        assert!(said.code == Some(1) && said.err.contains(&nobody), "{said:?}");
        let printed: Value = serde_json::from_str(&said.out).expect("JSON");
        assert_eq!(printed["urls"][0]["recording_sid"], known);

        let said = world.run(&["url", known, jobless, "--relink"]).await;
        assert!(said.code == Some(1) && said.err.contains("its call has no job"), "{said:?}");
        for ttl in ["0s", "8d", "soon"] {
            assert_eq!(world.run(&["url", known, "--ttl", ttl]).await.code, Some(2));
        }
        world.set("RECORDING_LINK", "permanent");
        let said = world.run(&["url", known, "--relink"]).await;
        assert!(said.code == Some(2) && said.err.contains("RECORDING_LINK"), "{said:?}");
        world.set("RECORDING_LINK", "signed");

        world.boot().await;
        assert_eq!(events(&lines(&world, "J", &placed).await), ["Recording", "Link renewed"]);
        let heard = world.app().store.recording_events(&placed.recording_sid, 100).await.expect("events");
        assert_eq!(heard.iter().filter(|event| event.kind == kind::AUDIO_ACCESSED).count(), 3, "a URL an event");
        world.end().await;
    }
}
