use std::time::Duration;

use callspool_domain::{Lane, StepName};
use callspool_store::{Error, Found, OpenOptions, Store};
use futures::future::join_all;

use crate::scene::{Scene, at, claim, on_both, policy};
use crate::words::callback;

on_both! {
    several_nodes_may_start_at_once
    a_database_of_a_newer_version_is_refused
    looking_changes_nothing
    a_closed_store_says_so
}

async fn several_nodes_may_start_at_once(scene: &Scene) {
    // Back to an empty database, as every one of them finds it.
    if scene.is_postgres() {
        scene.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
    }
    let url = if scene.is_postgres() { scene.url.clone() } else { format!("{}.fresh", scene.url) };
    let stores = join_all((0..6).map(|_| Store::open(&url, policy(), OpenOptions::default()))).await;
    for store in stores {
        let store = store.expect("a store");
        store.ping(at(0)).await.expect("it takes something in");
        store.close().await;
    }
}

async fn a_database_of_a_newer_version_is_refused(scene: &Scene) {
    scene.execute("INSERT INTO schema_migrations (version, checksum) VALUES (99, 'x')").await;
    let refused = Store::open(&scene.url, policy(), OpenOptions::default()).await;
    assert!(matches!(&refused, Err(Error::Migration(why)) if why.contains("99")), "{refused:?}");
    scene.execute("DELETE FROM schema_migrations WHERE version = 99").await;
    scene.execute("UPDATE schema_migrations SET checksum = 'another'").await;
    let refused = Store::open(&scene.url, policy(), OpenOptions::default()).await;
    assert!(matches!(refused, Err(Error::Migration(_))), "{refused:?}");
}

async fn looking_changes_nothing(scene: &Scene) {
    let look = async || Store::look(&scene.url, policy()).await;
    assert!(matches!(look().await, Ok(Found::Current(_))));
    scene.execute("DELETE FROM schema_migrations WHERE version > 1").await;
    for _ in 0..2 {
        let found = look().await;
        assert!(matches!(found, Ok(Found::Behind(missing)) if missing > 0), "{found:?}");
    }
    scene.execute("DROP TABLE schema_migrations").await;
    assert!(matches!(look().await, Ok(Found::Behind(_))));
    scene.execute("CREATE TABLE schema_migrations (version BIGINT PRIMARY KEY, checksum TEXT NOT NULL)").await;
    scene.execute("INSERT INTO schema_migrations (version, checksum) VALUES (99, 'x')").await;
    assert!(matches!(look().await, Err(Error::Migration(_))));
    let nowhere = format!("{}.nowhere", scene.url);
    if !scene.is_postgres() {
        assert!(matches!(Store::look(&nowhere, policy()).await, Ok(Found::Nothing)));
        assert!(!std::path::Path::new(nowhere.trim_start_matches("sqlite://")).exists());
    }
}

async fn a_closed_store_says_so(scene: &Scene) {
    let other = scene.another().await;
    other.clone().close().await;
    let late = other.record_callback(callback(1, "completed"), at(0)).await;
    assert!(matches!(late, Err(Error::Unavailable(_))), "{late:?}");
    assert!(matches!(other.ping(at(0)).await, Err(Error::Unavailable(_))));
}

#[tokio::test]
async fn one_process_works_on_a_sqlite_database_and_voids_older_leases() {
    let scene = Scene::sqlite().await;
    scene.completed(1, None, at(0)).await;
    let lock = scene.store.begin_work("node one").await.expect("the right to work");
    scene.claim_one(StepName::Archive, at(0)).await;
    let other = scene.another().await;
    let refused = other.begin_work("node two").await;
    assert!(matches!(refused, Err(Error::Locked(_))), "{refused:?}");
    drop(lock);
    let _lock = other.begin_work("node two").await.expect("the right to work");
    assert_eq!(claim(&other, Lane::Transfer, 1, at(1)).await.len(), 1, "after a crash nothing waits for a lease");
    other.close().await;
    scene.end().await;
}

#[tokio::test]
async fn the_files_are_nobody_elses() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::sqlite().await;
    scene.completed(1, None, at(0)).await;
    let path = std::path::PathBuf::from(scene.url.strip_prefix("sqlite://").expect("a path"));
    let mode = |path: &std::path::Path| std::fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().expect("a folder")), 0o700);
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&path.with_extension("db-wal")), 0o600);
    scene.end().await;
}

#[tokio::test]
async fn a_database_held_by_another_process_is_unavailable_and_comes_back() {
    let scene = Scene::sqlite().await;
    let options = OpenOptions { busy_timeout: Duration::from_millis(20), ..OpenOptions::default() };
    let impatient = Store::open(&scene.url, policy(), options).await.expect("a store");
    let mut held = scene.file();
    let held = held.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).expect("a transaction");
    let callbacks = (1..=20).map(|n| impatient.record_callback(callback(n, "completed"), at(0)));
    for refused in join_all(callbacks).await {
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    }
    assert!(matches!(impatient.ping(at(0)).await, Err(Error::Unavailable(_))));
    impatient.stats().await.expect("reading goes on");
    held.commit().expect("a commit");
    impatient.record_callback(callback(1, "completed"), at(0)).await.expect("a callback");
    assert_eq!(scene.number("SELECT COUNT(*) FROM recordings").await, 1);
    impatient.close().await;
    scene.end().await;
}

#[tokio::test]
async fn a_url_of_no_database_is_refused() {
    let refused = Store::open("mysql://host/db", policy(), OpenOptions::default()).await;
    assert!(matches!(refused, Err(Error::Url(_))), "{refused:?}");
    let unreachable = Store::open("postgres://nobody@127.0.0.1:1/none", policy(), OpenOptions::default()).await;
    assert!(matches!(unreachable, Err(Error::Unavailable(_))), "{unreachable:?}");
}

#[tokio::test]
async fn a_row_that_makes_no_sense_is_named() {
    let scene = Scene::sqlite().await;
    scene.completed(1, None, at(0)).await;
    scene.execute("UPDATE recordings SET status = 'mislaid'").await;
    let broken = scene.store.recording(&crate::words::recording(1)).await;
    let Err(Error::Inconsistent { table, column, row }) = broken else { panic!("{broken:?}") };
    assert_eq!((table, column.as_str(), row.as_str()), ("recordings", "status", crate::words::recording(1).as_str()));
    scene.end().await;
}
