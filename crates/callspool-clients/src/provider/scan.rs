//! The recordings of an account, page by page, deleted ones included.
//!
//! Guarantee: a page is at most a thousand recordings, and the next one is named by what the provider said, so that pages
//! neither repeat nor skip while new recordings come in. Of the address of a next page nothing is used but its place.

use std::time::Duration;

use callspool_domain::recording::Announcement;
use callspool_domain::{Code, StepFailure, Timestamp};
use reqwest::{Method, StatusCode};

use super::{Twilio, read_within, wire};

/// The most the provider returns at once (<https://www.twilio.com/docs/usage/twilios-response#pagination>).
const PAGE_SIZE: &str = "1000";
const DAY: Duration = Duration::from_secs(24 * 3600);
/// A recording takes about 1.2 kilobytes.
const PAGE_BYTES: usize = 8 * 1024 * 1024;

/// One page of an account's recordings, newest first.
#[derive(Debug)]
pub struct RecordingsPage {
    /// What it says of each.
    pub recordings: Vec<Announcement>,
    /// What is wrong with those that can't be read, in words.
    pub unreadable: Vec<String>,
    /// Where the next page is; `None`: this is the last.
    pub next: Option<String>,
}

impl Twilio {
    /// The recordings made on the days from `since` to `until` (UTC, both included), from the page on that an
    /// earlier one named as its next (`place_asked`), else from the first.
    ///
    /// The list can be narrowed by whole days alone (<https://www.twilio.com/docs/voice/api/recording#read-multiple-recording-resources>).
    pub async fn recordings_page(
        &self,
        since: Timestamp,
        until: Option<Timestamp>,
        place_asked: Option<&str>,
    ) -> Result<RecordingsPage, StepFailure> {
        const WHAT: &str = "listing recordings";
        let mut url = self.url(&["Recordings.json"])?;
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("DateCreated>", &day(since)).append_pair("IncludeSoftDeleted", "true");
            if let Some(until) = until {
                // Whether the last day itself is meant is not said; what is listed beyond it does no harm.
                query.append_pair("DateCreated<", &day(until + DAY));
            }
            query.append_pair("PageSize", PAGE_SIZE);
            query.extend_pairs(place_asked.map(place).into_iter().flatten());
        }
        let response = self.send(self.request(Method::GET, url), WHAT).await?;
        if response.status() != StatusCode::OK {
            return Err(self.refusal(response, WHAT).await);
        }
        let body = read_within(response, WHAT, PAGE_BYTES).await?;
        let listed = wire::read_page(&body)
            .map_err(|error| StepFailure::new(Code::ProviderUnreadable, format!("{WHAT}: {error}")))?;
        // What can't be gone on with must not be taken for the end.
        let goes_on = |uri: String| next_place(&uri).filter(|next| Some(next.as_str()) != place_asked);
        let next = match listed.next.map(goes_on) {
            None => None,
            Some(Some(next)) => Some(next),
            Some(None) => {
                let detail = format!("{WHAT}: the address of the next page leads nowhere");
                return Err(StepFailure::new(Code::ProviderUnreadable, detail));
            }
        };
        Ok(RecordingsPage {
            recordings: listed.recordings.into_iter().map(|resource| resource.announcement).collect(),
            unreadable: listed.unreadable,
            next,
        })
    }
}

/// `2024-03-15`.
fn day(at: Timestamp) -> String {
    let (year, month, day) = at.date();
    format!("{year:04}-{month:02}-{day:02}")
}

/// `Page` and `PageToken` of the relative address of a next page, as a query of their own.
pub(super) fn next_place(uri: &str) -> Option<String> {
    let (_, query) = uri.split_once('?')?;
    let place: Vec<_> = place(query).collect();
    place.iter().any(|(name, _)| name == "PageToken").then(|| {
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(place).finish()
    })
}

/// What of a query names a page.
pub(super) fn place(query: &str) -> impl Iterator<Item = (String, String)> {
    url::form_urlencoded::parse(query.as_bytes()).into_owned().filter(|(name, _)| name == "Page" || name == "PageToken")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_next_page_nothing_but_its_place_is_used() {
        let place = next_place("https://elsewhere.example/x?PageSize=1&AccountSid=AC1&Page=1&PageToken=PA12%26x");
        assert_eq!(place.as_deref(), Some("Page=1&PageToken=PA12%26x"));
        assert_eq!(next_place("/2010-04-01/Accounts/AC1/Recordings.json?Page=1"), None);
    }
}
