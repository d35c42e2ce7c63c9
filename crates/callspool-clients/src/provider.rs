//! Twilio's recordings: what it says about one, its media, and its deletion.
//!
//! Guarantee: every URL is built from ids on the configured host, credentials go only there, redirects are refused, and
//! a deletion is sent exactly once per call.

mod call;
mod inventory;
mod keys;
mod media;
mod opener;
mod scan;
mod start;
mod wire;

use bytes::Bytes;
use callspool_domain::recording::Announcement;
use callspool_domain::{AccountSid, Code, RecordingSid, Secret, StepFailure, Timestamp};
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, StatusCode};
use url::Url;

use crate::http::{Breakage, Broken, Http, ReadError, Response, quote, read_capped, retry_after};
pub use inventory::{Application, Listed, PhoneNumber, ShownTime};
pub use keys::{KeyError, PrivateKeys, Unopened};
pub use media::{Channels, Media, MediaForm, RangedMedia};
pub use opener::{Damaged, Opener, TAG};
pub use scan::RecordingsPage;
pub use start::{HowToRecord, Started, Stopped};

/// No recording's metadata is near this long.
const RESOURCE_BYTES: usize = 256 * 1024;
/// An error's body is read up to here, for its message.
const ERROR_BYTES: usize = 16 * 1024;

/// One account and how its API is reached.
#[derive(Debug, Clone)]
pub struct TwilioAccount {
    /// Whose recordings; stands in every path.
    pub sid: AccountSid,
    /// An API key's sid, or the account's.
    pub user: String,
    /// The API key's secret, or the account's auth token.
    pub password: Secret,
    /// `https://api.twilio.com`, or a region's host.
    pub base_url: Url,
}

/// The client of one account.
#[derive(Debug, Clone)]
pub struct Twilio {
    http: Http,
    account: TwilioAccount,
}

/// A recording as the API knows it.
#[derive(Debug, Clone)]
pub struct RecordingResource {
    /// What it says, in the shape of a callback.
    pub announcement: Announcement,
    /// When the resource was made.
    pub created_at: Option<Timestamp>,
    /// True where the media is deleted and only the metadata is left (for 40 days,
    /// <https://www.twilio.com/docs/voice/api/recording#delete-a-recording-resource>).
    pub deleted: bool,
}

/// What came of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// The provider deleted it now.
    Deleted,
    /// It was not there any more.
    AlreadyGone,
}

impl Twilio {
    /// A client for this account.
    pub fn new(http: &Http, account: TwilioAccount) -> Self {
        Self { http: http.clone(), account }
    }

    /// What the provider knows about a recording, deleted ones included; `None` where it knows none.
    pub async fn recording(&self, recording: &RecordingSid) -> Result<Option<RecordingResource>, StepFailure> {
        let mut url = self.recording_url(recording, ".json")?;
        url.query_pairs_mut().append_pair("IncludeSoftDeleted", "true");
        let what = format!("reading recording {recording}");
        let response = self.send(self.request(Method::GET, url), &what).await?;
        match response.status() {
            StatusCode::OK => {
                let body = read_resource(response, &what).await?;
                wire::read(&body, recording).map(Some).map_err(|cause| {
                    let said = quote(&String::from_utf8_lossy(&body));
                    StepFailure::new(Code::ProviderUnreadable, format!("{what}: {cause}; the provider said: {said}"))
                })
            }
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.refusal(response, &what).await),
        }
    }

    /// Deletes a recording at the provider, for good. Sent once; after a lost reply the next call finds it gone.
    pub async fn delete(&self, recording: &RecordingSid) -> Result<Deletion, StepFailure> {
        let what = format!("deleting recording {recording}");
        let url = self.recording_url(recording, ".json")?;
        let response = self.send(self.request(Method::DELETE, url), &what).await?;
        match response.status() {
            // Anything else that looks like a success is not the provider's, and would make a false receipt.
            StatusCode::NO_CONTENT => Ok(Deletion::Deleted),
            StatusCode::NOT_FOUND => Ok(Deletion::AlreadyGone),
            _ => Err(self.refusal(response, &what).await),
        }
    }

    /// The recording's own address at the provider, as its callbacks tell it; who asks there needs credentials
    /// (<https://www.twilio.com/docs/voice/api/recording#fetch-a-recordings-media-file>).
    pub fn address_of(&self, recording: &RecordingSid) -> Option<String> {
        self.recording_url(recording, "").ok().map(String::from)
    }

    fn recording_url(&self, recording: &RecordingSid, ending: &str) -> Result<Url, StepFailure> {
        self.url(&["Recordings", &format!("{recording}{ending}")])
    }

    /// `{base}/2010-04-01/Accounts/{account}/` and these segments.
    fn url(&self, segments: &[&str]) -> Result<Url, StepFailure> {
        let mut url = self.account.base_url.clone();
        let unusable = || StepFailure::new(Code::ProviderRejected, "TWILIO_API_URL is no http(s) URL; correct it");
        let mut path = url.path_segments_mut().map_err(|()| unusable())?;
        path.pop_if_empty().extend(["2010-04-01", "Accounts", self.account.sid.as_str()]).extend(segments);
        drop(path);
        Ok(url)
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.http.request(method, url).basic_auth(&self.account.user, Some(self.account.password.expose()))
    }

    async fn send(&self, request: RequestBuilder, what: &str) -> Result<Response, StepFailure> {
        self.http.send(request).await.map_err(|broken| self.broken(&broken, what))
    }

    fn broken(&self, broken: &Broken, what: &str) -> StepFailure {
        let code = match broken.how {
            Breakage::Unreachable => Code::ProviderUnreachable,
            Breakage::Reset | Breakage::EndedEarly => Code::ProviderReset,
            Breakage::Stalled => Code::ProviderStalled,
        };
        let host = self.account.base_url.host_str().unwrap_or_default();
        StepFailure::new(code, format!("{what} at {host}: {}", broken.cause))
    }

    /// Turns an answer that is no success into a failure, with the provider's words.
    async fn refusal(&self, response: Response, what: &str) -> StepFailure {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read_capped(response, ERROR_BYTES).await.unwrap_or_default();
        refusal(status, &headers, &body, what)
    }
}

/// Reads the whole of a resource.
async fn read_resource(response: Response, what: &str) -> Result<Bytes, StepFailure> {
    read_within(response, what, RESOURCE_BYTES).await
}

/// Reads an answer of at most `max` bytes.
async fn read_within(response: Response, what: &str, max: usize) -> Result<Bytes, StepFailure> {
    read_capped(response, max).await.map_err(|error| {
        let code = match error {
            ReadError::TooLong(_) => Code::ProviderUnreadable,
            ReadError::Broken(_) => Code::ProviderReset,
            ReadError::Stalled => Code::ProviderStalled,
        };
        StepFailure::new(code, format!("{what}: {error}"))
    })
}

fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8], what: &str) -> StepFailure {
    let (code, advice) = match status.as_u16() {
        401 => (Code::ProviderUnauthorized, "check TWILIO_AUTH_TOKEN or TWILIO_API_KEY_SID and its secret"),
        403 => (Code::ProviderForbidden, "give these credentials access to recordings"),
        429 => (Code::ProviderThrottled, "it is tried again later"),
        300..=399 => (Code::ProviderRejected, "redirects are not followed; check TWILIO_API_URL"),
        200..=299 => (Code::ProviderUnreadable, "it is not the provider that answered; check TWILIO_API_URL"),
        408 | 425 | 500..=599 => (Code::ProviderUnavailable, "it is tried again until the provider recovers"),
        _ => (Code::ProviderRejected, "check that the account owns this recording and its state allows this"),
    };
    let said = wire::message(body);
    StepFailure::new(code, format!("{what}: HTTP {}: {said}; {advice}", status.as_u16())).after(retry_after(headers))
}
