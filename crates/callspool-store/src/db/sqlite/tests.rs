//! Group commit, when things go wrong.

use std::sync::mpsc::{Receiver, Sender, channel};

use futures::future::join_all;
use tempfile::TempDir;

use super::*;
use crate::db::params;

const MAKE: Statement = Statement::new("things", "CREATE TABLE things (text TEXT NOT NULL)");
const ADD: Statement = Statement::new("things", "INSERT INTO things (text) VALUES ($1)");
const COUNT: Statement = Statement::new("things", "SELECT COUNT(*) FROM things");
static LIMIT: Statement = Statement::new("the file", "PRAGMA max_page_count = 40");
static NO_LIMIT: Statement = Statement::new("the file", "PRAGMA max_page_count = 1000000");

async fn database() -> (Arc<Sqlite>, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("test.db");
    let setup = rusqlite::Connection::open(&path).expect("a file");
    setup.pragma_update(None, "journal_mode", "WAL").expect("a write-ahead log");
    let sqlite = Sqlite::open(&path, &OpenOptions::default(), &Arc::default()).expect("a database");
    sqlite.write((), |tx, ()| Box::pin(async move { tx.execute(&MAKE, &[]).await })).await.expect("a table");
    (Arc::new(sqlite), folder)
}

async fn add(sqlite: &Sqlite, bytes: usize) -> Result<u64> {
    sqlite.write("x".repeat(bytes), |tx, text| Box::pin(async move { tx.execute(&ADD, params![text]).await })).await
}

async fn count(sqlite: &Sqlite) -> i64 {
    let read = sqlite.read((), |tx, ()| Box::pin(async move { tx.optional(&COUNT, &[], |row| row.get(0)).await }));
    read.await.expect("a read").expect("a number")
}

/// Does nothing but hear what came of it.
struct Told<F>(F);

impl<F: FnOnce(Result<(), &str>) + Send> Job for Told<F> {
    fn run(&mut self, _: &Mutex<Connection>) -> (bool, News) {
        (true, News::default())
    }

    fn answer(self: Box<Self>, committed: Result<(), &str>) {
        (self.0)(committed);
    }
}

/// Holds the writing thread inside a body, so that whatever is sent meanwhile becomes one group with it.
async fn hold(sqlite: &Arc<Sqlite>) -> (Sender<()>, tokio::task::JoinHandle<Result<()>>) {
    let (release, held) = channel();
    let (began, begun) = oneshot::channel();
    let (writer, args) = (Arc::clone(sqlite), (Mutex::new(Some(began)), Mutex::new(held)));
    let holding = tokio::spawn(async move {
        writer
            .write(args, |_, (began, held): &(Mutex<Option<oneshot::Sender<()>>>, Mutex<Receiver<()>>)| {
                // Where another body fails, it runs a second time.
                if let Some(began) = began.lock().expect("a lock").take() {
                    began.send(()).expect("a test");
                    held.lock().expect("a lock").recv().expect("a release");
                }
                Box::pin(async { Ok(()) })
            })
            .await
    });
    begun.await.expect("a body that runs");
    (release, holding)
}

#[tokio::test]
async fn bodies_that_come_together_are_committed_together_and_one_that_fails_takes_nothing_along() {
    let (sqlite, _folder) = database().await;
    let (release, holding) = hold(&sqlite).await;
    let adds = tokio::spawn({
        let sqlite = Arc::clone(&sqlite);
        async move {
            let panicking = sqlite.write((), |tx, ()| {
                Box::pin(async move {
                    tx.execute(&ADD, params!["panicking"]).await?;
                    panic!("a defect");
                    #[expect(unreachable_code, reason = "the body's type")]
                    Ok(())
                })
            });
            let waiting = sqlite.write((), |tx, ()| {
                Box::pin(async move {
                    tx.execute(&ADD, params!["waiting"]).await?;
                    tokio::task::yield_now().await;
                    Ok(())
                })
            });
            tokio::join!(add(&sqlite, 1), panicking, waiting, add(&sqlite, 2))
        }
    });
    release.send(()).expect("a body that waits");
    let (first, panicking, waiting, last) = adds.await.expect("a task");
    holding.await.expect("a task").expect("a commit");
    assert!(first.is_ok() && last.is_ok());
    assert!(matches!(panicking, Err(Error::Defect(_))), "{panicking:?}");
    assert!(matches!(waiting, Err(Error::Defect(_))), "{waiting:?}");
    assert_eq!(count(&sqlite).await, 2);
}

#[tokio::test]
async fn a_full_disk_fails_the_whole_group_and_passes() {
    let (sqlite, _folder) = database().await;
    let limit = |statement: &'static Statement| {
        sqlite.write(statement, |tx, statement| {
            Box::pin(async move { tx.optional(statement, &[], |row| row.get::<i64>(0)).await })
        })
    };
    limit(&LIMIT).await.expect("a limit");
    let (release, holding) = hold(&sqlite).await;
    let adds = tokio::spawn({
        let sqlite = Arc::clone(&sqlite);
        async move { join_all((0..100).map(|_| add(&sqlite, 8000))).await }
    });
    // Not before they wait: sending has no answer, but a read of the queue's length has.
    while sqlite.writer.max_capacity() - sqlite.writer.capacity() < 100 {
        tokio::task::yield_now().await;
    }
    release.send(()).expect("a body that waits");
    let outcomes = adds.await.expect("a task");
    let held = holding.await.expect("a task");
    assert!(matches!(held, Err(Error::Unavailable(_))), "it was in the group that failed: {held:?}");
    let stored = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(1) | Err(Error::Unavailable(_)))));
    assert_eq!(count(&sqlite).await, i64::try_from(stored).expect("small"), "what is there was acknowledged");
    assert!(stored < 100);

    limit(&NO_LIMIT).await.expect("room again");
    let before = count(&sqlite).await;
    assert_eq!(add(&sqlite, 8000).await.expect("a commit"), 1);
    assert_eq!(count(&sqlite).await, before + 1);
}

#[tokio::test]
async fn who_comes_while_others_are_refused_is_not_refused_with_them() {
    let (before, folder) = database().await;
    before.close().await;
    let path = folder.path().join("test.db");
    let options = OpenOptions { busy_timeout: std::time::Duration::from_millis(50), ..OpenOptions::default() };
    let sqlite = Sqlite::open(&path, &options, &Arc::default()).expect("a database");
    let other = rusqlite::Connection::open(&path).expect("the file");
    other.execute_batch("BEGIN IMMEDIATE").expect("the file is free");

    // The first is refused; being told, it frees the file and sends a second.
    let (answer, answered) = oneshot::channel();
    let writer = sqlite.writer.clone();
    let first = Told(move |committed: Result<(), &str>| {
        assert!(committed.is_err(), "the file is held");
        drop(other);
        let second =
            Told(move |committed: Result<(), &str>| answer.send(committed.is_ok()).expect("a test that waits"));
        drop(writer.try_send(Message::Run(Box::new(second))));
    });
    drop(sqlite.writer.send(Message::Run(Box::new(first))).await);
    assert!(answered.await.expect("an answer"), "refused, though the file was free when it came");
}
