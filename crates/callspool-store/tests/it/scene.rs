//! A database of its own for each test, and the verbs tests are told in.

use std::io::Write as _;
use std::sync::Once;
use std::time::Duration;

use callspool_domain::{Lane, Policy, Timestamp};
use callspool_store::{Claimed, OpenOptions, Store};
use tempfile::TempDir;
use tokio_postgres::NoTls;

/// Defines each test twice: on SQLite and on PostgreSQL.
macro_rules! on_both {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let scene = crate::scene::Scene::sqlite().await;
                super::$name(&scene).await;
                scene.end().await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let Some(scene) = crate::scene::Scene::postgres().await else { return };
                super::$name(&scene).await;
                scene.end().await;
            })*
        }
    };
}
/// Defines a test that only PostgreSQL can fail.
macro_rules! on_postgres {
    ($($name:ident)*) => {
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let Some(scene) = crate::scene::Scene::postgres().await else { return };
                super::$name(&scene).await;
                scene.end().await;
            })*
        }
    };
}
pub(crate) use {on_both, on_postgres};

/// The beginning of every test's time.
pub(crate) const T0: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// `seconds` after the beginning.
pub(crate) fn at(seconds: u64) -> Timestamp {
    T0 + Duration::from_secs(seconds)
}

pub(crate) fn policy() -> Policy {
    Policy {
        app_url: "https://calls.example.com".to_owned(),
        delete_after: Some(Duration::from_secs(24 * 3600)),
        release_without_job: false,
        find_jobs: true,
        recording_max: Some(Duration::from_secs(3600)),
        recording_keys: std::collections::BTreeSet::new(),
    }
}

/// A database and a store on it.
pub(crate) struct Scene {
    pub(crate) store: Store,
    pub(crate) url: String,
    place: Place,
}

enum Place {
    Folder { _removed_with_it: TempDir },
    Server { server: String, database: String },
}

impl Scene {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}", folder.path().join("data/callspool.db").display());
        Self { store: open(&url).await, url, place: Place::Folder { _removed_with_it: folder } }
    }

    /// `None` where no server was named; says so once.
    pub(crate) async fn postgres() -> Option<Self> {
        let Some(server) = server() else {
            static SAID: Once = Once::new();
            SAID.call_once(|| {
                let line = "left out: the store on PostgreSQL (CALLSPOOL_TEST_POSTGRES names no server)";
                writeln!(std::io::stderr(), "{line}").expect("stderr");
            });
            return None;
        };
        // A part of a fresh folder's name is as unique as a test needs.
        let database = format!("callspool_{:08x}", fresh_number());
        execute_on(&server, &format!("CREATE DATABASE {database}")).await;
        let url = with_database(&server, &database);
        Some(Self { store: open(&url).await, url, place: Place::Server { server, database } })
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.place, Place::Server { .. })
    }

    /// Another node, or another process, on the same database.
    pub(crate) async fn another(&self) -> Store {
        open(&self.url).await
    }

    /// Changes rows behind the store's back.
    pub(crate) async fn execute(&self, sql: &str) {
        match self.place {
            Place::Folder { .. } => drop(self.file().execute(sql, []).expect("SQL")),
            Place::Server { .. } => execute_on(&self.url, sql).await,
        }
    }

    /// The one number a query answers.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        match self.place {
            Place::Folder { .. } => self.file().query_row(sql, [], |row| row.get(0)).expect("SQL"),
            Place::Server { .. } => connect(&self.url).await.query_one(sql, &[]).await.expect("SQL").get(0),
        }
    }

    pub(crate) fn file(&self) -> rusqlite::Connection {
        let path = self.url.strip_prefix("sqlite://").expect("a SQLite scene");
        let connection = rusqlite::Connection::open(path).expect("the database");
        connection.busy_timeout(Duration::from_secs(5)).expect("a time-out");
        connection
    }

    /// Every running step's lease is over, by whichever clock.
    pub(crate) async fn expire_leases(&self) {
        self.execute("UPDATE steps SET lease_until = 0 WHERE state = 'running'").await;
    }

    /// Claims what is due, with a fresh claim id.
    pub(crate) async fn claim(&self, lane: Lane, limit: u32, now: Timestamp) -> Vec<Claimed> {
        claim(&self.store, lane, limit, now).await
    }

    pub(crate) async fn end(self) {
        self.store.close().await;
        if let Place::Server { server, database } = self.place {
            execute_on(&server, &format!("DROP DATABASE {database} WITH (FORCE)")).await;
        }
    }
}

/// Claims on any node.
pub(crate) async fn claim(store: &Store, lane: Lane, limit: u32, now: Timestamp) -> Vec<Claimed> {
    let claim_id = format!("claim-{:016x}", fresh_number());
    store.claim(lane, limit, "a-test", &claim_id, now).await.expect("a claim")
}

pub(crate) async fn open(url: &str) -> Store {
    let options = OpenOptions { connections: 8, ..OpenOptions::default() };
    Store::open(url, policy(), options).await.expect("a store")
}

pub(crate) async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a server");
    tokio::spawn(async move { connection.await.expect("a connection") });
    client
}

async fn execute_on(url: &str, sql: &str) {
    connect(url).await.batch_execute(sql).await.expect("SQL");
}

#[expect(clippy::disallowed_methods, reason = "the test server is named by the environment")]
fn server() -> Option<String> {
    std::env::var("CALLSPOOL_TEST_POSTGRES").ok().filter(|url| !url.is_empty())
}

fn with_database(server: &str, database: &str) -> String {
    let (before, _) = server.rsplit_once('/').expect("postgres://user@host:port/database");
    format!("{before}/{database}")
}

/// A number no other test of any process has.
pub(crate) fn fresh_number() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(std::process::id())
}
