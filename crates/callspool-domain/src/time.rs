//! One notion of time: microseconds since 1970 in UTC, as the database stores it.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// An instant, in microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since 1970.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Reads the form Twilio uses for every date, RFC 2822 (`Tue, 28 May 2019 02:18:02 +0000`).
    pub fn from_rfc2822(text: &str) -> Option<Self> {
        jiff::fmt::rfc2822::parse(text).ok().map(|zoned| Self(zoned.timestamp().as_microsecond()))
    }

    /// A moment, `2024-03-15T14:30:22Z`, or the beginning of a day in UTC, `2024-03-15`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
        let moment: jiff::Timestamp = text.parse().ok()?;
        Some(Self(moment.as_microsecond()))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Year, month and day in UTC.
    pub fn date(self) -> (i16, i8, i8) {
        let date = self.civil().date();
        (date.year(), date.month(), date.day())
    }

    /// `2024-03-15 14:30:22`, UTC: the form of a history line.
    pub fn history(self) -> String {
        self.civil().strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// `2024-03-15T14:30:22.123456Z`: the form of the API and the logs.
    pub fn rfc3339(self) -> String {
        self.civil().strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
    }

    fn civil(self) -> jiff::civil::DateTime {
        // Out of jiff's range (years beyond ±9999) only a damaged row can be; the epoch then shows that plainly.
        let timestamp = jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        TimeZone::UTC.to_datetime(timestamp)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_twilio_writes_and_writes_both_forms() {
        let at = Timestamp::from_rfc2822("Fri, 15 Mar 2024 14:30:22 +0000").expect("date");
        assert_eq!(at.history(), "2024-03-15 14:30:22");
        assert_eq!(at.rfc3339(), "2024-03-15T14:30:22.000000Z");
        assert_eq!(at.date(), (2024, 3, 15));
        assert_eq!(Timestamp::from_rfc2822("yesterday"), None);
    }

    #[test]
    fn differences_never_go_below_zero() {
        let at = Timestamp::from_micros(5);
        assert_eq!(at.since(at + Duration::from_secs(1)), Duration::ZERO);
        assert_eq!((at + Duration::from_secs(1)).since(at), Duration::from_secs(1));
    }
}
