//! What the table is set to, and what the token may do; nothing of a customer's is changed.

use callspool_domain::{Code, StepFailure};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Map;

use super::wire::{Page, Patch, PatchRecord};
use super::{Airtable, Pace};

/// A record's id of the right form that Airtable never gives out: changing it is refused, for one reason or another.
const NO_RECORD: &str = "rec00000000000000";

/// A column of the table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its kind, in Airtable's word (<https://airtable.com/developers/web/api/field-model>).
    #[serde(rename = "type")]
    pub kind: String,
}

/// <https://airtable.com/developers/web/api/get-base-schema>
#[derive(Deserialize)]
struct Schema {
    tables: Vec<Table>,
}

#[derive(Deserialize)]
struct Table {
    id: String,
    name: String,
    fields: Vec<Column>,
}

impl Airtable {
    /// The table's columns. A token without `schema.bases:read` gets [`Code::RecordsForbidden`], which says nothing about
    /// its records.
    pub async fn columns(&self, pace: &impl Pace) -> Result<Vec<Column>, StepFailure> {
        const WHAT: &str = "reading the base's schema";
        let url = self.root_url(&["meta", "bases", &self.config.base, "tables"])?;
        let answer = self.exchange(self.request(Method::GET, url), pace, WHAT).await?;
        let answer = answer.map_err(|refusal| refusal.of_the_table(WHAT))?;
        let schema: Schema = serde_json::from_slice(&answer)
            .map_err(|error| StepFailure::new(Code::RecordsUnreadable, format!("{WHAT}: {error}")))?;
        let wanted = self.config.table.as_str();
        let table = schema.tables.into_iter().find(|table| table.id == wanted || table.name == wanted);
        table.map(|table| table.fields).ok_or_else(|| {
            StepFailure::new(
                Code::RecordsMisconfigured,
                "the base has no table of that name or id; check AIRTABLE_TABLE",
            )
        })
    }

    /// Reads one record with the columns that are used; a column that does not exist is refused by name.
    pub async fn may_read(&self, pace: &impl Pace) -> Result<(), StepFailure> {
        const WHAT: &str = "reading one record";
        let call = Some(&self.config.call_field).filter(|name| !name.is_empty());
        let columns =
            [Some(&self.config.job_field), call, Some(&self.config.history_field), self.config.url_field.as_ref()];
        let mut url = self.url(&[])?;
        url.query_pairs_mut()
            .append_pair("maxRecords", "1")
            .extend_pairs(columns.into_iter().flatten().map(|name| ("fields[]", name)));
        let answer = self.exchange(self.request(Method::GET, url), pace, WHAT).await?;
        let answer = answer.map_err(|refusal| refusal.of_the_table(WHAT))?;
        let page: Result<Page, _> = serde_json::from_slice(&answer);
        page.map(drop).map_err(|error| {
            StepFailure::new(Code::RecordsUnreadable, format!("{WHAT}: {error}; check AIRTABLE_ENDPOINT_URL"))
        })
    }

    /// Whether the token may write: an empty change of a record that does not exist gets past the token's rights, or not.
    pub async fn may_write(&self, pace: &impl Pace) -> Result<(), StepFailure> {
        const WHAT: &str = "changing a record that does not exist";
        let nothing = PatchRecord { id: NO_RECORD.to_owned(), fields: Map::new() };
        let patch = Patch { records: vec![nothing], typecast: false };
        match self.exchange(self.request(Method::PATCH, self.url(&[])?).json(&patch), pace, WHAT).await? {
            Ok(_answer) => Ok(()),
            Err(refusal) if refusal.is_no_such_record() => Ok(()),
            Err(refusal) => Err(refusal.of_the_table(WHAT)),
        }
    }
}
