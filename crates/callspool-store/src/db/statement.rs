//! SQL texts: each written once, in PostgreSQL's words, beside the function that sends it.

use std::borrow::Cow;

/// A SQL text and the table it is about, for error messages.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) table: &'static str,
    pub(crate) text: Cow<'static, str>,
}

impl Statement {
    /// A text known at compile time; declare it with [`statements!`], so that it is in the catalogue.
    pub(crate) const fn new(table: &'static str, text: &'static str) -> Self {
        Self { table, text: Cow::Borrowed(text) }
    }

    /// A text put together from a filter; its combinations are in the catalogue.
    pub(crate) const fn dynamic(table: &'static str, text: String) -> Self {
        Self { table, text: Cow::Owned(text) }
    }

    /// Whether it leaves every row as it is.
    pub(crate) fn only_reads(&self) -> bool {
        self.text.starts_with("SELECT")
    }
}

/// Declares a module's statements and its part of the catalogue, `STATEMENTS`.
macro_rules! statements {
    ($($name:ident: $table:literal = $text:expr;)*) => {
        $(const $name: $crate::db::Statement = $crate::db::Statement::new($table, $text);)*
        /// Every fixed statement of this module.
        pub(crate) const STATEMENTS: &[$crate::db::Statement] = &[$($name,)*];
    };
}
pub(crate) use statements;

/// The same text for SQLite: `?n` for `$n` (SQLite takes `$n` for a name), and no row locks, which it has no need of.
pub(crate) fn for_sqlite(text: &str) -> String {
    text.replace(" FOR UPDATE SKIP LOCKED", "").replace(" FOR UPDATE", "").replace('$', "?")
}

#[cfg(test)]
mod tests {
    use super::for_sqlite;

    #[test]
    fn parameters_keep_their_numbers_and_locks_go() {
        let text = "WITH due AS (SELECT a FROM t WHERE b = $2 LIMIT $3 FOR UPDATE SKIP LOCKED) UPDATE t SET c = $1";
        assert_eq!(for_sqlite(text), "WITH due AS (SELECT a FROM t WHERE b = ?2 LIMIT ?3) UPDATE t SET c = ?1");
        assert_eq!(for_sqlite("SELECT a FROM t WHERE b = $1 FOR UPDATE"), "SELECT a FROM t WHERE b = ?1");
    }
}
