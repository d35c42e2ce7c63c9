//! What an account is set to at the provider: itself, its telephone numbers, its TwiML applications; read only.
//!
//! Guarantee: lists are read page by page up to a bound, and of the address of a next page nothing is used but its place.

use callspool_domain::{Code, StepFailure, Timestamp};
use reqwest::header::DATE;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::Twilio;
use super::scan::{next_place, place};
use crate::http::{Response, read_capped};

/// Resources to a page, of about two kilobytes each.
const PAGE_SIZE: &str = "100";
const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// More than 5,000 numbers are not looked at.
const PAGES: usize = 50;

/// The provider's clock, as an answer showed it.
#[derive(Debug, Clone, Copy)]
pub struct ShownTime(pub Option<Timestamp>);

/// A telephone number (<https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource>).
#[derive(Debug, Clone, Deserialize)]
pub struct PhoneNumber {
    /// Its id, `PN…`.
    pub sid: String,
    /// In E.164; personal data.
    pub phone_number: String,
    /// Where its calls get their TwiML.
    pub voice_url: Option<String>,
    /// Where their states are told.
    pub status_callback: Option<String>,
    /// The application that answers instead of `voice_url`, `AP…`.
    pub voice_application_sid: Option<String>,
    /// The SIP trunk that takes the calls instead of either, `TK…`.
    pub trunk_sid: Option<String>,
    capabilities: Option<Capabilities>,
}

#[derive(Debug, Clone, Deserialize)]
struct Capabilities {
    voice: Option<bool>,
}

impl PhoneNumber {
    /// Whether it can be called; true where the provider does not say.
    pub fn takes_calls(&self) -> bool {
        self.capabilities.as_ref().and_then(|capabilities| capabilities.voice).unwrap_or(true)
    }
}

/// A TwiML application (<https://www.twilio.com/docs/usage/api/applications>).
#[derive(Debug, Clone, Deserialize)]
pub struct Application {
    /// Its id, `AP…`.
    pub sid: String,
    /// Where its calls get their TwiML.
    pub voice_url: Option<String>,
    /// Where their states are told.
    pub status_callback: Option<String>,
}

/// A list, as far as it was read.
#[derive(Debug, Clone)]
pub struct Listed<T> {
    /// What is in it.
    pub items: Vec<T>,
    /// False where there are more than were read.
    pub complete: bool,
}

#[derive(Deserialize)]
struct Account {
    status: String,
}

#[derive(Deserialize)]
struct NumbersPage {
    incoming_phone_numbers: Vec<PhoneNumber>,
    next_page_uri: Option<String>,
}

#[derive(Deserialize)]
struct ApplicationsPage {
    applications: Vec<Application>,
    next_page_uri: Option<String>,
}

/// A page of a list, and the address of the next one.
trait Page: DeserializeOwned {
    type Item;
    fn split(self) -> (Vec<Self::Item>, Option<String>);
}

impl Page for NumbersPage {
    type Item = PhoneNumber;
    fn split(self) -> (Vec<PhoneNumber>, Option<String>) {
        (self.incoming_phone_numbers, self.next_page_uri)
    }
}

impl Page for ApplicationsPage {
    type Item = Application;
    fn split(self) -> (Vec<Application>, Option<String>) {
        (self.applications, self.next_page_uri)
    }
}

impl Twilio {
    /// Whether these credentials may read the account's recordings, and what time it is there.
    pub async fn may_read_recordings(&self) -> Result<ShownTime, StepFailure> {
        self.may_read("Recordings.json", "listing recordings").await
    }

    /// The same for its calls.
    pub async fn may_read_calls(&self) -> Result<ShownTime, StepFailure> {
        self.may_read("Calls.json", "listing calls").await
    }

    /// The account's state: `active`, `suspended` or `closed`
    /// (<https://www.twilio.com/docs/iam/api/account#account-properties>). Most API keys may not ask.
    pub async fn account_status(&self) -> Result<String, StepFailure> {
        const WHAT: &str = "reading the account";
        let mut url = self.url(&[])?;
        let name = format!("{}.json", self.account.sid);
        // The account's own resource is a sibling of the folder that all others are in.
        url.path_segments_mut().map_err(|()| unusable())?.pop_if_empty().pop().push(&name);
        let account: Account = self.fetch(url, WHAT).await?;
        Ok(account.status)
    }

    /// The account's telephone numbers.
    pub async fn phone_numbers(&self) -> Result<Listed<PhoneNumber>, StepFailure> {
        self.list::<NumbersPage>("IncomingPhoneNumbers.json", "listing telephone numbers").await
    }

    /// The account's TwiML applications.
    pub async fn applications(&self) -> Result<Listed<Application>, StepFailure> {
        self.list::<ApplicationsPage>("Applications.json", "listing applications").await
    }

    async fn may_read(&self, list: &str, what: &str) -> Result<ShownTime, StepFailure> {
        let mut url = self.url(&[list])?;
        url.query_pairs_mut().append_pair("PageSize", "1");
        let response = self.granted(url, what).await?;
        let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
        // HTTP writes the zone as GMT, which RFC 2822 still knows.
        Ok(ShownTime(date.and_then(Timestamp::from_rfc2822)))
    }

    async fn list<P: Page>(&self, list: &str, what: &str) -> Result<Listed<P::Item>, StepFailure> {
        let (mut items, mut next) = (Vec::new(), None::<String>);
        for _page in 0..PAGES {
            let mut url = self.url(&[list])?;
            url.query_pairs_mut()
                .append_pair("PageSize", PAGE_SIZE)
                .extend_pairs(next.as_deref().map(place).into_iter().flatten());
            let (found, uri) = self.fetch::<P>(url, what).await?.split();
            items.extend(found);
            next = uri.as_deref().and_then(next_place);
            if next.is_none() {
                return Ok(Listed { items, complete: true });
            }
        }
        Ok(Listed { items, complete: false })
    }

    async fn fetch<T: DeserializeOwned>(&self, url: Url, what: &str) -> Result<T, StepFailure> {
        let response = self.granted(url, what).await?;
        let body = read_capped(response, PAGE_BYTES).await;
        let body = body.map_err(|error| StepFailure::new(Code::ProviderReset, format!("{what}: {error}")))?;
        serde_json::from_slice(&body)
            .map_err(|error| StepFailure::new(Code::ProviderUnreadable, format!("{what}: {error}")))
    }

    async fn granted(&self, url: Url, what: &str) -> Result<Response, StepFailure> {
        let response = self.send(self.request(Method::GET, url), what).await?;
        match response.status() {
            StatusCode::OK => Ok(response),
            _ => Err(self.refusal(response, what).await),
        }
    }
}

fn unusable() -> StepFailure {
    StepFailure::new(Code::ProviderRejected, "TWILIO_API_URL is no http(s) URL; correct it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_http_is_read() {
        assert!(Timestamp::from_rfc2822("Fri, 15 Mar 2024 14:30:22 GMT").is_some());
    }
}
