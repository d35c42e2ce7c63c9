//! A database of its own for each story.

use std::io::Write as _;
use std::path::Path;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio_postgres::NoTls;

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A file in the story's folder.
    Sqlite,
    /// A database on the server that `CALLSPOOL_TEST_POSTGRES` names.
    Postgres,
}

/// A story's database.
pub(crate) struct Database {
    url: String,
    on_server: Option<(String, String)>,
}

impl Database {
    /// Makes one. `None`, said once: there is no server.
    pub(crate) async fn create(kind: Kind, folder: &Path) -> Option<Self> {
        if kind == Kind::Sqlite {
            let url = format!("sqlite://{}", folder.join("callspool.db").display());
            return Some(Self { url, on_server: None });
        }
        let Ok(server) = std::env::var("CALLSPOOL_TEST_POSTGRES") else {
            static SAID: Once = Once::new();
            SAID.call_once(|| {
                // Past the capture of the test runner: a run that left half of it out must not look whole.
                let line =
                    b"left out: every story on PostgreSQL (CALLSPOOL_TEST_POSTGRES is not set; ./test sets it)\n";
                drop(std::io::stderr().write_all(line));
            });
            return None;
        };
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("story_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        execute(&server, &format!("CREATE DATABASE {name}")).await;
        let mut url = url::Url::parse(&server).expect("CALLSPOOL_TEST_POSTGRES is a URL");
        url.set_path(&name);
        Some(Self { url: url.into(), on_server: Some((server, name)) })
    }

    /// Its URL.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Whether several nodes can work on it.
    pub(crate) fn is_shared(&self) -> bool {
        self.on_server.is_some()
    }

    /// Changes something behind callspool's back.
    pub(crate) async fn execute(&self, statement: &str) {
        match self.file() {
            Some(file) => drop(file.execute(statement, []).expect(statement)),
            None => execute(&self.url, statement).await,
        }
    }

    /// The texts in the first column of an answer.
    pub(crate) async fn texts(&self, query: &str) -> Vec<String> {
        if let Some(file) = self.file() {
            let mut query = file.prepare(query).expect(query);
            let rows = query.query_map([], |row| row.get(0)).expect("rows");
            return rows.collect::<Result<_, _>>().expect("texts");
        }
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.expect("the server answers");
        let connection = tokio::spawn(connection);
        let rows = client.query(query, &[]).await.expect(query);
        connection.abort();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Lets nobody write about calls, or try whether he could, until the lock is dropped.
    pub(crate) async fn lock(&self) -> Lock {
        if let Some(file) = self.file() {
            file.execute_batch("BEGIN IMMEDIATE").expect("the file is free");
            return Lock::File(file);
        }
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.expect("the server answers");
        tokio::spawn(connection);
        client
            .batch_execute("BEGIN; LOCK TABLE calls, callbacks, meta IN ACCESS EXCLUSIVE MODE")
            .await
            .expect("the table is free");
        Lock::Server(client)
    }

    /// The SQLite file, opened; `None` on a server.
    fn file(&self) -> Option<rusqlite::Connection> {
        let file = rusqlite::Connection::open(self.url.strip_prefix("sqlite://")?).expect("the file opens");
        file.busy_timeout(Duration::from_secs(30)).expect("a time-out");
        Some(file)
    }

    /// Removes it from the server; a file goes with the story's folder.
    pub(crate) async fn drop(self) {
        if let Some((server, name)) = self.on_server {
            execute(&server, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }
}

/// A transaction that keeps everybody waiting, and is rolled back when it is dropped.
#[expect(dead_code, reason = "held for what its end does")]
pub(crate) enum Lock {
    File(rusqlite::Connection),
    Server(tokio_postgres::Client),
}

async fn execute(server: &str, statement: &str) {
    let (client, connection) = tokio_postgres::connect(server, NoTls).await.expect("the server answers");
    let connection = tokio::spawn(connection);
    client.batch_execute(statement).await.expect(statement);
    connection.abort();
}
