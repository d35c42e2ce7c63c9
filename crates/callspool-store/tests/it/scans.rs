//! Scans: interrupted ones go on, and the next begins where the last complete one began.

use std::time::Duration;

use callspool_domain::reconcile::Cause;
use callspool_domain::recording::{Announcement, ProviderStatus};
use callspool_domain::{AccountSid, StepName, StepState, Subject};
use callspool_store::Scan;

use crate::scene::{Scene, at, on_both};
use crate::words::{recording, said};

on_both! {
    an_interrupted_scan_goes_on_at_its_page
    every_account_is_scanned_again_and_again
    what_is_found_is_taken_in_once_with_its_cause
}

const EVERY: Duration = Duration::from_secs(900);
const WINDOW: Duration = Duration::from_secs(3600);

fn account() -> AccountSid {
    said(1, "completed").account
}

async fn an_interrupted_scan_goes_on_at_its_page(scene: &Scene) {
    let (store, account) = (&scene.store, account());
    let first = store.begin_scan(&account, WINDOW, at(5000)).await.expect("a scan");
    assert_eq!(first, Scan { began_at: at(5000), since: at(1400), page: None, is_first: true });
    store.note_page(&account, &first, Some("Page=1")).await.expect("noted");
    let again = store.begin_scan(&account, WINDOW, at(9000)).await.expect("a scan");
    assert_eq!(again, Scan { page: Some("Page=1".to_owned()), ..first.clone() });

    // One that was overtaken by a later scan changes nothing of that.
    store.ensure_scans(std::slice::from_ref(&account), EVERY, at(9000)).await.expect("scheduled");
    let lease = scene.claim_one(StepName::Scan, at(9000)).await.lease;
    assert!(store.finish_scan(&lease, &account, &again, at(9900), at(9100)).await.expect("an answer"));
    let next = store.begin_scan(&account, WINDOW, at(9900)).await.expect("a scan");
    assert_eq!(
        next,
        Scan { began_at: at(9900), since: at(1400), page: None, is_first: false },
        "an hour before the last one began"
    );
    store.note_page(&account, &first, Some("Page=7")).await.expect("no effect");
    assert_eq!(store.begin_scan(&account, WINDOW, at(9901)).await.expect("a scan"), next);
}

async fn every_account_is_scanned_again_and_again(scene: &Scene) {
    let (store, account) = (&scene.store, account());
    let step = Subject::Account(account.clone());
    let standing = async || {
        let [step] = store.steps_of(&step).await.expect("steps").try_into().expect("one step");
        (step.state, step.due_at)
    };
    let ensure = async |every, now| {
        store.ensure_scans(std::slice::from_ref(&account), every, at(now)).await.expect("scheduled");
    };
    ensure(EVERY, 0).await;
    assert_eq!(standing().await, (StepState::Waiting, at(0)));
    let scan = store.begin_scan(&account, WINDOW, at(0)).await.expect("a scan");
    let lease = scene.claim_one(StepName::Scan, at(0)).await.lease;
    assert!(store.finish_scan(&lease, &account, &scan, at(900), at(1)).await.expect("an answer"));
    assert!(store.finish_scan(&lease, &account, &scan, at(900), at(1)).await.expect("an answer"), "repeated");
    assert_eq!(standing().await, (StepState::Waiting, at(900)));
    ensure(EVERY, 10).await;
    assert_eq!(standing().await, (StepState::Waiting, at(900)), "as scheduled");
    ensure(Duration::from_secs(60), 10).await;
    assert_eq!(standing().await, (StepState::Waiting, at(10)), "more often from now on");
}

async fn what_is_found_is_taken_in_once_with_its_cause(scene: &Scene) {
    let store = &scene.store;
    let long_ago = |n, word: &str| Announcement { started_at: None, ..said(n, word) };
    store.announce(long_ago(1, "in-progress"), at(0)).await.expect("stored");
    scene.archived(2, None, at(0)).await;
    let list =
        vec![long_ago(1, "completed"), long_ago(2, "deleted"), long_ago(3, "deleted"), long_ago(4, "processing")];
    let differing = store.differing(list, at(10)).await.expect("a read");
    assert_eq!(differing.iter().map(|said| said.recording.clone()).collect::<Vec<_>>(), [recording(1), recording(3)]);
    let mut causes = Vec::new();
    for said in &differing {
        causes.extend(store.take_in_found(said.clone(), at(10)).await.expect("stored").map(|found| found.cause));
        assert_eq!(store.take_in_found(said.clone(), at(11)).await.expect("an answer"), None, "once");
    }
    assert_eq!(causes, [Cause::CallbackLost, Cause::DeletedBeforeArchived]);
    let row = store.recording(&recording(1)).await.expect("a read").expect("a row");
    assert_eq!(row.provider_status, ProviderStatus::new("completed"));
    assert_eq!(store.differing(differing, at(20)).await.expect("a read").len(), 0);
}
