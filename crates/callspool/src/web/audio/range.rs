//! Which part of a file a request asks for (<https://www.rfc-editor.org/rfc/rfc9110#name-range-requests>).
//!
//! One range is served; several, another unit or nonsense get the whole, as the standard allows.

use std::ops::Range;

use http::{HeaderMap, HeaderValue, header};

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Everything.
    Whole,
    /// These bytes, which lie within the file.
    Bytes(Range<u64>),
    /// 416: the range begins behind the end.
    Unsatisfiable,
}

/// Reads the wish for a part of a file of this size, whose present version this tag names. A range that is only wanted of
/// another version (`If-Range`) is not served.
pub(crate) fn wanted(headers: &HeaderMap, size: u64, tag: &HeaderValue) -> Part {
    if headers.get(header::IF_RANGE).is_some_and(|version| version != tag) {
        return Part::Whole;
    }
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    range.and_then(|text| read(text, size)).unwrap_or(Part::Whole)
}

fn read(text: &str, size: u64) -> Option<Part> {
    let (first, last) = text.strip_prefix("bytes=")?.trim().split_once('-')?;
    let range = match (number(first)?, number(last)?) {
        (None, None) => return None,
        (None, Some(suffix)) => size.saturating_sub(suffix)..size,
        (Some(first), None) => first..size,
        (Some(first), Some(last)) if first <= last => first..size.min(last.saturating_add(1)),
        (Some(_), Some(_)) => return None,
    };
    Some(if range.start < range.end { Part::Bytes(range) } else { Part::Unsatisfiable })
}

/// A number, or nothing; `None` where it is neither. A number beyond counting is beyond every file.
fn number(text: &str) -> Option<Option<u64>> {
    if text.is_empty() {
        return Some(None);
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| Some(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: HeaderValue = HeaderValue::from_static("\"v1\"");

    fn part(range: &'static str) -> Part {
        let headers = [(header::RANGE, HeaderValue::from_static(range))];
        wanted(&headers.into_iter().collect(), 100, &TAG)
    }

    #[test]
    fn single_ranges_are_served() {
        assert_eq!(part("bytes=0-0"), Part::Bytes(0..1));
        assert_eq!(part("bytes=10-19"), Part::Bytes(10..20));
        assert_eq!(part("bytes=90-"), Part::Bytes(90..100));
        assert_eq!(part("bytes=90-1000"), Part::Bytes(90..100));
        assert_eq!(part("bytes=-10"), Part::Bytes(90..100));
        assert_eq!(part("bytes=-1000"), Part::Bytes(0..100));
        assert_eq!(part("bytes=0-99999999999999999999999"), Part::Bytes(0..100));
    }

    #[test]
    fn what_lies_behind_the_end_is_unsatisfiable() {
        for range in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(part(range), Part::Unsatisfiable, "{range}");
        }
    }

    #[test]
    fn anything_else_gets_the_whole() {
        for range in ["bytes=1-2,4-5", "bytes=5-1", "bytes=-", "bytes=a-b", "bytes=+1-2", "lines=1-2", "", "bytes 0-1"]
        {
            assert_eq!(part(range), Part::Whole, "{range}");
        }
    }

    #[test]
    fn a_range_of_another_version_is_not_served() {
        let with = |version: &'static str| {
            let headers = [(header::RANGE, "bytes=0-1"), (header::IF_RANGE, version)];
            wanted(
                &headers.map(|(name, value)| (name, HeaderValue::from_static(value))).into_iter().collect(),
                100,
                &TAG,
            )
        };
        assert_eq!(with("\"v1\""), Part::Bytes(0..2));
        assert_eq!(with("\"v2\""), Part::Whole);
        assert_eq!(with("Fri, 15 Mar 2024 14:30:22 GMT"), Part::Whole);
    }
}
