//! The crash loop: callspool dies before and after every commit and every request to the outside, rises, and the end is
//! always the same.
//!
//! A kind life first counts the moments. Then, for each of them, a fresh world dies exactly there. What all lives must
//! come to: one object equal to the provider's bytes, one history line, the provider's copy released once, with one
//! receipt and not before its time, no step left, nothing half written.

mod end_state;
mod fate;
mod interrupted;
mod life;
mod overtaken;
mod repeated;
mod starts;

use futures::{StreamExt as _, stream};

use self::end_state::EndState;
use self::fate::{Fate, Moment};
use self::life::{After, Life, Place, Records, Setup};
use crate::harness::Kind;

/// How many worlds there are at a time.
const WORLDS: usize = 4;
/// How many sides of commits may come in one life and not in another.
const SHARED_COMMITS: usize = 8;

/// A life in which nothing happens: how it ends, and every moment of it.
async fn kind_life(setup: Setup) -> Option<(EndState, Vec<Moment>)> {
    let mut life = Life::prepare(setup, Fate::kind(), After::Rise).await?;
    let end = life.live().await;
    end.check(&life).await;
    let moments = life.fate.moments();
    life.end().await;
    Some((end, moments))
}

/// A life with this fate, which must end as expected. Returns where it struck.
async fn hard_life(setup: Setup, fate: Fate, after: After, expected: &EndState) -> Vec<Moment> {
    let mut life = Life::prepare(setup, fate.clone(), after).await.expect("a kind life had one");
    let end = life.live().await;
    let blows = fate.blows();
    assert_eq!(end, *expected, "struck {blows:?}, then {after:?}, in {:#?}", fate.moments());
    life.end().await;
    blows
}

/// Lives all these lives, some at a time. Returns where fate struck.
async fn hard_lives(
    setup: Setup,
    fates: impl IntoIterator<Item = Fate>,
    after: After,
    expected: &EndState,
) -> Vec<Vec<Moment>> {
    let lives = fates.into_iter().map(|fate| hard_life(setup, fate, after, expected));
    stream::iter(lives).buffer_unordered(WORLDS).collect().await
}

/// Dies once at every moment, and twice in every third life.
#[expect(clippy::print_stderr, reason = "says how much was proven to whoever asks for it (--nocapture)")]
async fn every_death(database: Kind, archive: Place, records: Records) {
    let setup = Setup { database, archive, records, seconds: 3 };
    let Some((expected, moments)) = kind_life(setup).await else { return };
    let once = moments.iter().map(Fate::death_at);
    // Of the moments after a death any will do; numbers without a common pattern.
    let twice = moments.iter().enumerate().step_by(3).map(|(n, moment)| Fate::death_at(moment).and_after(n * 7 % 11));
    let blows = hard_lives(setup, once.chain(twice), After::Rise, &expected).await;
    let deaths = blows.iter().map(Vec::len).sum::<usize>();
    eprintln!("{setup:?}: {} moments, {deaths} deaths", moments.len());
    let untouched = |moment: &&Moment| !blows.iter().flatten().any(|blow| blow == *moment);
    let untouched: Vec<&Moment> = moments.iter().filter(untouched).collect();
    // Which transactions share a commit differs from life to life, so the last commits of one may not come in another.
    assert!(untouched.len() <= SHARED_COMMITS, "nobody died {untouched:#?}");
    assert!(!untouched.iter().any(|moment| moment.request().is_some()), "nobody died {untouched:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_folder_and_built_in_records_on_sqlite() {
    every_death(Kind::Sqlite, Place::Folder, Records::BuiltIn).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_folder_and_airtable_on_sqlite() {
    every_death(Kind::Sqlite, Place::Folder, Records::Table).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_bucket_and_built_in_records_on_sqlite() {
    every_death(Kind::Sqlite, Place::Bucket, Records::BuiltIn).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_bucket_and_airtable_on_sqlite() {
    every_death(Kind::Sqlite, Place::Bucket, Records::Table).await;
}

// A world on PostgreSQL costs three times as much; these two have every step and every kind of request in them.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_folder_and_built_in_records_on_postgres() {
    every_death(Kind::Postgres, Place::Folder, Records::BuiltIn).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_bucket_and_airtable_on_postgres() {
    every_death(Kind::Postgres, Place::Bucket, Records::Table).await;
}
