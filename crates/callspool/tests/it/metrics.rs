//! The numbers for those who watch: what a call with and without faults leaves at `/metrics`, and that the documents, the
//! dashboard and the alerts speak of nothing else.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use callspool_sandbox::Fault;
use callspool_sandbox::s3::Route as Store;
use callspool_sandbox::twilio::{PlaceCall, Route, SendCallback, Signed, Word};
use http::StatusCode;

use crate::harness::{Bucket, Table, World, story};

/// Longer than any back-off.
const LATER: Duration = Duration::from_secs(360);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).expect(path)
}

/// The names of ours in a text, without the endings of a histogram's series.
fn names_in(text: &str, histograms: &BTreeSet<String>) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    let ours = words.filter(|word| word.starts_with("callspool_"));
    let bare = |word: &str| {
        let ended = ["_bucket", "_sum", "_count"].iter().find_map(|ending| word.strip_suffix(ending));
        ended.filter(|base| histograms.contains(*base)).unwrap_or(word).to_owned()
    };
    ours.map(bare).collect()
}

/// The names in the first column of the tables of `docs/metrics.md`, and which of them are histograms.
fn documented() -> (BTreeSet<String>, BTreeSet<String>) {
    let text = read("docs/metrics.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `callspool_"));
    let (mut names, mut histograms) = (BTreeSet::new(), BTreeSet::new());
    for row in rows {
        let (name, rest) = row.split_once(['`', '{']).expect("a name");
        let name = format!("callspool_{name}");
        if rest.contains("| histogram |") {
            histograms.insert(name.clone());
        }
        assert!(names.insert(name.clone()), "{name} stands there twice");
    }
    (names, histograms)
}

/// One figure at `/metrics`.
async fn number(world: &World, name: &str, labels: &[(&str, &str)]) -> f64 {
    world.numbers().await.get(name, labels).unwrap_or_else(|| panic!("{name} {labels:?} is not there"))
}

/// A name, labels that it has among others, and the value.
type Expected<'a> = (&'a str, &'a [(&'a str, &'a str)], f64);

/// Waits for several of them: what is counted after a commit may come a moment after the queue is seen idle.
async fn assert_numbers(world: &World, expected: &[Expected<'_>]) {
    for (name, labels, value) in expected {
        let what = format!("{name} {labels:?} to be {value}");
        world.eventually(&what, async || world.numbers().await.get(name, labels) == Some(*value)).await;
    }
}

story! {
    with ["TWILIO_DELETE_AFTER" = "24h"]
    async fn a_call_is_counted_and_measured_on_its_way(world: World, bucket: Bucket) {
        assert_numbers(&world, &[
            ("callspool_callbacks_total", &[("kind", "voice"), ("status", "503")], 0.0),
            ("callspool_archived_total", &[], 0.0),
            ("callspool_downloads_total", &[("result", "failed")], 0.0),
            ("callspool_uploads_total", &[("result", "ok")], 0.0),
            ("callspool_linked_total", &[], 0.0),
            ("callspool_released_total", &[], 0.0),
            ("callspool_recordings", &[("status", "archived")], 0.0),
        ]).await;

        let placed = world.call("?job=J").await;
        world.settle().await;
        let bytes = world.recording(&placed.recording_sid).await.archive.and_then(|copy| copy.bytes).expect("bytes");
        #[expect(clippy::cast_precision_loss, reason = "a small file")]
        let bytes = bytes as f64;
        assert_numbers(&world, &[
            ("callspool_callbacks_total", &[("kind", "recording"), ("status", "200")], 1.0),
            ("callspool_callback_seconds_count", &[("kind", "recording")], 1.0),
            ("callspool_callback_seconds_bucket", &[("kind", "recording"), ("le", "+Inf")], 1.0),
            ("callspool_downloads_total", &[("result", "ok")], 1.0),
            ("callspool_downloads_total", &[("result", "failed")], 0.0),
            ("callspool_uploads_total", &[("result", "ok")], 1.0),
            ("callspool_uploads_total", &[("result", "failed")], 0.0),
            ("callspool_archived_total", &[], 1.0),
            ("callspool_archived_bytes_total", &[], bytes),
            ("callspool_archive_seconds_count", &[], 1.0),
            ("callspool_linked_total", &[], 1.0),
            ("callspool_callback_to_linked_seconds_count", &[], 1.0),
            ("callspool_callback_to_linked_seconds_sum", &[], 0.0),
            ("callspool_recordings", &[("status", "archived")], 1.0),
            ("callspool_archive_bytes", &[], bytes),
            ("callspool_archive_audio_seconds", &[], 10.0),
            ("callspool_preserved_copies", &[], 1.0),
            ("callspool_lines_confirmed", &[], 1.0),
            ("callspool_releases", &[], 0.0),
            ("callspool_queue_steps", &[("lane", "api"), ("step", "release"), ("state", "waiting"), ("code", "")], 1.0),
            ("callspool_queue_overdue_seconds", &[("lane", "api"), ("step", "release")], 0.0),
        ]).await;

        world.advance(DAY).await;
        assert_eq!(world.twilio.deleted(), [placed.recording_sid]);
        assert_numbers(&world, &[
            ("callspool_released_total", &[], 1.0),
            ("callspool_releases", &[], 1.0),
            ("callspool_preserved_copies", &[], 0.0),
        ]).await;

        let mut place = PlaceCall::new(world.account(), world.url("/api/twilio/recording?job=J"), World::speech());
        place.statuses = vec![Word::Absent(16101)];
        world.twilio.place_call(place).await;
        let forged = SendCallback { url: world.url("/api/twilio/recording"), params: Vec::new(), signed: Signed::Unsigned };
        world.twilio.send_callback(&forged).await;
        assert_numbers(&world, &[
            ("callspool_recordings", &[("status", "absent")], 1.0),
            ("callspool_callbacks_total", &[("kind", "recording"), ("status", "200")], 2.0),
            ("callspool_callbacks_total", &[("kind", "recording"), ("status", "403")], 1.0),
        ]).await;
        bucket.end(world).await;
    }
}

story! {
    with ["TWILIO_DELETE_AFTER" = "24h"]
    async fn faults_are_counted_where_they_happen_and_every_number_has_its_line_in_the_documents(world: World, bucket: Bucket) {
        bucket.faults().always(Store::PutObject, Fault::status(StatusCode::INTERNAL_SERVER_ERROR));
        world.call("?job=J").await;
        world.settle().await;
        let failed = number(&world, "callspool_uploads_total", &[("result", "failed")]).await;
        assert!(failed >= 1.0, "{failed}");
        let at_archive = [("step", "archive"), ("code", "archive_unavailable")];
        assert_eq!(number(&world, "callspool_step_failures_total", &at_archive).await, failed);
        assert_numbers(&world, &[
            ("callspool_downloads_total", &[("result", "failed")], 0.0),
            ("callspool_uploads_total", &[("result", "ok")], 0.0),
            ("callspool_recordings", &[("status", "announced")], 1.0),
            ("callspool_service_out", &[("service", "archive")], 1.0),
            ("callspool_queue_steps", &[("lane", "transfer"), ("state", "waiting"), ("code", "archive_unavailable")], 1.0),
        ]).await;

        bucket.faults().clear_all();
        world.advance(LATER).await;
        assert_numbers(&world, &[
            ("callspool_uploads_total", &[("result", "ok")], 1.0),
            ("callspool_recordings", &[("status", "archived")], 1.0),
            ("callspool_service_out", &[("service", "archive")], 0.0),
            ("callspool_callback_to_linked_seconds_sum", &[], LATER.as_secs_f64()),
            ("callspool_callback_to_linked_seconds_bucket", &[("le", "300")], 0.0),
            ("callspool_callback_to_linked_seconds_bucket", &[("le", "900")], 1.0),
        ]).await;

        world.twilio.faults().next(Route::Media, Fault::Truncate { bytes: 50_001, announced: false });
        world.call("?job=J").await;
        world.settle().await;
        assert_numbers(&world, &[
            ("callspool_downloads_total", &[("result", "failed")], 1.0),
            ("callspool_step_failures_total", &[("step", "archive"), ("code", "media_truncated")], 1.0),
            ("callspool_uploads_total", &[("result", "failed")], failed),
        ]).await;
        world.advance(LATER).await;
        assert_numbers(&world, &[("callspool_archived_total", &[], 2.0)]).await;

        let told: BTreeSet<String> = world.numbers().await.names().into_iter().collect();
        assert_eq!(told, documented().0, "left: at /metrics, right: in docs/metrics.md");
        bucket.end(world).await;
    }
}

story! {
    async fn what_waits_for_a_person_is_counted_with_its_age(world: World, table: Table) {
        for _ in 0..2 {
            table.job("J");
        }
        world.call("?job=J").await;
        world.settle().await;
        world.advance(Duration::from_secs(100)).await;
        let parked = [("lane", "records"), ("step", "link"), ("state", "parked"), ("code", "job_ambiguous")];
        assert_numbers(&world, &[
            ("callspool_queue_steps", &parked, 1.0),
            ("callspool_queue_overdue_seconds", &parked, 100.0),
            ("callspool_step_failures_total", &parked[1..2], 1.0),
            ("callspool_linked_total", &[], 0.0),
        ]).await;
        table.end(world).await;
    }
}

#[test]
fn the_dashboard_and_the_alerts_ask_for_numbers_that_there_are() {
    let (names, histograms) = documented();
    for path in ["ops/grafana-dashboard.json", "ops/prometheus-rules.yml"] {
        let asked = names_in(&read(path), &histograms);
        assert!(asked.len() > 5, "{path} asks for {asked:?}");
        let unknown: Vec<&String> = asked.difference(&names).collect();
        assert_eq!(unknown, Vec::<&String>::new(), "{path}");
    }
}

#[test]
fn the_dashboard_shows_every_number() {
    let (names, histograms) = documented();
    let shown = names_in(&read("ops/grafana-dashboard.json"), &histograms);
    let left_out: Vec<&String> = names.difference(&shown).collect();
    assert_eq!(left_out, Vec::<&String>::new());
}
