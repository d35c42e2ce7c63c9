use callspool_domain::recording::Status;
use callspool_domain::{Code, Lane, Policy, StepFailure, StepName};
use callspool_store::{OpenOptions, RetryWhat, Store};

use crate::scene::{Scene, at, on_both, policy};
use crate::words::{job, recording};

on_both! {
    a_retry_makes_due_what_is_parked_or_waits_after_an_error
    a_recording_that_was_given_up_is_fetched_again
    processing_makes_everything_of_a_recording_due
    a_lost_plan_is_repaired_by_the_sweep
    a_changed_policy_plans_every_call_again
}

async fn fail(scene: &Scene, name: StepName, code: Code, second: u64) {
    let lease = scene.claim_one(name, at(second)).await.lease;
    assert!(scene.store.fail(&lease, &StepFailure::new(code, "no"), None, 999, at(second)).await.expect("an answer"));
}

async fn a_retry_makes_due_what_is_parked_or_waits_after_an_error(scene: &Scene) {
    scene.archived(1, Some("JOB1"), at(0)).await;
    fail(scene, StepName::Link, Code::JobUnknown, 0).await;
    scene.completed(2, None, at(0)).await;
    fail(scene, StepName::Archive, Code::ProviderUnauthorized, 0).await;

    assert_eq!(scene.store.retry(RetryWhat::Recording(recording(1)), at(1)).await.expect("a count"), 1);
    assert!(scene.due(Lane::Records, at(1)).await && !scene.due(Lane::Transfer, at(1)).await);
    assert_eq!(scene.store.retry(RetryWhat::Failed, at(1)).await.expect("a count"), 1);
    assert!(scene.due(Lane::Transfer, at(1)).await);
    assert_eq!(scene.store.retry(RetryWhat::Failed, at(1)).await.expect("a count"), 0);
    let claimed = scene.claim_one(StepName::Link, at(1)).await;
    assert_eq!((claimed.failures, claimed.misses, claimed.first_miss_at), (0, 0, None), "it begins afresh");
}

async fn a_recording_that_was_given_up_is_fetched_again(scene: &Scene) {
    for (n, what) in [(1, RetryWhat::Recording(recording(1))), (2, RetryWhat::Failed)] {
        scene.completed(n, None, at(0)).await;
        let lease = scene.claim_one(StepName::Archive, at(0)).await.lease;
        let settled = scene.store.finish_settled(&lease, &recording(n), Status::Failed, "bad for 24 h", at(1)).await;
        assert!(settled.expect("an answer"));
        assert_eq!(scene.store.retry(what, at(2)).await.expect("a count"), 1);
        let row = scene.store.recording(&recording(n)).await.expect("a read").expect("a row");
        assert_eq!((row.status, row.reason), (Status::Announced, None));
        scene.archive(n, at(2)).await;
    }
}

async fn processing_makes_everything_of_a_recording_due(scene: &Scene) {
    scene.completed(1, None, at(0)).await;
    fail(scene, StepName::Archive, Code::MediaNotReady, 0).await;
    assert!(!scene.due(Lane::Transfer, at(0)).await);
    assert_eq!(scene.store.make_due(&recording(1), at(0)).await.expect("a count"), 1);
    let claimed = scene.claim_one(StepName::Archive, at(0)).await;
    assert_eq!(claimed.failures, 1, "its failures are not forgotten");
}

async fn a_lost_plan_is_repaired_by_the_sweep(scene: &Scene) {
    scene.completed(1, None, at(0)).await;
    scene.execute("DELETE FROM steps").await;
    assert_eq!(scene.store.sweep(at(3599), 10).await.expect("a count"), 0);
    assert_eq!(scene.store.sweep(at(3600), 10).await.expect("a count"), 1);
    scene.archive(1, at(3600)).await;
    assert_eq!(scene.store.sweep(at(3601), 10).await.expect("a count"), 0, "planned with the fact itself");
}

async fn a_changed_policy_plans_every_call_again(scene: &Scene) {
    scene.archived(1, None, at(0)).await;
    let lease = scene.claim_one(StepName::FindJob, at(0)).await.lease;
    let failure = StepFailure::new(Code::JobUnknown, "no such job");
    assert!(scene.store.fail(&lease, &failure, None, 0, at(0)).await.expect("an answer"));
    scene.execute("UPDATE calls SET plan_due_at = NULL").await;
    assert_eq!(scene.store.sweep(at(1), 10).await.expect("a count"), 0);

    let changed = Policy { release_without_job: true, ..policy() };
    let changed = Store::open(&scene.url, changed, OpenOptions::default()).await.expect("a store");
    assert_eq!(changed.sweep(at(2), 10).await.expect("a count"), 1);
    assert_eq!(changed.sweep(at(3), 10).await.expect("a count"), 0, "once");
    assert_eq!(changed.next_due(Lane::Api).await.expect("a time"), Some(at(24 * 3600)), "its release is wanted now");
    assert_eq!(scene.store.owed_lines(&[job("JOB1")]).await.expect("lines"), []);
    changed.close().await;
}
