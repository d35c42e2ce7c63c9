//! The history of a job, whatever stands there: what was there stays byte for byte, and each line of ours comes once.
#![expect(clippy::expect_used, reason = "a test may fail by panicking")]

use callspool_domain::line::{Line, Said, append, permanent_link};
use callspool_domain::{RecordingSid, Source, Timestamp};
use callspool_fuzz::fuzz;

fn line(digit: char, source: &str) -> Line {
    let recording = RecordingSid::parse(&format!("RE{}", digit.to_string().repeat(32))).expect("sid");
    let url = permanent_link("https://calls.example.com", &recording);
    let at = Timestamp::from_micros(1_710_513_022_000_000);
    Line { recording, at, source: Source::clean(source), said: Said::Recording { url } }
}

/// A source, then what stands in the cell.
#[test]
fn fuzz_history() {
    fuzz(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/history"), |input| {
        let text = String::from_utf8_lossy(input);
        let (source, prior) = text.split_once('\n').unwrap_or((&text, ""));
        let lines = [line('1', source), line('2', source), line('3', "Desk")];
        let before = [0, 1, 2].map(|n: usize| lines[n].count_in(prior));
        assert!(lines.iter().all(|line| line.text().lines().count() == 1 && line.is_in(&line.text())));
        let longer = append(prior, &lines);
        assert_eq!(longer.is_none(), before.iter().all(|count| *count > 0));
        let after = longer.as_deref().unwrap_or(prior);
        assert!(after.starts_with(prior), "what was there has changed");
        for (line, count) in lines.iter().zip(before) {
            assert_eq!(line.count_in(after), count.max(1), "{after:?}");
            // A reader of the cell sees it as a line of its own.
            assert!(count > 0 || after.lines().any(|read| read == line.text()), "{after:?}");
        }
        assert_eq!(append(after, &lines), None, "written twice");
        (before.map(|count| count.min(3)), prior.ends_with('\n'), prior.len().min(3))
    });
}
