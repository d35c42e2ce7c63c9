//! The table: its fields, its records in the order they were made, and the person who types into them.

use std::collections::BTreeMap;

use callspool_domain::Timestamp;
use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use crate::dice::{dice, nth};

/// The longest text a cell takes, in characters.
const CELL_CAP: usize = 100_000;

#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) id: String,
    pub(super) name: String,
    fields: Vec<Field>,
    records: Vec<Record>,
    drawn: u64,
    typing: Vec<Typing>,
}

#[derive(Debug, Clone)]
struct Field {
    id: String,
    name: String,
    /// As the schema names it; every one takes text all the same.
    kind: String,
}

/// One row.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) id: String,
    created: Timestamp,
    /// The cells that are not empty, by field name.
    pub(super) cells: BTreeMap<String, String>,
}

impl Record {
    /// A record of no table.
    pub(super) fn with_cells(id: &str, cells: &[(&str, &str)]) -> Self {
        let filled = cells.iter().filter(|(_, text)| !text.is_empty());
        let cells = filled.map(|(field, text)| ((*field).to_owned(), (*text).to_owned())).collect();
        Self { id: id.to_owned(), created: Timestamp::from_micros(0), cells }
    }
}

/// What a person will add to a cell after its next read.
#[derive(Debug, Clone)]
struct Typing {
    record: String,
    field: String,
    text: String,
}

/// An id as Airtable writes them: a prefix and 14 letters or digits.
fn id(prefix: &str, number: u64) -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let digit = |n: u64| ALPHABET.get(usize::try_from(nth(number, n) % 62).unwrap_or(0)).copied().unwrap_or(b'0');
    prefix.chars().chain((0..14).map(|n| char::from(digit(n)))).collect()
}

impl Table {
    pub(super) fn new(name: &str, fields: &[String]) -> Self {
        let mut table = Self {
            id: id("tbl", dice(0, name.as_bytes())),
            name: name.to_owned(),
            fields: Vec::new(),
            records: Vec::new(),
            drawn: 0,
            typing: Vec::new(),
        };
        fields.iter().for_each(|field| table.add_field(field));
        table
    }

    pub(super) fn add_field(&mut self, name: &str) {
        if self.field(name).is_none() {
            let id = id("fld", dice(1, name.as_bytes()));
            self.fields.push(Field { id, name: name.to_owned(), kind: "multilineText".to_owned() });
        }
    }

    pub(super) fn set_field_kind(&mut self, name: &str, kind: &str) {
        if let Some(field) = self.fields.iter_mut().find(|field| field.name == name) {
            kind.clone_into(&mut field.kind);
        }
    }

    pub(super) fn remove_field(&mut self, name: &str) {
        self.fields.retain(|field| field.name != name);
        for record in &mut self.records {
            record.cells.remove(name);
        }
    }

    /// The table as the schema of its base describes it.
    pub(super) fn schema(&self) -> Value {
        let fields: Vec<Value> =
            self.fields.iter().map(|field| json!({"id": field.id, "name": field.name, "type": field.kind})).collect();
        let primary = self.fields.first().map(|field| field.id.clone());
        let views = json!([{"id": id("viw", dice(2, self.name.as_bytes())), "name": "Grid view", "type": "grid"}]);
        json!({"id": self.id, "name": self.name, "primaryFieldId": primary, "fields": fields, "views": views})
    }

    /// The name of the field with this name or id.
    pub(super) fn field(&self, name_or_id: &str) -> Option<&str> {
        let found = self.fields.iter().find(|field| field.name == name_or_id || field.id == name_or_id);
        found.map(|field| field.name.as_str())
    }

    pub(super) fn records(&self) -> &[Record] {
        &self.records
    }

    pub(super) fn ids(&self) -> Vec<String> {
        self.records.iter().map(|record| record.id.clone()).collect()
    }

    pub(super) fn cells(&self, id: &str) -> Option<BTreeMap<String, String>> {
        self.record(id).map(|record| record.cells.clone())
    }

    pub(super) fn record(&self, id: &str) -> Option<&Record> {
        self.records.iter().find(|record| record.id == id)
    }

    pub(super) fn create(&mut self, now: Timestamp) -> String {
        self.drawn += 1;
        let id = id("rec", dice(self.drawn, self.id.as_bytes()));
        self.records.push(Record { id: id.clone(), created: now, cells: BTreeMap::new() });
        id
    }

    /// True where there was one.
    pub(super) fn delete(&mut self, id: &str) -> bool {
        let before = self.records.len();
        self.records.retain(|record| record.id != id);
        self.records.len() < before
    }

    pub(super) fn set(&mut self, id: &str, field: &str, text: &str) {
        let Some(field) = self.field(field).map(str::to_owned) else { return };
        if let Some(record) = self.records.iter_mut().find(|record| record.id == id) {
            if text.is_empty() {
                record.cells.remove(&field);
            } else {
                record.cells.insert(field, text.to_owned());
            }
        }
    }

    /// Writes cells of a record as a request gives them, by field name or id; `null` and the empty text empty a cell.
    pub(super) fn write(&mut self, id: &str, cells: &Map<String, Value>, typecast: bool) -> Result<(), Refusal> {
        for (given, value) in cells {
            let Some(field) = self.field(given).map(str::to_owned) else {
                return Err(Refusal::invalid("UNKNOWN_FIELD_NAME", &format!("Unknown field name: \"{given}\"")));
            };
            let text = match value {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                Value::Number(_) | Value::Bool(_) if typecast => value.to_string(),
                _ => {
                    let message = format!("Field \"{field}\" cannot accept the provided value");
                    return Err(Refusal::invalid("INVALID_VALUE_FOR_COLUMN", &message));
                }
            };
            if text.chars().count() > CELL_CAP {
                let message = format!("Field \"{field}\" takes at most {CELL_CAP} characters");
                return Err(Refusal::invalid("INVALID_VALUE_FOR_COLUMN", &message));
            }
            self.set(id, &field, &text);
        }
        Ok(())
    }

    pub(super) fn type_after_next_read(&mut self, record: &str, field: &str, text: &str) {
        let typing = Typing { record: record.to_owned(), field: field.to_owned(), text: text.to_owned() };
        self.typing.push(typing);
    }

    /// The record has been read: whoever waited for that types now.
    pub(super) fn was_read(&mut self, id: &str) {
        let (now, later) = std::mem::take(&mut self.typing).into_iter().partition(|typing| typing.record == id);
        self.typing = later;
        let now: Vec<Typing> = now;
        for typing in now {
            let before = self.record(id).and_then(|record| record.cells.get(&typing.field).cloned());
            self.set(id, &typing.field, &(before.unwrap_or_default() + &typing.text));
        }
    }

    /// A record as the API writes it, with all fields or these (by name).
    pub(super) fn json(&self, record: &Record, shown: Option<&[String]>, by_field_id: bool) -> Value {
        let cells: Map<String, Value> = self
            .fields
            .iter()
            .filter(|field| shown.is_none_or(|shown| shown.contains(&field.name)))
            .filter_map(|field| {
                let key = if by_field_id { &field.id } else { &field.name };
                Some((key.clone(), Value::from(record.cells.get(&field.name)?.as_str())))
            })
            .collect();
        let created = jiff::Timestamp::from_microsecond(record.created.as_micros()).unwrap_or_default();
        json!({
            "id": record.id,
            "createdTime": created.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            "fields": cells,
        })
    }
}
