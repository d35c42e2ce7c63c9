//! Formulas of any column and value, read back by the sandbox's own parser; and answers of any bytes.

use callspool_fuzz::fuzz;
use callspool_sandbox::airtable::lists;

use super::RecordId;
use super::formula::Formula;
use super::wire::{self, Page};

fn corpus(name: &str) -> String {
    format!("{}/tests/fuzz/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Column, value and a cell, with NUL bytes between them: the formula lists exactly the records that it should.
#[test]
fn fuzz_formula() {
    const ID: &str = "recAAAAAAAAAAAAAA";
    fuzz(corpus("formula"), |input| {
        let mut parts = input.splitn(3, |byte| *byte == 0).map(String::from_utf8_lossy);
        let mut part = || parts.next().unwrap_or_default();
        let (column, value, cell) = (part(), part(), part());
        // Airtable has neither columns without a name nor two of the same one.
        if column.is_empty() || column == "beside" {
            return (false, false);
        }
        let listed = |formula: &str, text: &str| lists(formula, ID, &[(&column, text), ("beside", &value)]);
        let cell = cell.as_ref();
        let equals = Formula::any(&[Formula::equals(&column, &value)]);
        assert_eq!(listed(&equals, &value), Some(true), "{equals}");
        assert_eq!(listed(&equals, cell), Some(cell == value), "{equals}");
        let contains = Formula::any(&[Formula::contains(&column, &value)]);
        assert_eq!(listed(&contains, cell), Some(cell.contains(value.as_ref())), "{contains}");
        let other = RecordId::parse("recBBBBBBBBBBBBBB").expect("an id");
        let own = RecordId::parse(ID).expect("an id");
        let terms = [Formula::record(&other), Formula::equals(&column, &value)];
        assert_eq!(listed(&Formula::any(&terms), cell), Some(cell == value));
        let terms = [Formula::equals(&column, &format!("{value}x")), Formula::record(&own)];
        assert_eq!(listed(&Formula::any(&terms), cell), Some(true));
        (cell == value, cell.contains(value.as_ref()))
    });
}

/// A list, or an error, of any bytes.
#[test]
fn fuzz_answer() {
    fuzz(corpus("answer"), |input| {
        let (kind, message) = wire::error(input);
        let texts = serde_json::from_slice::<Page>(input).map(|page| {
            let texts = page.records.iter().map(|record| record.text("job_history").map(|text| text.len().min(8)));
            (texts.collect::<Vec<_>>(), page.offset.is_some())
        });
        (kind.len().min(8), message.len().min(8), texts.ok())
    });
}
