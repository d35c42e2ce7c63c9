use callspool_domain::id::ConferenceSid;
use callspool_domain::line::Event;
use callspool_domain::recording::{Announcement, Status};
use callspool_domain::{CallSid, Source, StepName, Subject};
use callspool_store::{Error, Recorded, Settled, TiedBy};

use crate::scene::{Scene, at, on_both};
use crate::words::{call, callback, callback_of, job, recording, said};

on_both! {
    a_callback_makes_a_recording_an_event_and_a_due_step
    the_same_callback_again_changes_nothing
    callbacks_in_any_order_end_the_same
    a_word_nobody_has_heard_of_is_stored_as_it_came
    an_absent_recording_is_settled_with_its_reason
    a_recording_without_a_call_moves_when_its_call_is_known
    the_job_of_a_placeholder_moves_along
    a_recording_that_moves_to_another_job_leaves_word_there
    a_source_stays_and_a_duration_is_filled_in_once
    a_fetched_resource_is_taken_in_like_a_callback
    hostile_text_is_stored_as_it_came_and_a_nul_is_refused
}

async fn a_callback_makes_a_recording_an_event_and_a_due_step(scene: &Scene) {
    scene.completed(1, None, at(0)).await;

    let row = scene.store.recording(&recording(1)).await.expect("a read").expect("a row");
    assert_eq!((row.status, row.provider_status.as_str()), (Status::Announced, "completed"));
    assert_eq!((row.duration_seconds, row.channels, row.started_at), (Some(10), Some(2), Some(at(0))));
    assert_eq!((row.call, row.job, row.announced_at), (call(1), None, at(0)));
    assert_eq!(scene.kinds(1).await, ["recording_announced"]);
    let claimed = scene.claim_one(StepName::Archive, at(0)).await;
    assert_eq!(claimed.subject, Subject::Recording(recording(1)));
    assert_eq!((claimed.failures, claimed.lease.attempt), (0, 1));
    assert_eq!(scene.store.stats().await.expect("stats").recordings.get(&Status::Announced), Some(&1));
}

async fn the_same_callback_again_changes_nothing(scene: &Scene) {
    scene.completed(1, None, at(0)).await;
    let again = scene.store.record_callback(callback(1, "completed"), at(5)).await.expect("a repeat");
    assert_eq!(again, Recorded { new: false, settled: None });
    assert_eq!(scene.kinds(1).await, ["recording_announced"]);
    assert_eq!(scene.number("SELECT COUNT(*) FROM callbacks").await, 1);
    assert_eq!(scene.number("SELECT COUNT(*) FROM steps").await, 1);
}

async fn callbacks_in_any_order_end_the_same(scene: &Scene) {
    for (n, words) in [(1, ["in-progress", "completed"]), (2, ["completed", "in-progress"])] {
        for word in words {
            scene.store.record_callback(callback(n, word), at(0)).await.expect("a callback");
        }
        let row = scene.store.recording(&recording(n)).await.expect("a read").expect("a row");
        assert_eq!((row.provider_status.as_str(), row.duration_seconds), ("completed", Some(10)));
        let steps = scene.store.steps_of(&Subject::Recording(recording(n))).await.expect("steps");
        assert_eq!(steps.len(), 1);
    }
    assert_eq!(scene.kinds(1).await, ["recording_announced", "recording_status"]);
    assert_eq!(scene.kinds(2).await, ["recording_announced"]);
}

async fn a_word_nobody_has_heard_of_is_stored_as_it_came(scene: &Scene) {
    let mut callback = callback(1, "levitating");
    callback.fields.push(("Futuristic".to_owned(), "\u{1F680} 'quoted' \"twice\"".to_owned()));
    scene.store.record_callback(callback, at(0)).await.expect("a callback");

    let row = scene.store.recording(&recording(1)).await.expect("a read").expect("a row");
    assert_eq!((row.status, row.provider_status.as_str()), (Status::Announced, "levitating"));
    assert_eq!(scene.number("SELECT COUNT(*) FROM steps").await, 0);
    assert_eq!(scene.number("SELECT COUNT(*) FROM callbacks WHERE fields LIKE '%\u{1F680}%Futur%' OR fields LIKE '%Futur%\u{1F680}%'").await, 1);
}

async fn an_absent_recording_is_settled_with_its_reason(scene: &Scene) {
    let absent = Announcement { error_code: Some(16101), ..said(1, "absent") };
    let said = async |word: Announcement| {
        let recorded = scene.store.record_callback(callback_of(word, None), at(0)).await.expect("a callback");
        recorded.settled
    };
    let settled = Settled { status: Status::Absent, reason: "absent (16101)".to_owned() };
    assert_eq!(said(absent.clone()).await, Some(settled), "it is told");
    assert_eq!(said(absent.clone()).await, None, "a repeat");
    assert_eq!(said(Announcement { duration_seconds: Some(0), ..absent }).await, None, "the same in other words");

    let row = scene.store.recording(&recording(1)).await.expect("a read").expect("a row");
    assert_eq!((row.status, row.reason.as_deref()), (Status::Absent, Some("absent (16101)")));
    assert_eq!(scene.kinds(1).await, ["recording_announced", "recording_settled"]);
    assert_eq!(scene.number("SELECT COUNT(*) FROM steps").await, 0);
    assert_eq!(scene.store.stats().await.expect("stats").recordings.get(&Status::Absent), Some(&1));
}

async fn a_recording_without_a_call_moves_when_its_call_is_known(scene: &Scene) {
    let conference = ConferenceSid::parse(&format!("CF{:032x}", 7)).expect("a sid");
    let own = CallSid::placeholder(None, &recording(1));
    let conference = CallSid::placeholder(Some(&conference), &recording(1));
    for (home, word) in [(&own, "in-progress"), (&conference, "processing"), (&call(1), "completed"), (&own, "stopped")]
    {
        let announcement = Announcement { call: home.clone(), ..said(1, word) };
        scene.store.record_callback(callback_of(announcement, None), at(0)).await.expect("a callback");
    }
    let row = scene.store.recording(&recording(1)).await.expect("a read").expect("a row");
    assert_eq!(row.call, call(1));
    assert_eq!(scene.store.call(&own).await.expect("a read"), None, "an empty placeholder goes");
    assert_eq!(scene.store.call(&conference).await.expect("a read"), None);
    assert!(scene.store.call(&call(1)).await.expect("a read").is_some());
    let moves = scene.kinds(1).await.iter().filter(|kind| *kind == "recording_moved").count();
    assert_eq!(moves, 2, "from itself to the conference, and from there to the call");
}

async fn the_job_of_a_placeholder_moves_along(scene: &Scene) {
    let own = CallSid::placeholder(None, &recording(1));
    let announcement = Announcement { call: own.clone(), ..said(1, "in-progress") };
    scene.store.record_callback(callback_of(announcement, Some("JOB1")), at(0)).await.expect("a callback");
    scene.store.record_callback(callback(1, "completed"), at(1)).await.expect("a callback");
    let row = scene.store.call(&call(1)).await.expect("a read").expect("a row");
    assert_eq!((row.job, row.tied_by), (Some(job("JOB1")), Some(TiedBy::Callback)));
}

async fn a_recording_that_moves_to_another_job_leaves_word_there(scene: &Scene) {
    let own = CallSid::placeholder(None, &recording(1));
    let announcement = Announcement { call: own, ..said(1, "completed") };
    scene.store.record_callback(callback_of(announcement, Some("JOB1")), at(0)).await.expect("a callback");
    scene.archive(1, at(0)).await;
    scene.link("JOB1", at(0)).await;
    scene.store.tie_call(&call(1), &job("JOB2"), TiedBy::Put, at(1)).await.expect("a tie");
    scene.store.record_callback(callback(1, "stopped"), at(2)).await.expect("a callback");

    let row = scene.store.recording(&recording(1)).await.expect("a read").expect("a row");
    assert_eq!((row.call, row.job), (call(1), Some(job("JOB2"))));
    for (name, event, moved_to) in [("JOB1", Event::Moved, Some(job("JOB2"))), ("JOB2", Event::Recording, None)] {
        let owed = scene.store.owed_lines(&[job(name)]).await.expect("lines");
        assert_eq!(owed.into_iter().map(|owed| (owed.event, owed.moved_to)).collect::<Vec<_>>(), [(event, moved_to)]);
    }
}

async fn a_source_stays_and_a_duration_is_filled_in_once(scene: &Scene) {
    for (word, source, seconds) in
        [("in-progress", None, None), ("completed", Some("Front desk"), Some(10)), ("x", Some("Late"), Some(99))]
    {
        let mut callback = callback_of(Announcement { duration_seconds: seconds, ..said(1, word) }, None);
        callback.source = source.map(Source::clean);
        scene.store.record_callback(callback, at(0)).await.expect("a callback");
    }
    let row = scene.store.call(&call(1)).await.expect("a read").expect("a row");
    assert_eq!((row.source.as_str(), row.duration_seconds), ("Front desk", Some(10)));
}

async fn a_fetched_resource_is_taken_in_like_a_callback(scene: &Scene) {
    assert!(scene.store.announce(said(1, "completed"), at(0)).await.expect("an announcement").new);
    assert!(!scene.store.announce(said(1, "completed"), at(1)).await.expect("an announcement").new);
    scene.claim_one(StepName::Archive, at(1)).await;
}

async fn hostile_text_is_stored_as_it_came_and_a_nul_is_refused(scene: &Scene) {
    let hostile = "JOB/456 \"a'b\"; DROP TABLE calls; --\n{x} \u{202e}";
    scene.completed(1, Some(hostile), at(0)).await;
    assert_eq!(scene.store.call(&call(1)).await.expect("a read").expect("a row").job, Some(job(hostile)));

    let nul = Announcement { provider_source: Some("a\0b".to_owned()), ..said(2, "completed") };
    let refused = scene.store.record_callback(callback_of(nul, None), at(0)).await;
    assert!(matches!(refused, Err(Error::Nul { table: "recordings" })), "{refused:?}");
    assert_eq!(scene.store.recording(&recording(2)).await.expect("a read"), None, "and nothing of it is stored");
    assert_eq!(scene.number("SELECT COUNT(*) FROM callbacks").await, 1);
}
