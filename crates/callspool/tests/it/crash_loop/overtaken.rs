//! The lease is lost mid-way: an attempt is held up at a request for longer than its lease, another one takes over and
//! finishes, and then the first goes on, or dies. Both together have one effect.

use super::fate::{Fate, Moment};
use super::life::{After, Place, Records, Setup};
use super::{hard_lives, kind_life};
use crate::harness::Kind;

/// Is held up at every request that another attempt can pass by.
async fn held_up_everywhere(database: Kind, after: After) {
    for (archive, records) in [(Place::Folder, Records::BuiltIn), (Place::Bucket, Records::Table)] {
        let setup = Setup { database, archive, records, seconds: 3 };
        let Some((expected, moments)) = kind_life(setup).await else { return };
        let moments: Vec<Moment> = moments.into_iter().filter(|moment| can_be_passed(moment, database)).collect();
        let fates = moments.iter().map(Fate::pause_at);
        let blows = hard_lives(setup, fates, after, &expected).await;
        for moment in &moments {
            assert!(blows.iter().flatten().any(|blow| blow == moment), "nobody was held {moment:?}");
        }
    }
}

/// One batch of job records at a time runs in a process, so there the next one waits for the one that is held up; what is
/// asked about a recording itself is asked by steps that run side by side.
fn can_be_passed(moment: &Moment, database: Kind) -> bool {
    let of_a_recording = |request: &str| request.contains("/Recordings/") || request.ends_with(".wav");
    moment.request().is_some_and(|request| database == Kind::Postgres || of_a_recording(request))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_wakes_after_his_lease_was_lost_changes_nothing_on_sqlite() {
    held_up_everywhere(Kind::Sqlite, After::Overtaken).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_wakes_after_another_node_took_over_changes_nothing() {
    held_up_everywhere(Kind::Postgres, After::Overtaken).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_dies_is_succeeded_by_one_that_runs() {
    held_up_everywhere(Kind::Postgres, After::Succeeded).await;
}
