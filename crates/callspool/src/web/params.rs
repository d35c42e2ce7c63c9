//! Query parameters and path segments, read strictly: what is not known is refused by name, never ignored.

use std::convert::Infallible;
use std::fmt::Display;
use std::str::FromStr;

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use callspool_domain::{RecordingSid, Timestamp};
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::refusal::Refusal;

/// The query's parameters. Take each one that is known, then [`finish`](Params::finish).
#[derive(Debug)]
pub(crate) struct Params(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::read(parts.uri.query().unwrap_or_default()))
    }
}

impl Params {
    /// Splits and decodes a query.
    pub(crate) fn read(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// A parameter's text. An empty one counts as absent, so that a form's untouched fields say nothing.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        let (named, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.0).into_iter().partition(|(key, _)| key == name);
        self.0 = rest;
        if named.len() > 1 {
            return Err(Refusal::malformed(format!("{name} may be given once")));
        }
        let text = named.into_iter().next().map(|(_, text)| text).filter(|text| !text.is_empty());
        if text.as_ref().is_some_and(|text| text.contains('\0')) {
            return Err(Refusal::malformed(format!("{name} must not hold a NUL byte")));
        }
        Ok(text)
    }

    /// A parsed parameter; one that can't be parsed is refused with its name and the rule.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(&mut self, name: &str) -> Result<Option<T>, Refusal> {
        let text = self.text(name)?;
        text.map(|text| text.parse().map_err(|rule| Refusal::malformed(format!("{name}: {rule}")))).transpose()
    }

    /// A parameter that is one of a closed set of words.
    pub(crate) fn word<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
        words: &str,
    ) -> Result<Option<T>, Refusal> {
        let text = self.text(name)?;
        text.map(|text| parse(&text).ok_or_else(|| Refusal::malformed(format!("{name} must be {words}")))).transpose()
    }

    /// A moment: `2024-03-15T14:30:22Z` or the beginning of a day, `2024-03-15`, in UTC.
    pub(crate) fn moment(&mut self, name: &str) -> Result<Option<Timestamp>, Refusal> {
        let text = self.text(name)?;
        let rule = || Refusal::malformed(format!("{name} must be like 2024-03-15T14:30:22Z or 2024-03-15"));
        text.map(|text| Timestamp::parse(&text).ok_or_else(rule)).transpose()
    }

    /// How many to list: 50 unless asked for, at most 200.
    pub(crate) fn limit(&mut self) -> Result<u32, Refusal> {
        let limit: u32 = self.parsed("limit")?.unwrap_or(50);
        if (1..=200).contains(&limit) { Ok(limit) } else { Err(Refusal::malformed("limit must be from 1 to 200")) }
    }

    /// Refuses what is left over.
    pub(crate) fn finish(self) -> Result<(), Refusal> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => {
                let shown: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
                Err(Refusal::malformed(format!("{shown} is no parameter of this address")))
            }
        }
    }
}

/// A path's segments; ones that are no text are refused in our own words.
#[derive(Debug)]
pub(crate) struct Segments<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segments<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path: Result<Path<T>, PathRejection> = Path::from_request_parts(parts, state).await;
        path.map(|Path(segments)| Self(segments)).map_err(|_| Refusal::malformed("the address holds no valid text"))
    }
}

/// The recording a path names. What can't be one is not known, like any other.
pub(crate) fn recording_sid(text: &str) -> Result<RecordingSid, Refusal> {
    RecordingSid::parse(text).map_err(|_| unknown_recording())
}

/// 404 for a recording nobody has announced.
pub(crate) fn unknown_recording() -> Refusal {
    Refusal::not_found("no such recording has been announced")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_taken_once_and_leftovers_are_named() {
        let mut params = Params::read("limit=7&status=&since=2024-03-15&surprise=1");
        assert_eq!(params.limit().expect("limit"), 7);
        assert_eq!(params.text("status").expect("empty is absent"), None);
        let since = params.moment("since").expect("a date").expect("given");
        assert_eq!(since.rfc3339(), "2024-03-15T00:00:00.000000Z");
        assert_eq!(params.finish().expect_err("left over").message, "surprise is no parameter of this address");
    }

    #[test]
    fn what_can_not_be_read_is_refused_by_name() {
        for (query, expected) in [
            ("limit=0", "limit must be from 1 to 200"),
            ("limit=x", "limit: invalid digit found in string"),
            ("limit=1&limit=2", "limit may be given once"),
        ] {
            assert_eq!(Params::read(query).limit().expect_err(query).message, expected);
        }
        assert!(Params::read("since=yesterday").moment("since").is_err());
    }
}
