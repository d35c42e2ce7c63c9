//! Airtable formulas: a column compared with a value, and any of several such.
//!
//! Guarantee: a value stands in a formula as one quoted text and a column's name as one reference, whatever they hold
//! (<https://support.airtable.com/docs/formula-field-reference>).

use super::RecordId;

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Formula(String);

impl Formula {
    /// The record with this id.
    pub(super) fn record(id: &RecordId) -> Self {
        Self(format!("RECORD_ID()={}", quoted(id.as_str())))
    }

    /// The column's text is this value. Adding an empty text makes a text of a number.
    pub(super) fn equals(column: &str, value: &str) -> Self {
        Self(format!("{}&''={}", reference(column), quoted(value)))
    }

    /// The column's text has this value somewhere.
    pub(super) fn contains(column: &str, value: &str) -> Self {
        Self(format!("FIND({},{}&'')", quoted(value), reference(column)))
    }

    /// Any of these.
    pub(super) fn any(terms: &[Self]) -> String {
        match terms {
            [one] => one.0.clone(),
            terms => {
                let terms: Vec<&str> = terms.iter().map(|term| term.0.as_str()).collect();
                format!("OR({})", terms.join(","))
            }
        }
    }
}

fn quoted(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('\'');
    for c in value.chars() {
        match c {
            '\\' | '\'' => text.extend(['\\', c]),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c => text.push(c),
        }
    }
    text.push('\'');
    text
}

fn reference(column: &str) -> String {
    let mut name = String::with_capacity(column.len() + 2);
    name.push('{');
    for c in column.chars() {
        if matches!(c, '\\' | '{' | '}') {
            name.push('\\');
        }
        name.push(c);
    }
    name.push('}');
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_never_leaves_its_quotes() {
        let hostile = "x')=1,DATETIME_PARSE({a}\\'\"\n";
        let expected = r#"{Job ID}&''='x\')=1,DATETIME_PARSE({a}\\\'"\n'"#;
        assert_eq!(Formula::any(&[Formula::equals("Job ID", hostile)]), expected);
    }

    #[test]
    fn a_column_never_leaves_its_braces() {
        assert_eq!(Formula::contains("a}b", "CA1").0, r"FIND('CA1',{a\}b}&'')");
    }

    #[test]
    fn several_terms_are_joined() {
        let terms = [Formula::equals("J", "1"), Formula::equals("J", "2")];
        assert_eq!(Formula::any(&terms), "OR({J}&''='1',{J}&''='2')");
    }
}
