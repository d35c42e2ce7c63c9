//! PostgreSQL: a pool of connections, READ COMMITTED, and bodies that are run again when others got in the way.
//!
//! Guarantee: a body that returned `Ok` here was committed. Where the answer to a COMMIT was lost it is run again, so it
//! must find its own work done and leave it at that.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime};
use futures::future::poll_fn;
use futures::{Stream as _, stream};
use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, Config, IsolationLevel};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::probe::{Checkpoint, CommitMoment};
use super::signals::Signals;
use super::tx::{Tx, is_worth_repeating, postgres_fault};
use super::{Body, tls};
use crate::{Error, OpenOptions, Result};

/// How often a body is run before its caller is told to try again later.
const RUNS: u32 = 8;
/// How long a caller waits for a connection.
const POOL_WAIT: Duration = Duration::from_secs(5);
/// How long a body may take with all its runs; a callback has to be answered before the provider gives up (15 s).
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a lost listening connection is left alone.
const RECONNECT: Duration = Duration::from_secs(1);

/// The channel on which nodes tell each other that steps may be due.
pub(crate) const STEPS: &str = "callspool_steps";
/// The channel on which nodes tell each other that events were numbered.
pub(crate) const EVENTS: &str = "callspool_events";

/// An open PostgreSQL database.
pub(crate) struct Postgres {
    config: Config,
    connector: MakeRustlsConnect,
    pool: Pool,
    signals: Arc<Signals>,
    checkpoint: Checkpoint,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Postgres")
    }
}

/// What a body does, and how long its caller waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
    /// Migrations take the time they take.
    WriteUnhurried,
}

/// Why one run of a body came to nothing.
struct Failed {
    error: Error,
    again: bool,
}

impl Postgres {
    /// Prepares a pool; connects only when it is used.
    pub(crate) fn new(url: &str, options: &OpenOptions, signals: &Arc<Signals>) -> Result<Self> {
        let (config, connector) = (tls::config(url)?, tls::connector()?);
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config.clone(), connector.clone(), manager);
        let pool = Pool::builder(manager)
            .max_size(options.connections.max(1))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(POOL_WAIT))
            .create_timeout(Some(POOL_WAIT))
            .build()
            .map_err(|error| Error::Defect(error.to_string()))?;
        let checkpoint = Checkpoint::new(options.probe.as_ref());
        Ok(Self { config, connector, pool, signals: Arc::clone(signals), checkpoint })
    }

    /// Runs a body until it is committed or there is no point in going on.
    pub(super) async fn run<A: Sync, T>(&self, args: &A, body: Body<A, T>, access: Access) -> Result<T> {
        let runs = async {
            let mut run = 1;
            loop {
                match self.run_once(args, body, access == Access::Read).await {
                    Err(failed) if failed.again && run < RUNS => run += 1,
                    outcome => return outcome.map_err(|failed| failed.error),
                }
            }
        };
        if access == Access::WriteUnhurried {
            return runs.await;
        }
        let late = || Error::Unavailable(format!("no answer within {} s", PATIENCE.as_secs()));
        timeout(PATIENCE, runs).await.unwrap_or_else(|_| Err(late()))
    }

    async fn run_once<A: Sync, T>(&self, args: &A, body: Body<A, T>, read_only: bool) -> Result<T, Failed> {
        let failed = |error: &tokio_postgres::Error| Failed {
            error: postgres_fault("the transaction", error),
            again: is_worth_repeating(error),
        };
        let mut client =
            self.pool.get().await.map_err(|error| Failed { error: no_connection(&error), again: false })?;
        // A read sees one moment throughout, as on SQLite; a write sees what others committed while it waited for a row.
        let isolation = if read_only { IsolationLevel::RepeatableRead } else { IsolationLevel::ReadCommitted };
        let transaction = client.build_transaction().isolation_level(isolation).read_only(read_only);
        let transaction = transaction.start().await.map_err(|error| failed(&error))?;
        let (outcome, news, again) = {
            let tx = Tx::postgres(&transaction);
            let outcome = body(&tx, args).await;
            let again = tx.run_again();
            (outcome, tx.news, again)
        };
        let value = outcome.map_err(|error| Failed { error, again })?;
        self.checkpoint.pass(CommitMoment::Before, &news).await;
        transaction.commit().await.map_err(|error| failed(&error))?;
        self.checkpoint.pass(CommitMoment::After, &news).await;
        self.signals.committed_among_nodes(&news);
        Ok(value)
    }

    /// Hears what other nodes tell, for as long as it is polled; wakes everybody after a gap.
    pub(crate) async fn listen(&self) {
        loop {
            if let Err(error) = self.listen_once().await {
                tracing::warn!(%error, "the connection that hears of other nodes' work is lost; polling goes on");
            }
            tokio::time::sleep(RECONNECT).await;
        }
    }

    async fn listen_once(&self) -> Result<(), tokio_postgres::Error> {
        let (client, mut connection) = self.config.connect(self.connector.clone()).await?;
        let mut messages = pin!(stream::poll_fn(move |context| connection.poll_message(context)));
        let asking = format!("LISTEN {STEPS}; LISTEN {EVENTS}");
        let mut asking = pin!(client.batch_execute(&asking));
        let mut asked = false;
        loop {
            tokio::select! {
                answer = &mut asking, if !asked => {
                    answer?;
                    asked = true;
                    self.signals.wake_steps();
                    self.signals.wake_events();
                }
                message = poll_fn(|context| messages.as_mut().poll_next(context)) => match message {
                    Some(Ok(AsyncMessage::Notification(note))) if note.channel() == STEPS => self.signals.wake_steps(),
                    Some(Ok(AsyncMessage::Notification(_))) => self.signals.wake_events(),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error),
                    None => return Ok(()),
                }
            }
        }
    }

    /// Ends the pool; what is under way runs to its end.
    pub(super) fn close(&self) {
        self.pool.close();
    }
}

fn no_connection(error: &PoolError) -> Error {
    match error {
        PoolError::Backend(error) => {
            let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
            Error::Unavailable(format!("{error}{cause}"))
        }
        error => Error::Unavailable(error.to_string()),
    }
}
