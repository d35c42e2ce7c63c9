//! One record that can't be written: it waits for a person, and holds up nobody else.

use std::time::Duration;

use callspool_domain::line::{CELL_CHARACTERS, LineState};
use callspool_domain::recording::Status;
use callspool_domain::{Code, StepState};
use callspool_sandbox::Fault;
use callspool_sandbox::airtable::Route;
use callspool_store::RetryWhat;
use http::StatusCode;

use super::{OUTAGE_OVER, line, link_step, parked};
use crate::harness::{Table, World, story};

/// Longer than any back-off.
const LATER: Duration = Duration::from_secs(360);

async fn retry_failed(world: &World) {
    world.app().store.retry(RetryWhat::Failed, world.clock.now()).await.expect("the store answers");
    world.settle().await;
}

story! {
    async fn of_ten_records_the_one_that_refuses_is_parked_and_nine_are_written(world: World, table: Table) {
        table.faults().everywhere(&Fault::status(StatusCode::SERVICE_UNAVAILABLE));
        let mut calls = Vec::new();
        for n in 0..10 {
            let job = format!("JOB{n}");
            calls.push((table.job(&job), world.call(&format!("?job={job}")).await, job));
        }
        world.settle().await;
        table.faults().clear_all();
        // All ten, the first five, the first two, the first: one of the records is to blame.
        table.faults().times(Route::PatchMany, 4, Fault::status(StatusCode::UNPROCESSABLE_ENTITY));
        world.advance(OUTAGE_OVER).await;

        let mut refused = Vec::new();
        for call in &calls {
            match parked(&link_step(&world, &call.2).await) {
                Some(code) => refused.push((code, call)),
                None => assert_eq!(table.history(&call.0), line(&world, &call.1)),
            }
        }
        let [(code, (record, placed, _))] = refused[..] else { panic!("{refused:?}") };
        assert_eq!((code, table.history(record)), (Code::RecordsRejected, String::new()));
        assert_eq!(world.recording(&placed.recording_sid).await.status, Status::Archived);
        let asked = table.asked();
        world.advance(Duration::from_secs(8 * 24 * 3600)).await;
        assert_eq!(table.asked(), asked, "parked is parked");
        retry_failed(&world).await;
        assert_eq!(table.history(record), line(&world, placed));
        table.end(world).await;
    }
}

story! {
    with ["TWILIO_DELETE_AFTER" = "1h"]
    async fn a_full_history_waits_for_room_and_loses_nothing(world: World, table: Table) {
        let record = table.job("FULL");
        let full = "x".repeat(CELL_CHARACTERS - 20);
        table.edit_cell(&record, "job_history", &full);
        let other = table.job("OTHER");
        let (placed, elsewhere) = (world.call("?job=FULL").await, world.call("?job=OTHER").await);
        world.settle().await;
        assert_eq!(parked(&link_step(&world, "FULL").await), Some(Code::HistoryFull));
        let row = world.recording(&placed.recording_sid).await;
        assert_eq!((row.status, row.line), (Status::Archived, Some(LineState::Owed)));
        world.advance(Duration::from_secs(30 * 24 * 3600)).await;
        assert_eq!(table.history(&record), full, "nothing was cut off");
        assert_eq!(world.twilio.deleted(), [elsewhere.recording_sid.clone()], "the full one is kept");
        assert_eq!(table.history(&other), line(&world, &elsewhere));

        table.edit_cell(&record, "job_history", "moved to the archive base");
        retry_failed(&world).await;
        assert_eq!(table.history(&record), format!("moved to the archive base\n{}", line(&world, &placed)));
        assert_eq!(world.twilio.deleted().len(), 2);
        table.end(world).await;
    }
}

story! {
    async fn a_history_is_filled_to_its_last_character(world: World, table: Table) {
        let record = table.job("J");
        let shape = world.url(&format!("/r/RE{}", "0".repeat(32)));
        let length = format!("\n---- | 2024-03-15 14:30:22 | Event: Recording | Source: IVR | URL: {shape}").len();
        table.edit_cell(&record, "job_history", &"é".repeat(CELL_CHARACTERS - length));
        let last = world.call("?job=J").await;
        world.settle().await;
        assert_eq!(table.lines_of(&record, &last), 1);
        assert_eq!(table.history(&record).chars().count(), CELL_CHARACTERS);
        world.call("?job=J").await;
        world.settle().await;
        assert_eq!(parked(&link_step(&world, "J").await), Some(Code::HistoryFull));
        assert_eq!(table.history(&record).chars().count(), CELL_CHARACTERS);
        table.end(world).await;
    }
}

story! {
    async fn a_record_that_was_deleted_is_looked_for_again(world: World, table: Table) {
        let record = table.job("J");
        let first = world.call("?job=J").await;
        world.settle().await;
        assert_eq!(table.lines_of(&record, &first), 1);
        table.delete_record(&record);
        let second = world.call("?job=J").await;
        world.settle().await;
        let step = link_step(&world, "J").await;
        assert_eq!((step.state, step.code), (StepState::Waiting, Some(Code::JobNotFound)));
        let again = table.job("J");
        world.advance(LATER).await;
        assert_eq!((table.lines_of(&again, &second), table.history(&again).lines().count()), (1, 1));
        table.end(world).await;
    }
}
