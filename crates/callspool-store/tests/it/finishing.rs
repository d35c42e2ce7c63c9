use callspool_domain::gate;
use callspool_domain::line::LineState;
use callspool_domain::recording::{CopyState, Status};
use callspool_domain::{Lane, StepName};
use callspool_store::{Accepted, TiedBy};

use crate::scene::{Scene, at, on_both, policy};
use crate::words::{call, callback, doubtful, good, job, line_of, receipt, recording};

on_both! {
    archived_linked_and_released_a_recording_leaves_its_trail
    an_archived_recording_is_not_unsettled_by_a_late_word
    a_doubtful_recording_waits_for_a_person
    a_settled_recording_is_counted_and_needs_no_step
    a_line_that_came_meanwhile_makes_the_link_step_due_again
    a_job_that_is_found_ties_the_call_unless_it_was_tied_meanwhile
    what_the_gate_sees_is_what_is_stored
}

const DAY: u64 = 24 * 3600;

async fn archived_linked_and_released_a_recording_leaves_its_trail(scene: &Scene) {
    scene.archived(1, Some("JOB1"), at(0)).await;
    scene.link("JOB1", at(1)).await;
    assert!(!scene.due(Lane::Api, at(DAY - 1)).await);
    let lease = scene.claim_one(StepName::Release, at(DAY)).await.lease;
    assert!(scene.store.finish_released(&lease, &recording(1), receipt(at(DAY)), at(DAY)).await.expect("an answer"));

    let row = scene.store.recording(&recording(1)).await.expect("a read").expect("a row");
    assert_eq!(
        (row.status, row.line, row.provider_gone_at),
        (Status::Archived, Some(LineState::Confirmed), Some(at(DAY)))
    );
    let copy = row.archive.expect("a copy");
    let expected = good(1, "key-1.wav");
    assert_eq!(
        (copy.state, copy.object_key, copy.verified_at),
        (CopyState::Verified, expected.object_key, Some(at(0)))
    );
    assert_eq!((copy.bytes, copy.crc64), (Some(expected.bytes), Some(expected.crc64)));
    assert_eq!((copy.audio, copy.verified_by), (Some(expected.audio), Some(expected.verified_by)));
    assert_eq!(
        scene.kinds(1).await,
        ["recording_announced", "archive_verified", "line_owed", "line_confirmed", "release_scheduled", "released"]
    );
    let events = scene.store.recording_events(&recording(1), 1).await.expect("events");
    assert_eq!(events[0].data["provider_answer"], "deleted");
    assert_eq!(events[0].data["sha256"], "ab".repeat(32));
    let stats = scene.store.stats().await.expect("stats");
    assert_eq!((stats.released, stats.lines_confirmed), (1, 1));
    assert_eq!((stats.archived_bytes, stats.archived_ms), (160_044, 10_000));
    assert_eq!(stats.recordings.into_iter().collect::<Vec<_>>(), [(Status::Archived, 1)]);
    for lane in [Lane::Transfer, Lane::Records, Lane::Api] {
        assert_eq!(scene.store.next_due(lane).await.expect("a time"), None, "nothing is left to do");
    }
}

async fn an_archived_recording_is_not_unsettled_by_a_late_word(scene: &Scene) {
    scene.archived(1, None, at(0)).await;
    scene.store.record_callback(callback(1, "absent"), at(1)).await.expect("a callback");
    let row = scene.store.recording(&recording(1)).await.expect("a read").expect("a row");
    assert_eq!(row.status, Status::Archived);
}

async fn a_doubtful_recording_waits_for_a_person(scene: &Scene) {
    assert_eq!(scene.store.accept(&recording(1), "fine", "me", at(0)).await.expect("an answer"), Accepted::NotArchived);
    scene.completed(1, Some("JOB1"), at(0)).await;
    let lease = scene.claim_one(StepName::Archive, at(0)).await.lease;
    let key = scene.allocate(1, at(0)).await;
    assert!(scene.store.finish_archived(&lease, doubtful(1, &key), at(0)).await.expect("an answer"));
    scene.link("JOB1", at(1)).await;
    assert!(!scene.due(Lane::Api, at(10 * DAY)).await, "doubtful audio is not released");

    for _ in 0..2 {
        let accepted = scene.store.accept(&recording(1), "it is a fax", "me", at(2)).await.expect("an answer");
        assert_eq!(accepted, Accepted::Accepted);
    }
    assert!(scene.due(Lane::Api, at(DAY)).await);
    assert_eq!(scene.kinds(1).await.iter().filter(|kind| *kind == "accepted").count(), 1);
    scene.archived(2, None, at(3)).await;
    assert_eq!(scene.store.accept(&recording(2), "fine", "me", at(4)).await.expect("an answer"), Accepted::NotDoubtful);
}

async fn a_settled_recording_is_counted_and_needs_no_step(scene: &Scene) {
    scene.completed(1, None, at(0)).await;
    let lease = scene.claim_one(StepName::Archive, at(0)).await.lease;
    let settled = scene.store.finish_settled(&lease, &recording(1), Status::Missing, "deleted", at(1)).await;
    assert!(settled.expect("an answer"));
    let row = scene.store.recording(&recording(1)).await.expect("a read").expect("a row");
    assert_eq!((row.status, row.reason.as_deref()), (Status::Missing, Some("deleted")));
    assert_eq!(scene.store.next_due(Lane::Transfer).await.expect("a time"), None);
    let stats = scene.store.stats().await.expect("stats");
    assert_eq!(stats.recordings.into_iter().collect::<Vec<_>>(), [(Status::Missing, 1)]);
}

async fn a_line_that_came_meanwhile_makes_the_link_step_due_again(scene: &Scene) {
    scene.archived(1, Some("JOB1"), at(0)).await;
    let lease = scene.claim_one(StepName::Link, at(0)).await.lease;
    let first: Vec<_> = scene.store.owed_lines(&[job("JOB1")]).await.expect("lines");
    scene.archived(2, Some("JOB1"), at(1)).await;

    let written: Vec<_> = first.iter().map(line_of).collect();
    let finished = scene.store.finish_linked(&lease, &job("JOB1"), &written, Some("rec123"), at(2)).await;
    assert!(finished.expect("an answer"));
    let owed = scene.store.owed_lines(&[job("JOB1")]).await.expect("lines");
    assert_eq!(owed.iter().map(|owed| owed.recording.clone()).collect::<Vec<_>>(), [recording(2)]);
    let row = scene.store.job(&job("JOB1")).await.expect("a read").expect("a row");
    assert_eq!(row.record_id.as_deref(), Some("rec123"));
    scene.link("JOB1", at(2)).await;
    assert_eq!(scene.store.owed_lines(&[job("JOB1")]).await.expect("lines"), []);
}

async fn a_job_that_is_found_ties_the_call_unless_it_was_tied_meanwhile(scene: &Scene) {
    scene.archived(1, None, at(0)).await;
    let lease = scene.claim_one(StepName::FindJob, at(0)).await.lease;
    assert!(scene.store.finish_job_found(&lease, &call(1), &job("FOUND"), at(1)).await.expect("an answer"));
    let row = scene.store.call(&call(1)).await.expect("a read").expect("a row");
    assert_eq!((row.job, row.tied_by), (Some(job("FOUND")), Some(TiedBy::LookUp)));
    assert_eq!(scene.store.owed_lines(&[job("FOUND")]).await.expect("lines").len(), 1);
    scene.link("FOUND", at(1)).await;

    scene.archived(2, None, at(2)).await;
    let lease = scene.claim_one(StepName::FindJob, at(2)).await.lease;
    scene.store.tie_call(&call(2), &job("PUT"), TiedBy::Put, at(3)).await.expect("a tie");
    assert!(scene.store.finish_job_found(&lease, &call(2), &job("FOUND"), at(4)).await.expect("an answer"));
    assert_eq!(scene.store.call(&call(2)).await.expect("a read").expect("a row").job, Some(job("PUT")));
}

async fn what_the_gate_sees_is_what_is_stored(scene: &Scene) {
    assert!(scene.store.release_view(&recording(1)).await.expect("a read").is_none());
    scene.archived(1, Some("JOB1"), at(0)).await;
    let view = scene.store.release_view(&recording(1)).await.expect("a read").expect("a view");
    let closed = gate::closed(&view.call, &view.recording, &policy(), at(0));
    assert_eq!(closed, [gate::Closed::LineOutstanding, gate::Closed::TooEarly(at(DAY))]);
    scene.link("JOB1", at(1)).await;
    let view = scene.store.release_view(&recording(1)).await.expect("a read").expect("a view");
    assert_eq!(gate::closed(&view.call, &view.recording, &policy(), at(DAY)), []);
    assert_eq!(view.archive.object_key, "key-1.wav");
}
