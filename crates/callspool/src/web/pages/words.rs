//! Times, lengths, sizes and ids as people read them.

use std::time::Duration;

use callspool_domain::Timestamp;
use maud::{Markup, html};

/// A moment as seen from now, with the exact time behind it; the page's script keeps it true.
pub(crate) fn moment(at: Timestamp, now: Timestamp) -> Markup {
    html! {
        time datetime=(at.rfc3339()) title={ (at.history()) " UTC" } { (relative(at, now)) }
    }
}

/// When something is due: a time ahead, or now.
pub(crate) fn due(at: Timestamp, now: Timestamp) -> Markup {
    html! {
        time datetime=(at.rfc3339()) title={ (at.history()) " UTC" } data-due="true" {
            @if at > now { (relative(at, now)) } @else { "now" }
        }
    }
}

fn relative(at: Timestamp, now: Timestamp) -> String {
    if at > now { format!("in {}", rough(at.since(now))) } else { format!("{} ago", rough(now.since(at))) }
}

/// A length of time in its largest unit: `40 s`, `12 min`, `3 h`, `5 d`.
pub(crate) fn rough(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..=99 => format!("{seconds} s"),
        seconds @ 100..=5_999 => format!("{} min", seconds / 60),
        seconds @ 6_000..=172_799 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// A length of audio: `0:07`, `12:34`, `1:02:03`.
pub(crate) fn length(milliseconds: u64) -> String {
    let seconds = milliseconds.saturating_add(500) / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// A size: `812 bytes`, `1.2 MB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1 << 40, "TB"), (1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")];
    match UNITS.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => {
            let tenths = u128::from(bytes) * 10 / u128::from(unit);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} bytes"),
    }
}

/// A count with a space between thousands.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut spaced = String::with_capacity(digits.len() * 2);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            spaced.push('\u{202f}');
        }
        spaced.push(digit);
    }
    spaced
}

/// An id by its ends, the whole behind it.
pub(crate) fn short(id: &str) -> Markup {
    let characters: Vec<char> = id.chars().collect();
    let text: String = match characters.as_slice() {
        [head @ .., a, b, c, d] if head.len() > 12 => head.iter().take(6).chain(&['…', *a, *b, *c, *d]).collect(),
        all => all.iter().collect(),
    };
    html! { span.id title=(id) { (text) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_sizes_and_counts_read_well() {
        assert_eq!([0, 6_600, 754_000, 3_723_000].map(length), ["0:00", "0:07", "12:34", "1:02:03"]);
        assert_eq!([812, 1024, 1_300_000, 5 << 30].map(size), ["812 bytes", "1.0 KB", "1.2 MB", "5.0 GB"]);
        assert_eq!([7, 1234, 1_234_567].map(count), ["7", "1\u{202f}234", "1\u{202f}234\u{202f}567"]);
    }

    #[test]
    fn moments_are_seen_from_now() {
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        assert_eq!(relative(now + Duration::from_secs(40), now), "in 40 s");
        assert_eq!(relative(now - Duration::from_secs(7200), now), "2 h ago");
        assert_eq!(relative(now, now), "0 s ago");
    }

    #[test]
    fn long_ids_are_shown_by_their_ends() {
        let shown = short("RE0123456789abcdef0123456789abcdef").into_string();
        assert!(shown.contains(">RE0123…cdef<"), "{shown}");
        assert!(short("JOB456").into_string().contains(">JOB456<"));
    }
}
