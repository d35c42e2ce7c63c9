//! What a store's refusal means for the step.
//!
//! Codes are those of <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html> and of MinIO's full disk.

use std::error::Error;
use std::time::Duration;

use callspool_domain::{Code, StepFailure};
use reqwest::StatusCode;

use crate::http::{Answer, Breakage, Broken, Response, causes, quote, read_capped, retry_after};

/// An answer that is no success.
#[derive(Debug, Clone, thiserror::Error)]
#[error("HTTP {status}: {code} {message}")]
pub(super) struct Refusal {
    status: u16,
    code: String,
    message: String,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// Reads an answer; `None` where it is a success. A completed multipart upload may say 200 and hold an error.
    pub(super) fn of(answer: &Answer) -> Option<Self> {
        let text = String::from_utf8_lossy(&answer.body);
        let refused = !answer.status.is_success() || text.contains("<Error>");
        refused.then(|| Self::new(answer.status, &text, retry_after(&answer.headers)))
    }

    /// Reads the answer to a request of our own.
    pub(super) async fn read(response: Response, max: usize) -> Self {
        let (status, wait) = (response.status(), retry_after(response.headers()));
        let body = read_capped(response, max).await.unwrap_or_default();
        Self::new(status, &String::from_utf8_lossy(&body), wait)
    }

    fn new(status: StatusCode, body: &str, retry_after: Option<Duration>) -> Self {
        let code = element(body, "Code").unwrap_or_default();
        let message =
            element(body, "Message").unwrap_or_else(|| if code.is_empty() { quote(body) } else { String::new() });
        Self { status: status.as_u16(), code, message, retry_after }
    }

    /// The refusal behind an error of `object_store`, where there is one.
    pub(super) fn behind(error: &object_store::Error) -> Option<&Self> {
        find(error)
    }

    pub(super) fn is_no_such_bucket(&self) -> bool {
        self.code == "NoSuchBucket"
    }

    pub(super) fn is_no_such_upload(&self) -> bool {
        self.code == "NoSuchUpload"
    }

    /// The key is taken.
    pub(super) fn is_taken(&self) -> bool {
        self.status == 412
    }

    /// The store may not know `If-None-Match`, and says so in one of two ways.
    pub(super) fn is_unknown_condition(&self) -> bool {
        self.status == 501
            || (self.status == 400
                && matches!(self.code.as_str(), "" | "InvalidArgument" | "InvalidRequest" | "NotImplemented"))
    }

    /// Turns it into the step's failure.
    pub(super) fn failure(&self, what: &str) -> StepFailure {
        let (code, advice) = self.verdict();
        let said = [self.code.as_str(), self.message.as_str()].join(" ");
        let said = if said.trim().is_empty() { "(no message)".to_owned() } else { quote(&said) };
        StepFailure::new(code, format!("{what}: HTTP {}: {said}; {advice}", self.status)).after(self.retry_after)
    }

    fn verdict(&self) -> (Code, &'static str) {
        const CREDENTIALS: &str = "check AWS_ACCESS_KEY_ID and its secret, or the machine's role";
        const RIGHTS: &str =
            "allow s3:PutObject, s3:GetObject and s3:AbortMultipartUpload on the bucket's keys (and s3:ListBucket)";
        const DAMAGED: &str = "the bytes were damaged on the way; they are sent again";
        match (self.status, self.code.as_str()) {
            (429, _) | (_, "SlowDown" | "Throttling" | "TooManyRequests") => {
                (Code::ArchiveThrottled, "it is tried again later")
            }
            (507, _) => (Code::ArchiveFull, "make room in the store"),
            (_, code) if code.contains("StorageFull") || code.contains("QuotaExceeded") => {
                (Code::ArchiveFull, "make room in the store")
            }
            (_, "RequestTimeTooSkewed") => (Code::ArchiveUnauthorized, "set this machine's clock"),
            (
                _,
                "ExpiredToken"
                | "InvalidToken"
                | "InvalidAccessKeyId"
                | "SignatureDoesNotMatch"
                | "AuthorizationHeaderMalformed",
            )
            | (401, _) => (Code::ArchiveUnauthorized, CREDENTIALS),
            (403, _) => (Code::ArchiveUnauthorized, RIGHTS),
            (_, "BadDigest" | "InvalidDigest" | "XAmzContentSHA256Mismatch" | "InvalidPart") => {
                (Code::ArchiveMismatch, DAMAGED)
            }
            (_, "RequestTimeout") => (Code::ArchiveStalled, "it is tried again"),
            (404, "NoSuchUpload") | (409 | 412, _) => (Code::ArchiveConflict, "it is tried again"),
            (300..=399, _) => (Code::ArchiveRejected, "check S3_REGION and S3_ENDPOINT; redirects are not followed"),
            (200 | 408 | 425 | 500..=599, _) => {
                (Code::ArchiveUnavailable, "it is tried again until the store recovers")
            }
            _ => (Code::ArchiveRejected, "check the bucket's name and settings"),
        }
    }
}

/// The failure of an operation of `object_store`.
pub(super) fn store_failure(error: &object_store::Error, what: &str) -> StepFailure {
    if let Some(refusal) = find::<Refusal>(error) {
        return refusal.failure(what);
    }
    if let Some(broken) = find::<Broken>(error) {
        return broken_failure(broken, what);
    }
    let cause = quote(&error.to_string());
    StepFailure::new(Code::ArchiveRejected, format!("{what}: {cause}; check that the endpoint is an S3 store"))
}

/// The failure of an exchange that broke.
pub(super) fn broken_failure(broken: &Broken, what: &str) -> StepFailure {
    let code = match broken.how {
        Breakage::Unreachable | Breakage::Reset | Breakage::EndedEarly => Code::ArchiveUnreachable,
        Breakage::Stalled => Code::ArchiveStalled,
    };
    StepFailure::new(code, format!("{what}: {}; it is tried again until the store answers", broken.cause))
}

fn find<T: Error + 'static>(error: &object_store::Error) -> Option<&T> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// The text of the first element of this name. Error bodies are flat, and only shown.
fn element(body: &str, name: &str) -> Option<String> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    Some(quote(rest.split_once("</")?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(status: u16, code: &str) -> Code {
        let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>m</Message></Error>");
        let status = StatusCode::from_u16(status).expect("status");
        Refusal::new(status, &body, None).failure("writing k").code
    }

    #[test]
    fn every_refusal_has_its_code() {
        for (status, name, expected) in [
            (503, "SlowDown", Code::ArchiveThrottled),
            (429, "", Code::ArchiveThrottled),
            (503, "ServiceUnavailable", Code::ArchiveUnavailable),
            (500, "InternalError", Code::ArchiveUnavailable),
            (200, "InternalError", Code::ArchiveUnavailable),
            (507, "XMinioStorageFull", Code::ArchiveFull),
            (403, "AccessDenied", Code::ArchiveUnauthorized),
            (400, "ExpiredToken", Code::ArchiveUnauthorized),
            (403, "RequestTimeTooSkewed", Code::ArchiveUnauthorized),
            (404, "NoSuchBucket", Code::ArchiveRejected),
            (404, "NoSuchUpload", Code::ArchiveConflict),
            (409, "ConditionalRequestConflict", Code::ArchiveConflict),
            (400, "BadDigest", Code::ArchiveMismatch),
            (400, "RequestTimeout", Code::ArchiveStalled),
            (301, "PermanentRedirect", Code::ArchiveRejected),
            (400, "InvalidBucketName", Code::ArchiveRejected),
        ] {
            assert_eq!(code(status, name), expected, "{status} {name}");
        }
    }
}
