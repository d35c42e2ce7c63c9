//! What Airtable reads and writes (<https://airtable.com/developers/web/api/list-records>).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A page of a list.
#[derive(Deserialize)]
pub(super) struct Page {
    pub(super) records: Vec<Record>,
    /// Where the next page begins; absent on the last.
    pub(super) offset: Option<String>,
}

/// A record with the columns that were asked for; empty cells are absent.
#[derive(Deserialize)]
pub(super) struct Record {
    pub(super) id: String,
    #[serde(default)]
    fields: Map<String, Value>,
}

impl Record {
    /// A cell as the text that a formula's `&''` makes of it.
    pub(super) fn text(&self, column: &str) -> Option<String> {
        text(self.fields.get(column)?)
    }
}

fn text(cell: &Value) -> Option<String> {
    match cell {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(cells) => Some(cells.iter().filter_map(text).collect::<Vec<_>>().join(", ")),
        Value::Null | Value::Bool(_) | Value::Object(_) => None,
    }
}

/// What a list asks for, in the form that `POST …/listRecords` takes.
#[derive(Serialize)]
pub(super) struct List<'a> {
    #[serde(rename = "filterByFormula")]
    pub(super) formula: &'a str,
    pub(super) fields: &'a [&'a str],
    #[serde(rename = "pageSize")]
    pub(super) page_size: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) offset: Option<&'a str>,
}

/// A change of up to ten records.
#[derive(Serialize)]
pub(super) struct Patch {
    pub(super) records: Vec<PatchRecord>,
    /// Off: a select option or a linked record is never made by us.
    pub(super) typecast: bool,
}

/// A change of one record; other columns stay.
#[derive(Serialize)]
pub(super) struct PatchRecord {
    pub(super) id: String,
    pub(super) fields: Map<String, Value>,
}

/// An error's type and message. The body has several shapes: `{"error":{"type","message"}}`, `{"error":"TYPE"}` and
/// `{"errors":[{"error","message"}]}`.
pub(super) fn error(body: &[u8]) -> (String, String) {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match (&body["error"], &body["errors"][0]) {
        (Value::Object(error), _) => {
            let part = |name: &str| error.get(name).map(text).unwrap_or_default();
            (part("type"), part("message"))
        }
        (Value::String(kind), _) => (kind.clone(), text(&body["message"])),
        (_, first) => (text(&first["error"]), text(&first["message"])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_of_an_error_is_read() {
        let read = |body: &str| error(body.as_bytes());
        let both = ("T".to_owned(), "m".to_owned());
        assert_eq!(read(r#"{"error":{"type":"T","message":"m"}}"#), both);
        assert_eq!(read(r#"{"errors":[{"error":"T","message":"m"}]}"#), both);
        assert_eq!(read(r#"{"error":"T"}"#), ("T".to_owned(), String::new()));
        assert_eq!(read("<html>"), (String::new(), String::new()));
    }

    #[test]
    fn cells_read_as_text() {
        let fields = r#"{"a":"x\r\n","b":456,"c":["CA1","CA2"],"d":null}"#;
        let record: Record = serde_json::from_str(&format!(r#"{{"id":"rec1","fields":{fields}}}"#)).expect("record");
        assert_eq!(record.text("a").as_deref(), Some("x\r\n"));
        assert_eq!(record.text("b").as_deref(), Some("456"));
        assert_eq!(record.text("c").as_deref(), Some("CA1, CA2"));
        assert_eq!((record.text("d"), record.text("e")), (None, None));
    }
}
