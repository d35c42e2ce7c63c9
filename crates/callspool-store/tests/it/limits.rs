use std::time::Duration;

use callspool_store::RetryWhat;

use crate::scene::{Scene, T0, at, on_both};

on_both! {
    slots_are_given_out_one_after_the_other_over_all_nodes
    a_penalty_holds_for_everybody
    a_refused_turn_is_nobodys
    a_slot_further_ahead_than_any_penalty_counts_as_now
    a_retry_by_hand_lifts_a_penalty
}

const PATIENCE: Duration = Duration::from_secs(5);
const QUARTER: Duration = Duration::from_millis(250);

async fn slots_are_given_out_one_after_the_other_over_all_nodes(scene: &Scene) {
    let other = scene.another().await;
    let mut waits = Vec::new();
    for store in [&scene.store, &other, &scene.store, &other] {
        waits.push(store.reserve("airtable", QUARTER, PATIENCE, T0).await.expect("a slot"));
    }
    assert_eq!(waits, [Duration::ZERO, QUARTER, QUARTER * 2, QUARTER * 3]);
    assert_eq!(scene.store.reserve("another", QUARTER, PATIENCE, T0).await.expect("a slot"), Duration::ZERO);
    assert_eq!(scene.store.reserve("airtable", QUARTER, PATIENCE, at(10)).await.expect("a slot"), Duration::ZERO);
    other.close().await;
}

async fn a_penalty_holds_for_everybody(scene: &Scene) {
    scene.store.reserve("airtable", QUARTER, PATIENCE, T0).await.expect("a slot");
    scene.store.block("airtable", at(30), T0).await.expect("a penalty");
    scene.store.block("airtable", at(5), T0).await.expect("a shorter one changes nothing");
    let other = scene.another().await;
    assert_eq!(other.reserve("airtable", QUARTER, PATIENCE, T0).await.expect("a slot"), Duration::from_secs(30));
    other.close().await;
}

async fn a_refused_turn_is_nobodys(scene: &Scene) {
    scene.store.block("airtable", at(6), T0).await.expect("a penalty");
    for _ in 0..100 {
        let wait = scene.store.reserve("airtable", QUARTER, PATIENCE, T0).await.expect("a wait");
        assert_eq!(wait, Duration::from_secs(6), "asking does not make the wait longer");
    }
    let wait = scene.store.reserve("airtable", QUARTER, PATIENCE, at(1)).await.expect("a slot");
    assert_eq!(wait, PATIENCE, "as long as the patience is not too long");
    let wait = scene.store.reserve("airtable", QUARTER, PATIENCE, at(2)).await.expect("a slot");
    assert_eq!(wait, Duration::from_secs(4) + QUARTER, "that one was taken");
}

async fn a_slot_further_ahead_than_any_penalty_counts_as_now(scene: &Scene) {
    scene.store.block("airtable", at(86_400), T0).await.expect("a penalty");
    let wait = scene.store.reserve("airtable", QUARTER, PATIENCE, T0).await.expect("a wait");
    assert_eq!(wait, Duration::from_secs(600), "a penalty is ten minutes at most");

    scene.execute(&format!("UPDATE rate_limits SET next_at = {}", at(86_400).as_micros())).await;
    scene.store.block("airtable", at(2), T0).await.expect("a penalty");
    let wait = scene.store.reserve("airtable", QUARTER, PATIENCE, T0).await.expect("a slot");
    assert_eq!(wait, Duration::from_secs(2), "a penalty is not lost among nonsense");

    scene.execute(&format!("UPDATE rate_limits SET next_at = {}", at(86_400).as_micros())).await;
    let wait = scene.store.reserve("airtable", QUARTER, PATIENCE, T0).await.expect("a slot");
    assert_eq!(wait, Duration::ZERO, "the clock was put back");
}

async fn a_retry_by_hand_lifts_a_penalty(scene: &Scene) {
    scene.store.block("airtable", at(300), T0).await.expect("a penalty");
    scene.store.retry(RetryWhat::Failed, at(1)).await.expect("a count");
    let wait = scene.store.reserve("airtable", QUARTER, PATIENCE, at(1)).await.expect("a slot");
    assert_eq!(wait, Duration::ZERO);
}
