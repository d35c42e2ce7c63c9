//! What a store's refusal means for the step.
//!
//! Codes are those of <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>, of MinIO's full disk, of
//! <https://cloud.google.com/storage/docs/json_api/v1/status-codes> and of
//! <https://learn.microsoft.com/en-us/rest/api/storageservices/blob-service-error-codes>.

use std::error::Error;
use std::time::Duration;

use callspool_domain::{Code, StepFailure};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::Deserialize;

use crate::http::{Answer, Breakage, Broken, Response, causes, quote, read_capped, retry_after};

/// An error's body is read up to here.
const ERROR_BYTES: usize = 16 * 1024;

/// Whose store it is: what to do about a refusal is said in its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    S3,
    Gcs,
    Azure,
}

impl Kind {
    fn credentials(self) -> &'static str {
        match self {
            Self::S3 => "check AWS_ACCESS_KEY_ID and its secret, AWS_PROFILE, or the machine's role",
            Self::Gcs => "check GOOGLE_APPLICATION_CREDENTIALS, or the machine's service account",
            Self::Azure => "check AZURE_STORAGE_ACCOUNT and its key, or the machine's identity",
        }
    }

    fn rights(self) -> &'static str {
        match self {
            Self::S3 => {
                "allow s3:PutObject, s3:GetObject and s3:AbortMultipartUpload on the bucket's keys (and s3:ListBucket)"
            }
            Self::Gcs => {
                "allow storage.objects.create and storage.objects.get on the bucket (and storage.objects.list)"
            }
            Self::Azure => {
                "allow blobs of the container to be read, created and written (Storage Blob Data Contributor)"
            }
        }
    }

    fn address(self) -> &'static str {
        match self {
            Self::S3 => "check S3_REGION and S3_ENDPOINT; redirects are not followed",
            Self::Gcs => "check GCS_ENDPOINT; redirects are not followed",
            Self::Azure => "check AZURE_STORAGE_ENDPOINT; redirects are not followed",
        }
    }
}

/// Why a store's operation did not come about.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The store said no.
    #[error("{0}")]
    Refused(Refusal),
    /// The exchange broke.
    #[error("{0}")]
    Broken(#[from] Broken),
    /// There are no credentials: the store's kind, and why.
    #[error("{1}")]
    Credentials(Kind, String),
    /// Something else, in words that may be shown.
    #[error("{0}")]
    Other(String),
}

impl From<object_store::Error> for Trouble {
    fn from(error: object_store::Error) -> Self {
        if let Some(refusal) = find::<Refusal>(&error) {
            return Self::Refused(refusal.clone());
        }
        match find::<Broken>(&error) {
            Some(broken) => Self::Broken(broken.clone()),
            None => Self::Other(quote(&error.to_string())),
        }
    }
}

impl Trouble {
    /// No credentials could be had.
    pub(super) fn credentials(kind: Kind, error: &object_store::Error) -> Self {
        Self::Credentials(kind, quote(&error.to_string()))
    }

    /// What was at the key when the upload began is not there any more, or something else is.
    pub(super) fn changed(kind: Kind) -> Self {
        Self::Refused(Refusal {
            kind,
            status: StatusCode::PRECONDITION_FAILED.as_u16(),
            code: String::new(),
            message: "the key changed while the upload was under way".to_owned(),
            retry_after: None,
        })
    }

    pub(super) fn another_store() -> Self {
        Self::Other("a part of another store's upload".to_owned())
    }

    pub(super) fn is_taken(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.is_taken())
    }

    pub(super) fn is_no_such_upload(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.is_no_such_upload())
    }

    pub(super) fn is_unknown_condition(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.is_unknown_condition())
    }

    /// Turns it into the step's failure.
    pub(super) fn failure(&self, what: &str) -> StepFailure {
        match self {
            Self::Refused(refusal) => refusal.failure(what),
            Self::Broken(broken) => broken_failure(broken, what),
            Self::Credentials(kind, cause) => {
                let advice = kind.credentials();
                let detail = format!("{what}: no credentials for the archive could be had: {cause}; {advice}");
                StepFailure::new(Code::ArchiveUnauthorized, detail)
            }
            Self::Other(cause) => {
                let detail = format!("{what}: {cause}; check that the endpoint is the store that ARCHIVE_URL names");
                StepFailure::new(Code::ArchiveRejected, detail)
            }
        }
    }
}

/// An answer that is no success.
#[derive(Debug, Clone, thiserror::Error)]
#[error("HTTP {status}: {code} {message}")]
pub(super) struct Refusal {
    kind: Kind,
    status: u16,
    code: String,
    message: String,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// Reads an answer; `None` where it is a success. A completed multipart upload may say 200 and hold an error.
    pub(super) fn of(answer: &Answer, kind: Kind) -> Option<Self> {
        let disguised = kind == Kind::S3 && String::from_utf8_lossy(&answer.body).contains("<Error>");
        let refused = !answer.status.is_success() || disguised;
        refused.then(|| Self::new(kind, answer.status, &answer.headers, &answer.body))
    }

    /// Reads the answer to a request whose body was left on its way.
    pub(super) async fn read(response: Response, kind: Kind) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read_capped(response, ERROR_BYTES).await.unwrap_or_default();
        Self::new(kind, status, &headers, &body)
    }

    pub(super) fn new(kind: Kind, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let (code, message) = match kind {
            Kind::Gcs => google(body),
            // Azure says it in a header as well, which is all that a HEAD has.
            Kind::Azure => (headers.get("x-ms-error-code").and_then(|code| code.to_str().ok()).map(quote), None),
            Kind::S3 => (None, None),
        };
        let code = code.or_else(|| element(&text, "Code")).unwrap_or_default();
        let message = message
            .or_else(|| element(&text, "Message"))
            .unwrap_or_else(|| if code.is_empty() { quote(&text) } else { String::new() });
        Self { kind, status: status.as_u16(), code, message, retry_after: retry_after(headers) }
    }

    pub(super) fn is_no_such_bucket(&self) -> bool {
        matches!(self.code.as_str(), "NoSuchBucket" | "ContainerNotFound" | "ContainerBeingDeleted")
            || (self.kind == Kind::Gcs && self.status == 404 && self.message.contains("bucket does not exist"))
    }

    /// The credentials are known and lack the right; or, on a read, there may be nothing.
    pub(super) fn is_forbidden(&self) -> bool {
        self.status == 403
    }

    fn is_no_such_upload(&self) -> bool {
        self.code == "NoSuchUpload" || (self.kind == Kind::Gcs && matches!(self.status, 404 | 410))
    }

    /// The key is taken.
    fn is_taken(&self) -> bool {
        self.status == 412 || self.code == "BlobAlreadyExists"
    }

    /// The store may not know `If-None-Match`, and says so in one of two ways.
    fn is_unknown_condition(&self) -> bool {
        self.kind == Kind::S3
            && (self.status == 501
                || (self.status == 400
                    && matches!(self.code.as_str(), "" | "InvalidArgument" | "InvalidRequest" | "NotImplemented")))
    }

    /// Turns it into the step's failure.
    pub(super) fn failure(&self, what: &str) -> StepFailure {
        let (code, advice) = self.verdict();
        let said = [self.code.as_str(), self.message.as_str()].join(" ");
        let said = if said.trim().is_empty() { "(no message)".to_owned() } else { quote(&said) };
        StepFailure::new(code, format!("{what}: HTTP {}: {said}; {advice}", self.status)).after(self.retry_after)
    }

    fn verdict(&self) -> (Code, &'static str) {
        const DAMAGED: &str = "the bytes were damaged on the way; they are sent again";
        let (credentials, rights) = (self.kind.credentials(), self.kind.rights());
        match (self.status, self.code.as_str()) {
            (429, _)
            | (
                _,
                "SlowDown"
                | "Throttling"
                | "TooManyRequests"
                | "ServerBusy"
                | "rateLimitExceeded"
                | "userRateLimitExceeded",
            ) => (Code::ArchiveThrottled, "it is tried again later"),
            (507, _) => (Code::ArchiveFull, "make room in the store"),
            (_, code) if code.contains("StorageFull") || code.to_ascii_lowercase().contains("quotaexceeded") => {
                (Code::ArchiveFull, "make room in the store")
            }
            (_, "RequestTimeTooSkewed") => (Code::ArchiveUnauthorized, "set this machine's clock"),
            (
                _,
                "ExpiredToken"
                | "InvalidToken"
                | "InvalidAccessKeyId"
                | "SignatureDoesNotMatch"
                | "AuthorizationHeaderMalformed"
                | "AuthenticationFailed"
                | "InvalidAuthenticationInfo",
            )
            | (401, _) => (Code::ArchiveUnauthorized, credentials),
            (403, _) => (Code::ArchiveUnauthorized, rights),
            (
                _,
                "BadDigest"
                | "InvalidDigest"
                | "XAmzContentSHA256Mismatch"
                | "InvalidPart"
                | "Md5Mismatch"
                | "Crc64Mismatch",
            ) => (Code::ArchiveMismatch, DAMAGED),
            (400, _) if self.kind == Kind::Gcs && self.message.to_ascii_lowercase().contains("crc32c") => {
                (Code::ArchiveMismatch, DAMAGED)
            }
            (_, "RequestTimeout" | "OperationTimedOut") => (Code::ArchiveStalled, "it is tried again"),
            // Blocks or a session of an upload that somebody else's, or time, has ended.
            (404, "NoSuchUpload") | (400, "InvalidBlockList" | "InvalidBlobOrBlock") | (409 | 412, _) => {
                (Code::ArchiveConflict, "it is tried again")
            }
            (410, _) if self.kind == Kind::Gcs => (Code::ArchiveConflict, "it is tried again"),
            (300..=399, _) => (Code::ArchiveRejected, self.kind.address()),
            (200 | 408 | 425 | 500..=599, _) => {
                (Code::ArchiveUnavailable, "it is tried again until the store recovers")
            }
            _ => (Code::ArchiveRejected, "check the archive's name and settings"),
        }
    }
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

/// The reason and the message of Google's JSON error.
fn google(body: &[u8]) -> (Option<String>, Option<String>) {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Body {
        error: Said,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Said {
        message: Option<String>,
        errors: Vec<Reason>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Reason {
        reason: Option<String>,
    }
    let said = serde_json::from_slice::<Body>(body).unwrap_or_default().error;
    let reason = said.errors.into_iter().find_map(|said| said.reason);
    (reason.as_deref().map(quote), said.message.as_deref().map(quote))
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
        Refusal::new(Kind::S3, status, &HeaderMap::new(), body.as_bytes()).failure("writing k").code
    }

    fn of_google(status: u16, reason: &str, message: &str) -> Code {
        let error = serde_json::json!({ "error": { "message": message, "errors": [{ "reason": reason }] } });
        let status = StatusCode::from_u16(status).expect("status");
        Refusal::new(Kind::Gcs, status, &HeaderMap::new(), error.to_string().as_bytes()).failure("writing k").code
    }

    fn of_azure(status: u16, code: &'static str) -> Code {
        let headers = HeaderMap::from_iter([("x-ms-error-code".parse().expect("name"), code.parse().expect("text"))]);
        let status = StatusCode::from_u16(status).expect("status");
        Refusal::new(Kind::Azure, status, &headers, b"").failure("writing k").code
    }

    #[test]
    fn google_and_azure_say_it_in_words_of_their_own() {
        for (status, reason, message, expected) in [
            (429, "rateLimitExceeded", "", Code::ArchiveThrottled),
            (403, "userRateLimitExceeded", "", Code::ArchiveThrottled),
            (401, "authError", "Invalid Credentials", Code::ArchiveUnauthorized),
            (403, "forbidden", "does not have storage.objects.create access", Code::ArchiveUnauthorized),
            (404, "notFound", "The specified bucket does not exist.", Code::ArchiveRejected),
            (412, "conditionNotMet", "", Code::ArchiveConflict),
            (410, "gone", "", Code::ArchiveConflict),
            (400, "invalid", "Provided CRC32C \"a\" doesn't match calculated CRC32C \"b\".", Code::ArchiveMismatch),
            (503, "backendError", "", Code::ArchiveUnavailable),
            (403, "quotaExceeded", "", Code::ArchiveFull),
        ] {
            assert_eq!(of_google(status, reason, message), expected, "{status} {reason}");
        }
        for (status, name, expected) in [
            (503, "ServerBusy", Code::ArchiveThrottled),
            (403, "AuthenticationFailed", Code::ArchiveUnauthorized),
            (403, "AuthorizationPermissionMismatch", Code::ArchiveUnauthorized),
            (404, "ContainerNotFound", Code::ArchiveRejected),
            (409, "BlobAlreadyExists", Code::ArchiveConflict),
            (400, "InvalidBlockList", Code::ArchiveConflict),
            (400, "Crc64Mismatch", Code::ArchiveMismatch),
            (500, "OperationTimedOut", Code::ArchiveStalled),
            (500, "InternalError", Code::ArchiveUnavailable),
        ] {
            assert_eq!(of_azure(status, name), expected, "{status} {name}");
        }
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
