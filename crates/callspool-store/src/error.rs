//! What can go wrong, sorted by what the caller can do about it.

/// The result of every function here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why nothing was read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database can't be reached, is busy or full: nothing is known to be stored. Try again later; a callback gets 503.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A row makes no sense to this version: somebody else wrote it, or it is damaged. Needs a person.
    #[error("{table}.{column} of row {row:?} makes no sense to this version of callspool")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The column.
        column: String,
        /// The row's first column.
        row: String,
    },
    /// The database can't be brought to this version's schema.
    #[error("the database can't be migrated: {0}")]
    Migration(String),
    /// Another process works on this SQLite database.
    #[error("another callspool works on this database (lock file {0}); stop it, or let it do the work")]
    Locked(String),
    /// `DATABASE_URL` can't be understood.
    #[error("DATABASE_URL {0}")]
    Url(String),
    /// A text holds a NUL byte, which PostgreSQL can't store; refused on both databases.
    #[error("a text for {table} holds a NUL byte and can't be stored")]
    Nul {
        /// The table it was meant for.
        table: &'static str,
    },
    /// Somebody speaks of a recording that belongs to another account. Nothing of it is stored.
    #[error("recording {recording} belongs to account {account}, and another account speaks of it")]
    AnotherAccount {
        /// The recording.
        recording: String,
        /// Whose it is.
        account: String,
    },
    /// Every archive key offered is taken by another recording.
    #[error("every archive key offered is taken, the last one being {0}")]
    KeysTaken(String),
    /// A defect of callspool itself: a statement that is wrong, or a body that waited for something else than SQL.
    #[error("a defect in callspool's store: {0}")]
    Defect(String),
}
