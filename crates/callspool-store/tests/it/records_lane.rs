use callspool_domain::{Lane, StepName};

use crate::scene::{Scene, at, claim, on_both};

on_both! {
    a_batch_is_at_most_ten_steps_of_one_name
    one_batch_runs_at_a_time_over_all_nodes
    an_expired_batch_gives_way
}

/// Twelve jobs that are owed a line, and two calls that look for theirs.
async fn busy(scene: &Scene) {
    for n in 1..=12 {
        scene.archived(n, Some(&format!("JOB{n}")), at(0)).await;
    }
    for n in 13..=14 {
        scene.archived(n, None, at(1)).await;
    }
}

async fn a_batch_is_at_most_ten_steps_of_one_name(scene: &Scene) {
    busy(scene).await;
    let mut sizes = Vec::new();
    for _ in 0..3 {
        let batch = scene.claim(Lane::Records, 50, at(1)).await;
        assert!(batch.iter().all(|claimed| claimed.name == batch[0].name));
        sizes.push((batch[0].name, batch.len()));
        for claimed in batch {
            assert!(scene.store.hand_back(&claimed.lease, at(100), at(1)).await.expect("an answer"));
        }
    }
    assert_eq!(sizes, [(StepName::Link, 10), (StepName::Link, 2), (StepName::FindJob, 2)]);
}

async fn one_batch_runs_at_a_time_over_all_nodes(scene: &Scene) {
    busy(scene).await;
    let other = scene.another().await;
    let (ours, theirs) =
        tokio::join!(claim(&scene.store, Lane::Records, 10, at(1)), claim(&other, Lane::Records, 10, at(1)));
    assert!(ours.is_empty() != theirs.is_empty(), "{} and {}", ours.len(), theirs.len());
    let next = scene.store.next_due(Lane::Records).await.expect("a time").expect("a lease's end");
    assert!(next > at(1), "there is nothing to claim until the batch ends");
    let mut batch = ours.into_iter().chain(theirs);
    let last = batch.next_back().expect("a batch");
    for claimed in batch {
        assert!(scene.store.hand_back(&claimed.lease, at(100), at(1)).await.expect("an answer"));
    }
    assert!(claim(&other, Lane::Records, 10, at(1)).await.is_empty(), "its last step still runs");
    assert!(scene.store.hand_back(&last.lease, at(100), at(1)).await.expect("an answer"));
    assert!(!claim(&other, Lane::Records, 10, at(1)).await.is_empty());
    other.close().await;
}

async fn an_expired_batch_gives_way(scene: &Scene) {
    busy(scene).await;
    let lost = scene.claim(Lane::Records, 10, at(1)).await;
    scene.expire_leases().await;
    let taken = scene.claim(Lane::Records, 10, at(40)).await;
    assert_eq!(taken.len(), 10);
    assert!(taken.iter().all(|taken| lost.iter().any(|lost| lost.subject == taken.subject)));
    assert!(!scene.store.hand_back(&lost[0].lease, at(40), at(40)).await.expect("an answer"));
}
