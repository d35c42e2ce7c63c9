//! Where the customer's jobs are: in Airtable, or in callspool's own database.

use std::time::Duration;

use callspool_domain::Secret;
use url::Url;

use super::Settings;

/// The job records.
#[derive(Debug, Clone)]
pub enum RecordsSettings {
    /// Callspool's own database.
    BuiltIn,
    /// A table in Airtable.
    Airtable(Box<AirtableSettings>),
}

/// A table in Airtable.
#[derive(Debug, Clone)]
pub struct AirtableSettings {
    /// The personal access token.
    pub token: Secret,
    /// The base's id, `app…`.
    pub base: String,
    /// The table's id or name.
    pub table: String,
    /// The API's base URL.
    pub api_url: Url,
    /// The column with the job's id.
    pub job_field: String,
    /// The column with the calls' sids; `None` where it is not used.
    pub call_field: Option<String>,
    /// The column with the history.
    pub history_field: String,
    /// The column with the latest recording's URL; `None` where it is not used.
    pub url_field: Option<String>,
    /// The least time between two requests over all nodes; zero for no limit.
    pub interval: Duration,
}

impl RecordsSettings {
    pub(super) fn read(settings: &mut Settings) -> Self {
        let Some(token) = settings.secret("AIRTABLE_API_KEY") else {
            for name in ["AIRTABLE_BASE_ID", "AIRTABLE_TABLE"] {
                if settings.text(name).is_some() {
                    settings.problem(name, "is set without AIRTABLE_API_KEY");
                }
            }
            return Self::BuiltIn;
        };
        let api_url = settings.text_or("AIRTABLE_ENDPOINT_URL", "https://api.airtable.com");
        let Some(api_url) = Url::parse(&api_url).ok().filter(|url| matches!(url.scheme(), "http" | "https")) else {
            settings.problem("AIRTABLE_ENDPOINT_URL", "must be an http or https address");
            return Self::BuiltIn;
        };
        let used = |text: String| Some(text).filter(|text| !text.is_empty());
        let airtable = AirtableSettings {
            token,
            base: required(settings, "AIRTABLE_BASE_ID"),
            table: required(settings, "AIRTABLE_TABLE"),
            api_url,
            job_field: settings.text_or("AIRTABLE_JOB_FIELD", "Job ID"),
            call_field: used(settings.text_or("AIRTABLE_CALL_FIELD", "Call SID")),
            history_field: settings.text_or("AIRTABLE_HISTORY_FIELD", "job_history"),
            url_field: used(settings.text_or("AIRTABLE_URL_FIELD", "")),
            interval: interval(settings),
        };
        check_fields(settings, &airtable);
        Self::Airtable(Box::new(airtable))
    }
}

fn required(settings: &mut Settings, name: &str) -> String {
    settings.text(name).unwrap_or_else(|| {
        settings.problem(name, "must be set along with AIRTABLE_API_KEY");
        String::new()
    })
}

/// Airtable allows 5 requests a second and base (<https://airtable.com/developers/web/api/rate-limits>).
fn interval(settings: &mut Settings) -> Duration {
    let rate: f64 = settings.parsed("AIRTABLE_RPS").unwrap_or(4.0);
    if rate == 0.0 {
        Duration::ZERO
    } else if rate.is_finite() && (0.01..=1000.0).contains(&rate) {
        Duration::from_secs_f64(1.0 / rate)
    } else {
        settings.problem("AIRTABLE_RPS", "must be 0 or from 0.01 to 1000");
        Duration::ZERO
    }
}

/// A column's name stands in formulas between braces.
fn check_fields(settings: &mut Settings, airtable: &AirtableSettings) {
    let fields = [
        ("AIRTABLE_JOB_FIELD", Some(&airtable.job_field)),
        ("AIRTABLE_CALL_FIELD", airtable.call_field.as_ref()),
        ("AIRTABLE_HISTORY_FIELD", Some(&airtable.history_field)),
        ("AIRTABLE_URL_FIELD", airtable.url_field.as_ref()),
    ];
    for (name, field) in fields {
        if field.is_some_and(|field| field.trim().is_empty() || field.contains(['{', '}', '\\', '\n'])) {
            settings.problem(name, "must be a column's name, without braces, backslashes and line breaks");
        }
    }
}
