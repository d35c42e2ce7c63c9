//! Death in the middle of the bytes, and what the dead leave behind: a half-written file, a part of an upload, a lease.

use callspool_domain::StepState;
use callspool_sandbox::Fault;
use callspool_sandbox::twilio::Route;

use super::end_state::EndState;
use super::fate::{Fate, Moment};
use super::kind_life;
use super::life::{A_LOOK, After, Life, Place, Records, Setup};
use crate::harness::Kind;

/// More than one part of an upload.
const SECONDS_OF_TWO_PARTS: u32 = 300;

async fn half_a_file(database: Kind) {
    let setup = Setup { database, archive: Place::Folder, records: Records::BuiltIn, seconds: 30 };
    let Some((expected, _)) = kind_life(setup).await else { return };
    let mut life = Life::prepare(setup, Fate::kind(), After::Rise).await.expect("a kind life had one");
    life.world.twilio.faults().next(Route::Media, Fault::Stall(500_000));
    life.boot().await;
    life.announce().await;
    let files = async || life.world.archive_files().len() == 1;
    life.world.eventually("a file to grow", files).await;
    life.world.crash().await;
    let left = life.world.archive_files();
    assert!(left.iter().all(|key| key.starts_with(".callspool-tmp/")) && left.len() == 1, "{left:?}");

    life.world.let_leases_run_out().await;
    assert_eq!(life.live().await, expected);
    life.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_written_file_is_cleared_away_on_sqlite() {
    half_a_file(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_written_file_is_cleared_away_on_postgres() {
    half_a_file(Kind::Postgres).await;
}

/// A dead process can't abort its upload; that is left to the bucket's rule. Everything else ends as ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn death_at_any_request_of_an_upload_in_parts_leaves_no_more_than_parts() {
    let setup = Setup {
        database: Kind::Sqlite,
        archive: Place::Bucket,
        records: Records::BuiltIn,
        seconds: SECONDS_OF_TWO_PARTS,
    };
    let (expected, moments) = kind_life(setup).await.expect("SQLite is always there");
    let requests: Vec<&Moment> = moments.iter().filter(|moment| moment.request().is_some()).collect();
    assert!(
        requests.iter().filter(|moment| moment.request().is_some_and(|request| request.starts_with("PUT"))).count()
            >= 4
    );
    for moment in requests {
        let fate = Fate::death_at(moment);
        let mut life = Life::prepare(setup, fate.clone(), After::Rise).await.expect("SQLite is always there");
        let end = life.live().await;
        assert_eq!(fate.blows(), [moment.clone()]);
        assert!(end.open_uploads.len() <= 1, "died {moment:?}: {:?}", end.open_uploads);
        assert_eq!(EndState { open_uploads: Vec::new(), ..end }, expected, "died {moment:?}");
        life.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lease_of_a_dead_node_is_respected_until_it_runs_out() {
    let setup = Setup { database: Kind::Postgres, archive: Place::Folder, records: Records::BuiltIn, seconds: 3 };
    let Some((_, moments)) = kind_life(setup).await else { return };
    let download = moments.iter().find(|moment| moment.request().is_some()).expect("the download");
    let fate = Fate::death_at(download);
    let mut life = Life::prepare(setup, fate.clone(), After::Rise).await.expect("a kind life had one");
    life.boot().await;
    life.announce().await;
    fate.strikes().await;
    life.world.crash().await;
    fate.begin_anew();
    life.boot().await;

    // Once another recording went all the way, the lanes have looked, and looked again.
    let other = life.world.call("?job=OTHER").await;
    let linked = async || !life.world.history("OTHER").await.is_empty();
    life.world.eventually("the other one to be linked", linked).await;
    let attempts = "SELECT state || ' ' || CAST(attempt AS TEXT) FROM steps WHERE step_id = 'archive/";
    let first = format!("{attempts}{}'", life.recording);
    assert_eq!(life.world.database.texts(&first).await, [format!("{} 1", StepState::Running)]);

    life.world.let_leases_run_out().await;
    life.turn(A_LOOK).await;
    assert_eq!(life.world.database.texts(&first).await, [format!("{} 2", StepState::Done)]);
    assert_ne!(other.recording_sid, life.recording);
    life.end().await;
}
