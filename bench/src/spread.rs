//! Several runs of one figure: the median, and how far the runs lie apart.

use std::fmt;
use std::time::Duration;

/// One figure over several runs. Printed as `median (least–most)` with the precision asked for; what was measured once has
/// no spread, and what was not measured is a dash.
#[derive(Debug, Clone)]
pub struct Spread(Vec<f64>);

impl Spread {
    /// The figure of every run.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        Self(figures)
    }

    fn at(&self, place: usize) -> f64 {
        self.0.get(place).copied().unwrap_or(f64::NAN)
    }

    /// The figure of the middle run; the mean of the two middle ones where their number is even.
    pub fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        if self.0.len() % 2 == 1 {
            self.at(middle)
        } else {
            f64::midpoint(self.at(middle.saturating_sub(1)), self.at(middle))
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(0);
        if self.median().is_nan() {
            return f.write_str("–");
        }
        if let [only] = self.0.as_slice() {
            return write!(f, "{only:.digits$}");
        }
        let (least, most) = (self.at(0), self.at(self.0.len().saturating_sub(1)));
        write!(f, "{:.digits$} ({least:.digits$}–{most:.digits$})", self.median())
    }
}

/// How long single requests took.
#[derive(Debug, Clone)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    /// Every request's.
    pub fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        Self(all)
    }

    /// The time within which so many of a thousand requests were done, in milliseconds.
    pub fn per_mille(&self, share: usize) -> f64 {
        let place = (self.0.len() * share / 1000).min(self.0.len().saturating_sub(1));
        self.0.get(place).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_says_the_median_and_both_ends() {
        assert_eq!(format!("{:.1}", Spread::of([3.0, 1.0, 2.0])), "2.0 (1.0–3.0)");
        assert_eq!(format!("{}", Spread::of([4.0, 1.0, 2.0, 8.0])), "3 (1–8)");
    }

    #[test]
    fn what_was_measured_once_or_never_has_no_spread() {
        assert_eq!(format!("{:.1}", Spread::of([3.0])), "3.0");
        assert_eq!(format!("{:.1}", Spread::of([f64::NAN, f64::NAN])), "–");
    }

    #[test]
    fn a_percentile_is_the_request_at_that_place() {
        let latencies = Latencies::of((1..=100).rev().map(Duration::from_millis).collect());
        assert!((latencies.per_mille(500) - 51.0).abs() < 1e-9);
        assert!((latencies.per_mille(990) - 100.0).abs() < 1e-9);
        assert!((latencies.per_mille(1000) - 100.0).abs() < 1e-9);
    }
}
