use std::time::Duration;

use callspool_domain::step::LEASE;
use callspool_domain::{Code, Lane, StepFailure, StepName, Subject};

use crate::scene::{Scene, at, claim, on_both};
use crate::words::{good, recording};

on_both! {
    a_claimed_step_is_claimed_by_nobody_else
    claims_come_in_the_order_in_which_steps_are_due
    a_repeated_claim_returns_what_it_holds
    a_command_claims_the_steps_of_its_own_recordings_alone
    an_expired_lease_is_taken_over_and_fences_out_the_one_before
    whoever_lost_his_lease_writes_nothing
    an_extended_lease_is_not_taken_over
    a_step_handed_back_waits_without_a_failure
    a_finish_that_repeats_itself_has_succeeded
    a_cancelled_step_comes_back_if_it_is_still_wanted
}

async fn a_claimed_step_is_claimed_by_nobody_else(scene: &Scene) {
    for n in 1..=3 {
        scene.completed(n, None, at(0)).await;
    }
    let (first, second) = (scene.claim(Lane::Transfer, 2, at(0)).await, scene.claim(Lane::Transfer, 2, at(0)).await);
    assert_eq!((first.len(), second.len()), (2, 1));
    assert!(scene.claim(Lane::Transfer, 2, at(0)).await.is_empty());
    assert!(first.iter().all(|claimed| claimed.subject != second[0].subject));
}

async fn claims_come_in_the_order_in_which_steps_are_due(scene: &Scene) {
    for (n, second) in [(1, 30), (2, 10), (3, 20)] {
        scene.completed(n, None, at(second)).await;
    }
    let subjects: Vec<_> = scene.claim(Lane::Transfer, 10, at(25)).await.into_iter().map(|step| step.subject).collect();
    assert_eq!(subjects, [Subject::Recording(recording(2)), Subject::Recording(recording(3))]);
    assert_eq!(scene.store.steps_of(&Subject::Recording(recording(1))).await.expect("steps")[0].due_at, at(30));
}

async fn a_repeated_claim_returns_what_it_holds(scene: &Scene) {
    scene.completed(1, None, at(0)).await;
    scene.completed(2, None, at(0)).await;
    let claim = async || scene.store.claim(Lane::Transfer, 1, "node", "the same claim", at(0)).await.expect("a claim");
    let first = claim().await;
    assert_eq!(first.len(), 1);
    assert_eq!(claim().await, first);
}

async fn an_expired_lease_is_taken_over_and_fences_out_the_one_before(scene: &Scene) {
    scene.completed(1, None, at(0)).await;
    let lost = scene.claim_one(StepName::Archive, at(0)).await.lease;
    assert!(scene.claim(Lane::Transfer, 1, at(0) + LEASE - Duration::from_secs(1)).await.is_empty());
    scene.expire_leases().await;
    let taken = scene.claim_one(StepName::Archive, at(31)).await.lease;
    assert_eq!((taken.step.as_str(), taken.attempt), (lost.step.as_str(), lost.attempt + 1));

    assert_eq!(scene.store.lease_left(&lost, at(31)).await.expect("a read"), None);
    assert!(!scene.store.extend(&lost, at(31)).await.expect("an answer"));
    assert!(scene.store.lease_left(&taken, at(31)).await.expect("a read").is_some_and(|left| left <= LEASE));
}

async fn whoever_lost_his_lease_writes_nothing(scene: &Scene) {
    scene.completed(1, Some("JOB1"), at(0)).await;
    let lost = scene.claim_one(StepName::Archive, at(0)).await.lease;
    let key = scene.allocate(1, at(0)).await;
    scene.expire_leases().await;
    let taken = scene.claim_one(StepName::Archive, at(31)).await.lease;
    let before = scene.store.last_seq().await.expect("a number");

    assert!(!scene.store.finish_archived(&lost, good(1, &key), at(31)).await.expect("an answer"));
    let failure = StepFailure::new(Code::ProviderUnreachable, "refused");
    assert!(!scene.store.fail(&lost, &failure, None, 0, at(31)).await.expect("an answer"));
    assert!(!scene.store.hand_back(&lost, at(31), at(31)).await.expect("an answer"));
    assert!(!scene.store.cancel_step(&lost, at(31)).await.expect("an answer"));

    assert_eq!(scene.store.last_seq().await.expect("a number"), before);
    assert_eq!(scene.store.services().await.expect("services"), []);
    let row = scene.store.recording(&recording(1)).await.expect("a read").expect("a row");
    assert_eq!(row.archive.expect("an allocated copy").verified_at, None);
    assert!(scene.store.finish_archived(&taken, good(1, &key), at(32)).await.expect("an answer"));
    assert_eq!(scene.store.owed_lines(&["JOB1".parse().expect("job")]).await.expect("lines").len(), 1);
}

async fn an_extended_lease_is_not_taken_over(scene: &Scene) {
    scene.completed(1, None, at(0)).await;
    let lease = scene.claim_one(StepName::Archive, at(0)).await.lease;
    scene.expire_leases().await;
    assert!(scene.store.extend(&lease, at(31)).await.expect("an answer"));
    assert!(claim(&scene.store, Lane::Transfer, 1, at(40)).await.is_empty());
}

async fn a_step_handed_back_waits_without_a_failure(scene: &Scene) {
    scene.completed(1, None, at(0)).await;
    let lease = scene.claim_one(StepName::Archive, at(0)).await.lease;
    assert!(scene.store.hand_back(&lease, at(7), at(1)).await.expect("an answer"));
    assert!(scene.store.hand_back(&lease, at(7), at(1)).await.expect("an answer"), "a repeat has succeeded");
    assert_eq!(scene.store.next_due(Lane::Transfer).await.expect("a time"), Some(at(7)));
    let again = scene.claim_one(StepName::Archive, at(7)).await;
    assert_eq!((again.failures, again.lease.attempt), (0, 2));
}

async fn a_finish_that_repeats_itself_has_succeeded(scene: &Scene) {
    scene.completed(1, None, at(0)).await;
    let lease = scene.claim_one(StepName::Archive, at(0)).await.lease;
    let key = scene.allocate(1, at(0)).await;
    assert!(scene.store.finish_archived(&lease, good(1, &key), at(1)).await.expect("an answer"));
    let before = (scene.store.last_seq().await.expect("a number"), scene.store.stats().await.expect("stats"));
    assert!(scene.store.finish_archived(&lease, good(1, &key), at(2)).await.expect("an answer"));
    assert_eq!((scene.store.last_seq().await.expect("a number"), scene.store.stats().await.expect("stats")), before);
    let failure = StepFailure::new(Code::ProviderUnreachable, "refused");
    assert!(!scene.store.fail(&lease, &failure, None, 0, at(2)).await.expect("an answer"), "another end is no repeat");
}

async fn a_cancelled_step_comes_back_if_it_is_still_wanted(scene: &Scene) {
    scene.completed(1, None, at(0)).await;
    let lease = scene.claim_one(StepName::Archive, at(0)).await.lease;
    assert!(scene.store.cancel_step(&lease, at(1)).await.expect("an answer"));
    scene.claim_one(StepName::Archive, at(1)).await;
}

async fn a_command_claims_the_steps_of_its_own_recordings_alone(scene: &Scene) {
    let claim_own = async |own: u32, lane, id| {
        scene.store.claim_own(&[recording(own)], lane, 10, "a-command", id, at(1)).await.expect("a claim")
    };
    for n in [4, 5] {
        scene.archived(n, Some(&format!("J{n}")), at(0)).await;
    }
    for n in 1..=3 {
        scene.completed(n, Some(&format!("J{n}")), at(0)).await;
    }
    let claimed = claim_own(2, Lane::Transfer, "one").await;
    let [step] = claimed.as_slice() else { panic!("{claimed:?}") };
    assert_eq!((step.name, &step.subject), (StepName::Archive, &Subject::Recording(recording(2))));
    assert_eq!(claim_own(2, Lane::Transfer, "one").await, claimed, "its answer may have been lost");
    assert!(claim_own(2, Lane::Transfer, "two").await.is_empty());
    scene.expire_leases().await;
    assert_eq!(claim_own(2, Lane::Transfer, "three").await.len(), 1, "what nobody holds any more is taken over");

    assert!(claim_own(2, Lane::Records, "four").await.is_empty(), "others' lines are others' to write");
    let links = claim_own(5, Lane::Records, "five").await;
    assert_eq!(links.iter().map(|step| step.subject.id()).collect::<Vec<_>>(), ["J5"]);
    assert!(claim_own(4, Lane::Records, "six").await.is_empty(), "one batch at a time over all nodes");
}
