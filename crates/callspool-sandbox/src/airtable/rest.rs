//! The Web API: who may ask, which request it is, and the limits that hold for all of them.

use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{Method, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::state::Table;
use super::{Records, list, write};

/// The longest URL (<https://support.airtable.com/docs/enforcement-of-url-length-limit-for-web-api-requests>).
const URL_CAP: usize = 16_000;
const BODY_CAP: usize = 8 << 20;

/// Base, table, and what follows, of `/v0/{base}/{table}[/{rest}]`.
pub(super) fn split(path: &str) -> Option<(String, String, Option<String>)> {
    let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    let parts: Vec<&str> = path.strip_prefix("/v0/")?.trim_end_matches('/').split('/').collect();
    match *parts.as_slice() {
        [base, table] => Some((decoded(base), decoded(table), None)),
        [base, table, rest] => Some((decoded(base), decoded(table), Some(decoded(rest)))),
        _ => None,
    }
}

/// The base, of `/v0/meta/bases/{base}/tables`.
pub(super) fn schema_of(path: &str) -> Option<String> {
    let base = path.strip_prefix("/v0/meta/bases/")?.strip_suffix("/tables")?;
    (!base.contains('/')).then(|| percent_decode_str(base).decode_utf8_lossy().into_owned())
}

pub(super) async fn answer(records: &Records, request: axum::extract::Request) -> Response {
    let (head, body) = request.into_parts();
    let outcome = match axum::body::to_bytes(body, BODY_CAP).await {
        Ok(body) => carry_out(records, &head, &body),
        Err(_) => Err(Refusal::too_large("the body is too long")),
    };
    match outcome {
        Ok(value) => ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], value.to_string()).into_response(),
        Err(refusal) => refusal.answer(),
    }
}

fn carry_out(records: &Records, head: &Parts, body: &[u8]) -> Result<Value, Refusal> {
    let credentials = head.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if credentials.and_then(|given| given.strip_prefix("Bearer ")) != Some(records.token.expose()) {
        return Err(Refusal::unauthorized().unexpected("wrong or missing credentials"));
    }
    if head.uri.to_string().len() > URL_CAP {
        return Err(Refusal::too_large("the URL is too long"));
    }
    let now = records.clock.now();
    let mut stored = records.table();
    if let Some(base) = schema_of(head.uri.path()) {
        return schema(records, &stored, head, &base);
    }
    let Some((base, table, rest)) = split(head.uri.path()) else {
        return Err(Refusal::not_found().unexpected("no such path"));
    };
    if base != records.base || (table != stored.name && table != stored.id) {
        return Err(Refusal::forbidden());
    }
    if !records.limiter.admits(now) {
        return Err(Refusal::throttled());
    }
    let query: Vec<(String, String)> =
        form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let table = &mut *stored;
    match (&head.method, rest.as_deref()) {
        (&Method::GET, None) => list::list(table, &list::Query::of_url(table, query)?),
        (&Method::POST, Some("listRecords")) => list::list(table, &list::Query::of_body(table, json_of(body)?)?),
        (&Method::GET, Some(id)) => list::get(table, id, &list::Query::of_url(table, query)?),
        (&Method::PATCH, Some(id)) => write::patch(table, id, &json_of(body)?),
        (&Method::PATCH, None) => write::patch_many(table, &json_of(body)?, now),
        (&Method::POST, None) => write::create(table, &json_of(body)?, now),
        (&Method::DELETE, Some(id)) => write::delete(table, &[id.to_owned()]).map(first),
        (&Method::DELETE, None) => write::delete(table, &ids_of(query)?).map(|deleted| json!({ "records": deleted })),
        (method, _) => {
            let why = format!("{method} is not used here");
            Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "INVALID_REQUEST_UNKNOWN", &why).unexpected(&why))
        }
    }
}

/// <https://airtable.com/developers/web/api/get-base-schema>
fn schema(records: &Records, table: &Table, head: &Parts, base: &str) -> Result<Value, Refusal> {
    if head.method != Method::GET {
        return Err(Refusal::not_found().unexpected("a schema is read"));
    }
    if base != records.base {
        return Err(Refusal::forbidden());
    }
    if !records.limiter.admits(records.clock.now()) {
        return Err(Refusal::throttled());
    }
    Ok(json!({ "tables": [table.schema()] }))
}

fn first(mut values: Vec<Value>) -> Value {
    values.pop().unwrap_or_default()
}

fn json_of(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|_| {
        let why = "Could not parse request body";
        Refusal::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST_BODY", why).unexpected(why)
    })
}

fn ids_of(query: Vec<(String, String)>) -> Result<Vec<String>, Refusal> {
    let ids = query.into_iter().map(|(name, id)| {
        let known = name == "records[]" || name == "records";
        if known {
            Ok(id)
        } else {
            Err(Refusal::malformed("INVALID_REQUEST_UNKNOWN", &format!("unknown parameter {name}")))
        }
    });
    ids.collect()
}
