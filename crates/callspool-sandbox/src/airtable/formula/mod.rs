//! `filterByFormula`: what callspool and the official clients write of Airtable's formula language
//! (<https://support.airtable.com/docs/formula-field-reference>); anything else is refused as invalid.

mod parse;

use super::refusal::Refusal;
use super::state::{Record, Table};

/// A formula over the fields of a table.
pub(super) struct Formula(Term);

/// Whether a record with this id and these cells, which are all the columns there are, is in the list that a formula makes;
/// `None` where the formula would be refused.
pub fn lists(formula: &str, id: &str, cells: &[(&str, &str)]) -> Option<bool> {
    let fields: Vec<String> = cells.iter().map(|(field, _)| (*field).to_owned()).collect();
    let formula = Formula::parse(&Table::new("Jobs", &fields), formula).ok()?;
    Some(formula.holds(&Record::with_cells(id, cells)))
}

/// A part of a formula.
#[derive(Debug, PartialEq)]
enum Term {
    Text(String),
    Number(f64),
    /// A cell, by field name.
    Cell(String),
    RecordId,
    Joined(Box<Term>, Box<Term>),
    Compared(Box<Term>, Comparison, Box<Term>),
    And(Vec<Term>),
    Or(Vec<Term>),
    Not(Box<Term>),
    /// `FIND(what, in)`: the place of the first, counted from 1, or 0.
    Find(Box<Term>, Box<Term>),
    /// `SEARCH(what, in)`: the same whatever the case, and blank where there is none.
    Search(Box<Term>, Box<Term>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Blank,
    Text(String),
    Number(f64),
    Truth(bool),
}

impl Formula {
    /// Reads a formula; fields are named as `{name}` or `{id}`.
    pub(super) fn parse(table: &Table, text: &str) -> Result<Self, Refusal> {
        parse::parse(text, |name| table.field(name).map(str::to_owned)).map(Self).map_err(|why| {
            let message = format!("The formula for filtering records is invalid: {why}");
            Refusal::malformed("INVALID_FILTER_BY_FORMULA", &message)
        })
    }

    /// True where the record is in the list.
    pub(super) fn holds(&self, record: &Record) -> bool {
        self.0.value(record).is_true()
    }
}

impl Term {
    fn value(&self, record: &Record) -> Value {
        let text = |term: &Self| term.value(record).text();
        match self {
            Self::Text(text) => Value::Text(text.clone()),
            Self::Number(number) => Value::Number(*number),
            Self::Cell(field) => record.cells.get(field).map_or(Value::Blank, |text| Value::Text(text.clone())),
            Self::RecordId => Value::Text(record.id.clone()),
            Self::Joined(left, right) => Value::Text(text(left) + &text(right)),
            Self::Compared(left, by, right) => Value::Truth(by.holds(&left.value(record), &right.value(record))),
            Self::And(terms) => Value::Truth(terms.iter().all(|term| term.value(record).is_true())),
            Self::Or(terms) => Value::Truth(terms.iter().any(|term| term.value(record).is_true())),
            Self::Not(term) => Value::Truth(!term.value(record).is_true()),
            Self::Find(what, within) => Value::Number(place(&text(what), &text(within)).unwrap_or(0.0)),
            Self::Search(what, within) => {
                place(&text(what).to_lowercase(), &text(within).to_lowercase()).map_or(Value::Blank, Value::Number)
            }
        }
    }
}

/// Where `what` begins in `within`, in characters counted from 1.
fn place(what: &str, within: &str) -> Option<f64> {
    let before = within.split_once(what)?.0.chars().count();
    u32::try_from(before + 1).ok().map(f64::from)
}

impl Comparison {
    /// A blank is equal to the empty text; a text is never equal to a number.
    fn holds(self, left: &Value, right: &Value) -> bool {
        let order = match (left, right) {
            (Value::Number(left), Value::Number(right)) => left.partial_cmp(right),
            (Value::Truth(left), Value::Truth(right)) => Some(left.cmp(right)),
            (Value::Blank | Value::Text(_), Value::Blank | Value::Text(_)) => Some(left.text().cmp(&right.text())),
            _ => None,
        };
        match self {
            Self::Equal => order.is_some_and(|order| order.is_eq()),
            Self::Unequal => !order.is_some_and(|order| order.is_eq()),
            Self::Less => order.is_some_and(|order| order.is_lt()),
            Self::LessOrEqual => order.is_some_and(|order| order.is_le()),
            Self::Greater => order.is_some_and(|order| order.is_gt()),
            Self::GreaterOrEqual => order.is_some_and(|order| order.is_ge()),
        }
    }
}

impl Value {
    fn text(&self) -> String {
        match self {
            Self::Blank => String::new(),
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Truth(truth) => u8::from(*truth).to_string(),
        }
    }

    fn is_true(&self) -> bool {
        match self {
            Self::Blank => false,
            Self::Text(text) => !text.is_empty(),
            Self::Number(number) => *number != 0.0,
            Self::Truth(truth) => *truth,
        }
    }
}

#[cfg(test)]
mod tests {
    use callspool_domain::Timestamp;

    use super::*;

    fn holds(formula: &str, cell: &str) -> bool {
        let mut table = Table::new("Jobs", &["Job ID".to_owned(), "Odd } name".to_owned()]);
        let id = table.create(Timestamp::from_micros(0));
        table.set(&id, "Job ID", cell);
        let formula = Formula::parse(&table, &formula.replace("$ID", &id)).map_err(Refusal::answer);
        formula.unwrap_or_else(|_| panic!("refused")).holds(table.record(&id).expect("there"))
    }

    #[test]
    fn texts_are_compared_exactly_with_their_escapes() {
        for (formula, cell) in [
            (r"{Job ID}='x'", "x"),
            (r"{Job ID}&''='x'", "x"),
            (r"{Job ID} & '' = 'O\'Neil'", "O'Neil"),
            (r#"{Job ID}="a\"b""#, "a\"b"),
            (r"{Job ID}='a\\b'", r"a\b"),
            (r"{Job ID}='a\nb'", "a\nb"),
            (r"{Job ID}=''", ""),
            (r"NOT({Job ID}='x')", "y"),
            (r"AND({Job ID}!='', OR({Job ID}='a', {Job ID}='b'))", "b"),
            (r"RECORD_ID()='$ID'", "x"),
            (r"FIND('b', {Job ID})=2", "abc"),
            (r"SEARCH('B', {Job ID})", "abc"),
            (r"OR(RECORD_ID()='rec', FIND('é', 'aé')>1)", ""),
        ] {
            assert!(holds(formula, cell), "{formula} on {cell:?}");
        }
        for (formula, cell) in [
            (r"{Job ID}='x'", "X"),
            (r"{Job ID}&''='x'", "x "),
            (r"{Job ID}=5", "5"),
            (r"FIND('B', {Job ID})", "abc"),
            (r"{Odd \} name}='x'", "x"),
        ] {
            assert!(!holds(formula, cell), "{formula} on {cell:?}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let table = Table::new("Jobs", &["Job ID".to_owned()]);
        for bad in [
            "",
            "{Job ID}='x",
            "{Job ID}='x' junk",
            "{Nothing}='x'",
            "{Job ID}='O'Neil'",
            "DELETE()",
            "AND(",
            "NOT('a','b')",
            "1 +",
            &"(".repeat(10_000),
        ] {
            assert!(Formula::parse(&table, bad).is_err(), "{bad}");
        }
    }
}
