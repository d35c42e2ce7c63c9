//! A story for each way in which Airtable as a whole can fail: the line waits with the failure's own code, the recording
//! is archived all the same, and once the cause is gone the line stands there once.

use std::time::Duration;

use callspool_domain::recording::Status;
use callspool_domain::{Code, StepState};
use callspool_sandbox::airtable::Route;
use callspool_sandbox::{BodyKind, Fault, RequestMoment, RequestProbe};
use http::StatusCode;

use super::{line, link_step};
use crate::harness::{Table, World, story};

/// Longer than any back-off, and than any penalty.
const LATER: Duration = Duration::from_secs(360);

/// Fails three times, is never parked, and succeeds once the fault is gone.
async fn fails_then_recovers(mut world: World, table: Table, route: Route, fault: Fault, code: Code) {
    if matches!(fault, Fault::Hang | Fault::Stall(_)) {
        world.grow_impatient().await;
    }
    let record = table.job("J");
    table.edit_cell(&record, "job_history", "before");
    table.faults().always(route, fault);
    let placed = world.call("?job=J").await;
    world.settle().await;
    for _ in 0..3 {
        let step = link_step(&world, "J").await;
        assert_eq!((step.state, step.code), (StepState::Waiting, Some(code)), "{:?}", step.detail);
        assert_eq!(world.recording(&placed.recording_sid).await.status, Status::Archived);
        assert_eq!(table.history(&record), "before");
        world.advance(LATER).await;
    }
    table.faults().clear_all();
    world.advance(LATER).await;
    assert_eq!(table.history(&record), format!("before\n{}", line(&world, &placed)));
    table.end(world).await;
}

macro_rules! failures {
    ($($name:ident: $route:ident, $fault:expr => $code:ident;)*) => {$(
        story! {
            async fn $name(world: World, table: Table) {
                fails_then_recovers(world, table, Route::$route, $fault, Code::$code).await;
            }
        }
    )*};
}

failures! {
    a_token_that_is_refused: List, Fault::status(StatusCode::UNAUTHORIZED) => RecordsUnauthorized;
    a_token_that_may_not_read: List, Fault::status(StatusCode::FORBIDDEN) => RecordsForbidden;
    a_token_that_may_not_write: PatchMany, Fault::status(StatusCode::FORBIDDEN) => RecordsForbidden;
    a_token_that_is_refused_for_writing: PatchMany, Fault::status(StatusCode::UNAUTHORIZED) => RecordsUnauthorized;
    a_table_that_is_not_there: List, Fault::status(StatusCode::NOT_FOUND) => RecordsMisconfigured;
    a_list_that_is_refused: List, Fault::status(StatusCode::UNPROCESSABLE_ENTITY) => RecordsMisconfigured;
    a_list_with_an_internal_error: List, Fault::status(StatusCode::INTERNAL_SERVER_ERROR) => RecordsUnavailable;
    a_write_with_an_internal_error: PatchMany, Fault::status(StatusCode::INTERNAL_SERVER_ERROR) => RecordsUnavailable;
    a_table_that_is_out: List, Fault::status(StatusCode::SERVICE_UNAVAILABLE) => RecordsUnavailable;
    a_table_that_is_out_for_writing: PatchMany, Fault::status(StatusCode::SERVICE_UNAVAILABLE) => RecordsUnavailable;
    too_many_lists: List, Fault::status(StatusCode::TOO_MANY_REQUESTS) => RecordsThrottled;
    too_many_writes: PatchMany, Fault::status(StatusCode::TOO_MANY_REQUESTS) => RecordsThrottled;
    a_connection_that_is_closed: List, Fault::Refuse => RecordsUnreachable;
    a_connection_that_is_closed_for_writing: PatchMany, Fault::Refuse => RecordsUnreachable;
    a_list_whose_reply_is_lost: List, Fault::LostReply => RecordsUnreachable;
    a_list_that_never_comes: List, Fault::Hang => RecordsStalled;
    a_list_that_stops_midway: List, Fault::Stall(20) => RecordsStalled;
    a_list_that_breaks_off: List, Fault::CutAfter(20) => RecordsUnreachable;
    a_page_instead_of_a_list: List, Fault::WrongBody { body: BodyKind::Html, disguised: false } => RecordsUnreadable;
}

story! {
    async fn a_list_so_slow_that_somebody_may_have_typed_since_is_read_again(world: World, table: Table) {
        let record = table.job("J");
        let clock = world.clock.clone();
        table.set_probe(RequestProbe::new(move |moment, request| {
            if moment == RequestMoment::CarriedOut && request.starts_with("GET") {
                clock.advance(Duration::from_millis(1500));
            }
            Box::pin(std::future::ready(()))
        }));
        let placed = world.call("?job=J").await;
        world.settle().await;
        for _ in 0..3 {
            let step = link_step(&world, "J").await;
            assert_eq!((step.state, step.code), (StepState::Waiting, Some(Code::RecordsStale)), "{:?}", step.detail);
            world.advance(LATER).await;
        }
        assert_eq!((table.history(&record).as_str(), table.count(Route::PatchMany)), ("", 0));
        table.set_probe(RequestProbe::default());
        world.advance(LATER).await;
        assert_eq!(table.history(&record), line(&world, &placed));
        table.end(world).await;
    }
}

story! {
    async fn a_write_whose_reply_is_lost_is_found_to_have_arrived(world: World, table: Table) {
        let record = table.job("J");
        table.faults().always(Route::PatchMany, Fault::LostReply);
        let placed = world.call("?job=J").await;
        world.settle().await;
        let step = link_step(&world, "J").await;
        assert_eq!((step.state, step.code), (StepState::Waiting, Some(Code::RecordsUnreachable)));
        world.advance(LATER).await;
        assert_eq!(link_step(&world, "J").await.state, StepState::Done);
        assert_eq!((table.history(&record), table.count(Route::PatchMany)), (line(&world, &placed), 1));
        table.end(world).await;
    }
}

story! {
    async fn a_write_that_hangs_and_arrives_late_is_one_line(world: World, table: Table) {
        let mut world = world;
        world.grow_impatient().await;
        let record = table.job("J");
        table.faults().next(Route::PatchMany, Fault::Hang);
        let placed = world.call("?job=J").await;
        world.settle().await;
        assert_eq!(link_step(&world, "J").await.code, Some(Code::RecordsStalled));
        table.faults().lift();
        world.advance(LATER).await;
        assert_eq!(table.history(&record), line(&world, &placed));
        table.end(world).await;
    }
}

story! {
    async fn a_reading_back_that_fails_is_made_up_for_without_a_second_write(world: World, table: Table) {
        let record = table.job("J");
        // The first list finds the record; the second is to read the line back.
        table.faults().next(Route::List, Fault::Delay(Duration::ZERO));
        table.faults().next(Route::List, Fault::status(StatusCode::SERVICE_UNAVAILABLE));
        let placed = world.call("?job=J").await;
        world.settle().await;
        assert_eq!(link_step(&world, "J").await.code, Some(Code::RecordsUnavailable));
        world.advance(LATER).await;
        assert_eq!(link_step(&world, "J").await.state, StepState::Done);
        assert_eq!((table.history(&record), table.count(Route::PatchMany)), (line(&world, &placed), 1));
        table.end(world).await;
    }
}

story! {
    async fn a_table_that_refuses_connections_is_waited_for(world: World, table: Table) {
        let record = table.job("J");
        table.go_down().await;
        let placed = world.call("?job=J").await;
        world.settle().await;
        world.advance(LATER).await;
        assert_eq!(link_step(&world, "J").await.code, Some(Code::RecordsUnreachable));
        table.come_back().await.expect("the port is free again");
        world.advance(LATER).await;
        assert_eq!(table.history(&record), line(&world, &placed));
        table.end(world).await;
    }
}

story! {
    with ["AIRTABLE_HISTORY_FIELD" = "History"]
    async fn a_column_that_is_not_there_is_waited_for(world: World, table: Table) {
        let record = table.job("J");
        let placed = world.call("?job=J").await;
        world.settle().await;
        world.advance(Duration::from_secs(8 * 24 * 3600)).await;
        let step = link_step(&world, "J").await;
        assert_eq!((step.state, step.code), (StepState::Waiting, Some(Code::RecordsMisconfigured)), "{:?}", step.detail);
        table.add_field("History");
        world.advance(LATER).await;
        assert_eq!(table.cell(&record, "History"), line(&world, &placed));
        table.end(world).await;
    }
}

story! {
    async fn a_mistaken_setting_is_put_right_without_loss(world: World, table: Table) {
        let mut world = world;
        let record = table.job("J");
        let mistakes = [
            ("AIRTABLE_API_KEY", "patMistaken", Code::RecordsUnauthorized),
            ("AIRTABLE_BASE_ID", "appMistaken00000", Code::RecordsForbidden),
            ("AIRTABLE_TABLE", "Jobz", Code::RecordsForbidden),
            ("AIRTABLE_JOB_FIELD", "Job", Code::RecordsMisconfigured),
            ("AIRTABLE_URL_FIELD", "Link", Code::RecordsMisconfigured),
        ];
        let mut calls = Vec::new();
        for (name, mistaken, code) in mistakes {
            let right = world.setting(name);
            world.set(name, mistaken);
            world.restart().await;
            calls.push(world.call("?job=J").await);
            world.settle().await;
            let step = link_step(&world, "J").await;
            assert_eq!((step.state, step.code), (StepState::Waiting, Some(code)), "{name}: {:?}", step.detail);
            match right {
                Some(right) => world.set(name, right),
                None => world.unset(name),
            }
            world.restart().await;
            world.advance(LATER).await;
            assert_eq!(table.history(&record).lines().count(), calls.len(), "{name}");
        }
        for placed in &calls {
            assert_eq!(table.lines_of(&record, placed), 1);
        }
        assert_eq!(table.take_unexpected_requests().len(), 1, "with the wrong token");
        table.end(world).await;
    }
}

story! {
    with ["TWILIO_DELETE_AFTER" = "1h"]
    async fn an_outage_of_days_loses_nothing_and_ends_within_seconds(world: World, table: Table) {
        table.go_down().await;
        let mut calls = Vec::new();
        for n in 0..30 {
            let job = format!("JOB{}", n % 24);
            calls.push((job.clone(), world.call(&query_of(&job, n)).await));
        }
        for _ in 0..12 {
            world.advance(Duration::from_secs(6 * 3600)).await;
        }
        assert!(world.twilio.deleted().is_empty(), "released without a line");
        let records: Vec<(String, String)> =
            (0..24).map(|n| format!("JOB{n}")).map(|job| (job.clone(), table.job(&job))).collect();
        table.come_back().await.expect("the port is free again");
        // The probe comes every 5 s; its success makes the others due, spread over at most 10 s.
        for _ in 0..20 {
            world.advance(Duration::from_secs(1)).await;
        }
        for (job, placed) in &calls {
            let (_, record) = records.iter().find(|(name, _)| name == job).expect("a record");
            assert_eq!(table.lines_of(record, placed), 1, "{:?} at {}", link_step(&world, job).await, world.clock.now());
        }
        let lines: usize = records.iter().map(|(_, record)| table.history(record).lines().count()).sum();
        assert_eq!((lines, world.twilio.deleted().len()), (30, 30));
        table.end(world).await;
    }
}

/// Calls of one job come from different sources, so that their callbacks differ too.
fn query_of(job: &str, n: u32) -> String {
    format!("?job={job}&source=Desk{n}")
}
