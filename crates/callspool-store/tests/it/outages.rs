use callspool_domain::recording::Place;
use std::time::Duration;

use callspool_domain::{Code, Lane, Service, StepFailure, StepName, StepState, Subject};
use callspool_store::BadMedia;

use crate::scene::{Scene, at, on_both};
use crate::words::recording;

on_both! {
    a_failed_step_waits_and_counts
    events_do_not_grow_with_an_outage
    while_a_service_is_out_one_step_at_a_time_probes_it
    a_retry_after_puts_the_probe_off_but_not_for_long
    a_step_that_fails_while_its_service_works_is_its_own_problem
    the_first_success_makes_everything_due_spread_out
    an_answer_of_any_kind_ends_an_outage
    what_only_a_person_can_decide_is_parked
    bad_bytes_keep_the_time_since_when_they_are_the_same
    look_ups_that_find_nothing_remember_the_first
}

async fn fail(scene: &Scene, name: StepName, code: Code, second: u64) {
    let lease = scene.claim_one(name, at(second)).await.lease;
    let failure = StepFailure::new(code, "the sandbox says no");
    assert!(scene.store.fail(&lease, &failure, None, 500, at(second)).await.expect("an answer"));
}

/// Every step waits for a minute, as after many failures.
async fn all_have_failed_for_long(scene: &Scene) {
    scene.execute(&format!("UPDATE steps SET failures = 20, due_at = {}", at(60).as_micros())).await;
}

async fn a_failed_step_waits_and_counts(scene: &Scene) {
    scene.completed(1, None, at(0)).await;
    fail(scene, StepName::Archive, Code::ProviderReset, 0).await;
    let step = scene.store.steps_of(&Subject::Recording(recording(1))).await.expect("steps").remove(0);
    assert_eq!((step.state, step.failures, step.code), (StepState::Waiting, 1, Some(Code::ProviderReset)));
    assert_eq!(step.detail.as_deref(), Some("the sandbox says no"));
    assert_eq!(step.due_at, at(0) + Duration::from_millis(1500), "half of two seconds, and half of that by its jitter");
    assert_eq!(step.service, None, "one reset connection is no outage");
    assert_eq!(scene.store.stats().await.expect("stats").failures.get("provider_reset"), Some(&1));
    assert_eq!(scene.store.troubled_steps(10).await.expect("steps"), [step]);
    let again = scene.claim_one(StepName::Archive, at(2)).await;
    assert_eq!((again.failures, again.code), (1, Some(Code::ProviderReset)));
}

async fn events_do_not_grow_with_an_outage(scene: &Scene) {
    scene.completed(1, None, at(0)).await;
    for round in 0..40 {
        let code = if round % 2 == 0 { Code::ProviderUnreachable } else { Code::ProviderUnavailable };
        fail(scene, StepName::Archive, code, round * 100).await;
    }
    assert_eq!(scene.kinds(1).await, ["recording_announced", "step_failed"]);
    let down = scene.number("SELECT COUNT(*) FROM events WHERE kind = 'service_down'").await;
    assert_eq!(down, 1);
    let step = scene.store.steps_of(&Subject::Recording(recording(1))).await.expect("steps").remove(0);
    assert_eq!((step.failures, step.service), (40, Some(Service::Provider)));
}

async fn while_a_service_is_out_one_step_at_a_time_probes_it(scene: &Scene) {
    for n in 1..=5 {
        scene.completed(n, None, at(0)).await;
    }
    for claimed in scene.claim(Lane::Transfer, 10, at(0)).await {
        let failure = StepFailure::new(Code::ArchiveUnreachable, "refused");
        assert!(scene.store.fail(&claimed.lease, &failure, None, 999, at(0)).await.expect("an answer"));
    }
    all_have_failed_for_long(scene).await;
    assert_eq!(scene.store.next_due(Lane::Transfer).await.expect("a time"), Some(at(5)));
    assert!(scene.claim(Lane::Transfer, 10, at(4)).await.is_empty());
    for second in [5, 10, 15] {
        fail(scene, StepName::Archive, Code::ArchiveUnreachable, second).await;
        assert!(scene.claim(Lane::Transfer, 10, at(second + 1)).await.is_empty(), "one probe in five seconds");
    }
    let services = scene.store.services().await.expect("services");
    assert_eq!((services[0].service, services[0].down_since), (Service::Archive, Some(at(0))));
}

async fn a_retry_after_puts_the_probe_off_but_not_for_long(scene: &Scene) {
    scene.completed(1, None, at(0)).await;
    let lease = scene.claim_one(StepName::Archive, at(0)).await.lease;
    let failure = StepFailure::new(Code::ProviderThrottled, "429").after(Some(Duration::from_secs(600)));
    assert!(scene.store.fail(&lease, &failure, None, 0, at(0)).await.expect("an answer"));
    assert!(scene.claim(Lane::Transfer, 1, at(299)).await.is_empty());
    scene.claim_one(StepName::Archive, at(300)).await;
}

async fn a_step_that_fails_while_its_service_works_is_its_own_problem(scene: &Scene) {
    scene.completed(1, None, at(0)).await;
    fail(scene, StepName::Archive, Code::ProviderUnavailable, 0).await;
    for round in 1..=20 {
        let now = round * 1000;
        scene.execute("UPDATE services SET down_since = NULL").await;
        fail(scene, StepName::Archive, Code::ProviderUnavailable, now).await;
        let step = scene.store.steps_of(&Subject::Recording(recording(1))).await.expect("steps").remove(0);
        assert_eq!((step.state, step.service), (StepState::Waiting, None), "it waits for nobody");
        assert_eq!(scene.store.services().await.expect("services")[0].down_since, None, "the service is not out");
        scene.store.sweep(at(now), 10).await.expect("a count");
        let due = scene.store.next_due(Lane::Transfer).await.expect("a time");
        assert_eq!(due, Some(step.due_at), "nothing hurries it");
    }
    assert_eq!(scene.number("SELECT COUNT(*) FROM events WHERE kind LIKE 'service_%'").await, 1);

    // Another step shows that the service is out: now both wait for it.
    scene.completed(2, None, at(20_000)).await;
    fail(scene, StepName::Archive, Code::ProviderUnavailable, 20_000).await;
    assert_eq!(scene.store.services().await.expect("services")[0].down_since, Some(at(20_000)));
    for claimed in scene.claim(Lane::Transfer, 10, at(20_600)).await {
        let failure = StepFailure::new(Code::ProviderUnavailable, "still");
        assert!(scene.store.fail(&claimed.lease, &failure, None, 0, at(20_600)).await.expect("an answer"));
    }
    assert_eq!(scene.number("SELECT COUNT(*) FROM steps WHERE service = 'provider'").await, 2);
}

async fn the_first_success_makes_everything_due_spread_out(scene: &Scene) {
    for n in 1..=4 {
        scene.completed(n, None, at(0)).await;
    }
    for (jitter, claimed) in [0, 300, 600, 900].into_iter().zip(scene.claim(Lane::Transfer, 10, at(0)).await) {
        let failure = StepFailure::new(Code::ProviderUnreachable, "refused");
        assert!(scene.store.fail(&claimed.lease, &failure, None, jitter, at(0)).await.expect("an answer"));
    }
    all_have_failed_for_long(scene).await;
    let probe = scene.claim_one(StepName::Archive, at(5)).await;
    let Subject::Recording(archived) = &probe.subject else { panic!("a recording") };
    let key = scene.store.allocate_key(archived, Place::Archive, vec!["key".to_owned()], at(5)).await.expect("a key");
    let mut good = crate::words::good(1, &key);
    good.recording = archived.clone();
    assert!(scene.store.finish_archived(&probe.lease, good, at(5)).await.expect("an answer"));

    assert_eq!(scene.store.services().await.expect("services")[0].down_since, None);
    let due = scene
        .number("SELECT COUNT(*) FROM steps WHERE name = 'archive' AND state = 'waiting' AND service IS NULL")
        .await;
    assert_eq!(due, 3, "nobody waits for the service any more");
    let last = scene.number("SELECT MAX(due_at) FROM steps WHERE name = 'archive' AND state = 'waiting'").await;
    assert!(last > at(5).as_micros() && last <= at(15).as_micros(), "spread over ten seconds");
    assert_eq!(scene.number("SELECT COUNT(*) FROM events WHERE kind = 'service_up'").await, 1);
}

async fn an_answer_of_any_kind_ends_an_outage(scene: &Scene) {
    scene.completed(1, None, at(0)).await;
    fail(scene, StepName::Archive, Code::ProviderUnavailable, 0).await;
    fail(scene, StepName::Archive, Code::MediaNotReady, 5).await;
    assert_eq!(scene.store.services().await.expect("services")[0].down_since, None, "a 404 is an answer");
}

async fn what_only_a_person_can_decide_is_parked(scene: &Scene) {
    scene.archived(1, Some("JOB1"), at(0)).await;
    fail(scene, StepName::Link, Code::JobAmbiguous, 0).await;
    assert_eq!(scene.store.next_due(Lane::Records).await.expect("a time"), None);
    let queue = scene.store.queue().await.expect("counts");
    let parked = queue.iter().find(|count| count.state == StepState::Parked).expect("a parked step");
    assert_eq!((parked.name, parked.code, parked.steps), (StepName::Link, Some(Code::JobAmbiguous), 1));
    assert_eq!(scene.number("SELECT COUNT(*) FROM events WHERE kind = 'step_parked' AND job_id = 'JOB1'").await, 1);
}

async fn bad_bytes_keep_the_time_since_when_they_are_the_same(scene: &Scene) {
    scene.completed(1, None, at(0)).await;
    for (second, sha256, since) in [(0, "aa", at(0)), (1000, "aa", at(0)), (2000, "bb", at(2000))] {
        let lease = scene.claim_one(StepName::Archive, at(second)).await.lease;
        let bad = Some(BadMedia { sha256: sha256.to_owned() });
        let failure = StepFailure::new(Code::MediaNotAudio, "it is XML");
        assert!(scene.store.fail(&lease, &failure, bad, 0, at(second)).await.expect("an answer"));
        let row = scene.store.recording(&recording(1)).await.expect("a read").expect("a row");
        assert_eq!((row.bad_sha256.as_deref(), row.bad_since), (Some(sha256), Some(since)));
    }
    scene.archive(1, at(3000)).await;
    let row = scene.store.recording(&recording(1)).await.expect("a read").expect("a row");
    assert_eq!((row.bad_sha256, row.bad_since), (None, None));
}

async fn look_ups_that_find_nothing_remember_the_first(scene: &Scene) {
    scene.archived(1, None, at(0)).await;
    fail(scene, StepName::FindJob, Code::JobNotFound, 0).await;
    fail(scene, StepName::FindJob, Code::JobNotFound, 500).await;
    let claimed = scene.claim_one(StepName::FindJob, at(5000)).await;
    assert_eq!((claimed.misses, claimed.first_miss_at), (2, Some(at(0))));
}
