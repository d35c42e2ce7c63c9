use std::time::Duration;

use callspool_domain::line::Event;
use callspool_domain::{Code, Lane, StepFailure, StepName, StepState, Subject};
use callspool_store::{Renewed, Tied, TiedBy};

use crate::scene::{Scene, at, on_both};
use crate::words::{call, callback_of, job, line_of, recording, said};

on_both! {
    a_call_is_tied_before_it_is_known
    put_beats_the_callback_and_the_callback_beats_the_look_up
    a_call_moves_and_leaves_word
    a_renewed_link_is_owed_as_often_as_somebody_asks
    who_puts_again_takes_back_what_is_owed_to_a_mistyped_job
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

async fn a_call_moves_and_leaves_word(scene: &Scene) {
    let told = async |name: &str| {
        let owed = scene.store.owed_lines(&[job(name)]).await.expect("lines");
        owed.into_iter().map(|owed| (owed.event, owed.moved_to)).collect::<Vec<_>>()
    };
    let put = async |name: &str, second| {
        let tied = scene.store.tie_call(&call(1), &job(name), TiedBy::Put, at(second)).await.expect("a tie");
        assert_ne!(tied, Tied::Conflict { job: job("JOB1") });
    };
    scene.archived(1, Some("JOB1"), at(0)).await;
    put("JOB2", 0).await;
    // The first line may be on its way already, so it is written, and the word about the leaving after it.
    assert_eq!(told("JOB1").await, [(Event::Recording, None), (Event::Moved, Some(job("JOB2")))]);
    assert_eq!(told("JOB2").await, [(Event::Recording, None)]);
    link_all(scene, 1).await;
    put("JOB2", 2).await;
    assert!(!scene.due(Lane::Records, at(2)).await, "the same again owes nothing");
    put("JOB1", 3).await;
    assert_eq!(told("JOB1").await, [], "its line stands there already");
    assert_eq!(told("JOB2").await, [(Event::Moved, Some(job("JOB1")))]);
    link_all(scene, 4).await;
    put("JOB3", 5).await;
    assert_eq!(told("JOB1").await, [(Event::Moved, Some(job("JOB3")))]);
    assert_eq!(told("JOB2").await, [], "it has left there before");
}

async fn who_puts_again_takes_back_what_is_owed_to_a_mistyped_job(scene: &Scene) {
    scene.archived(1, Some("TYPO"), at(0)).await;
    // Corrected before anybody has looked for TYPO: its line may be on its way, and stays with the word that follows it.
    scene.store.tie_call(&call(1), &job("RIGHT"), TiedBy::Put, at(0)).await.expect("a tie");
    let failure = StepFailure::new(Code::JobUnknown, "no such record");
    for claimed in scene.claim(Lane::Records, 10, at(1)).await {
        if claimed.subject == Subject::Job(job("TYPO")) {
            assert!(scene.store.fail(&claimed.lease, &failure, None, 0, at(1)).await.expect("an answer"));
        }
    }
    let owed = async || scene.store.owed_lines(&[job("TYPO")]).await.expect("lines").len();
    scene.store.tie_call(&call(1), &job("RIGHT"), TiedBy::Callback, at(2)).await.expect("a tie");
    assert_eq!(owed().await, 2, "a callback only repeats itself");
    let tied = scene.store.tie_call(&call(1), &job("RIGHT"), TiedBy::Put, at(3)).await.expect("a tie");
    assert_eq!((tied, owed().await), (Tied::Same, 0));
    let step = scene.store.steps_of(&Subject::Job(job("TYPO"))).await.expect("steps").remove(0);
    assert_eq!(step.state, StepState::Cancelled, "nobody is called for it");
}

async fn link_all(scene: &Scene, second: u64) {
    for claimed in scene.claim(Lane::Records, 10, at(second)).await {
        let Subject::Job(job) = &claimed.subject else { panic!("{} is no job", claimed.subject) };
        let owed = scene.store.owed_lines(std::slice::from_ref(job)).await.expect("lines");
        let lines: Vec<_> = owed.iter().map(line_of).collect();
        assert!(scene.store.finish_linked(&claimed.lease, job, &lines, None, at(second)).await.expect("a finish"));
    }
}

async fn a_renewed_link_is_owed_as_often_as_somebody_asks(scene: &Scene) {
    let renew = async |second| scene.store.renew_link(&recording(1), at(second)).await.expect("an answer");
    assert_eq!(renew(0).await, Renewed::NotArchived, "nobody knows it");
    scene.archived(1, None, at(0)).await;
    assert_eq!(renew(0).await, Renewed::NoJob);
    scene.store.tie_call(&call(1), &job("JOB1"), TiedBy::Put, at(0)).await.expect("a tie");
    scene.link("JOB1", at(0)).await;
    let mut first = Vec::new();
    for second in [1, 2] {
        assert_eq!(renew(second).await, Renewed::Owed { job: job("JOB1") });
        let owed = scene.store.owed_lines(&[job("JOB1")]).await.expect("lines");
        assert_eq!(
            owed.iter().map(|owed| (owed.event, owed.at)).collect::<Vec<_>>(),
            [(Event::LinkRenewed, at(second))]
        );
        if second == 1 {
            first = owed;
        }
    }
    let claimed = scene.claim_one(StepName::Link, at(3)).await;
    let lines: Vec<_> = first.iter().map(line_of).collect();
    assert!(scene.store.finish_linked(&claimed.lease, &job("JOB1"), &lines, None, at(3)).await.expect("a finish"));
    assert!(scene.due(Lane::Records, at(3)).await, "what was asked for meanwhile is still to be written");
    scene.link("JOB1", at(4)).await;
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
    assert_eq!((&owed[0].recording, owed[0].event), (&recording(1), Event::Recording));
    scene.link("JOB1", at(1)).await;
    assert!(!scene.due(Lane::Records, at(1)).await, "the look-up is no longer wanted");
}
