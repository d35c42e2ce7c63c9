//! Whether a browser sent a request from a page of ours, or from another site's.

use http::{HeaderMap, header};

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A page of ours.
    Ours,
    /// Another site's page.
    Foreign,
    /// The request does not say; no browser of the last years sends a change like that.
    Unsaid,
}

impl Origin {
    /// Reads what only a browser itself can set: `Sec-Fetch-Site`, and `Origin` where that is not sent (plain HTTP).
    pub(crate) fn of(headers: &HeaderMap, ours: &str) -> Self {
        let said = headers.get("sec-fetch-site").map(|site| site == "same-origin");
        let said = said.or_else(|| headers.get(header::ORIGIN).map(|origin| origin == ours));
        match said {
            Some(true) => Self::Ours,
            Some(false) => Self::Foreign,
            None => Self::Unsaid,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn origin(headers: &[(&'static str, &'static str)]) -> Origin {
        let headers =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        Origin::of(&headers.collect(), "https://calls.example.com")
    }

    #[test]
    fn only_our_own_pages_are_ours() {
        assert_eq!(origin(&[("sec-fetch-site", "same-origin")]), Origin::Ours);
        assert_eq!(origin(&[("origin", "https://calls.example.com")]), Origin::Ours);
        assert_eq!(origin(&[]), Origin::Unsaid);
        for foreign in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "none"),
            ("origin", "null"),
            ("origin", "https://calls.example.com.evil.example"),
            ("origin", "http://calls.example.com"),
        ] {
            assert_eq!(origin(&[foreign]), Origin::Foreign, "{foreign:?}");
        }
        let both = [("sec-fetch-site", "cross-site"), ("origin", "https://calls.example.com")];
        assert_eq!(origin(&both), Origin::Foreign);
    }
}
