//! Writing records, ten to a request.
//!
//! A request is never sent twice by itself. When its reply is lost, whether it was applied is found by reading again.

use callspool_domain::line::CELL_CHARACTERS;
use callspool_domain::{Code, StepFailure};
use reqwest::Method;
use serde_json::{Map, Value};

use super::wire::{Patch, PatchRecord};
use super::{Airtable, Pace, RecordId};

/// What becomes of one record. Other columns stay as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The record.
    pub record: RecordId,
    /// Its whole history, with what was there before.
    pub history: String,
    /// The latest recording's URL, where that column is used.
    pub url: Option<String>,
}

/// What came of a request to write.
#[derive(Debug)]
pub enum Written {
    /// Each record was written or refused.
    Each(Vec<(RecordId, Result<(), StepFailure>)>),
    /// One of several refused, and so none was written: read them again and write fewer.
    NoneOfThem,
}

impl Airtable {
    /// Writes these records, at most ten, by one request, and says what came of it. The failure is one of the table or the
    /// connection; the records may be written then.
    ///
    /// A history longer than the cell is not sent: [`Code::HistoryFull`]. Airtable counts as its JavaScript does, in
    /// UTF-16 units, which are never fewer than characters.
    pub async fn write(&self, writes: &[Write], pace: &impl Pace) -> Result<Written, StepFailure> {
        let (fitting, full): (Vec<&Write>, Vec<&Write>) = writes.iter().partition(|write| fits(&write.history));
        let mut outcomes: Vec<_> = full.iter().map(|write| (write.record.clone(), Err(too_long(write)))).collect();
        if fitting.is_empty() {
            return Ok(Written::Each(outcomes));
        }
        let what = format!("writing {}", names(&fitting));
        let patch = Patch { records: fitting.iter().map(|write| self.change(write)).collect(), typecast: false };
        let request = self.request(Method::PATCH, self.url(&[])?).json(&patch);
        match (self.exchange(request, pace, &what).await?, fitting.as_slice()) {
            (Ok(_answer), all) => outcomes.extend(all.iter().map(|write| (write.record.clone(), Ok(())))),
            (Err(refusal), _) if !refusal.may_be_one_record() => return Err(refusal.of_the_table(&what)),
            (Err(refusal), [one]) => outcomes.push((one.record.clone(), Err(refusal.of_one_record(&what)))),
            (Err(_), _) => return Ok(Written::NoneOfThem),
        }
        Ok(Written::Each(outcomes))
    }

    fn change(&self, write: &Write) -> PatchRecord {
        let mut fields = Map::new();
        fields.insert(self.config.history_field.clone(), Value::String(write.history.clone()));
        if let (Some(field), Some(url)) = (&self.config.url_field, &write.url) {
            fields.insert(field.clone(), Value::String(url.clone()));
        }
        PatchRecord { id: write.record.to_string(), fields }
    }
}

fn too_long(write: &Write) -> StepFailure {
    let detail = format!(
        "the history of record {} would grow beyond {CELL_CHARACTERS} characters; move a part of it elsewhere, then retry",
        write.record
    );
    StepFailure::new(Code::HistoryFull, detail)
}

fn fits(history: &str) -> bool {
    history.encode_utf16().count() <= CELL_CHARACTERS
}

fn names(batch: &[&Write]) -> String {
    let names: Vec<&str> = batch.iter().map(|write| write.record.as_str()).collect();
    format!("record {}", names.join(", "))
}
