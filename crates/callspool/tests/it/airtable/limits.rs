//! Airtable's limit of requests and its penalty of 30 s, which all nodes mind together.

use std::time::Duration;

use callspool_domain::{Code, StepState};
use callspool_sandbox::Fault;
use callspool_sandbox::airtable::Route;
use callspool_sandbox::twilio::PlacedCall;

use super::{line, link_step};
use crate::harness::{Kind, LimitedTable, Table, World, story};

const PENALTY: Duration = Duration::from_secs(30);
const SECOND: Duration = Duration::from_secs(1);
/// A penalty, and the spread of the steps that wait for its end.
const PENALTY_OVER: Duration = Duration::from_secs(40);

/// Calls of so many jobs, each with its record.
async fn calls_of(world: &World, table: &Table, jobs: u32) -> Vec<(String, PlacedCall)> {
    let mut calls = Vec::new();
    for n in 0..jobs {
        let record = table.job(&format!("JOB{n}"));
        calls.push((record, world.call(&format!("?job=JOB{n}")).await));
    }
    calls
}

/// Turns the clock, second by second, until every line is confirmed: whoever waits for a turn is woken.
async fn turn_until_linked(world: &World) {
    world
        .eventually("every line", async || {
            world.clock.advance(SECOND);
            let queue = world.app().store.queue().await.expect("the store answers");
            queue.is_empty()
        })
        .await;
}

story! {
    async fn a_batch_at_a_time_stays_below_the_limit(world: World, table: LimitedTable) {
        let calls = calls_of(&world, &table, 40).await;
        turn_until_linked(&world).await;
        for (record, placed) in &calls {
            assert_eq!(table.lines_of(record, placed), 1);
        }
        assert_eq!(table.penalties(), 0);
        table.end(world).await;
    }
}

/// Sends requests as another program of the customer's would, until Airtable has had enough.
async fn earn_the_penalty(world: &World, table: &LimitedTable) {
    let url = format!("{}/v0/appSandbox0000001/Jobs?maxRecords=1", table.base_url());
    while table.penalties() == 0 {
        let request = world.http.get(&url).bearer_auth("patSandbox.0123456789");
        request.send().await.expect("an answer");
    }
}

story! {
    with ["AIRTABLE_RPS" = "0"]
    async fn a_penalty_that_another_program_earned_is_sat_out(world: World, table: LimitedTable) {
        let record = table.job("J");
        earn_the_penalty(&world, &table).await;
        let asked = table.asked();
        let placed = world.call("?job=J").await;
        world.settle().await;
        let step = link_step(&world, "J").await;
        assert_eq!((step.state, step.code), (StepState::Waiting, Some(Code::RecordsThrottled)));
        assert_eq!(table.asked(), asked + 1);
        for second in 1..PENALTY.as_secs() {
            if second == 10 {
                // What becomes due meanwhile waits as well.
                world.call("?job=K").await;
            }
            world.advance(SECOND).await;
        }
        assert_eq!(table.asked(), asked + 1, "nothing is sent before it is over");
        world.advance(PENALTY_OVER - PENALTY).await;
        assert_eq!(table.history(&record), line(&world, &placed));
        assert_eq!(table.penalties(), 1);
        table.end(world).await;
    }
}

story! {
    async fn a_service_that_asks_for_longer_than_the_penalty_is_left_alone_for_longer(world: World, table: Table) {
        let record = table.job("J");
        table.faults().next(Route::PatchMany, Fault::throttled(120));
        let placed = world.call("?job=J").await;
        world.settle().await;
        let asked = table.asked();
        for _ in 0..11 {
            world.advance(Duration::from_secs(10)).await;
        }
        assert_eq!(table.asked(), asked, "asked before 120 s were over");
        world.advance(Duration::from_secs(20)).await;
        assert_eq!(table.history(&record), line(&world, &placed));
        table.end(world).await;
    }
}

story! {
    async fn a_service_that_asks_for_a_day_is_asked_again_within_minutes(world: World, table: Table) {
        let record = table.job("J");
        table.faults().next(Route::PatchMany, Fault::throttled(24 * 3600));
        let placed = world.call("?job=J").await;
        world.settle().await;
        let asked = table.asked();
        for _ in 0..29 {
            world.advance(Duration::from_secs(10)).await;
        }
        assert_eq!(table.asked(), asked, "asked before five minutes were over");
        for _ in 0..3 {
            world.advance(Duration::from_secs(10)).await;
        }
        assert_eq!(table.history(&record), line(&world, &placed));
        table.end(world).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_on_one_database_share_the_limit_and_the_penalty() {
    let Some(mut world) = World::prepare(Kind::Postgres).await else { return };
    let table = LimitedTable::beside(&mut world).await;
    world.boot().await;
    let other = world.another_node().await;
    earn_the_penalty(&world, &table).await;
    let asked = table.asked();
    let calls = calls_of(&world, &table, 40).await;
    world
        .eventually("a node to be told of the penalty", async || {
            world.clock.advance(Duration::from_millis(1));
            table.asked() > asked
        })
        .await;
    for _ in 1..PENALTY.as_secs() {
        world.clock.advance(Duration::from_millis(900));
        world.settle().await;
    }
    assert_eq!(table.asked(), asked + 1, "nothing is sent before it is over, by either node");
    turn_until_linked(&world).await;
    for (record, placed) in &calls {
        assert_eq!(table.lines_of(record, placed), 1);
    }
    assert_eq!(table.penalties(), 1);
    other.stop().await;
    table.end(world).await;
}
