//! `docs/predecessors.md` is true: what it calls the same there is, and what it says is tested is a test.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use callspool::config::{LATER, SETTINGS};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).expect(path)
}

/// The texts between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The cells of a table's row.
fn cells(line: &str) -> Vec<String> {
    let inner = line.trim().trim_start_matches('|').trim_end_matches('|').replace("\\|", "\u{1}");
    inner.split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect()
}

#[test]
fn what_is_called_the_same_stands_in_the_documents_of_today() {
    let today: String = ["README.md", "docs/logging.md", "docs/metrics.md"].map(read).concat();
    let text = read("docs/predecessors.md");
    let same = text.lines().filter(|line| line.starts_with('|')).map(cells);
    let mut seen = 0;
    for row in same.filter(|row| row.get(1).is_some_and(|ours| ours.starts_with("same"))) {
        let (theirs, ours) = (&row[0], &row[1]);
        for name in quoted(theirs) {
            // Where the cell tells our form of it, that form is looked for.
            let told = quoted(ours).next().unwrap_or(name);
            let bare = |name: &str| {
                let path = name.split_once("/api/").map(|(_, rest)| format!("/api/{rest}"));
                path.unwrap_or_else(|| name.trim_start_matches("POST ").to_owned())
            };
            let there = [name, told].iter().any(|name| today.contains(&bare(name)));
            // These are ours by the documents' own words: the format and the line's form.
            let by_form = name.starts_with("---- ") || name.starts_with("recordings/");
            assert!(there || by_form, "`{name}` is called the same, and no document of today has it");
            seen += 1;
        }
    }
    assert!(seen > 40, "only {seen} names were looked at");
}

#[test]
fn no_setting_of_theirs_is_ignored_in_silence() {
    let known: BTreeSet<&str> = SETTINGS.iter().flat_map(callspool::config::Setting::names).collect();
    let text = read("docs/predecessors.md");
    let rows: Vec<Vec<String>> = text.lines().filter(|line| line.starts_with('|')).map(cells).collect();
    let is_setting =
        |name: &&str| name.len() > 3 && name.chars().all(|c| c.is_ascii_uppercase() || "_0123".contains(c));
    let theirs: BTreeSet<&str> = rows.iter().flat_map(|row| quoted(&row[0])).filter(is_setting).collect();
    assert!(theirs.len() >= 12, "{theirs:?}");
    let unknown: Vec<&&str> = theirs.iter().filter(|name| !known.contains(**name) && !LATER.contains(name)).collect();
    assert_eq!(unknown, Vec::<&&str>::new());
}

/// The tests of this folder, as the document names them.
fn tests() -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for module in ["dual_recorder", "fallback", "poller", "runbook", "settings", "webhook_handler"] {
        let text = read(&format!("tests/predecessors/{module}.rs"));
        let mut wanted = false;
        for line in text.lines() {
            let line = line.trim();
            if line.starts_with("story! {") || line == "#[test]" {
                wanted = true;
            } else if let Some(rest) = line.trim_start_matches("async ").strip_prefix("fn ").filter(|_| wanted) {
                let name = rest.split('(').next().unwrap_or_default();
                assert!(tests.insert(format!("{module}::{name}")));
                wanted = false;
            }
        }
    }
    tests
}

#[test]
fn every_scenario_has_its_test_and_every_test_its_scenario() {
    let text = read("docs/predecessors.md");
    let named: BTreeSet<String> = quoted(&text).filter(|name| name.contains("::")).map(str::to_owned).collect();
    assert_eq!(named, tests(), "left: in docs/predecessors.md, right: in tests/predecessors");
    let count = |module: &str| tests().iter().filter(|name| name.starts_with(module)).count();
    assert!(count("fallback::scenario_") == 5 && count("webhook_handler::") >= 14);
    assert!(count("runbook::step_") == 6 && count("dual_recorder::step_") == 7);
}
