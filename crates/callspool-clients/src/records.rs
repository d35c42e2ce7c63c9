//! The customer's job records in Airtable: finding the record of a job or a call, reading its history, writing it.
//!
//! Guarantee: no text of a customer's is ever part of a formula but as a quoted value, and whatever Airtable answers is
//! compared again here, exactly. How often requests are sent is the caller's to say, before every single one.

mod exchange;
mod failure;
mod formula;
#[cfg(test)]
mod fuzz;
mod inspect;
mod wire;
mod write;

use std::fmt;
use std::future::Future;

use callspool_domain::{CallSid, JobId, Secret, StepFailure};
use url::Url;

use self::formula::Formula;
use self::wire::Record;
use crate::http::Http;
pub use inspect::Column;
pub use write::{Write, Written};

/// How many values one formula asks for.
const VALUES_PER_FORMULA: usize = 20;

/// Where the job records are, and the names of their columns.
#[derive(Debug, Clone)]
pub struct AirtableConfig {
    /// `https://api.airtable.com`.
    pub base_url: Url,
    /// The base's id, `app…`.
    pub base: String,
    /// The table's name or id.
    pub table: String,
    /// A personal access token with `data.records:read` and `data.records:write` for this base.
    pub token: Secret,
    /// The column that holds the job's id.
    pub job_field: String,
    /// The column that holds the sid or sids of the job's calls; empty where it is not used, and no call has a job then.
    pub call_field: String,
    /// The column that holds the history.
    pub history_field: String,
    /// The column that takes the latest recording's URL, where it is used.
    pub url_field: Option<String>,
}

/// The client of one table. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Airtable {
    http: Http,
    config: AirtableConfig,
}

/// Says when the next request may be sent. The limit is one of the base, over all nodes, so the caller keeps it; lists of
/// several pages ask once for each request.
pub trait Pace: Sync {
    /// Waits for a slot, or says that there is none to be had.
    fn slot(&self) -> impl Future<Output = Result<(), StepFailure>> + Send;
}

/// A record's id: `rec` and 14 letters or digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId(String);

impl RecordId {
    /// Checks the grammar and wraps the text.
    pub fn parse(text: &str) -> Option<Self> {
        let is_record_id = JobId::parse(text).is_ok_and(|id| id.is_record_id());
        is_record_id.then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A job's record, as far as we use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The record.
    pub id: RecordId,
    /// The text of its job column, where it has one.
    pub job: Option<String>,
    /// The text of its history column; empty where the cell is.
    pub history: String,
    /// The text of its URL column, where that is used and filled.
    pub url: Option<String>,
}

/// The job of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallJob {
    /// Its record.
    pub record: RecordId,
    /// Its id: the text of the job column, or the record's id where that column is of no use as one.
    pub job: JobId,
}

/// How many records matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<T> {
    /// None.
    None,
    /// Exactly one.
    One(T),
    /// More than one: a person must decide.
    Many(usize),
}

impl<T> Found<T> {
    fn among(matches: impl IntoIterator<Item = T>) -> Self {
        let mut matches = matches.into_iter();
        match (matches.next(), matches.count()) {
            (None, _) => Self::None,
            (Some(one), 0) => Self::One(one),
            (Some(_), more) => Self::Many(more + 1),
        }
    }
}

impl Airtable {
    /// A client for this table.
    pub fn new(http: &Http, config: AirtableConfig) -> Self {
        Self { http: http.clone(), config }
    }

    /// The records of these jobs, in the order asked: the record itself where the id has a record id's form, else the
    /// one whose job column equals it.
    pub async fn find_by_job_ids(
        &self,
        jobs: &[JobId],
        pace: &impl Pace,
    ) -> Result<Vec<(JobId, Found<Row>)>, StepFailure> {
        let terms = jobs.iter().map(|job| match RecordId::parse(job.as_str()) {
            Some(id) => Formula::record(&id),
            None => Formula::equals(&self.config.job_field, job.as_str()),
        });
        let rows = self.rows(terms.collect(), pace, "looking for jobs").await?;
        let matches = |job: &JobId, row: &Row| {
            if job.is_record_id() { row.id.as_str() == job.as_str() } else { row.job.as_deref() == Some(job.as_str()) }
        };
        let found = |job: &JobId| Found::among(rows.iter().filter(|row| matches(job, row)).cloned());
        Ok(jobs.iter().map(|job| (job.clone(), found(job))).collect())
    }

    /// The jobs of these calls, in the order asked: the records whose call column holds the call's or its parent's sid as
    /// a whole line or word.
    pub async fn find_by_calls(
        &self,
        calls: &[(CallSid, Option<CallSid>)],
        pace: &impl Pace,
    ) -> Result<Vec<(CallSid, Found<CallJob>)>, StepFailure> {
        if self.config.call_field.is_empty() {
            return Ok(calls.iter().map(|(call, _)| (call.clone(), Found::None)).collect());
        }
        let sids = calls.iter().flat_map(|(call, parent)| std::iter::once(call).chain(parent));
        let terms = sids.map(|sid| Formula::contains(&self.config.call_field, sid.as_str())).collect();
        let fields = [self.config.job_field.as_str(), &self.config.call_field];
        let records = self.list(terms, &fields, pace, "looking for the jobs of calls").await?;
        let matches = |record: &Record, call: &CallSid, parent: Option<&CallSid>| {
            let text = record.text(&self.config.call_field).unwrap_or_default();
            words(&text).any(|word| word == call.as_str() || parent.is_some_and(|parent| word == parent.as_str()))
        };
        let found = |call: &CallSid, parent: Option<&CallSid>| {
            let matching = records.iter().filter(|record| matches(record, call, parent));
            Found::among(matching.filter_map(|record| self.call_job(record)))
        };
        Ok(calls.iter().map(|(call, parent)| (call.clone(), found(call, parent.as_ref()))).collect())
    }

    /// These records as they are now, in the order asked; `None` where one does not exist any more.
    pub async fn read(
        &self,
        records: &[RecordId],
        pace: &impl Pace,
    ) -> Result<Vec<(RecordId, Option<Row>)>, StepFailure> {
        let rows = self.rows(records.iter().map(Formula::record).collect(), pace, "reading job records").await?;
        let row = |id: &RecordId| rows.iter().find(|row| row.id == *id).cloned();
        Ok(records.iter().map(|id| (id.clone(), row(id))).collect())
    }

    async fn rows(&self, terms: Vec<Formula>, pace: &impl Pace, what: &str) -> Result<Vec<Row>, StepFailure> {
        let columns = [Some(&self.config.job_field), Some(&self.config.history_field), self.config.url_field.as_ref()];
        let fields: Vec<&str> = columns.into_iter().flatten().map(String::as_str).collect();
        let records = self.list(terms, &fields, pace, what).await?;
        Ok(records.iter().filter_map(|record| self.row(record)).collect())
    }

    fn row(&self, record: &Record) -> Option<Row> {
        Some(Row {
            id: RecordId::parse(&record.id)?,
            job: record.text(&self.config.job_field),
            history: record.text(&self.config.history_field).unwrap_or_default(),
            url: self.config.url_field.as_ref().and_then(|field| record.text(field)),
        })
    }

    fn call_job(&self, record: &Record) -> Option<CallJob> {
        let text = record.text(&self.config.job_field);
        let own = text.and_then(|text| JobId::parse(&text).ok()).filter(|job| !job.is_record_id());
        let job = own.or_else(|| JobId::parse(&record.id).ok())?;
        Some(CallJob { record: RecordId::parse(&record.id)?, job })
    }
}

/// The words of a cell: what stands between anything that can't be part of an id.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sid_is_a_word_only_as_a_whole() {
        let has = |text: &str| words(text).any(|word| word == "CA1");
        for text in ["CA1", "CA1\nCA2", "CA0, CA1;CA2", "call (CA1)."] {
            assert!(has(text), "{text}");
        }
        for text in ["", "CA12", "xCA1", "CA1-old", "CA_CA1"] {
            assert!(!has(text), "{text}");
        }
    }

    #[test]
    fn found_counts() {
        assert_eq!(Found::<u8>::among([]), Found::None);
        assert_eq!(Found::among([7]), Found::One(7));
        assert_eq!(Found::among([7, 8, 9]), Found::Many(3));
    }
}
