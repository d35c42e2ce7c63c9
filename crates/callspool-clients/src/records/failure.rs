//! What a refusal of Airtable's means for the step (<https://airtable.com/developers/web/api/errors>).

use std::time::Duration;

use callspool_domain::{Code, StepFailure};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use super::wire;
use crate::http::{Breakage, Broken, ReadError, quote, retry_after};

/// After a 429 Airtable refuses everything for this long (<https://airtable.com/developers/web/api/rate-limits>).
const PENALTY: Duration = Duration::from_secs(30);

/// An answer that is no success.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    kind: String,
    message: String,
    retry_after: Option<Duration>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let (kind, message) = wire::error(body);
        Self { status, kind, message, retry_after: retry_after(headers) }
    }

    /// Whether one record of a batch may be to blame, so that the others can still be written.
    pub(super) fn may_be_one_record(&self) -> bool {
        let of_the_service = matches!(self.status.as_u16(), 401 | 408 | 425 | 429);
        self.status.is_client_error() && !of_the_service && !self.is_unknown_field()
    }

    /// The record is not there; so this refusal is none of the token's rights.
    pub(super) fn is_no_such_record(&self) -> bool {
        self.kind == "ROW_DOES_NOT_EXIST" || (self.status == StatusCode::NOT_FOUND && self.kind == "NOT_FOUND")
    }

    fn is_unknown_field(&self) -> bool {
        matches!(self.kind.as_str(), "UNKNOWN_FIELD_NAME" | "TABLE_NOT_FOUND")
    }

    /// The failure of a request about the table as a whole.
    pub(super) fn of_the_table(&self, what: &str) -> StepFailure {
        const TABLE: &str = "check AIRTABLE_BASE_ID, AIRTABLE_TABLE and the AIRTABLE_*_FIELD names";
        let (code, advice) = match self.status.as_u16() {
            401 => (Code::RecordsUnauthorized, "check AIRTABLE_API_KEY"),
            403 => (Code::RecordsForbidden, "give the token data.records:read and :write for this base"),
            422 if self.kind == "LIST_RECORDS_ITERATOR_NOT_AVAILABLE" => {
                (Code::RecordsUnreadable, "the list is begun again")
            }
            429 => (Code::RecordsThrottled, "nothing is sent for 30 s; lower AIRTABLE_RPS if this goes on"),
            408 | 425 | 500..=599 => (Code::RecordsUnavailable, "it is tried again until Airtable recovers"),
            300..=399 => (Code::RecordsMisconfigured, "redirects are not followed; check AIRTABLE_ENDPOINT_URL"),
            _ => (Code::RecordsMisconfigured, TABLE),
        };
        self.failure(code, what, advice)
    }

    /// The failure of a request about one record, which was read a moment ago.
    pub(super) fn of_one_record(&self, what: &str) -> StepFailure {
        if self.may_be_one_record() && self.status != StatusCode::FORBIDDEN {
            return self.failure(Code::RecordsRejected, what, "look at the record, then retry");
        }
        self.of_the_table(what)
    }

    fn failure(&self, code: Code, what: &str, advice: &str) -> StepFailure {
        let said = quote(&format!("{} {}", self.kind, self.message));
        let said = if said.is_empty() { "(no message)".to_owned() } else { said };
        let failure = StepFailure::new(code, format!("{what}: HTTP {}: {said}; {advice}", self.status.as_u16()));
        if code == Code::RecordsThrottled {
            return failure.after(Some(self.retry_after.unwrap_or_default().max(PENALTY)));
        }
        failure.after(self.retry_after)
    }
}

/// The failure of an exchange that broke. Whether a write arrived is not known then; reading again tells.
pub(super) fn broken(broken: &Broken, what: &str) -> StepFailure {
    let code = match broken.how {
        Breakage::Unreachable | Breakage::Reset | Breakage::EndedEarly => Code::RecordsUnreachable,
        Breakage::Stalled => Code::RecordsStalled,
    };
    StepFailure::new(code, format!("{what}: {}; it is tried again until Airtable answers", broken.cause))
}

/// The failure of an answer whose body could not be read.
pub(super) fn unread(error: &ReadError, what: &str) -> StepFailure {
    let code = match error {
        ReadError::TooLong(_) => Code::RecordsUnreadable,
        ReadError::Broken(_) => Code::RecordsUnreachable,
        ReadError::Stalled => Code::RecordsStalled,
    };
    StepFailure::new(code, format!("{what}: {error}; it is tried again"))
}
