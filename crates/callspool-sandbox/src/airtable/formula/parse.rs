//! The parser: comparisons of joined terms, by recursive descent, with a bound on its depth.

use super::{Comparison, Term};

/// How deep parentheses and functions may nest.
const DEPTH: usize = 64;

/// Reads a whole formula; `field` gives the name of a field by its name or id.
pub(super) fn parse(text: &str, field: impl Fn(&str) -> Option<String>) -> Result<Term, String> {
    let mut parser = Parser { rest: text, depth: 0, field: &field };
    let term = parser.comparison()?;
    parser.skip_space();
    if parser.rest.is_empty() { Ok(term) } else { Err(format!("unexpected {:?}", parser.rest)) }
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
    field: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> Parser<'a> {
    fn comparison(&mut self) -> Result<Term, String> {
        use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, Unequal};
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("nested too deeply".to_owned());
        }
        let mut left = self.joined()?;
        let signs =
            [("!=", Unequal), ("<=", LessOrEqual), (">=", GreaterOrEqual), ("=", Equal), ("<", Less), (">", Greater)];
        while let Some((_, by)) = signs.iter().find(|(sign, _)| self.eat(sign)) {
            left = Term::Compared(Box::new(left), *by, Box::new(self.joined()?));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn joined(&mut self) -> Result<Term, String> {
        let mut left = self.atom()?;
        while self.eat("&") {
            left = Term::Joined(Box::new(left), Box::new(self.atom()?));
        }
        Ok(left)
    }

    fn atom(&mut self) -> Result<Term, String> {
        self.skip_space();
        match self.rest.chars().next() {
            None => Err("it ends too early".to_owned()),
            Some('(') => {
                self.eat("(");
                let term = self.comparison()?;
                if self.eat(")") { Ok(term) } else { Err("a parenthesis is open".to_owned()) }
            }
            Some('{') => {
                let name = self.quoted('}')?;
                (self.field)(&name).map(Term::Cell).ok_or_else(|| format!("Unknown field names: {name}"))
            }
            Some(quote @ ('\'' | '"')) => self.quoted(quote).map(Term::Text),
            Some(first) if first.is_ascii_digit() || first == '-' => {
                let number = self.while_in(|c| c.is_ascii_digit() || c == '.' || c == '-');
                number.parse().map(Term::Number).map_err(|_| format!("{number:?} is no number"))
            }
            Some(_) => self.function(),
        }
    }

    fn function(&mut self) -> Result<Term, String> {
        let name = self.while_in(|c| c.is_ascii_alphanumeric() || c == '_').to_ascii_uppercase();
        let mut terms = self.arguments(&name)?;
        let wrong = || format!("{name} takes other arguments");
        let mut pair = || match (terms.pop(), terms.pop(), terms.is_empty()) {
            (Some(second), Some(first), true) => Ok((Box::new(first), Box::new(second))),
            _ => Err(wrong()),
        };
        match name.as_str() {
            "FIND" => pair().map(|(what, within)| Term::Find(what, within)),
            "SEARCH" => pair().map(|(what, within)| Term::Search(what, within)),
            "AND" | "OR" if terms.is_empty() => Err(wrong()),
            "AND" => Ok(Term::And(terms)),
            "OR" => Ok(Term::Or(terms)),
            "RECORD_ID" if terms.is_empty() => Ok(Term::RecordId),
            "NOT" => match (terms.pop(), terms.is_empty()) {
                (Some(term), true) => Ok(Term::Not(Box::new(term))),
                _ => Err(wrong()),
            },
            _ => Err(format!("{name:?} is no function of the sandbox's")),
        }
    }

    fn arguments(&mut self, name: &str) -> Result<Vec<Term>, String> {
        if !self.eat("(") {
            return Err(format!("unexpected {name:?}"));
        }
        let mut terms = Vec::new();
        if self.eat(")") {
            return Ok(terms);
        }
        loop {
            terms.push(self.comparison()?);
            if self.eat(")") {
                return Ok(terms);
            }
            if !self.eat(",") {
                return Err(format!("{name} is not closed"));
            }
        }
    }

    /// A text between the character at hand and `end`; a backslash takes the next character as it is, but for `\n`,
    /// `\r` and `\t`.
    fn quoted(&mut self, end: char) -> Result<String, String> {
        let mut text = String::new();
        let mut chars = self.rest.chars();
        chars.next();
        loop {
            match chars.next() {
                Some('\\') => match chars.next() {
                    Some('n') => text.push('\n'),
                    Some('r') => text.push('\r'),
                    Some('t') => text.push('\t'),
                    Some(other) => text.push(other),
                    None => return Err("a text is not closed".to_owned()),
                },
                Some(char) if char == end => break,
                Some(char) => text.push(char),
                None => return Err("a text is not closed".to_owned()),
            }
        }
        self.rest = chars.as_str();
        Ok(text)
    }

    fn while_in(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|char| !belongs(char)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn eat(&mut self, token: &str) -> bool {
        self.skip_space();
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }
}
