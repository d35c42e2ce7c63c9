//! Reading: one record, and lists in pages, filtered and sorted.
//!
//! A page's offset names the last record shown; where that record is gone, the list has to be begun again.

use serde_json::{Value, json};

use super::formula::Formula;
use super::refusal::Refusal;
use super::state::{Record, Table};

const MAX_PAGE: usize = 100;

/// What a list asks for; the same by GET and by POST.
pub(super) struct Query {
    formula: Option<Formula>,
    page_size: usize,
    max_records: usize,
    fields: Option<Vec<String>>,
    /// Field names, and true where the greatest comes first.
    sort: Vec<(String, bool)>,
    offset: Option<String>,
    by_field_id: bool,
}

impl Query {
    /// Reads a URL's parameters: `fields[]=…`, `sort[0][field]=…` and plain ones.
    pub(super) fn of_url(table: &Table, pairs: Vec<(String, String)>) -> Result<Self, Refusal> {
        let mut fields = Vec::new();
        let mut sort: Vec<Value> = Vec::new();
        let mut body = serde_json::Map::new();
        for (name, value) in pairs {
            if let Some(rest) = name.strip_prefix("sort[") {
                let (index, key) = rest.split_once("][").ok_or_else(|| unknown(&name))?;
                let index: usize = index.parse().map_err(|_| unknown(&name))?;
                if index >= sort.len() {
                    sort.resize(index.min(99) + 1, json!({}));
                }
                if let Some(rule) = sort.get_mut(index).and_then(Value::as_object_mut) {
                    rule.insert(key.trim_end_matches(']').to_owned(), Value::from(value));
                }
            } else if name.starts_with("fields[") || name == "fields" {
                fields.push(Value::from(value));
            } else {
                body.insert(name, Value::from(value));
            }
        }
        if !fields.is_empty() {
            body.insert("fields".to_owned(), Value::from(fields));
        }
        if !sort.is_empty() {
            body.insert("sort".to_owned(), Value::from(sort));
        }
        Self::of_body(table, Value::from(body))
    }

    /// Reads the body of `POST …/listRecords`.
    pub(super) fn of_body(table: &Table, body: Value) -> Result<Self, Refusal> {
        let Value::Object(body) = body else { return Err(unknown("a body that is no object")) };
        let mut query = Self {
            formula: None,
            page_size: MAX_PAGE,
            max_records: usize::MAX,
            fields: None,
            sort: Vec::new(),
            offset: None,
            by_field_id: false,
        };
        for (name, value) in body {
            match name.as_str() {
                "filterByFormula" => query.formula = Some(Formula::parse(table, &text(&name, &value)?)?),
                "pageSize" => query.page_size = number(&name, &value, MAX_PAGE)?,
                "maxRecords" => query.max_records = number(&name, &value, usize::MAX)?,
                "fields" => query.fields = Some(fields(table, &value)?),
                "sort" => query.sort = sort(table, &value)?,
                "offset" => query.offset = Some(text(&name, &value)?),
                "returnFieldsByFieldId" => query.by_field_id = truth(&value),
                "view" => return Err(Refusal::malformed("VIEW_NAME_NOT_FOUND", "The sandbox has no views")),
                _ => return Err(unknown(&name)),
            }
        }
        Ok(query)
    }
}

/// One record.
pub(super) fn get(table: &mut Table, id: &str, query: &Query) -> Result<Value, Refusal> {
    let record = table.record(id).ok_or_else(Refusal::not_found)?;
    let shown = table.json(record, None, query.by_field_id);
    table.was_read(id);
    Ok(shown)
}

/// One page of a list.
pub(super) fn list(table: &mut Table, query: &Query) -> Result<Value, Refusal> {
    let mut found: Vec<&Record> = table
        .records()
        .iter()
        .filter(|record| query.formula.as_ref().is_none_or(|formula| formula.holds(record)))
        .collect();
    for (field, descending) in query.sort.iter().rev() {
        found.sort_by(|one, other| {
            let order = one.cells.get(field).cmp(&other.cells.get(field));
            if *descending { order.reverse() } else { order }
        });
    }
    found.truncate(query.max_records);
    let start = match &query.offset {
        None => 0,
        Some(offset) => {
            let last = offset.split_once('/').map(|(_, id)| id);
            let place = found.iter().position(|record| Some(record.id.as_str()) == last);
            let gone = || Refusal::invalid("LIST_RECORDS_ITERATOR_NOT_AVAILABLE", "Begin the list again");
            place.ok_or_else(gone)? + 1
        }
    };
    let page: Vec<&Record> = found.iter().skip(start).take(query.page_size).copied().collect();
    let shown: Vec<Value> =
        page.iter().map(|record| table.json(record, query.fields.as_deref(), query.by_field_id)).collect();
    let mut answer = json!({ "records": shown });
    if start + page.len() < found.len()
        && let (Some(last), Some(answer)) = (page.last(), answer.as_object_mut())
    {
        answer.insert("offset".to_owned(), Value::from(format!("itrSandbox0000000/{}", last.id)));
    }
    let read: Vec<String> = page.into_iter().map(|record| record.id.clone()).collect();
    read.iter().for_each(|id| table.was_read(id));
    Ok(answer)
}

fn fields(table: &Table, value: &Value) -> Result<Vec<String>, Refusal> {
    let names = value.as_array().ok_or_else(|| unknown("fields"))?;
    names.iter().map(|name| field(table, name)).collect()
}

fn sort(table: &Table, value: &Value) -> Result<Vec<(String, bool)>, Refusal> {
    let rules = value.as_array().ok_or_else(|| unknown("sort"))?;
    let rules = rules.iter().map(|rule| Ok((field(table, &rule["field"])?, rule["direction"] == "desc")));
    rules.collect()
}

fn field(table: &Table, name: &Value) -> Result<String, Refusal> {
    let found = name.as_str().and_then(|name| table.field(name)).map(str::to_owned);
    found.ok_or_else(|| Refusal::invalid("UNKNOWN_FIELD_NAME", &format!("Unknown field name: {name}")))
}

fn text(name: &str, value: &Value) -> Result<String, Refusal> {
    value.as_str().map(str::to_owned).ok_or_else(|| unknown(name))
}

fn number(name: &str, value: &Value, most: usize) -> Result<usize, Refusal> {
    let number = match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64().and_then(|number| usize::try_from(number).ok()),
    };
    number.filter(|number| (1..=most).contains(number)).ok_or_else(|| unknown(name))
}

/// True, as JSON or as a URL writes it.
pub(super) fn truth(value: &Value) -> bool {
    matches!(value.as_str(), Some("true" | "1")) || value == &Value::Bool(true)
}

fn unknown(name: &str) -> Refusal {
    Refusal::malformed("INVALID_REQUEST_UNKNOWN", &format!("Invalid request: {name}"))
}
