//! The job records in Airtable: finding, reading and writing, whatever the customer's texts hold.

use std::sync::atomic::{AtomicU64, Ordering};

use callspool_clients::records::{Found, Pace, RecordId, Write, Written};
use callspool_clients::{Airtable, AirtableConfig, Http};
use callspool_domain::line::CELL_CHARACTERS;
use callspool_domain::{CallSid, Clock, Code, JobId, Secret, StepFailure};
use callspool_sandbox::AirtableOptions;
use callspool_sandbox::airtable::Route;
use url::Url;

use crate::raw::Raw;
use crate::world::http;

pub(crate) const TOKEN: &str = "patSandbox.0123456789";
const URL: &str = "Recording URL (Twilio/S3)";

/// Gives every slot and counts them.
#[derive(Default)]
pub(crate) struct Slots(AtomicU64);

impl Pace for Slots {
    async fn slot(&self) -> Result<(), StepFailure> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl Slots {
    pub(crate) fn given(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

pub(crate) struct Table {
    pub(crate) table: callspool_sandbox::Airtable,
    pub(crate) client: Airtable,
    pub(crate) slots: Slots,
}

impl Table {
    pub(crate) async fn new() -> Self {
        Self::with(&http()).await
    }

    pub(crate) async fn with(http: &Http) -> Self {
        let table = callspool_sandbox::Airtable::start(AirtableOptions::new(Clock::System)).await.expect("table");
        let client = Airtable::new(http, config(table.base_url()));
        Self { table, client, slots: Slots::default() }
    }

    /// Adds a record with this job id.
    pub(crate) fn job(&self, id: &str) -> RecordId {
        self.add(&[("Job ID", id)])
    }

    fn add(&self, cells: &[(&str, &str)]) -> RecordId {
        RecordId::parse(&self.table.add_record(cells)).expect("record id")
    }

    async fn find(&self, jobs: &[&str]) -> Vec<Found<RecordId>> {
        let jobs: Vec<JobId> = jobs.iter().map(|job| JobId::parse(job).expect("job")).collect();
        let found = self.client.find_by_job_ids(&jobs, &self.slots).await.expect("answer");
        assert!(found.iter().map(|(job, _)| job).eq(&jobs), "answered in the order asked");
        found.into_iter().map(|(_, found)| ids(found)).collect()
    }
}

fn ids(found: Found<callspool_clients::records::Row>) -> Found<RecordId> {
    match found {
        Found::None => Found::None,
        Found::One(row) => Found::One(row.id),
        Found::Many(number) => Found::Many(number),
    }
}

pub(crate) fn config(base_url: &str) -> AirtableConfig {
    AirtableConfig {
        base_url: Url::parse(base_url).expect("url"),
        base: "appSandbox0000001".to_owned(),
        table: "Jobs".to_owned(),
        token: Secret::new(TOKEN),
        job_field: "Job ID".to_owned(),
        call_field: "Call SID".to_owned(),
        history_field: "job_history".to_owned(),
        url_field: Some(URL.to_owned()),
    }
}

/// What came of each record of a request; nothing where it was refused as a whole.
pub(crate) fn each(written: Result<Written, StepFailure>) -> Vec<(RecordId, Result<(), StepFailure>)> {
    let Ok(Written::Each(each)) = written else { return Vec::new() };
    each
}

pub(crate) fn write(record: &RecordId, history: &str) -> Write {
    Write { record: record.clone(), history: history.to_owned(), url: None }
}

fn call(digit: char) -> CallSid {
    CallSid::parse(&format!("CA{}", digit.to_string().repeat(32))).expect("sid")
}

#[tokio::test]
async fn a_job_is_found_by_its_column_or_by_its_records_id() {
    let table = Table::new().await;
    let (one, _, _) = (table.job("JOB1"), table.job("TWICE"), table.job("TWICE"));
    let found = table.find(&["TWICE", one.as_str(), "JOB1", "JOB", "recAAAAAAAAAAAAAA"]).await;
    let expected = [Found::Many(2), Found::One(one.clone()), Found::One(one), Found::None, Found::None];
    assert_eq!(found, expected);
    assert_eq!((table.table.count(Route::List), table.slots.given()), (1, 1));
    assert_eq!(table.table.unexpected_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn a_record_ids_form_is_never_looked_for_in_the_column() {
    let table = Table::new().await;
    let other = table.job("other");
    table.job(other.as_str());
    assert_eq!(table.find(&[other.as_str()]).await, [Found::One(other)]);
}

#[tokio::test]
async fn no_text_leaves_its_place_in_a_formula() {
    let hostile = [
        "O'Neil",
        r"back\slash",
        r"\' OR TRUE() OR '",
        "x')=1,RECORD_ID()!='",
        "{Job ID}",
        "quote\"quote",
        "two\nlines\r\n\tand a tab",
        "}{&''=",
        "日本語 ünïcödé 🎧",
        "a/b?c=d&e=f#g%20+",
        " padded ",
    ];
    let table = Table::new().await;
    let records: Vec<RecordId> = hostile.iter().map(|job| table.job(job)).collect();
    for (job, record) in hostile.iter().zip(&records) {
        assert_eq!(table.find(&[job]).await, [Found::One(record.clone())], "{job:?}");
    }
    let all: Vec<Found<RecordId>> = records.into_iter().map(Found::One).collect();
    assert_eq!(table.find(&hostile).await, all);
    assert_eq!(table.table.unexpected_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn a_question_too_long_for_a_url_goes_as_a_body() {
    let table = Table::new().await;
    let long: Vec<String> = (0..20).map(|n| format!("{n:02}{}", "'".repeat(500))).collect();
    let record = table.job(&long[7]);
    let found = table.find(&long.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(found[7], Found::One(record));
    assert_eq!(found.iter().filter(|found| **found == Found::None).count(), 19);
    let requests = table.table.requests();
    assert!(requests.iter().all(|request| request.method == "POST" && request.target.ends_with("/listRecords")));
    assert_eq!(table.table.unexpected_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn every_page_is_read_and_paced() {
    let table = Table::new().await;
    for _ in 0..45 {
        table.job("JOB1");
    }
    assert_eq!(table.find(&["JOB1"]).await, [Found::Many(45)]);
    assert_eq!((table.table.count(Route::List), table.slots.given()), (3, 3));
}

#[tokio::test]
async fn an_answer_that_does_not_match_exactly_is_none() {
    let record = r#"{"id":"recAAAAAAAAAAAAAA","fields":{"Job ID":"job1"}}"#;
    let body = format!(r#"{{"records":[{record}]}}"#);
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    let lenient = Raw::start(answer).await;
    let client = Airtable::new(&http(), config(lenient.url.as_str()));
    let job = JobId::parse("JOB1").expect("job");
    let found = client.find_by_job_ids(&[job], &Slots::default()).await.expect("answer");
    assert_eq!(found[0].1, Found::None);
    let read = client.read(&[RecordId::parse("recBBBBBBBBBBBBBB").expect("id")], &Slots::default()).await;
    assert_eq!(read.expect("answer")[0].1, None);
}

#[tokio::test]
async fn only_the_columns_needed_are_asked_for() {
    let table = Table::new().await;
    table.find(&["JOB1"]).await;
    let target = table.table.requests()[0].target.clone();
    assert_eq!(target.matches("fields%5B%5D=").count(), 3, "{target}");
    assert!(!target.contains("Call+SID"), "{target}");
}

#[tokio::test]
async fn a_calls_job_is_found_by_the_calls_or_its_parents_sid_as_a_whole_word() {
    let table = Table::new().await;
    let sids = |text: &str| [("Call SID", text.to_owned())];
    let add = |job: &str, text: String| {
        let [(column, text)] = sids(&text);
        table.add(&[("Job ID", job), (column, &text)])
    };
    let one = add("JOB1", format!("{}\n{}", call('1'), call('2')));
    let parent = add("recAAAAAAAAAAAAAA", format!("parent {}.", call('3')));
    add("GLUED", format!("x{}", call('4')));
    add("TWICE", call('5').to_string());
    add("TWICE", call('5').to_string());
    let calls = [
        (call('2'), None),
        (call('9'), Some(call('3'))),
        (call('4'), None),
        (call('5'), None),
        (call('8'), Some(call('7'))),
    ];
    let found = table.client.find_by_calls(&calls, &table.slots).await.expect("answer");
    assert!(found.iter().map(|(sid, _)| sid).eq(calls.iter().map(|(sid, _)| sid)));
    let found: Vec<_> = found.into_iter().map(|(_, found)| found).collect();
    let [Found::One(first), Found::One(second), Found::None, Found::Many(2), Found::None] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!((first.record.clone(), first.job.as_str()), (one, "JOB1"));
    // A job column that looks like another record's id would lead there: the record's own id stands for it.
    assert_eq!((second.record.clone(), second.job.as_str()), (parent.clone(), parent.as_str()));
    assert_eq!(table.table.unexpected_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn without_a_call_column_no_call_has_a_job_and_nothing_is_asked() {
    let table = Table::new().await;
    let client = Airtable::new(&http(), AirtableConfig { call_field: String::new(), ..config(table.table.base_url()) });
    let found = client.find_by_calls(&[(call('1'), None)], &table.slots).await.expect("answer");
    assert_eq!(found, [(call('1'), Found::None)]);
    assert_eq!(table.slots.given(), 0);
}

#[tokio::test]
async fn a_history_is_read_and_written_byte_for_byte_and_nothing_else_is_touched() {
    let table = Table::new().await;
    let prior = "called back\r\n\t<airtable:mention id=\"men1\">@X</airtable:mention> \"ünïcödé\" \\n 🎧 ";
    let record = table.add(&[("Job ID", "JOB1"), ("job_history", prior), ("Call SID", "CA1")]);
    let empty = table.job("JOB2");
    let gone = table.job("JOB3");
    table.table.delete_record(gone.as_str());
    let asked = [empty.clone(), gone.clone(), record.clone()];
    let read = table.client.read(&asked, &table.slots).await.expect("answer");
    let history = |n: usize| read[n].1.as_ref().map(|row| row.history.as_str());
    assert_eq!((history(0), history(1), history(2)), (Some(""), None, Some(prior)));

    let longer = format!("{prior}\n---- | line");
    let url = "https://calls.example.com/r/RE1".to_owned();
    let with_url = Write { url: Some(url.clone()), ..write(&record, &longer) };
    let writes = [with_url, write(&empty, "first")];
    let outcomes = each(table.client.write(&writes, &table.slots).await);
    assert_eq!(outcomes, [(record.clone(), Ok(())), (empty.clone(), Ok(()))]);
    let cell = |id: &RecordId, name: &str| table.table.cell(id.as_str(), name);
    assert_eq!((cell(&record, "job_history"), cell(&record, URL)), (longer, url));
    assert_eq!((cell(&record, "Job ID"), cell(&record, "Call SID")), ("JOB1".to_owned(), "CA1".to_owned()));
    assert_eq!((cell(&empty, "job_history"), cell(&empty, URL)), ("first".to_owned(), String::new()));
    assert_eq!((table.slots.given(), table.table.unexpected_requests()), (2, Vec::new()));
}

#[tokio::test]
async fn ten_records_go_to_a_request() {
    let table = Table::new().await;
    let writes: Vec<Write> = (0..10).map(|n| write(&table.job(&format!("JOB{n}")), "line")).collect();
    let outcomes = each(table.client.write(&writes, &table.slots).await);
    assert!(outcomes.len() == 10 && outcomes.iter().all(|(_, outcome)| outcome.is_ok()));
    assert_eq!((table.table.count(Route::PatchMany), table.slots.given()), (1, 1));
}

#[tokio::test]
async fn one_bad_record_is_named_only_where_it_stands_alone() {
    let table = Table::new().await;
    let records: Vec<RecordId> = (0..10).map(|n| table.job(&format!("JOB{n}"))).collect();
    let culprit = records[6].clone();
    table.table.delete_record(culprit.as_str());
    let writes: Vec<Write> = records.iter().map(|record| write(record, "line")).collect();
    let together = table.client.write(&writes, &table.slots).await.expect("answer");
    assert!(matches!(together, Written::NoneOfThem), "{together:?}");
    for record in &records {
        assert_eq!(table.table.cell(record.as_str(), "job_history"), "", "none is written");
    }
    let alone = each(table.client.write(&[write(&culprit, "line")], &table.slots).await);
    let [(record, Err(failure))] = alone.as_slice() else { panic!("{alone:?}") };
    assert_eq!((record, failure.code), (&culprit, Code::RecordsRejected));
    assert!(failure.detail.contains(culprit.as_str()), "{failure}");
}

#[tokio::test]
async fn a_history_that_would_not_fit_is_not_sent() {
    let table = Table::new().await;
    let (fits, full, wide) = (table.job("FITS"), table.job("FULL"), table.job("WIDE"));
    let writes = [
        write(&full, &"x".repeat(CELL_CHARACTERS + 1)),
        write(&fits, &"é".repeat(CELL_CHARACTERS)),
        write(&wide, &"🎧".repeat(CELL_CHARACTERS / 2 + 1)),
    ];
    let mut outcomes = each(table.client.write(&writes, &table.slots).await);
    outcomes.sort_by_key(|(record, _)| writes.iter().position(|write| write.record == *record));
    let codes: Vec<_> = outcomes.into_iter().map(|(_, outcome)| outcome.map_err(|failure| failure.code)).collect();
    assert_eq!(codes, [Err(Code::HistoryFull), Ok(()), Err(Code::HistoryFull)]);
    assert_eq!(table.table.cell(full.as_str(), "job_history"), "");
    assert_eq!(table.table.unexpected_requests(), Vec::<String>::new());
}
