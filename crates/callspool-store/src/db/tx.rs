//! The transaction a body works in, on either database.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use super::signals::News;
use super::statement::{Statement, for_sqlite};
use super::value::{Row, RowSource, Value};
use crate::{Error, Result};

/// A SQLite connection and the texts already rewritten for it.
pub(super) struct Connection {
    pub(super) sqlite: rusqlite::Connection,
    texts: HashMap<String, String>,
}

impl Connection {
    pub(super) fn new(sqlite: rusqlite::Connection) -> Self {
        Self { sqlite, texts: HashMap::new() }
    }

    /// The statement, prepared once for each connection.
    fn prepare(&mut self, text: &str) -> rusqlite::Result<rusqlite::CachedStatement<'_>> {
        if !self.texts.contains_key(text) {
            self.texts.insert(text.to_owned(), for_sqlite(text));
        }
        self.sqlite.prepare_cached(self.texts.get(text).map_or(text, String::as_str))
    }
}

/// A transaction. On SQLite everything it does is ready at once; a body that waits for anything else is a defect.
pub(crate) struct Tx<'a> {
    on: On<'a>,
    /// What this transaction did that others wait for.
    pub(crate) news: News,
    again: AtomicBool,
}

enum On<'a> {
    Sqlite(&'a Mutex<Connection>),
    Postgres(&'a deadpool_postgres::Transaction<'a>),
}

impl<'a> Tx<'a> {
    pub(super) fn sqlite(connection: &'a Mutex<Connection>) -> Self {
        Self { on: On::Sqlite(connection), news: News::default(), again: AtomicBool::new(false) }
    }

    pub(super) fn postgres(transaction: &'a deadpool_postgres::Transaction<'a>) -> Self {
        Self { on: On::Postgres(transaction), news: News::default(), again: AtomicBool::new(false) }
    }

    /// True where other transactions run beside this one, so that rows have to be locked and looked at again.
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.on, On::Postgres(_))
    }

    /// Gives up because another transaction changed what this one had read; the body is run again from its start.
    pub(crate) fn raced(&self, table: &'static str) -> Error {
        self.again.store(true, Ordering::Relaxed);
        Error::Unavailable(format!("others keep changing the same rows of {table}"))
    }

    /// Whether the body is worth running again.
    pub(super) fn run_again(&self) -> bool {
        self.again.load(Ordering::Relaxed)
    }

    /// Every row of the answer.
    pub(crate) async fn rows<T>(
        &self,
        statement: &Statement,
        values: &[Value<'_>],
        read: fn(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        refuse_nul(statement, values)?;
        let answer = match &self.on {
            On::Sqlite(connection) => {
                let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
                let fault = |error| sqlite_fault(statement, &error);
                let mut prepared = connection.prepare(&statement.text).map_err(fault)?;
                let mut rows = prepared.query(rusqlite::params_from_iter(values)).map_err(fault)?;
                let mut answer = Vec::new();
                while let Some(row) = rows.next().map_err(fault)? {
                    answer.push(read(&Row { table: statement.table, source: RowSource::Sqlite(row) })?);
                }
                answer
            }
            On::Postgres(transaction) => {
                let prepared = transaction.prepare_cached(&statement.text).await;
                let prepared = prepared.map_err(|error| self.postgres_fault(statement, &error))?;
                let rows = transaction.query(&prepared, &dynamic(values)).await;
                let rows = rows.map_err(|error| self.postgres_fault(statement, &error))?;
                let rows = rows.iter().map(|row| Row { table: statement.table, source: RowSource::Postgres(row) });
                rows.map(|row| read(&row)).collect::<Result<_>>()?
            }
        };
        self.note_changes(statement, answer.len() as u64);
        Ok(answer)
    }

    /// The first row of the answer.
    pub(crate) async fn optional<T>(
        &self,
        statement: &Statement,
        values: &[Value<'_>],
        read: fn(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        Ok(self.rows(statement, values, read).await?.into_iter().next())
    }

    /// Whether there is any row in the answer.
    pub(crate) async fn exists(&self, statement: &Statement, values: &[Value<'_>]) -> Result<bool> {
        Ok(self.optional(statement, values, |_| Ok(())).await?.is_some())
    }

    /// Changes rows; returns how many.
    pub(crate) async fn execute(&self, statement: &Statement, values: &[Value<'_>]) -> Result<u64> {
        refuse_nul(statement, values)?;
        let changed = match &self.on {
            On::Sqlite(connection) => {
                let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
                let fault = |error| sqlite_fault(statement, &error);
                let mut prepared = connection.prepare(&statement.text).map_err(fault)?;
                let changed = prepared.execute(rusqlite::params_from_iter(values)).map_err(fault)?;
                u64::try_from(changed).unwrap_or(u64::MAX)
            }
            On::Postgres(transaction) => {
                let prepared = transaction.prepare_cached(&statement.text).await;
                let prepared = prepared.map_err(|error| self.postgres_fault(statement, &error))?;
                let changed = transaction.execute(&prepared, &dynamic(values)).await;
                changed.map_err(|error| self.postgres_fault(statement, &error))?
            }
        };
        self.note_changes(statement, changed);
        Ok(changed)
    }

    fn note_changes(&self, statement: &Statement, rows: u64) {
        if rows > 0 && !statement.only_reads() {
            self.news.changes();
        }
    }

    fn postgres_fault(&self, statement: &Statement, error: &tokio_postgres::Error) -> Error {
        if is_worth_repeating(error) {
            self.again.store(true, Ordering::Relaxed);
        }
        postgres_fault(statement.table, error)
    }
}

fn dynamic<'v>(values: &'v [Value<'v>]) -> Vec<&'v (dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

/// PostgreSQL has no NUL in text; refused here for both, so that they behave alike.
fn refuse_nul(statement: &Statement, values: &[Value<'_>]) -> Result<()> {
    let nul = values.iter().any(|value| matches!(value, Value::Text(text) if text.as_bytes().contains(&0)));
    if nul { Err(Error::Nul { table: statement.table }) } else { Ok(()) }
}

/// Serialization failures, deadlocks, lost connections, and unique keys somebody else was quicker to insert.
pub(super) fn is_worth_repeating(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        Some(code) => [
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::UNIQUE_VIOLATION,
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
        ]
        .contains(code),
        None => error.is_closed() || is_io(error),
    }
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>())
}

/// Sorts a PostgreSQL error by what the caller can do: a defect of ours, or the weather.
pub(super) fn postgres_fault(table: &'static str, error: &tokio_postgres::Error) -> Error {
    let Some(fault) = error.as_db_error() else {
        let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
        return if error.is_closed() || is_io(error) {
            Error::Unavailable(format!("{error}{cause}"))
        } else {
            Error::Defect(format!("{table}: {error}{cause}"))
        };
    };
    // https://www.postgresql.org/docs/current/errcodes-appendix.html: 22 data, 23 constraint, 42 syntax or access.
    let ours = ["22", "23", "42"].iter().any(|class| fault.code().code().starts_with(class));
    if ours && !is_worth_repeating(error) {
        Error::Defect(format!("{table}: {} ({})", fault.message(), fault.code().code()))
    } else {
        Error::Unavailable(format!("{} ({})", fault.message(), fault.code().code()))
    }
}

/// The same for SQLite.
pub(super) fn sqlite_fault(statement: &Statement, error: &rusqlite::Error) -> Error {
    use rusqlite::ErrorCode;
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted
            | ErrorCode::PermissionDenied
            | ErrorCode::FileLockingProtocolFailed,
        ) => Error::Unavailable(error.to_string()),
        _ => Error::Defect(format!("{}: {error}", statement.table)),
    }
}
