//! History lines: how one reads, how it is recognised, and how it is added without touching a byte of other text.
//!
//! A line is ours by its event and the recording's id in it together, so writing it twice can be noticed however often a
//! request repeats or a reply is lost.

use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::id::{JobId, RecordingSid, Source};
use crate::recording::Status;
use crate::stored::stored_names;
use crate::time::Timestamp;

/// What one Airtable long-text cell holds, in characters
/// (<https://support.airtable.com/docs/long-text-field>).
pub const CELL_CHARACTERS: usize = 100_000;

/// What would break a line or look like its next field.
const UNSAFE: &AsciiSet = &CONTROLS.add(b'|').add(b'%');

stored_names! {
    /// What a line reports.
    Event {
        /// The recording is in the archive; the URL plays it.
        Recording = "Recording",
        /// Archiving is delayed.
        Pending = "Recording pending upload",
        /// There is no recording and there won't be one.
        NoRecording = "No recording",
        /// The call belongs to another job by now.
        Moved = "Moved",
        /// Somebody asked for a new signed URL.
        LinkRenewed = "Link renewed",
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

/// What a line says after its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// [`Event::Recording`].
    Recording {
        /// Where it plays.
        url: String,
    },
    /// [`Event::Pending`].
    Pending {
        /// Where it plays meanwhile.
        url: String,
    },
    /// [`Event::NoRecording`].
    NoRecording {
        /// Why; see [`no_recording_reason`].
        reason: String,
    },
    /// [`Event::Moved`].
    Moved {
        /// Where it plays.
        url: String,
        /// The job it belongs to now.
        to: JobId,
    },
    /// [`Event::LinkRenewed`].
    LinkRenewed {
        /// Where it plays.
        url: String,
    },
}

/// One line of a job's history, about one recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The recording it is about; its id stands in the line.
    pub recording: RecordingSid,
    /// When it was owed first; a repeated write carries the same time.
    pub at: Timestamp,
    /// Who made the recording.
    pub source: Source,
    /// What it says.
    pub said: Said,
}

impl Line {
    /// What it reports.
    pub fn event(&self) -> Event {
        match &self.said {
            Said::Recording { .. } => Event::Recording,
            Said::Pending { .. } => Event::Pending,
            Said::NoRecording { .. } => Event::NoRecording,
            Said::Moved { .. } => Event::Moved,
            Said::LinkRenewed { .. } => Event::LinkRenewed,
        }
    }

    /// The line as it is written, without a line break.
    pub fn text(&self) -> String {
        let (at, event, source) = (self.at.history(), self.event().as_str(), self.source.as_str());
        format!("---- | {at} | Event: {event} | Source: {source} | {}", Tail(self))
    }

    /// The URL field's new value, where this line brings one.
    pub fn url_field(&self) -> Option<&str> {
        match &self.said {
            Said::Recording { url } | Said::Pending { url } | Said::LinkRenewed { url } => Some(url),
            Said::NoRecording { .. } | Said::Moved { .. } => None,
        }
    }

    /// True where the history has this line already, whatever its time, source or base URL.
    pub fn is_in(&self, history: &str) -> bool {
        self.count_in(history) > 0
    }

    /// How often the history has this line. A link is renewed, and a call moved, more than once: there the time, and the
    /// other job, belong to what makes the line the same.
    pub fn count_in(&self, history: &str) -> usize {
        let event = format!(" | Event: {} | ", self.event().as_str());
        let (start, end) = match &self.said {
            Said::LinkRenewed { .. } => (format!("---- | {} | ", self.at.history()), String::new()),
            Said::Moved { to, .. } => ("---- | ".to_owned(), format!(" | To: {}", one_line(to.as_str()))),
            Said::Recording { .. } | Said::Pending { .. } | Said::NoRecording { .. } => {
                ("---- | ".to_owned(), String::new())
            }
        };
        let ours = |line: &&str| {
            line.starts_with(&start)
                && line.contains(&event)
                && after_source(line).contains(self.recording.as_str())
                && line.trim_end().ends_with(&end)
        };
        history.lines().filter(ours).count()
    }
}

/// What follows the source in a line: a source is a text from outside, and may name any recording.
fn after_source(line: &str) -> &str {
    let rest = line.split_once(" | Source: ").and_then(|(_, rest)| rest.split_once(" | "));
    rest.map_or(line, |(_, rest)| rest)
}

/// What follows the source.
struct Tail<'a>(&'a Line);

impl fmt::Display for Tail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.said {
            Said::Recording { url } | Said::Pending { url } | Said::LinkRenewed { url } => write!(f, "URL: {url}"),
            Said::NoRecording { reason } => write!(f, "Reason: {} | Recording: {}", one_line(reason), self.0.recording),
            Said::Moved { url, to } => write!(f, "URL: {url} | To: {}", one_line(to.as_str())),
        }
    }
}

/// A text that stays within its line and its field.
fn one_line(text: &str) -> String {
    utf8_percent_encode(text, UNSAFE).to_string()
}

/// Why there is no recording, as a line says it: `absent (16101 too short)`.
///
/// `reason` is what the ledger keeps; the words of the codes are the provider's
/// (<https://www.twilio.com/docs/api/errors>, 16101 to 16108).
pub fn no_recording_reason(status: Status, reason: Option<&str>, error_code: Option<i64>) -> String {
    let words = match error_code {
        Some(16101) => " too short",
        Some(16102) => " silent",
        Some(16104 | 16106) => " encryption failed",
        Some(16105) => " no public key",
        Some(16108) => " another recording was running",
        _ => "",
    };
    match (error_code, reason) {
        (Some(code), _) => format!("{status} ({code}{words})"),
        (None, Some(reason)) if reason != status.as_str() => format!("{status} ({reason})"),
        (None, _) => status.to_string(),
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
        Line { recording, at, source: Source::default(), said: Said::Recording { url } }
    }

    fn saying(said: Said) -> Line {
        Line { said, ..line('1') }
    }

    fn job(id: &str) -> JobId {
        JobId::parse(id).expect("job")
    }

    #[test]
    fn a_line_reads_as_the_interface_says() {
        let expected = "---- | 2024-03-15 14:30:22 | Event: Recording | Source: IVR | \
                        URL: https://calls.example.com/r/RE11111111111111111111111111111111";
        assert_eq!(line('1').text(), expected);
    }

    #[test]
    fn the_other_events_read_as_the_interface_says() {
        let (sid, url) =
            ("RE11111111111111111111111111111111", || "https://x/r/RE11111111111111111111111111111111".to_owned());
        let tail = |said| saying(said).text().split_once(" | Event: ").expect("an event").1.to_owned();
        assert_eq!(
            tail(Said::Pending { url: url() }),
            format!("Recording pending upload | Source: IVR | URL: {}", url())
        );
        let reason = no_recording_reason(Status::Absent, Some("absent (16101)"), Some(16101));
        assert_eq!(
            tail(Said::NoRecording { reason }),
            format!("No recording | Source: IVR | Reason: absent (16101 too short) | Recording: {sid}")
        );
        assert_eq!(
            tail(Said::Moved { url: url(), to: job("JOB789") }),
            format!("Moved | Source: IVR | URL: {} | To: JOB789", url())
        );
        assert_eq!(tail(Said::LinkRenewed { url: url() }), format!("Link renewed | Source: IVR | URL: {}", url()));
    }

    #[test]
    fn reasons_name_the_code_or_what_we_know() {
        let reason = |status, reason, code| no_recording_reason(status, reason, code);
        assert_eq!(reason(Status::Absent, Some("absent"), None), "absent");
        assert_eq!(reason(Status::Failed, Some("failed (99999)"), Some(99_999)), "failed (99999)");
        assert_eq!(
            reason(Status::Missing, Some("deleted at the provider before it was archived"), None),
            "missing (deleted at the provider before it was archived)"
        );
    }

    #[test]
    fn events_are_told_apart_and_no_job_id_breaks_the_line() {
        let url = || "https://x/r/RE11111111111111111111111111111111".to_owned();
        let lines = [
            saying(Said::Recording { url: url() }),
            saying(Said::Pending { url: url() }),
            saying(Said::NoRecording { reason: "failed\n---- | (x)".into() }),
            saying(Said::Moved { url: url(), to: job("JOB/9 | \"x\"\nnext") }),
            saying(Said::Moved { url: url(), to: job("JOB2") }),
            saying(Said::LinkRenewed { url: url() }),
        ];
        let history = append("", &lines).expect("new lines");
        assert_eq!(history.lines().count(), lines.len(), "{history}");
        assert!(lines.iter().all(|line| line.count_in(&history) == 1), "{history}");
        let mut later = lines[5].clone();
        later.at = later.at + std::time::Duration::from_secs(60);
        assert!(!later.is_in(&history), "a link is renewed as often as somebody asks");
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
    fn a_source_that_names_another_recording_does_not_stand_for_its_line() {
        let naming = Line { source: Source::clean(line('2').recording.as_str()), ..line('1') };
        let both = append("", &[naming.clone(), line('2')]).expect("two lines are missing");
        assert_eq!((naming.count_in(&both), line('2').count_in(&both), both.lines().count()), (1, 1, 2));
    }

    #[test]
    fn a_foreign_mention_of_the_recording_is_not_our_line() {
        let mention = "see RE11111111111111111111111111111111, Event: Recording";
        assert!(!line('1').is_in(mention));
        assert!(!line('1').is_in(&line('2').text()));
    }
}
