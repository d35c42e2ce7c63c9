//! SQLite: one writing thread that commits many bodies at once, and a few reading threads beside it.
//!
//! Guarantee: nobody is answered before the COMMIT that holds his changes has succeeded with fsync. A body that fails takes
//! nothing along: its group begins anew, each body in a savepoint of its own. A COMMIT that fails, or a transaction that
//! SQLite has rolled back by itself (disk full), fails everyone in it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use futures::FutureExt as _;
use rusqlite::OpenFlags;
use rusqlite::config::DbConfig;
use tokio::sync::{mpsc, oneshot};

use super::Body;
use super::probe::{Checkpoint, CommitMoment};
use super::signals::{News, Signals};
use super::statement::Statement;
use super::tx::{Connection, Tx, sqlite_fault};
use crate::{Error, OpenOptions, Result};

/// How many bodies wait for a thread before callers wait for a place.
const QUEUE: usize = 1024;
/// More than there are statements; dynamic lists make up the rest.
const PREPARED: usize = 256;

/// SQLite's page cache, a connection: negative is KiB (<https://www.sqlite.org/pragma.html#pragma_cache_size>).
const CACHE: i32 = -4096;

/// After how many pages in the log they are moved into the database: seldom enough that a page written in many groups is
/// moved once.
const CHECKPOINT: i32 = 4000;

const CONTROL: Statement = Statement::new("the transaction", "");

/// A body on its way through a thread: run on a connection, perhaps twice, and then told what came of it.
trait Job: Send {
    /// Runs the body to its end. Returns whether its changes are to be kept, and what others are told once they are.
    fn run(&mut self, connection: &Mutex<Connection>) -> (bool, News);

    /// Tells whoever asked: the body's outcome once it is committed, or why nothing came of it.
    fn answer(self: Box<Self>, committed: Result<(), &str>);
}

/// Somebody's body, and where its outcome goes.
struct Asked<A, T> {
    args: A,
    body: Body<A, T>,
    outcome: Option<Result<T>>,
    answer: oneshot::Sender<Result<T>>,
}

impl<A: Send + Sync, T: Send> Job for Asked<A, T> {
    fn run(&mut self, connection: &Mutex<Connection>) -> (bool, News) {
        let tx = Tx::sqlite(connection);
        let outcome = match catch_unwind(AssertUnwindSafe(|| (self.body)(&tx, &self.args).now_or_never())) {
            Ok(Some(outcome)) => outcome,
            Ok(None) => Err(Error::Defect("a body waited for something else than SQL".to_owned())),
            Err(_) => Err(Error::Defect("a body panicked".to_owned())),
        };
        let kept = outcome.is_ok();
        self.outcome = Some(outcome);
        (kept, tx.news)
    }

    fn answer(self: Box<Self>, committed: Result<(), &str>) {
        let not_run = || Err(Error::Defect("a body was answered before it had run".to_owned()));
        let outcome = match committed {
            Ok(()) => self.outcome.unwrap_or_else(not_run),
            Err(why) => Err(Error::Unavailable(why.to_owned())),
        };
        // Whoever asked may have gone; what is committed stays committed.
        self.answer.send(outcome).unwrap_or_default();
    }
}

enum Message {
    Run(Box<dyn Job>),
    Stop,
}

/// An open SQLite database.
pub(crate) struct Sqlite {
    writer: mpsc::Sender<Message>,
    readers: mpsc::Sender<Message>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sqlite")
    }
}

impl Sqlite {
    /// Opens a database whose schema is there, and starts its threads.
    pub(crate) fn open(path: &Path, options: &OpenOptions, signals: &Arc<Signals>) -> Result<Self> {
        let (writer, mut writes) = mpsc::channel(QUEUE);
        let (readers, reads) = mpsc::channel(QUEUE);
        let reads = Arc::new(Mutex::new(reads));
        let mut threads = Vec::new();
        let connection = Mutex::new(Connection::new(connect(path, options, OpenFlags::SQLITE_OPEN_READ_WRITE)?));
        let (signals, checkpoint) = (Arc::clone(signals), Checkpoint::new(options.probe.as_ref()));
        let most = options.group.max(1);
        let write = move || write_groups(&connection, &mut writes, most, &signals, &checkpoint);
        threads.push(spawn("store-writer", write)?);
        for _ in 0..options.readers.max(1) {
            let connection = Mutex::new(Connection::new(connect(path, options, OpenFlags::SQLITE_OPEN_READ_ONLY)?));
            let reads = Arc::clone(&reads);
            threads.push(spawn("store-reader", move || read_one_by_one(&connection, &reads))?);
        }
        Ok(Self { writer, readers, threads: Mutex::new(threads) })
    }

    pub(super) async fn write<A, T>(&self, args: A, body: Body<A, T>) -> Result<T>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        send(&self.writer, args, body).await
    }

    pub(super) async fn read<A, T>(&self, args: A, body: Body<A, T>) -> Result<T>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        send(&self.readers, args, body).await
    }

    /// Lets every thread end what it has begun, and waits for them.
    pub(super) async fn close(&self) {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        // A thread that is gone already needs no word.
        self.writer.send(Message::Stop).await.unwrap_or_default();
        for _ in 1..threads.len() {
            self.readers.send(Message::Stop).await.unwrap_or_default();
        }
        let joined = tokio::task::spawn_blocking(move || threads.into_iter().for_each(|thread| drop(thread.join())));
        joined.await.unwrap_or_default();
    }
}

/// A connection with the settings every one of ours has.
pub(crate) fn connect(path: &Path, options: &OpenOptions, access: OpenFlags) -> Result<rusqlite::Connection> {
    let open = || {
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = rusqlite::Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(options.busy_timeout)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        // What a savepoint would bring back needs no file: it is never read after a crash.
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        // Else a statement is planned anew whenever a bound value changes that the planner once looked at.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.pragma_update(None, "cache_size", CACHE)?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT)?;
        connection.set_prepared_statement_cache_capacity(PREPARED);
        Ok(connection)
    };
    open().map_err(|error: rusqlite::Error| sqlite_fault(&CONTROL, &error))
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map_err(|error| Error::Unavailable(format!("no thread for the database: {error}")))
}

async fn send<A, T>(to: &mpsc::Sender<Message>, args: A, body: Body<A, T>) -> Result<T>
where
    A: Send + Sync + 'static,
    T: Send + 'static,
{
    let stopped = || Error::Unavailable("the store is closed".to_owned());
    let (answer, answered) = oneshot::channel();
    let job = Box::new(Asked { args, body, outcome: None, answer });
    to.send(Message::Run(job)).await.map_err(|_| stopped())?;
    answered.await.map_err(|_| stopped())?
}

fn write_groups(
    connection: &Mutex<Connection>,
    jobs: &mut mpsc::Receiver<Message>,
    most: usize,
    signals: &Signals,
    checkpoint: &Checkpoint,
) {
    let mut stopping = false;
    while !stopping {
        let Some(Message::Run(first)) = jobs.blocking_recv() else { return };
        // Whoever is about to ask gets the chance, where processors are scarce: one commit for more of them.
        std::thread::yield_now();
        let mut group = vec![first];
        let (news, ran) = match run_group(connection, jobs, most, &mut group, &mut stopping) {
            Ok(news) => (news, Ok(())),
            Err(why) => (News::default(), Err(why)),
        };
        if !checkpoint.pass_blocking(CommitMoment::Before, &news) {
            return;
        }
        let committed = ran.and_then(|()| control(connection, "COMMIT")).inspect_err(|_| {
            // It may have been rolled back already; then there is nothing to do.
            control(connection, "ROLLBACK").unwrap_or_default();
        });
        if committed.is_ok() {
            if !checkpoint.pass_blocking(CommitMoment::After, &news) {
                return;
            }
            signals.committed(&news);
        }
        for job in group {
            job.answer(committed.as_ref().copied().map_err(String::as_str));
        }
    }
}

/// Runs the first body and whatever else waits already, `most` at most, in one transaction, which is open then. Returns
/// what is to be told once it is committed.
fn run_group(
    connection: &Mutex<Connection>,
    jobs: &mut mpsc::Receiver<Message>,
    most: usize,
    group: &mut Vec<Box<dyn Job>>,
    stopping: &mut bool,
) -> Result<News, String> {
    if let Err(why) = control(connection, "BEGIN IMMEDIATE") {
        // Whoever comes once the first are told of it has not waited yet, and is not refused for it.
        while group.len() < most
            && let Some(job) = waiting(jobs, stopping)
        {
            group.push(job);
        }
        return Err(why);
    }
    let (mut at, news) = (0, News::default());
    while let Some(job) = group.get_mut(at) {
        let (kept, told) = job.run(connection);
        if !kept {
            return run_apart(connection, group);
        }
        news.add(&told);
        at += 1;
        if at == group.len()
            && at < most
            && let Some(job) = waiting(jobs, stopping)
        {
            group.push(job);
        }
    }
    still_open(connection)?;
    Ok(news)
}

/// Runs a group once more from its beginning, since one of them failed: each in a savepoint. Ordinarily none fails, and a
/// savepoint costs a tenth of the writing.
fn run_apart(connection: &Mutex<Connection>, group: &mut [Box<dyn Job>]) -> Result<News, String> {
    still_open(connection)?;
    control(connection, "ROLLBACK")?;
    control(connection, "BEGIN IMMEDIATE")?;
    let news = News::default();
    for job in group {
        news.add(&run_in_savepoint(connection, job.as_mut())?);
    }
    Ok(news)
}

/// The body's news, where it is kept. Fails only where the whole transaction is lost.
fn run_in_savepoint(connection: &Mutex<Connection>, job: &mut dyn Job) -> Result<News, String> {
    control(connection, "SAVEPOINT body")?;
    let (kept, news) = job.run(connection);
    still_open(connection)?;
    if !kept {
        control(connection, "ROLLBACK TO body")?;
    }
    control(connection, "RELEASE body")?;
    Ok(if kept { news } else { News::default() })
}

/// SQLite gives a transaction up by itself where it can't go on.
fn still_open(connection: &Mutex<Connection>) -> Result<(), String> {
    match connection.lock().unwrap_or_else(PoisonError::into_inner).sqlite.is_autocommit() {
        true => Err("SQLite gave the transaction up; is the disk full?".to_owned()),
        false => Ok(()),
    }
}

fn waiting(jobs: &mut mpsc::Receiver<Message>, stopping: &mut bool) -> Option<Box<dyn Job>> {
    match jobs.try_recv() {
        Ok(Message::Run(job)) => Some(job),
        Ok(Message::Stop) => {
            *stopping = true;
            None
        }
        Err(_) => None,
    }
}

fn control(connection: &Mutex<Connection>, text: &str) -> Result<(), String> {
    let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
    let mut statement = connection.sqlite.prepare_cached(text).map_err(|error| error.to_string())?;
    statement.execute([]).map(drop).map_err(|error| error.to_string())
}

fn read_one_by_one(connection: &Mutex<Connection>, jobs: &Mutex<mpsc::Receiver<Message>>) {
    loop {
        let message = jobs.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        let Some(Message::Run(mut job)) = message else { return };
        let began = control(connection, "BEGIN");
        if began.is_ok() {
            job.run(connection);
        }
        // A read has nothing to keep; ending it lets SQLite move its log on.
        control(connection, "ROLLBACK").unwrap_or_default();
        job.answer(began.as_ref().copied().map_err(String::as_str));
    }
}

#[cfg(test)]
mod tests;
