//! The stand-in for Airtable has the real one's limits, and the people who type into it.

use std::time::Duration;

use callspool_domain::clock::ManualClock;
use callspool_domain::{Clock, Timestamp};
use callspool_sandbox::airtable::Route;
use callspool_sandbox::{Airtable, AirtableOptions, Fault};
use serde_json::{Value, json};

use crate::wire::{Answer, exchange, request};

const BASE: &str = "/v0/appSandbox0000001/Jobs";
const CREDENTIALS: &str = "Authorization: Bearer patSandbox.0123456789\r\nContent-Type: application/json\r\n";

async fn airtable(requests_per_second: Option<u32>) -> (Airtable, ManualClock) {
    let clock = ManualClock::new(Timestamp::from_micros(1_710_513_022_000_000));
    let options = AirtableOptions { requests_per_second, ..AirtableOptions::new(Clock::Manual(clock.clone())) };
    (Airtable::start(options).await.expect("start"), clock)
}

async fn ask(airtable: &Airtable, method: &str, rest: &str, body: Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    exchange(airtable.base_url(), &request(method, &format!("{BASE}{rest}"), CREDENTIALS, &body)).await
}

fn error_of(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["error"]["type"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn one_request_too_many_costs_thirty_seconds() {
    let (airtable, clock) = airtable(Some(5)).await;
    for _ in 0..5 {
        assert_eq!(ask(&airtable, "GET", "", Value::Null).await.status, 200);
    }
    let refused = ask(&airtable, "GET", "", Value::Null).await;
    assert_eq!((refused.status, refused.json()["errors"][0]["error"].as_str()), (429, Some("RATE_LIMIT_REACHED")));
    clock.advance(Duration::from_millis(29_999));
    assert_eq!(ask(&airtable, "GET", "", Value::Null).await.status, 429);
    clock.advance(Duration::from_millis(1));
    assert_eq!(ask(&airtable, "GET", "", Value::Null).await.status, 200);
    assert_eq!(airtable.penalties(), 1);
}

#[tokio::test]
async fn a_person_types_between_a_read_and_a_write() {
    let (airtable, _) = airtable(None).await;
    let id = airtable.add_record(&[("job_history", "first")]);
    airtable.type_after_next_read(&id, "job_history", " and by hand");
    let read = ask(&airtable, "GET", &format!("/{id}"), Value::Null).await.json();
    assert_eq!(read["fields"], json!({ "job_history": "first" }));
    assert_eq!(airtable.cell(&id, "job_history"), "first and by hand");
    airtable.type_after_next_read(&id, "job_history", "!");
    let listed = ask(&airtable, "GET", "?pageSize=1", Value::Null).await.json();
    assert_eq!(listed["records"][0]["fields"]["job_history"], "first and by hand");
    assert_eq!(airtable.cell(&id, "job_history"), "first and by hand!");
}

#[tokio::test]
async fn a_batch_is_written_whole_or_not_at_all() {
    let (airtable, _) = airtable(None).await;
    let id = airtable.add_record(&[("Job ID", "1")]);
    let batch = |second: Value| json!({ "records": [{ "id": id, "fields": { "job_history": "new" } }, second] });
    for (second, error) in [
        (json!({ "id": "recNOTHINGNOTHING", "fields": {} }), "ROW_DOES_NOT_EXIST"),
        (json!({ "id": id, "fields": {} }), "INVALID_REQUEST_UNKNOWN"),
    ] {
        assert_eq!(error_of(&ask(&airtable, "PATCH", "", batch(second)).await), (422, error.to_owned()));
    }
    let other = airtable.add_record(&[]);
    for (cell, error) in [
        (json!({ "Nothing": "x" }), "UNKNOWN_FIELD_NAME"),
        (json!({ "job_history": "x".repeat(100_001) }), "INVALID_VALUE_FOR_COLUMN"),
        (json!({ "job_history": 5 }), "INVALID_VALUE_FOR_COLUMN"),
    ] {
        let refused = ask(&airtable, "PATCH", "", batch(json!({ "id": other, "fields": cell }))).await;
        assert_eq!(error_of(&refused), (422, error.to_owned()));
    }
    assert_eq!(airtable.cell(&id, "job_history"), "");
    let written = ask(&airtable, "PATCH", "", batch(json!({ "id": other, "fields": { "Job ID": "2" } }))).await;
    assert_eq!(written.status, 200);
    assert_eq!((airtable.cell(&id, "job_history"), airtable.cell(&other, "Job ID")), ("new".into(), "2".into()));
    let emptied = ask(&airtable, "PATCH", &format!("/{id}"), json!({ "fields": { "job_history": "" } })).await.json();
    assert_eq!(emptied["fields"], json!({ "Job ID": "1" }));
}

#[tokio::test]
async fn a_write_whose_reply_is_lost_has_happened() {
    let (airtable, _) = airtable(None).await;
    let id = airtable.add_record(&[]);
    airtable.faults().of(&id).next(Route::Patch, Fault::LostReply);
    let lost = ask(&airtable, "PATCH", &format!("/{id}"), json!({ "fields": { "job_history": "line" } })).await;
    assert_eq!((lost.status, airtable.cell(&id, "job_history").as_str()), (0, "line"));
}

#[tokio::test]
async fn what_the_real_one_refuses_is_refused_and_remembered() {
    let (airtable, _) = airtable(None).await;
    let long = "a".repeat(16_000);
    for (method, rest, body, status) in [
        ("GET", "?filterByFormula=%7BNothing%7D%3D1".to_owned(), Value::Null, 422),
        ("GET", format!("?filterByFormula={long}"), Value::Null, 413),
        ("GET", "?pageSize=101".to_owned(), Value::Null, 422),
        ("GET", "?colour=blue".to_owned(), Value::Null, 422),
        ("GET", "?view=Grid".to_owned(), Value::Null, 422),
        ("PUT", String::new(), json!({}), 405),
        ("PATCH", String::new(), json!({ "records": vec![json!({ "fields": {} }); 11] }), 422),
        ("PATCH", String::new(), json!({ "records": [], "extra": 1 }), 422),
    ] {
        assert_eq!(ask(&airtable, method, &rest, body).await.status, status, "{method} {rest:.40}");
    }
    let anonymous = exchange(airtable.base_url(), &request("GET", BASE, "", "")).await;
    assert_eq!(error_of(&anonymous), (401, "AUTHENTICATION_REQUIRED".to_owned()));
    assert_eq!(exchange(airtable.base_url(), &request("GET", "/v1/x", CREDENTIALS, "")).await.status, 404);
    assert_eq!(airtable.take_unexpected_requests().len(), 10);
    let other = exchange(airtable.base_url(), &request("GET", "/v0/appOther/Jobs", CREDENTIALS, "")).await;
    assert_eq!(error_of(&other), (403, "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND".to_owned()));
    let missing = ask(&airtable, "GET", "/recNOTHINGNOTHING", Value::Null).await;
    assert_eq!((missing.status, missing.text().as_str()), (404, r#"{"error":"NOT_FOUND"}"#));
    assert_eq!(airtable.unexpected_requests(), [""; 0]);
}

#[tokio::test]
async fn a_base_tells_its_schema_and_counts_the_question() {
    let (airtable, _) = airtable(Some(1)).await;
    let schema = async |base: &str| {
        let target = format!("/v0/meta/bases/{base}/tables");
        exchange(airtable.base_url(), &request("GET", &target, CREDENTIALS, "")).await
    };
    airtable.set_field_kind("Job ID", "formula");
    let told = schema("appSandbox0000001").await.json();
    assert_eq!(told["tables"][0]["name"], "Jobs");
    assert_eq!(told["tables"][0]["fields"][0]["type"], "formula");
    assert_eq!(schema("appSandbox0000001").await.status, 429);
    assert_eq!(schema("appAnother").await.status, 403);
    assert_eq!(airtable.unexpected_requests(), [""; 0]);
}
