//! What is serial on SQLite races on PostgreSQL: two nodes do everything at once, and nothing is lost or done twice.

use std::collections::HashSet;

use callspool_domain::line::Event;
use callspool_domain::recording::{Announcement, Place};
use callspool_domain::{CallSid, JobId, Lane, StepName, StepState, Subject};
use callspool_store::{EventFilter, Store, Tied, TiedBy};
use futures::future::join_all;

use crate::scene::{Scene, at, claim, connect, on_both, on_postgres};
use crate::words::{call, callback, callback_of, good, job, line_of, recording, said};

on_both! {
    two_nodes_claim_every_step_once
    one_callback_on_two_nodes_is_new_once
    two_callbacks_of_one_recording_agree_on_its_call
    a_line_added_while_the_link_step_ends_is_not_forgotten
    two_allocations_never_agree_on_a_key
    one_attempt_is_ended_once
    two_ties_at_once_leave_one_job
    a_read_sees_one_moment
}

mod numbering {
    super::on_postgres! { a_commit_held_open_is_passed_and_not_missed another_nodes_events_and_steps_are_heard_of }
    use super::{a_commit_held_open_is_passed_and_not_missed, another_nodes_events_and_steps_are_heard_of};
}

/// The scene's store and another node's.
async fn nodes(scene: &Scene) -> [Store; 2] {
    [scene.store.clone(), scene.another().await]
}

async fn two_nodes_claim_every_step_once(scene: &Scene) {
    for n in 1..=40 {
        scene.completed(n, None, at(0)).await;
    }
    let nodes = nodes(scene).await;
    let claims = join_all((0..20).map(|n| claim(&nodes[n % 2], Lane::Transfer, 5, at(0)))).await;
    let steps: Vec<String> = claims.into_iter().flatten().map(|claimed| claimed.lease.step).collect();
    let distinct: HashSet<&String> = steps.iter().collect();
    assert_eq!((steps.len(), distinct.len()), (40, 40));
}

/// What runs and what waits are counted one after the other, and the step moves from one to the other all the time.
async fn a_read_sees_one_moment(scene: &Scene) {
    scene.completed(1, None, at(0)).await;
    let [node, other] = nodes(scene).await;
    let moves = async {
        for _ in 0..100 {
            let [step] = claim(&other, Lane::Transfer, 1, at(0)).await.try_into().expect("the step");
            assert!(other.hand_back(&step.lease, at(0), at(0)).await.expect("an answer"));
        }
    };
    let counts = async {
        for _ in 0..200 {
            let queue = node.queue().await.expect("counts");
            assert_eq!(queue.iter().map(|count| count.steps).sum::<u64>(), 1, "{queue:?}");
        }
    };
    tokio::join!(moves, counts);
}

async fn one_callback_on_two_nodes_is_new_once(scene: &Scene) {
    let nodes = nodes(scene).await;
    for n in 1..=20 {
        let both = join_all(nodes.iter().map(|node| node.record_callback(callback(n, "completed"), at(0)))).await;
        let new = both.into_iter().filter(|recorded| recorded.as_ref().expect("a callback").new).count();
        assert_eq!(new, 1);
    }
    assert_eq!(scene.number("SELECT COUNT(*) FROM events").await, 20);
}

async fn two_callbacks_of_one_recording_agree_on_its_call(scene: &Scene) {
    let nodes = nodes(scene).await;
    for n in 1..=20 {
        let own = CallSid::placeholder(None, &recording(n));
        let without = callback_of(Announcement { call: own.clone(), ..said(n, "in-progress") }, Some("JOB1"));
        let with = callback(n, "completed");
        let (without, with) =
            tokio::join!(nodes[0].record_callback(without, at(0)), nodes[1].record_callback(with, at(0)));
        assert!(without.expect("a callback").new && with.expect("a callback").new);
        let row = scene.store.recording(&recording(n)).await.expect("a read").expect("a row");
        assert_eq!((row.call, row.job), (call(n), Some(job("JOB1"))));
        assert_eq!(row.provider_status.as_str(), "completed");
        let steps = scene.store.steps_of(&Subject::Recording(recording(n))).await.expect("steps");
        assert_eq!(steps.iter().map(|step| step.name).collect::<Vec<_>>(), [StepName::Archive]);
        assert_eq!(scene.store.call(&own).await.expect("a read"), None);
    }
    let stats = scene.store.stats().await.expect("stats");
    assert_eq!(stats.recordings.values().sum::<u64>(), 20);
}

async fn a_line_added_while_the_link_step_ends_is_not_forgotten(scene: &Scene) {
    let nodes = nodes(scene).await;
    let job = job("JOB1");
    scene.archived(1, Some("JOB1"), at(0)).await;
    for n in 2..=20 {
        scene.completed(n, Some("JOB1"), at(0)).await;
        let archive = scene.claim_one(StepName::Archive, at(0)).await.lease;
        let key = scene.allocate(n, at(0)).await;
        let link = scene.claim_one(StepName::Link, at(0)).await.lease;
        let owed = scene.store.owed_lines(std::slice::from_ref(&job)).await.expect("lines");
        let written: Vec<_> = owed.iter().map(line_of).collect();
        let (archived, linked) = tokio::join!(
            nodes[0].finish_archived(&archive, good(n, &key), at(0)),
            nodes[1].finish_linked(&link, &job, &written, None, at(0)),
        );
        assert!(archived.expect("an answer") && linked.expect("an answer"));
        let owed = scene.store.owed_lines(std::slice::from_ref(&job)).await.expect("lines");
        assert_eq!(owed.len(), 1);
        let step = scene.store.steps_of(&Subject::Job(job.clone())).await.expect("steps").remove(0);
        assert_eq!(step.state, StepState::Waiting, "round {n}: a line is owed and nobody would write it");
    }
}

async fn two_allocations_never_agree_on_a_key(scene: &Scene) {
    let nodes = nodes(scene).await;
    for n in (1..=30).step_by(2) {
        scene.completed(n, None, at(0)).await;
        scene.completed(n + 1, None, at(0)).await;
        let keys = |extra: u32| vec![format!("key-{n}"), format!("key-{n}-{extra}")];
        let (own, other) = (recording(n), recording(n + 1));
        let (one, two, again) = tokio::join!(
            nodes[0].allocate_key(&own, Place::Archive, keys(1), at(0)),
            nodes[1].allocate_key(&other, Place::Archive, keys(2), at(0)),
            nodes[1].allocate_key(&own, Place::Archive, keys(3), at(0)),
        );
        let (one, two, again) = (one.expect("a key"), two.expect("a key"), again.expect("a key"));
        assert_eq!(one, again);
        assert_ne!(one, two);
    }
}

async fn one_attempt_is_ended_once(scene: &Scene) {
    let nodes = nodes(scene).await;
    for n in 1..=15 {
        scene.completed(n, None, at(0)).await;
        let lost = scene.claim_one(StepName::Archive, at(0)).await.lease;
        let key = scene.allocate(n, at(0)).await;
        scene.expire_leases().await;
        // The one before, who has heard of nothing, ends it while the next takes it over.
        let (finished, taken) = tokio::join!(
            nodes[0].finish_archived(&lost, good(n, &key), at(31)),
            claim(&nodes[1], Lane::Transfer, 1, at(31)),
        );
        let finished = finished.expect("an answer");
        assert_eq!(finished, taken.is_empty(), "round {n}");
        for taken in taken {
            assert!(nodes[1].finish_archived(&taken.lease, good(n, &key), at(32)).await.expect("an answer"));
        }
        let verified = scene.kinds(n).await.into_iter().filter(|kind| kind == "archive_verified").count();
        assert_eq!(verified, 1);
    }
    assert_eq!(scene.store.stats().await.expect("stats").archived_bytes, 15 * 160_044);
}

async fn two_ties_at_once_leave_one_job(scene: &Scene) {
    let nodes = nodes(scene).await;
    for n in 1..=15 {
        scene.archived(n, None, at(0)).await;
        let (first, second) = (job(&format!("A{n}")), job(&format!("B{n}")));
        let (call, by) = (call(n), TiedBy::Put);
        let (one, two) =
            tokio::join!(nodes[0].tie_call(&call, &first, by, at(1)), nodes[1].tie_call(&call, &second, by, at(1)));
        let (one, two) = (one.expect("a tie"), two.expect("a tie"));
        assert_eq!((one, two), (Tied::New, Tied::New));
        // Whoever came second has the call, and the first is told.
        let last = scene.store.call(&call).await.expect("a read").expect("a row").job.expect("a job");
        let other = if last == first { &second } else { &first };
        let told = async |job: &JobId| {
            let owed = scene.store.owed_lines(std::slice::from_ref(job)).await.expect("lines");
            owed.into_iter().map(|owed| (owed.event, owed.moved_to)).collect::<Vec<_>>()
        };
        assert_eq!(told(&last).await, [(Event::Recording, None)]);
        assert_eq!(told(other).await, [(Event::Recording, None), (Event::Moved, Some(last.clone()))]);
        for claimed in scene.claim(Lane::Records, 10, at(1)).await {
            scene.store.hand_back(&claimed.lease, at(1000), at(1)).await.expect("an answer");
        }
    }
}

async fn a_commit_held_open_is_passed_and_not_missed(scene: &Scene) {
    let mut held = connect(&scene.url).await;
    let held = held.transaction().await.expect("a transaction");
    let insert = "INSERT INTO events (at, kind, data) VALUES (1, 'held', '{}')";
    held.execute(insert, &[]).await.expect("an event that is not committed yet");
    scene.completed(1, None, at(0)).await;

    let passed = scene.store.events_after(0, 10, EventFilter::default()).await.expect("events");
    assert_eq!(passed.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["recording_announced"]);
    held.commit().await.expect("a commit");
    let after = scene.store.events_after(passed[0].seq, 10, EventFilter::default()).await.expect("events");
    assert_eq!(after.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["held"]);
}

async fn another_nodes_events_and_steps_are_heard_of(scene: &Scene) {
    let other = scene.another().await;
    let listening = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
                     AND query LIKE 'LISTEN%' AND state = 'idle'";
    while scene.number(listening).await < 2 {}
    let (mut steps, mut events) = (scene.store.steps_changed(), scene.store.events_changed());
    steps.mark_unchanged();
    events.mark_unchanged();
    other.record_callback(callback(1, "completed"), at(0)).await.expect("a callback");
    steps.changed().await.expect("a due step of another node");
    events.changed().await.expect("an event of another node");
    other.close().await;
}
