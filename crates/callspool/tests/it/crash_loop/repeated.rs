//! Every step run again on purpose, after it has done its work: nothing changes.

use callspool_domain::StepName;

use super::end_state::EndState;
use super::fate::Fate;
use super::life::{A_LOOK, After, Life, Place, Records, Setup};
use crate::harness::Kind;

async fn every_step_again(database: Kind) {
    for (archive, records) in [(Place::Folder, Records::BuiltIn), (Place::Bucket, Records::Table)] {
        let setup = Setup { database, archive, records, seconds: 3 };
        let Some(mut life) = Life::prepare(setup, Fate::kind(), After::Rise).await else { return };
        let expected = life.live().await;
        expected.check(&life).await;
        let attempts = attempts(&life).await;
        life.announce().await;
        life.settle().await;
        for step in StepName::ALL {
            let again = format!("UPDATE steps SET state = 'waiting', due_at = 0 WHERE name = '{step}'");
            life.world.database.execute(&again).await;
            life.turn(A_LOOK).await;
        }
        assert_eq!(EndState::of(&life).await, expected);
        expected.check(&life).await;
        let again: Vec<i64> = attempts.iter().map(|attempt| attempt + 1).collect();
        assert_eq!(self::attempts(&life).await, again, "every step ran once more");
        life.end().await;
    }
}

/// How often each step was claimed.
async fn attempts(life: &Life) -> Vec<i64> {
    let attempts = life.world.database.texts("SELECT CAST(attempt AS TEXT) FROM steps ORDER BY step_id").await;
    attempts.iter().map(|attempt| attempt.parse().expect("a number")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_runs_again_changes_nothing_on_sqlite() {
    every_step_again(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_runs_again_changes_nothing_on_postgres() {
    every_step_again(Kind::Postgres).await;
}
