//! Requests to the table: lists of several pages, and one request with its answer.

use bytes::Bytes;
use callspool_domain::{Code, StepFailure};
use reqwest::{Method, RequestBuilder};
use url::Url;

use super::failure::{self, Refusal};
use super::formula::Formula;
use super::wire::{List, Page, Record};
use super::{Airtable, Pace, VALUES_PER_FORMULA};
use crate::http::read_capped;

/// Airtable's limit on URLs is 16,000 characters
/// (<https://support.airtable.com/docs/enforcement-of-url-length-limit-for-web-api-requests>).
const URL_CHARACTERS: usize = 15_000;
/// Records to a page: so few that their histories, full to the brim, fit [`ANSWER_BYTES`].
const PAGE_RECORDS: usize = 20;
const ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// More pages than this of records that all match a few ids are no answer to our question.
const PAGES: usize = 50;

impl Airtable {
    /// Every record that one of the terms matches, with these columns.
    pub(super) async fn list(
        &self,
        terms: Vec<Formula>,
        fields: &[&str],
        pace: &impl Pace,
        what: &str,
    ) -> Result<Vec<Record>, StepFailure> {
        let mut records = Vec::new();
        for terms in terms.chunks(VALUES_PER_FORMULA) {
            self.pages(&Formula::any(terms), fields, pace, what, &mut records).await?;
        }
        Ok(records)
    }

    async fn pages(
        &self,
        formula: &str,
        fields: &[&str],
        pace: &impl Pace,
        what: &str,
        records: &mut Vec<Record>,
    ) -> Result<(), StepFailure> {
        let mut offset = None;
        for _page in 0..PAGES {
            let list = List { formula, fields, page_size: PAGE_RECORDS, offset: offset.as_deref() };
            let request = self.list_request(&list)?;
            let answer = self.exchange(request, pace, what).await?.map_err(|refusal| refusal.of_the_table(what))?;
            let page: Page = serde_json::from_slice(&answer).map_err(|error| {
                StepFailure::new(Code::RecordsUnreadable, format!("{what}: {error}; check AIRTABLE_ENDPOINT_URL"))
            })?;
            records.extend(page.records);
            offset = page.offset;
            if offset.is_none() {
                return Ok(());
            }
        }
        let detail =
            format!("{what}: more than {} records match; check the columns of the table", PAGES * PAGE_RECORDS);
        Err(StepFailure::new(Code::RecordsUnreadable, detail))
    }

    /// By GET, or by POST where the URL would grow too long.
    fn list_request(&self, list: &List<'_>) -> Result<RequestBuilder, StepFailure> {
        let mut url = self.url(&[])?;
        url.query_pairs_mut()
            .append_pair("filterByFormula", list.formula)
            .append_pair("pageSize", &list.page_size.to_string())
            .extend_pairs(list.fields.iter().map(|field| ("fields[]", field)))
            .extend_pairs(list.offset.map(|offset| ("offset", offset)));
        if url.as_str().len() <= URL_CHARACTERS {
            return Ok(self.request(Method::GET, url));
        }
        Ok(self.request(Method::POST, self.url(&["listRecords"])?).json(list))
    }

    /// Waits for its turn, sends a request and reads the answer.
    pub(super) async fn exchange(
        &self,
        request: RequestBuilder,
        pace: &impl Pace,
        what: &str,
    ) -> Result<Result<Bytes, Refusal>, StepFailure> {
        pace.slot().await?;
        let response = self.http.send(request).await.map_err(|broken| failure::broken(&broken, what))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read_capped(response, ANSWER_BYTES).await;
        if status.is_success() {
            return body.map(Ok).map_err(|error| failure::unread(&error, what));
        }
        Ok(Err(Refusal::new(status, &headers, &body.unwrap_or_default())))
    }

    pub(super) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.http.request(method, url).bearer_auth(self.config.token.expose())
    }

    /// `{base URL}/v0/{base}/{table}/{more…}`.
    pub(super) fn url(&self, more: &[&str]) -> Result<Url, StepFailure> {
        let table = [self.config.base.as_str(), self.config.table.as_str()];
        self.root_url(&[&table, more].concat())
    }

    /// `{base URL}/v0/{segments…}`.
    pub(super) fn root_url(&self, segments: &[&str]) -> Result<Url, StepFailure> {
        let mut url = self.config.base_url.clone();
        let unusable =
            || StepFailure::new(Code::RecordsMisconfigured, "AIRTABLE_ENDPOINT_URL is no http(s) URL; correct it");
        url.path_segments_mut().map_err(|()| unusable())?.pop_if_empty().push("v0").extend(segments);
        Ok(url)
    }
}
