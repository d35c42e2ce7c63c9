use std::time::Duration;

use crate::scene::{Scene, T0, at, on_both};

on_both! {
    slots_are_given_out_one_after_the_other_over_all_nodes
    a_penalty_holds_for_everybody
}

const QUARTER: Duration = Duration::from_millis(250);

async fn slots_are_given_out_one_after_the_other_over_all_nodes(scene: &Scene) {
    let other = scene.another().await;
    let mut waits = Vec::new();
    for store in [&scene.store, &other, &scene.store, &other] {
        waits.push(store.reserve("airtable", QUARTER, T0).await.expect("a slot"));
    }
    assert_eq!(waits, [Duration::ZERO, QUARTER, QUARTER * 2, QUARTER * 3]);
    assert_eq!(scene.store.reserve("another", QUARTER, T0).await.expect("a slot"), Duration::ZERO);
    assert_eq!(scene.store.reserve("airtable", QUARTER, at(10)).await.expect("a slot"), Duration::ZERO);
    other.close().await;
}

async fn a_penalty_holds_for_everybody(scene: &Scene) {
    scene.store.reserve("airtable", QUARTER, T0).await.expect("a slot");
    scene.store.block("airtable", at(30)).await.expect("a penalty");
    scene.store.block("airtable", at(5)).await.expect("a shorter one changes nothing");
    let other = scene.another().await;
    assert_eq!(other.reserve("airtable", QUARTER, T0).await.expect("a slot"), Duration::from_secs(30));
    other.close().await;
}
