//! History lines: how one reads, how it is recognised, and how it is added without touching a byte of other text.
//!
//! A line is ours by its event and the recording's id in it together, so writing it twice can be noticed however often a
//! request repeats or a reply is lost.

use crate::id::{RecordingSid, Source};
use crate::stored::stored_names;
use crate::time::Timestamp;

/// What one Airtable long-text cell holds, in characters
/// (<https://support.airtable.com/docs/long-text-field>).
pub const CELL_CHARACTERS: usize = 100_000;

stored_names! {
    /// What a line reports.
    Event {
        /// The recording is in the archive; the URL plays it.
        Recording = "Recording",
    }
}

stored_names! {
    /// Where a line stands.
    LineState {
        /// To be written.
        Owed = "owed",
        /// Read back from the job's history.
        Confirmed = "confirmed",
    }
}

/// One line of a job's history, about one recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it reports.
    pub event: Event,
    /// The recording it is about; its id is part of the URL.
    pub recording: RecordingSid,
    /// When it was owed first; a repeated write carries the same time.
    pub at: Timestamp,
    /// Who made the recording.
    pub source: Source,
    /// Where it plays.
    pub url: String,
}

impl Line {
    /// The line as it is written, without a line break.
    pub fn text(&self) -> String {
        let (at, event, source) = (self.at.history(), self.event.as_str(), self.source.as_str());
        format!("---- | {at} | Event: {event} | Source: {source} | URL: {}", self.url)
    }

    /// True where the history has this line already, whatever its time, source or base URL.
    pub fn is_in(&self, history: &str) -> bool {
        self.count_in(history) > 0
    }

    /// How often the history has this line.
    pub fn count_in(&self, history: &str) -> usize {
        let event = format!(" | Event: {} | ", self.event.as_str());
        let ours = |line: &&str| {
            line.starts_with("---- | ") && line.contains(&event) && line.contains(self.recording.as_str())
        };
        history.lines().filter(ours).count()
    }
}

/// The history with the missing lines added at its end, oldest first; `None` where none is missing.
/// What stood there before stays byte for byte.
pub fn append(history: &str, lines: &[Line]) -> Option<String> {
    let mut longer = history.to_owned();
    for line in lines {
        if line.is_in(&longer) {
            continue;
        }
        if !longer.is_empty() && !longer.ends_with('\n') {
            longer.push('\n');
        }
        longer.push_str(&line.text());
    }
    (longer.len() != history.len()).then_some(longer)
}

/// The permanent link of a recording: `{APP_URL}/r/{recording}`.
pub fn permanent_link(app_url: &str, recording: &RecordingSid) -> String {
    format!("{}/r/{recording}", app_url.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(digit: char) -> Line {
        let recording = RecordingSid::parse(&format!("RE{}", digit.to_string().repeat(32))).expect("sid");
        let url = permanent_link("https://calls.example.com/", &recording);
        let at = Timestamp::from_rfc2822("Fri, 15 Mar 2024 14:30:22 +0000").expect("date");
        Line { event: Event::Recording, recording, at, source: Source::default(), url }
    }

    #[test]
    fn a_line_reads_as_the_interface_says() {
        let expected = "---- | 2024-03-15 14:30:22 | Event: Recording | Source: IVR | \
                        URL: https://calls.example.com/r/RE11111111111111111111111111111111";
        assert_eq!(line('1').text(), expected);
    }

    #[test]
    fn prior_text_stays_byte_for_byte_and_lines_come_once() {
        for prior in [
            "",
            "called back\r\n",
            "note without end",
            "x\n\n",
            "ünïcödé <airtable:mention id=\"men1\">@X</airtable:mention>",
        ] {
            let once = append(prior, &[line('1'), line('2')]).expect("two lines are missing");
            assert!(once.starts_with(prior), "{once:?}");
            assert_eq!(append(&once, &[line('2'), line('1')]), None);
            assert_eq!((line('1').count_in(&once), line('2').count_in(&once)), (1, 1));
        }
    }

    #[test]
    fn a_foreign_mention_of_the_recording_is_not_our_line() {
        let mention = "see RE11111111111111111111111111111111, Event: Recording";
        assert!(!line('1').is_in(mention));
        assert!(!line('1').is_in(&line('2').text()));
    }
}
