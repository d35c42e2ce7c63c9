//! The line in the record: once, after what stood there before, and confirmed only when it was read back.

use std::time::Duration;

use callspool_domain::Code;
use callspool_domain::line::LineState;
use callspool_sandbox::airtable::Route;
use callspool_sandbox::twilio::{NewRecording, Word};
use callspool_sandbox::{BodyKind, Fault};
use http::StatusCode;

use super::{OUTAGE_OVER, line, link, link_step, query};
use crate::harness::{Table, World, story};

/// Longer than any back-off.
const LATER: Duration = Duration::from_secs(360);

story! {
    async fn the_line_and_the_latest_url_stand_in_the_record_whose_job_column_equals_the_job(world: World, table: Table) {
        let others = ["JOB4567", "job456", "JOB456 "].map(|job| table.job(job));
        let record = table.job("JOB456");
        let placed = world.call("?job=JOB456").await;
        world.settle().await;

        assert_eq!(table.history(&record), line(&world, &placed));
        assert_eq!(table.cell(&record, "Recording URL (Twilio/S3)"), link(&world, &placed));
        assert_eq!(table.cell(&record, "Job ID"), "JOB456");
        assert!(others.iter().all(|other| table.record(other).expect("a record").len() == 1), "others are untouched");
        let row = world.recording(&placed.recording_sid).await;
        assert_eq!(row.line, Some(LineState::Confirmed));
        let job = world.app().store.job(&row.job.expect("tied")).await.expect("the store answers").expect("known");
        assert_eq!(job.record_id, Some(record));
        assert_eq!(table.asked(), 3, "one list, one patch, and one list to read back");
        table.end(world).await;
    }
}

story! {
    with ["AIRTABLE_URL_FIELD" = ""]
    async fn without_a_url_column_only_the_history_is_written(world: World, table: Table) {
        let record = table.job("J");
        let placed = world.call("?job=J").await;
        world.settle().await;
        let cells = table.record(&record).expect("a record");
        assert_eq!(cells.into_iter().collect::<Vec<_>>(), [
            ("Job ID".to_owned(), "J".to_owned()),
            ("job_history".to_owned(), line(&world, &placed)),
        ]);
        table.end(world).await;
    }
}

story! {
    async fn a_job_may_be_named_by_its_record(world: World, table: Table) {
        let (record, other) = (table.job("J"), table.job("K"));
        // A job column that reads like the id of another record is no match.
        table.edit_cell(&other, "Job ID", &record);
        let placed = world.call(&query(&record)).await;
        world.settle().await;
        assert_eq!((table.history(&record), table.history(&other)), (line(&world, &placed), String::new()));
        table.end(world).await;
    }
}

story! {
    async fn four_recordings_of_one_job_at_once_make_four_lines(world: World, table: Table) {
        let record = table.job("J");
        let calls = futures::future::join_all((0..4).map(|_| world.call("?job=J"))).await;
        world.settle().await;
        for placed in &calls {
            assert_eq!(table.lines_of(&record, placed), 1, "{}", table.history(&record));
        }
        assert_eq!(table.history(&record).lines().count(), 4);
        table.end(world).await;
    }
}

story! {
    async fn lines_of_many_jobs_share_their_requests(world: World, table: Table) {
        table.faults().everywhere(&Fault::status(StatusCode::SERVICE_UNAVAILABLE));
        let mut calls = Vec::new();
        for n in 0..25 {
            let record = table.job(&format!("JOB{n}"));
            calls.push((record, world.call(&format!("?job=JOB{n}")).await));
        }
        world.settle().await;
        table.faults().clear_all();
        let (lists, patches) = (table.count(Route::List), table.count(Route::PatchMany));
        world.advance(OUTAGE_OVER).await;

        for (record, placed) in &calls {
            assert_eq!(table.history(record), line(&world, placed));
        }
        // 10, 10 and 5 records; each batch is read, written and read back.
        assert_eq!((table.count(Route::List) - lists, table.count(Route::PatchMany) - patches), (6, 3));
        table.end(world).await;
    }
}

story! {
    async fn two_names_of_one_record_share_its_history(world: World, table: Table) {
        let record = table.job("J");
        table.faults().everywhere(&Fault::status(StatusCode::SERVICE_UNAVAILABLE));
        let mut calls = vec![world.call("?job=J").await, world.call(&query(&record)).await];
        world.settle().await;
        table.faults().clear_all();
        let patches = table.count(Route::PatchMany);
        world.advance(OUTAGE_OVER).await;
        assert_eq!(table.count(Route::PatchMany) - patches, 1, "both lines at once");
        calls.push(world.call("?job=J").await);
        world.settle().await;
        calls.push(world.call(&query(&record)).await);
        world.settle().await;
        for placed in &calls {
            assert_eq!(table.lines_of(&record, placed), 1, "{}", table.history(&record));
            assert_eq!(world.recording(&placed.recording_sid).await.line, Some(LineState::Confirmed));
        }
        assert_eq!(table.history(&record).lines().count(), 4);
        table.end(world).await;
    }
}

story! {
    async fn what_stood_there_before_stays_byte_for_byte(world: World, table: Table) {
        let priors = [
            ("called back\n", ""),
            ("no final line break", "\n"),
            ("Windows\r\nlines\r\n", ""),
            ("a lone carriage return\r", "\n"),
            ("  blanks at both ends\t ", "\n"),
            ("\n\n\n", ""),
            ("ünïcödé 🎧 \u{202e}rtl\u{202c} e\u{301}\u{0}", "\n"),
            ("<airtable:mention id=\"menE1i9oBaGX3DseR\">@Ann</airtable:mention>, please call", "\n"),
            ("**bold** \\*not\\* {Job ID} 'quoted' \"twice\" \\n", "\n"),
            ("---- | 2023-01-01 00:00:00 | Event: Recording | Source: IVR | URL: https://old.example.com/r/RE0", "\n"),
        ];
        for (n, (prior, separator)) in priors.iter().enumerate() {
            let record = table.job(&format!("JOB{n}"));
            table.edit_cell(&record, "job_history", prior);
            let placed = world.call(&format!("?job=JOB{n}")).await;
            world.settle().await;
            assert_eq!(table.history(&record), format!("{prior}{separator}{}", line(&world, &placed)));
        }
        table.end(world).await;
    }
}

story! {
    async fn a_persons_note_about_the_recording_is_not_taken_for_the_line(world: World, table: Table) {
        let record = table.job("J");
        let call = world.twilio.new_call_sid();
        let recording = world.twilio.add_recording(NewRecording::new(world.account(), World::speech()).of_call(call));
        let note = format!("heard {recording} | Event: Recording | fine");
        table.edit_cell(&record, "job_history", &note);
        world.twilio.announce_status(&recording, &world.url("/api/twilio/recording?job=J"), Word::Completed).await;
        world.settle().await;
        let history = table.history(&record);
        assert!(history.starts_with(&note), "{history}");
        assert_eq!((history.lines().count(), history.matches(recording.as_str()).count()), (2, 2));
        table.end(world).await;
    }
}

story! {
    async fn a_person_who_types_between_our_read_and_our_write_leaves_the_line_once(world: World, table: Table) {
        let record = table.job("J");
        table.edit_cell(&record, "job_history", "before\n");
        table.type_after_next_read(&record, "job_history", "typed in between");
        let first = world.call("?job=J").await;
        world.settle().await;
        assert_eq!(table.history(&record), format!("before\n{}", line(&world, &first)));
        // What is typed at any other time stays.
        table.edit_cell(&record, "job_history", &format!("{}\ntyped later", table.history(&record)));
        let second = world.call("?job=J").await;
        world.settle().await;
        let (first, second) = (line(&world, &first), line(&world, &second));
        assert_eq!(table.history(&record), format!("before\n{first}\ntyped later\n{second}"));
        table.end(world).await;
    }
}

story! {
    async fn a_line_that_a_person_overwrote_before_it_was_read_back_is_written_again(world: World, table: Table) {
        let record = table.job("J");
        // The write arrives, its reply does not; and then a person saves an older text.
        table.faults().next(Route::PatchMany, Fault::LostReply);
        let placed = world.call("?job=J").await;
        world.settle().await;
        assert_eq!(table.history(&record), line(&world, &placed));
        table.edit_cell(&record, "job_history", "an older text");
        world.advance(LATER).await;
        assert_eq!(table.history(&record), format!("an older text\n{}", line(&world, &placed)));
        table.end(world).await;
    }
}

story! {
    with ["TWILIO_DELETE_AFTER" = "1h"]
    async fn a_write_that_is_said_to_have_succeeded_and_has_not_is_noticed(world: World, table: Table) {
        let record = table.job("J");
        table.faults().always(Route::PatchMany, Fault::WrongBody { body: BodyKind::Json, disguised: false });
        let placed = world.call("?job=J").await;
        world.settle().await;
        world.advance(Duration::from_secs(7200)).await;
        assert_eq!(link_step(&world, "J").await.code, Some(Code::HistoryLineMissing));
        assert_eq!(world.recording(&placed.recording_sid).await.line, Some(LineState::Owed));
        assert!(world.twilio.deleted().is_empty(), "released without a line");
        table.faults().clear_all();
        world.advance(LATER).await;
        assert_eq!(table.history(&record), line(&world, &placed));
        assert_eq!(world.twilio.deleted(), [placed.recording_sid]);
        table.end(world).await;
    }
}
