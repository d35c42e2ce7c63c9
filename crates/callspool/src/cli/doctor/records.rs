//! The job records: are the table and its columns there, of the right kind, and may we write; without writing anything.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use callspool_clients::http::Http;
use callspool_clients::records::{Airtable, Column, Pace};
use callspool_domain::{Clock, Code, StepFailure};

use super::{Finding, Severity, Topic};
use crate::config::{AirtableSettings, Config, RecordsSettings};
use crate::lifecycle::sleep_until;
use crate::records::airtable_config;

const ABOUT: &str = "job records";
/// A running service leaves one request a second of Airtable's five.
const APART: Duration = Duration::from_secs(1);

/// Kinds of columns (<https://airtable.com/developers/web/api/field-model>) that take a text as it is.
const TEXT: [&str; 1] = ["multilineText"];
/// That take it, and do something to it.
const NEARLY_TEXT: [&str; 2] = ["singleLineText", "richText"];
/// That take a URL.
const LINK: [&str; 4] = ["url", "singleLineText", "multilineText", "richText"];
/// That no id can be read from.
const NO_ID: [&str; 8] = [
    "checkbox",
    "multipleAttachments",
    "button",
    "singleCollaborator",
    "multipleCollaborators",
    "createdBy",
    "lastModifiedBy",
    "rating",
];

pub(super) async fn examine(config: &Config, http: &Http) -> Vec<Finding> {
    let RecordsSettings::Airtable(settings) = &config.records else {
        return vec![Finding::ok(ABOUT, "are kept in callspool's own database")];
    };
    let table = Airtable::new(http, airtable_config(settings));
    let pace = Apart { is_limited: !settings.interval.is_zero(), asked: AtomicBool::new(false) };
    if let Err(failure) = table.may_read(&pace).await {
        return vec![Finding::failed(ABOUT, &failure)];
    }
    let mut findings = vec![Finding::ok(ABOUT, "the table and its columns are there, and can be read")];
    match table.columns(&pace).await {
        Ok(columns) => findings.extend(kinds(settings, &columns)),
        Err(failure) if is_refused(&failure) => findings.push(Finding::new(
            Severity::Note,
            Topic::SchemaUnread,
            ABOUT,
            "the kinds of the columns are not told to this token (scope schema.bases:read)",
            "compare them with the README by hand, or give the token this scope",
        )),
        Err(failure) => findings.push(Finding::failed(ABOUT, &failure)),
    }
    if let Err(failure) = table.may_write(&pace).await {
        findings.push(Finding::failed(ABOUT, &failure));
    }
    findings
}

fn is_refused(failure: &StepFailure) -> bool {
    matches!(failure.code, Code::RecordsForbidden | Code::RecordsUnauthorized | Code::RecordsMisconfigured)
}

fn kinds(settings: &AirtableSettings, columns: &[Column]) -> Vec<Finding> {
    let kind = |name: &str| columns.iter().find(|column| column.name == name).map(|column| column.kind.as_str());
    let mut findings = Vec::new();
    let mut note = |severity, setting: &str, name: &str, kind: &str, why: &str, todo: &str| {
        let found = format!("column {name:?} is of the kind {kind}, {why}");
        findings.push(Finding::new(severity, Topic::ColumnKind, setting, found, todo));
    };
    let history = settings.history_field.as_str();
    if let Some(kind) = kind(history).filter(|kind| !TEXT.contains(kind)) {
        let (severity, why) = if NEARLY_TEXT.contains(&kind) {
            (Severity::Advice, "which may change line ends or signs in what is written")
        } else {
            (Severity::Loses, "which takes no text, so no line is written")
        };
        note(severity, "AIRTABLE_HISTORY_FIELD", history, kind, why, "make it long text, without rich formatting");
    }
    if let Some(name) = &settings.url_field
        && let Some(kind) = kind(name).filter(|kind| !LINK.contains(kind))
    {
        let why = "which takes no URL, so neither it nor the line is written";
        note(Severity::Loses, "AIRTABLE_URL_FIELD", name, kind, why, "make it a URL or text");
    }
    let ids =
        [("AIRTABLE_JOB_FIELD", Some(&settings.job_field)), ("AIRTABLE_CALL_FIELD", settings.call_field.as_ref())];
    for (setting, name) in ids {
        let Some(name) = name else { continue };
        if let Some(kind) = kind(name).filter(|kind| NO_ID.contains(kind)) {
            note(Severity::Loses, setting, name, kind, "which holds no id, so no job is found by it", "make it text");
        }
    }
    findings
}

/// Keeps doctor's own requests apart; the service's rate is the service's business.
struct Apart {
    is_limited: bool,
    asked: AtomicBool,
}

impl Pace for Apart {
    async fn slot(&self) -> Result<(), StepFailure> {
        if self.asked.swap(true, Ordering::Relaxed) && self.is_limited {
            sleep_until(&Clock::System, Clock::System.now() + APART).await;
        }
        Ok(())
    }
}
