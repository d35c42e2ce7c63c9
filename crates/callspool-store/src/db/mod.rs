//! The thin layer both databases are reached through: one transaction type, values in, rows out.
//!
//! Guarantee: [`Db::write`] returns `Ok` only after the body's changes are committed. A body does nothing but SQL, and may
//! be run several times (PostgreSQL), so it is a plain function of its arguments.

pub(crate) mod postgres;
pub(crate) mod probe;
pub(crate) mod signals;
pub(crate) mod sqlite;
pub(crate) mod statement;
pub(crate) mod tls;
pub(crate) mod tx;
pub(crate) mod value;

use futures::future::BoxFuture;

use crate::Result;
use postgres::{Access, Postgres};
use sqlite::Sqlite;
pub(crate) use statement::{Statement, statements};
pub(crate) use tx::Tx;
pub(crate) use value::{FromColumn, Json, Row, Value, params};

/// One operation: SQL statements over a transaction and the operation's arguments.
pub(crate) type Body<A, T> = for<'a> fn(&'a Tx<'a>, &'a A) -> BoxFuture<'a, Result<T>>;

/// An open database.
#[derive(Debug)]
pub(crate) enum Db {
    Sqlite(Sqlite),
    Postgres(Box<Postgres>),
}

impl Db {
    /// Runs a body that writes; its changes are committed when this returns `Ok`.
    pub(crate) async fn write<A, T>(&self, args: A, body: Body<A, T>) -> Result<T>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        match self {
            Self::Sqlite(sqlite) => sqlite.write(args, body).await,
            Self::Postgres(postgres) => postgres.run(&args, body, Access::Write).await,
        }
    }

    /// The same without a limit on its time.
    pub(crate) async fn write_unhurried<A, T>(&self, args: A, body: Body<A, T>) -> Result<T>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        match self {
            Self::Sqlite(sqlite) => sqlite.write(args, body).await,
            Self::Postgres(postgres) => postgres.run(&args, body, Access::WriteUnhurried).await,
        }
    }

    /// Runs a body that only reads.
    pub(crate) async fn read<A, T>(&self, args: A, body: Body<A, T>) -> Result<T>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        match self {
            Self::Sqlite(sqlite) => sqlite.read(args, body).await,
            Self::Postgres(postgres) => postgres.run(&args, body, Access::Read).await,
        }
    }

    /// Ends what is under way and stops.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(sqlite) => sqlite.close().await,
            Self::Postgres(postgres) => postgres.close(),
        }
    }
}
