//! The handle everything goes through: opening, closing, waking, and the right to work.

use std::fs::{DirBuilder, File, OpenOptions as FileOptions, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use callspool_domain::{Policy, Timestamp};
use rusqlite::OpenFlags;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::db::postgres::Postgres;
use crate::db::probe::CommitProbe;
use crate::db::signals::Signals;
use crate::db::sqlite::{self, Sqlite};
use crate::db::{Body, Db, params, statements};
use crate::{Error, Result, meta, migrations, postman, steps};

statements! {
    // Another value each time: SQLite writes nothing where nothing changes.
    PING: "meta" = "INSERT INTO meta (name, value) VALUES ('ping', $1) \
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
}

/// How long a service waits for its server before it answers callers without it.
const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// How long a server that did not answer is left alone.
const AGAIN: Duration = Duration::from_secs(1);

/// How the database is opened. The defaults are right for production.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// SQLite: how long a writer waits for another process before it gives up.
    pub busy_timeout: Duration,
    /// SQLite: the most bodies that share one commit.
    pub group: usize,
    /// SQLite: number of reading threads.
    pub readers: usize,
    /// PostgreSQL: most connections at a time, besides the one that listens.
    pub connections: usize,
    /// PostgreSQL: whether a server that does not answer is waited for after opening, every call failing meanwhile with
    /// [`Error::Unavailable`]; else opening fails.
    pub wait_for_server: bool,
    /// Asked before and after each commit; for tests that let a process die there.
    pub probe: Option<CommitProbe>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            busy_timeout: Duration::from_secs(5),
            group: 128,
            readers: 2,
            connections: 16,
            wait_for_server: false,
            probe: None,
        }
    }
}

/// The store: cheap to clone, safe to share.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    db: Arc<Db>,
    signals: Arc<Signals>,
    policy: Arc<Policy>,
    /// SQLite: the file beside the database that says who works on it.
    lock_file: Option<PathBuf>,
    /// Whether the schema is up to date and the policy is noted; until then nothing is read or written.
    is_ready: Arc<AtomicBool>,
    /// PostgreSQL: what goes on beside the callers.
    task: Option<JoinHandle<()>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.task.iter().for_each(JoinHandle::abort);
    }
}

/// One node of those that share a PostgreSQL server.
struct Node {
    db: Arc<Db>,
    policy: Arc<Policy>,
    signals: Arc<Signals>,
    is_ready: Arc<AtomicBool>,
}

impl Node {
    async fn live(self) {
        if !self.is_ready.load(Ordering::Acquire) {
            self.wait_for_server().await;
        }
        postman::carry(&self.db, &self.signals).await;
    }

    /// Goes on until the server can be used. What keeps it from that is told whenever it is something else.
    async fn wait_for_server(&self) {
        let mut told = String::new();
        loop {
            tokio::time::sleep(AGAIN).await;
            match make_ready(&self.db, &self.policy).await {
                Ok(()) => break,
                Err(error) if error.to_string() != told => {
                    told = error.to_string();
                    tracing::error!(%error, "the database can't be used yet; it is tried again");
                }
                Err(_) => {}
            }
        }
        self.is_ready.store(true, Ordering::Release);
        tracing::info!("the database answers");
        self.signals.wake_steps();
        self.signals.wake_events();
    }
}

/// What is found where a database should be.
#[derive(Debug)]
pub enum Found {
    /// SQLite: there is no file yet; the first start makes it.
    Nothing,
    /// A database that the next start brings up to date, by so many changes of its schema.
    Behind(usize),
    /// A database of this version, to be read.
    Current(Store),
}

/// The right to work on a SQLite database; ends when dropped, and with the process.
#[derive(Debug)]
pub struct WorkLock {
    _file: Option<File>,
}

impl Store {
    /// Opens `sqlite://path` or `postgres://…`, creates or migrates the schema, and notes a changed policy so that
    /// [`Store::sweep`] plans every call again. Safe with several nodes starting at once.
    pub async fn open(url: &str, policy: Policy, options: OpenOptions) -> Result<Self> {
        let (signals, policy) = (Arc::new(Signals::default()), Arc::new(policy));
        let is_ready = Arc::new(AtomicBool::new(true));
        let (db, lock_file, task) = if let Some(path) = url.strip_prefix("sqlite://") {
            let path = Path::new(path);
            create_file(path)?;
            use_write_ahead_log(path, &options)?;
            let db = Arc::new(Db::Sqlite(Sqlite::open(path, &options, &signals)?));
            make_ready(&db, &policy).await?;
            let mut lock_file = path.as_os_str().to_owned();
            lock_file.push(".lock");
            (db, Some(PathBuf::from(lock_file)), None)
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let db = Arc::new(Db::Postgres(Box::new(Postgres::new(url, &options, &signals)?)));
            let ready = if options.wait_for_server {
                let late = |_| Err(Error::Unavailable(format!("no answer within {} s", FIRST_ANSWER.as_secs())));
                tokio::time::timeout(FIRST_ANSWER, make_ready(&db, &policy)).await.unwrap_or_else(late)
            } else {
                make_ready(&db, &policy).await
            };
            match ready {
                Err(Error::Unavailable(why)) if options.wait_for_server => {
                    tracing::error!(
                        why,
                        "the database does not answer; waiting for it, and keeping nothing until then"
                    );
                    is_ready.store(false, Ordering::Release);
                }
                ready => ready?,
            }
            let node = Node {
                db: Arc::clone(&db),
                policy: Arc::clone(&policy),
                signals: Arc::clone(&signals),
                is_ready: Arc::clone(&is_ready),
            };
            (db, None, Some(tokio::spawn(node.live())))
        } else {
            return Err(Error::Url("must begin with sqlite:// or postgres://".to_owned()));
        };
        Ok(Self { inner: Arc::new(Inner { db, signals, policy, lock_file, is_ready, task }) })
    }

    /// Looks for the database without creating, migrating or planning anything; who reads it that way must not write.
    pub async fn look(url: &str, policy: Policy) -> Result<Found> {
        let (signals, options) = (Arc::new(Signals::default()), OpenOptions::default());
        let db = if let Some(path) = url.strip_prefix("sqlite://") {
            let path = Path::new(path);
            if path.metadata().map_or(true, |found| found.len() == 0) {
                return Ok(Found::Nothing);
            }
            Db::Sqlite(Sqlite::open(path, &options, &signals)?)
        } else {
            Db::Postgres(Box::new(Postgres::new(url, &options, &signals)?))
        };
        let db = Arc::new(db);
        match migrations::missing(&db).await {
            Ok(0) => {
                let (policy, is_ready) = (Arc::new(policy), Arc::new(AtomicBool::new(true)));
                let inner = Inner { db, signals, policy, lock_file: None, is_ready, task: None };
                Ok(Found::Current(Self { inner: Arc::new(inner) }))
            }
            missing => {
                db.close().await;
                missing.map(Found::Behind)
            }
        }
    }

    /// What the configuration decides.
    pub fn policy(&self) -> &Policy {
        &self.inner.policy
    }

    /// Commits what is under way and stops; every later call on any clone fails with [`Error::Unavailable`].
    pub async fn close(self) {
        self.inner.task.iter().for_each(JoinHandle::abort);
        self.inner.db.close().await;
    }

    /// Takes the right to work, as `node`. SQLite: the operating system's lock on `<database>.lock`, which the kernel frees
    /// on death; leases of earlier processes are void at once. PostgreSQL: nothing to take, nodes share the work.
    pub async fn begin_work(&self, node: &str) -> Result<WorkLock> {
        let Some(path) = &self.inner.lock_file else { return Ok(WorkLock { _file: None }) };
        let file = take_lock(path, node)?;
        self.write((), |tx, ()| Box::pin(steps::claim::void_leases(tx))).await?;
        Ok(WorkLock { _file: Some(file) })
    }

    /// Changes after each commit, here or on another node, that may have made a step due. A hint: combine it with a poll.
    pub fn steps_changed(&self) -> watch::Receiver<u64> {
        self.inner.signals.watch_steps()
    }

    /// Changes after each commit, here or on another node, that added an event. A hint: combine it with a poll.
    pub fn events_changed(&self) -> watch::Receiver<u64> {
        self.inner.signals.watch_events()
    }

    /// Succeeds if the database takes something in: one that answers, and is full or locked, can keep no callback.
    pub async fn ping(&self, now: Timestamp) -> Result<()> {
        self.write(now.rfc3339(), |tx, at| Box::pin(async move { tx.execute(&PING, params![at]).await.map(drop) }))
            .await
    }

    /// The policy, for bodies that plan.
    pub(crate) fn shared_policy(&self) -> Arc<Policy> {
        Arc::clone(&self.inner.policy)
    }

    pub(crate) async fn write<A, T>(&self, args: A, body: Body<A, T>) -> Result<T>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.ready()?;
        self.inner.db.write(args, body).await
    }

    pub(crate) async fn read<A, T>(&self, args: A, body: Body<A, T>) -> Result<T>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.ready()?;
        self.inner.db.read(args, body).await
    }

    fn ready(&self) -> Result<()> {
        match self.inner.is_ready.load(Ordering::Acquire) {
            true => Ok(()),
            false => Err(Error::Unavailable("it has not answered since callspool was started".to_owned())),
        }
    }

    /// Makes what this node has committed visible to readers of events.
    pub(crate) async fn number_events(&self) -> Result<()> {
        postman::number_waiting(&self.inner.db).await.map(drop)
    }
}

/// Brings the schema up to date and notes the policy that calls are planned by.
async fn make_ready(db: &Arc<Db>, policy: &Policy) -> Result<()> {
    migrations::migrate(db).await?;
    meta::adopt_policy(db, policy).await
}

/// Creates the database file and its folder, readable by nobody else.
fn create_file(path: &Path) -> Result<()> {
    let fault = |what: &Path, error: &std::io::Error| Error::Unavailable(format!("{}: {error}", what.display()));
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(|error| fault(folder, &error))?;
    }
    private_file().open(path).map(drop).map_err(|error| fault(path, &error))
}

fn private_file() -> FileOptions {
    let mut options = FileOptions::new();
    options.create(true).read(true).write(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn use_write_ahead_log(path: &Path, options: &OpenOptions) -> Result<()> {
    let connection = sqlite::connect(path, options, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mode = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
    match mode {
        Ok(mode) if mode == "wal" => Ok(()),
        Ok(mode) => Err(Error::Unavailable(format!("SQLite can't use a write-ahead log here (journal mode {mode})"))),
        Err(error) => Err(Error::Unavailable(error.to_string())),
    }
}

fn take_lock(path: &Path, node: &str) -> Result<File> {
    let fault = |error: std::io::Error| Error::Unavailable(format!("{}: {error}", path.display()));
    let mut file = private_file().open(path).map_err(fault)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(Error::Locked(path.display().to_string())),
        Err(TryLockError::Error(error)) => return Err(fault(error)),
    }
    // For whoever looks into the file; the lock itself is the kernel's.
    file.set_len(0).and_then(|()| writeln!(file, "{node}")).map_err(fault)?;
    Ok(file)
}
