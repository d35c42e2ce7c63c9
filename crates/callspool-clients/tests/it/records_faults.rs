//! The job records in Airtable while Airtable breaks: every fault has its code, and no write is sent twice.

use std::time::Duration;

use callspool_clients::records::{Pace, RecordId, Written};
use callspool_clients::{Airtable, AirtableConfig};
use callspool_domain::{Code, JobId, Secret, StepFailure};
use callspool_sandbox::airtable::Route;
use callspool_sandbox::{BodyKind, Fault};
use reqwest::StatusCode;

use crate::records::{Slots, TOKEN, Table, config, write};
use crate::world::{http, impatient};

/// What a look-up comes to while one fault is played on it.
async fn look_up(table: &Table, fault: Fault) -> StepFailure {
    table.table.faults().next(Route::List, fault);
    let job = JobId::parse("JOB1").expect("job");
    table.client.find_by_job_ids(&[job], &table.slots).await.expect_err("refused")
}

/// What writing two records comes to while one fault is played on it.
async fn write_two(table: &Table, fault: Fault) -> StepFailure {
    let writes = [write(&table.job("JOB1"), "line"), write(&table.job("JOB2"), "line")];
    table.table.faults().next(Route::PatchMany, fault);
    table.client.write(&writes, &table.slots).await.expect_err("refused")
}

fn status(code: u16) -> Fault {
    Fault::status(StatusCode::from_u16(code).expect("status"))
}

#[tokio::test]
async fn every_refusal_has_its_code() {
    let table = Table::new().await;
    for (code, expected) in [
        (401, Code::RecordsUnauthorized),
        (429, Code::RecordsThrottled),
        (500, Code::RecordsUnavailable),
        (503, Code::RecordsUnavailable),
        (307, Code::RecordsMisconfigured),
    ] {
        for failure in [look_up(&table, status(code)).await, write_two(&table, status(code)).await] {
            assert_eq!(failure.code, expected, "{failure}");
            assert!(!failure.detail.contains(TOKEN), "{failure}");
        }
    }
    for (code, expected) in
        [(403, Code::RecordsForbidden), (404, Code::RecordsMisconfigured), (422, Code::RecordsMisconfigured)]
    {
        assert_eq!(look_up(&table, status(code)).await.code, expected);
    }
    assert_eq!(table.table.requests().len() as u64, table.slots.given());
}

#[tokio::test]
async fn after_too_many_requests_nothing_is_sent_for_thirty_seconds_or_longer() {
    let table = Table::new().await;
    for (asked, expected) in [(1, 30), (60, 60)] {
        for failure in
            [look_up(&table, Fault::throttled(asked)).await, write_two(&table, Fault::throttled(asked)).await]
        {
            assert_eq!(failure.retry_after, Some(Duration::from_secs(expected)));
        }
    }
    assert_eq!(look_up(&table, status(429)).await.retry_after, Some(Duration::from_secs(30)));
}

#[tokio::test]
async fn an_exchange_that_breaks_is_an_outage_and_a_write_is_sent_once() {
    let table = Table::new().await;
    for fault in [Fault::Refuse, Fault::LostReply, Fault::CutAfter(5)] {
        assert_eq!(look_up(&table, fault.clone()).await.code, Code::RecordsUnreachable, "{fault:?}");
    }
    let before = table.table.count(Route::PatchMany);
    let failure = write_two(&table, Fault::LostReply).await;
    assert_eq!(failure.code, Code::RecordsUnreachable);
    assert_eq!(table.table.count(Route::PatchMany), before + 1);
    let written = |id: &String| table.table.cell(id, "job_history") == "line";
    assert_eq!(table.table.records().iter().filter(|id| written(id)).count(), 2, "it had arrived");
}

#[tokio::test]
async fn a_table_that_falls_silent_is_stalled() {
    let table = Table::with(&impatient()).await;
    assert_eq!(look_up(&table, Fault::Hang).await.code, Code::RecordsStalled);
    assert_eq!(look_up(&table, Fault::Stall(5)).await.code, Code::RecordsStalled);
    assert_eq!(write_two(&table, Fault::Hang).await.code, Code::RecordsStalled);
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_is_unreadable() {
    let table = Table::new().await;
    for body in [BodyKind::Html, BodyKind::Json, BodyKind::Empty] {
        let failure = look_up(&table, Fault::WrongBody { body, disguised: true }).await;
        assert_eq!(failure.code, Code::RecordsUnreadable, "{failure}");
    }
    let cut = Fault::Truncate { bytes: 5, announced: false };
    assert_eq!(look_up(&table, cut).await.code, Code::RecordsUnreadable);
}

#[tokio::test]
async fn a_table_that_is_down_is_unreachable_and_comes_back() {
    let table = Table::new().await;
    let record = table.job("JOB1");
    table.table.go_down().await;
    let failure = table.client.write(&[write(&record, "line")], &table.slots).await.expect_err("down");
    assert_eq!(failure.code, Code::RecordsUnreachable);
    let failure = table.client.read(std::slice::from_ref(&record), &table.slots).await.expect_err("down");
    assert_eq!(failure.code, Code::RecordsUnreachable);
    table.table.come_back().await.expect("up");
    assert!(table.client.read(&[record], &table.slots).await.is_ok());
}

#[tokio::test]
async fn a_wrong_token_base_or_column_is_named_and_blames_no_record() {
    let table = Table::new().await;
    let record = table.job("JOB1");
    let with = async |config: AirtableConfig| {
        let client = Airtable::new(&http(), config);
        let slots = Slots::default();
        let writes = [write(&record, "line"), write(&table.job("JOB2"), "line")];
        let read = client.read(std::slice::from_ref(&record), &slots).await.map(drop);
        (read.map_err(|failure| failure.code), client.write(&writes, &slots).await, slots.given())
    };
    let right = || config(table.table.base_url());

    let token = Secret::new("patAnother");
    let (read, written, _) = with(AirtableConfig { token, ..right() }).await;
    assert_eq!(read, Err(Code::RecordsUnauthorized));
    assert_eq!(written.expect_err("refused").code, Code::RecordsUnauthorized);

    let (read, written, _) = with(AirtableConfig { base: "appAnother0000001".to_owned(), ..right() }).await;
    assert_eq!(read, Err(Code::RecordsForbidden));
    assert!(matches!(written.expect("answer"), Written::NoneOfThem), "it may be one of the two");

    let (read, written, requests) = with(AirtableConfig { history_field: "History".to_owned(), ..right() }).await;
    assert_eq!(read, Err(Code::RecordsMisconfigured));
    assert_eq!(written.expect_err("refused").code, Code::RecordsMisconfigured);
    assert_eq!(requests, 2, "a batch is not split over a column that does not exist");
}

#[tokio::test]
async fn without_a_slot_nothing_is_sent() {
    struct Closed;
    impl Pace for Closed {
        async fn slot(&self) -> Result<(), StepFailure> {
            Err(StepFailure::new(Code::RecordsThrottled, "wait"))
        }
    }
    let table = Table::new().await;
    let record: RecordId = table.job("JOB1");
    let read = table.client.read(std::slice::from_ref(&record), &Closed).await;
    assert_eq!(read.expect_err("closed").code, Code::RecordsThrottled);
    let written = table.client.write(&[write(&record, "line")], &Closed).await;
    assert_eq!(written.expect_err("closed").code, Code::RecordsThrottled);
    assert_eq!(table.table.requests().len(), 0);
}

#[tokio::test]
async fn nothing_prints_the_token() {
    let table = Table::new().await;
    assert!(!format!("{:?}", table.client).contains(TOKEN));
}
