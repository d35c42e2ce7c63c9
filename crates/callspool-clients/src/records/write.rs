//! Writing records: ten to a request, and a batch that is refused is split until the culprit stands alone.
//!
//! A request is never sent twice by itself. When its reply is lost, whether it was applied is found by reading again.

use callspool_domain::line::CELL_CHARACTERS;
use callspool_domain::{Code, StepFailure};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use reqwest::Method;
use serde_json::{Map, Value};

use super::wire::{Patch, PatchRecord};
use super::{Airtable, Pace, RecordId};

/// Airtable's limit (<https://airtable.com/developers/web/api/update-multiple-records>).
const RECORDS_PER_REQUEST: usize = 10;

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

/// What came of each write.
type Outcomes = Vec<(RecordId, Result<(), StepFailure>)>;

impl Airtable {
    /// Writes these records and says of each what came of it. The outer failure is one of the table or the connection;
    /// some of the records may be written then.
    ///
    /// A history longer than the cell is not sent: [`Code::HistoryFull`]. Airtable counts as its JavaScript does, in
    /// UTF-16 units, which are never fewer than characters.
    pub async fn write(&self, writes: &[Write], pace: &impl Pace) -> Result<Outcomes, StepFailure> {
        let mut outcomes = Outcomes::with_capacity(writes.len());
        let (fitting, full): (Vec<&Write>, Vec<&Write>) = writes.iter().partition(|write| fits(&write.history));
        for write in full {
            let detail = format!(
                "the history of record {} would grow beyond {CELL_CHARACTERS} characters; \
                 move a part of it elsewhere, then retry",
                write.record
            );
            outcomes.push((write.record.clone(), Err(StepFailure::new(Code::HistoryFull, detail))));
        }
        for batch in fitting.chunks(RECORDS_PER_REQUEST) {
            self.write_batch(batch, pace, &mut outcomes).await?;
        }
        Ok(outcomes)
    }

    fn write_batch<'a>(
        &'a self,
        batch: &'a [&'a Write],
        pace: &'a impl Pace,
        outcomes: &'a mut Outcomes,
    ) -> BoxFuture<'a, Result<(), StepFailure>> {
        async move {
            let what = format!("writing {}", names(batch));
            let patch = Patch { records: batch.iter().map(|write| self.change(write)).collect(), typecast: false };
            let request = self.request(Method::PATCH, self.url(&[])?).json(&patch);
            match (self.exchange(request, pace, &what).await?, batch) {
                (Ok(_answer), _) => {
                    outcomes.extend(batch.iter().map(|write| (write.record.clone(), Ok(()))));
                    Ok(())
                }
                (Err(refusal), _) if !refusal.may_be_one_record() => Err(refusal.of_the_table(&what)),
                (Err(refusal), [one]) => {
                    outcomes.push((one.record.clone(), Err(refusal.of_one_record(&what))));
                    Ok(())
                }
                (Err(_), batch) => {
                    let (first, second) = batch.split_at(batch.len() / 2);
                    self.write_batch(first, pace, outcomes).await?;
                    self.write_batch(second, pace, outcomes).await
                }
            }
        }
        .boxed()
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

fn fits(history: &str) -> bool {
    history.encode_utf16().count() <= CELL_CHARACTERS
}

fn names(batch: &[&Write]) -> String {
    let names: Vec<&str> = batch.iter().map(|write| write.record.as_str()).collect();
    format!("record {}", names.join(", "))
}
