use std::time::Duration;

use callspool_domain::{Code, Lane, StepFailure, StepName};
use callspool_store::{Tied, TiedBy};

use crate::scene::{Scene, at, on_both};
use crate::words::{call, callback_of, job, said};

on_both! {
    a_call_is_tied_before_it_is_known
    put_beats_the_callback_and_the_callback_beats_the_look_up
    a_line_keeps_its_call
    the_same_tie_again_changes_nothing
    a_tie_owes_the_line_of_what_is_archived_already
    who_puts_a_tie_has_its_job_looked_up_at_once
    a_new_line_has_its_job_looked_up_at_once
}

async fn fail_link(scene: &Scene, code: Code, second: u64) {
    let lease = scene.claim_one(StepName::Link, at(second)).await.lease;
    let failure = StepFailure::new(code, "no single record").after(Some(Duration::from_secs(3600)));
    assert!(scene.store.fail(&lease, &failure, None, 0, at(second)).await.expect("an answer"));
    assert!(!scene.due(Lane::Records, at(second)).await);
}

async fn looked_up_afresh(scene: &Scene, second: u64) {
    let claimed = scene.claim_one(StepName::Link, at(second)).await;
    assert_eq!((claimed.failures, claimed.code, claimed.misses, claimed.first_miss_at), (0, None, 0, None));
    assert!(scene.store.hand_back(&claimed.lease, at(second), at(second)).await.expect("an answer"));
}

async fn who_puts_a_tie_has_its_job_looked_up_at_once(scene: &Scene) {
    scene.archived(1, Some("JOB1"), at(0)).await;
    for (second, code) in [(1, Code::JobNotFound), (2, Code::JobUnknown), (3, Code::JobAmbiguous)] {
        fail_link(scene, code, second).await;
        scene.store.tie_call(&call(1), &job("JOB1"), TiedBy::Callback, at(second)).await.expect("a tie");
        assert!(!scene.due(Lane::Records, at(second)).await, "the callback only repeats itself");
        let tied = scene.store.tie_call(&call(1), &job("JOB1"), TiedBy::Put, at(second)).await.expect("a tie");
        assert_eq!(tied, Tied::Same);
        looked_up_afresh(scene, second).await;
    }
    fail_link(scene, Code::JobUnknown, 4).await;
    let tied = scene.store.tie_call(&call(2), &job("JOB1"), TiedBy::Put, at(4)).await.expect("a tie");
    assert_eq!(tied, Tied::New, "a call without recordings yet");
    looked_up_afresh(scene, 4).await;
    fail_link(scene, Code::RecordsRejected, 5).await;
    scene.store.tie_call(&call(1), &job("JOB1"), TiedBy::Put, at(5)).await.expect("a tie");
    assert!(!scene.due(Lane::Records, at(5)).await, "what failed otherwise keeps its time");
}

async fn a_new_line_has_its_job_looked_up_at_once(scene: &Scene) {
    scene.archived(1, Some("JOB1"), at(0)).await;
    for (n, code) in [(2, Code::JobNotFound), (3, Code::JobUnknown), (4, Code::JobAmbiguous)] {
        fail_link(scene, code, u64::from(n)).await;
        scene.archived(n, Some("JOB1"), at(u64::from(n))).await;
        looked_up_afresh(scene, u64::from(n)).await;
    }
    fail_link(scene, Code::JobUnknown, 5).await;
    scene.execute("UPDATE calls SET plan_due_at = 0").await;
    assert_eq!(scene.store.sweep(at(6), 10).await.expect("a count"), 4);
    assert!(!scene.due(Lane::Records, at(6)).await, "a plan that owes nothing new looks nothing up");
}

async fn a_call_is_tied_before_it_is_known(scene: &Scene) {
    let tied = scene.store.tie_call(&call(1), &job("JOB1"), TiedBy::Put, at(0)).await.expect("a tie");
    assert_eq!(tied, Tied::New);
    scene.completed(1, Some("JOB2"), at(1)).await;
    let row = scene.store.call(&call(1)).await.expect("a read").expect("a row");
    assert_eq!((row.job, row.tied_by), (Some(job("JOB1")), Some(TiedBy::Put)));
}

async fn put_beats_the_callback_and_the_callback_beats_the_look_up(scene: &Scene) {
    let tie = async |name: &str, by| scene.store.tie_call(&call(1), &job(name), by, at(0)).await.expect("a tie");
    assert_eq!(tie("LOOKED", TiedBy::LookUp).await, Tied::New);
    assert_eq!(tie("LOOKED2", TiedBy::LookUp).await, Tied::Conflict { job: job("LOOKED") });
    assert_eq!(tie("ASKED", TiedBy::Callback).await, Tied::New);
    assert_eq!(tie("LOOKED", TiedBy::LookUp).await, Tied::Conflict { job: job("ASKED") });
    assert_eq!(tie("PUT", TiedBy::Put).await, Tied::New);
    assert_eq!(tie("ASKED", TiedBy::Callback).await, Tied::Conflict { job: job("PUT") });
    assert_eq!(tie("PUT2", TiedBy::Put).await, Tied::New, "who puts again means it");
}

async fn a_line_keeps_its_call(scene: &Scene) {
    scene.archived(1, Some("JOB1"), at(0)).await;
    let tie = scene.store.tie_call(&call(1), &job("JOB2"), TiedBy::Put, at(1)).await.expect("a tie");
    assert_eq!(tie, Tied::Conflict { job: job("JOB1") }, "a line is owed there");
    scene.link("JOB1", at(2)).await;
    let tie = scene.store.tie_call(&call(1), &job("JOB2"), TiedBy::Put, at(3)).await.expect("a tie");
    assert_eq!(tie, Tied::Conflict { job: job("JOB1") }, "a line is written there");
}

async fn the_same_tie_again_changes_nothing(scene: &Scene) {
    scene.completed(1, Some("JOB1"), at(0)).await;
    let before = scene.store.last_seq().await.expect("a number");
    let tied = scene.store.tie_call(&call(1), &job("JOB1"), TiedBy::Put, at(1)).await.expect("a tie");
    assert_eq!(tied, Tied::Same);
    assert_eq!(scene.store.last_seq().await.expect("a number"), before, "no event");
    let later = callback_of(said(1, "stopped"), Some("JOB2"));
    scene.store.record_callback(later, at(2)).await.expect("a callback");
    let row = scene.store.call(&call(1)).await.expect("a read").expect("a row");
    assert_eq!((row.job, row.tied_by), (Some(job("JOB1")), Some(TiedBy::Put)), "but the stronger word is noted");
}

async fn a_tie_owes_the_line_of_what_is_archived_already(scene: &Scene) {
    scene.archived(1, None, at(0)).await;
    assert!(scene.due(Lane::Records, at(0)).await, "its job is looked for");
    scene.store.tie_call(&call(1), &job("JOB1"), TiedBy::Put, at(1)).await.expect("a tie");
    let owed = scene.store.owed_lines(&[job("JOB1")]).await.expect("lines");
    assert_eq!(owed.len(), 1);
    assert_eq!(owed[0].line.url, format!("https://calls.example.com/r/{}", owed[0].line.recording));
    scene.link("JOB1", at(1)).await;
    assert!(!scene.due(Lane::Records, at(1)).await, "the look-up is no longer wanted");
}
