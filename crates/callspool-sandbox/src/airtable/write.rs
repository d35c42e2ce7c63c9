//! Writing: every request happens whole or not at all.

use std::collections::BTreeSet;

use callspool_domain::Timestamp;
use serde_json::{Map, Value, json};

use super::list::truth;
use super::refusal::Refusal;
use super::state::Table;

/// The most records of one request.
const MAX_RECORDS: usize = 10;

/// What holds for a whole request.
struct Terms {
    typecast: bool,
    by_field_id: bool,
    /// The fields an upsert matches by.
    merge_on: Option<Vec<String>>,
}

/// `PATCH …/{record}`.
pub(super) fn patch(table: &mut Table, id: &str, body: &Value) -> Result<Value, Refusal> {
    let terms = Terms::of(table, body, &["fields"])?;
    if table.record(id).is_none() {
        return Err(Refusal::not_found());
    }
    whole(table, |table| {
        table.write(id, cells(body)?, terms.typecast)?;
        shown(table, id, &terms)
    })
}

/// `PATCH …`: up to ten records by id, or, as an upsert, by the values of up to three fields.
pub(super) fn patch_many(table: &mut Table, body: &Value, now: Timestamp) -> Result<Value, Refusal> {
    let terms = Terms::of(table, body, &["records", "performUpsert"])?;
    let rows = rows(body)?;
    whole(table, |table| {
        let (mut all, mut created, mut updated) = (Vec::new(), Vec::new(), Vec::new());
        let mut touched = BTreeSet::new();
        for row in rows {
            let cells = cells(row)?;
            let id = match (row.get("id").and_then(Value::as_str), &terms.merge_on) {
                (Some(id), _) if table.record(id).is_some() => Some(id.to_owned()),
                (Some(id), _) => {
                    return Err(Refusal::invalid("ROW_DOES_NOT_EXIST", &format!("Record ID {id} does not exist")));
                }
                (None, Some(merge_on)) => matching(table, merge_on, cells)?,
                (None, None) => return Err(malformed("records need an id")),
            };
            let id = match id {
                Some(id) => {
                    updated.push(id.clone());
                    id
                }
                None => {
                    let id = table.create(now);
                    created.push(id.clone());
                    id
                }
            };
            if !touched.insert(id.clone()) {
                return Err(malformed("a record appears twice in one request"));
            }
            table.write(&id, cells, terms.typecast)?;
            all.push(id);
        }
        let records = all.iter().map(|id| shown(table, id, &terms)).collect::<Result<Vec<_>, _>>()?;
        Ok(match terms.merge_on {
            None => json!({ "records": records }),
            Some(_) => json!({ "records": records, "createdRecords": created, "updatedRecords": updated }),
        })
    })
}

/// `POST …`: one record, or up to ten.
pub(super) fn create(table: &mut Table, body: &Value, now: Timestamp) -> Result<Value, Refusal> {
    let terms = Terms::of(table, body, &["records", "fields"])?;
    let make = |table: &mut Table, row: &Value| {
        let id = table.create(now);
        table.write(&id, cells(row)?, terms.typecast)?;
        shown(table, &id, &terms)
    };
    whole(table, |table| {
        if body.get("fields").is_some() {
            return make(table, body);
        }
        let records = rows(body)?.iter().map(|row| make(table, row)).collect::<Result<Vec<_>, _>>()?;
        Ok(json!({ "records": records }))
    })
}

/// `DELETE …/{record}` and `DELETE …?records[]=…`.
pub(super) fn delete(table: &mut Table, ids: &[String]) -> Result<Vec<Value>, Refusal> {
    if ids.is_empty() || ids.len() > MAX_RECORDS {
        return Err(malformed("1 to 10 records a request"));
    }
    whole(table, |table| {
        ids.iter()
            .map(
                |id| {
                    if table.delete(id) { Ok(json!({ "id": id, "deleted": true })) } else { Err(Refusal::not_found()) }
                },
            )
            .collect()
    })
}

/// Does it on a copy, which becomes the table only if everything succeeds.
fn whole<T>(table: &mut Table, change: impl FnOnce(&mut Table) -> Result<T, Refusal>) -> Result<T, Refusal> {
    let mut copy = table.clone();
    let outcome = change(&mut copy)?;
    *table = copy;
    Ok(outcome)
}

/// The record that an upsert means: none makes a new one, several are an error.
fn matching(table: &Table, merge_on: &[String], cells: &Map<String, Value>) -> Result<Option<String>, Refusal> {
    let wanted: Vec<(&String, Option<&str>)> = merge_on
        .iter()
        .map(|field| {
            let given = cells.iter().find(|(name, _)| table.field(name) == Some(field));
            (field, given.and_then(|(_, value)| value.as_str()))
        })
        .collect();
    let fits = |cells: &std::collections::BTreeMap<String, String>| {
        wanted.iter().all(|(field, value)| cells.get(*field).map(String::as_str) == *value)
    };
    let mut found = table.records().iter().filter(|record| fits(&record.cells));
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => Err(Refusal::invalid("INVALID_REQUEST_UNKNOWN", "Several records match the upsert")),
        (first, _) => Ok(first.map(|record| record.id.clone())),
    }
}

impl Terms {
    fn of(table: &Table, body: &Value, own: &[&str]) -> Result<Self, Refusal> {
        let Value::Object(body) = body else { return Err(malformed("a body that is no object")) };
        let known = |name: &str| own.contains(&name) || ["typecast", "returnFieldsByFieldId"].contains(&name);
        if let Some(name) = body.keys().find(|name| !known(name)) {
            return Err(malformed(&format!("unknown key {name}")));
        }
        let is_true = |name: &str| body.get(name).is_some_and(truth);
        let merge_on = match body.get("performUpsert").and_then(|upsert| upsert.get("fieldsToMergeOn")) {
            None => None,
            Some(names) => {
                let names = names.as_array().filter(|names| (1..=3).contains(&names.len()));
                let names = names.ok_or_else(|| malformed("fieldsToMergeOn takes 1 to 3 fields"))?;
                let fields = names.iter().map(|name| {
                    let field = name.as_str().and_then(|name| table.field(name)).map(str::to_owned);
                    field.ok_or_else(|| Refusal::invalid("UNKNOWN_FIELD_NAME", &format!("Unknown field name: {name}")))
                });
                Some(fields.collect::<Result<_, _>>()?)
            }
        };
        Ok(Self { typecast: is_true("typecast"), by_field_id: is_true("returnFieldsByFieldId"), merge_on })
    }
}

fn rows(body: &Value) -> Result<&[Value], Refusal> {
    match body.get("records").and_then(Value::as_array) {
        Some(rows) if (1..=MAX_RECORDS).contains(&rows.len()) => Ok(rows),
        _ => Err(malformed("1 to 10 records a request")),
    }
}

fn cells(row: &Value) -> Result<&Map<String, Value>, Refusal> {
    row.get("fields").and_then(Value::as_object).ok_or_else(|| malformed("a record without fields"))
}

fn shown(table: &Table, id: &str, terms: &Terms) -> Result<Value, Refusal> {
    let record = table.record(id).ok_or_else(Refusal::not_found)?;
    Ok(table.json(record, None, terms.by_field_id))
}

fn malformed(why: &str) -> Refusal {
    Refusal::malformed("INVALID_REQUEST_UNKNOWN", why)
}
