use callspool_store::{EventFilter, NewEvent, kind};
use serde_json::json;

use crate::scene::{Scene, at, on_both};
use crate::words::{callback, recording};

on_both! {
    events_are_read_in_order_and_resumed_without_a_gap
    a_filter_narrows_them
    who_watches_is_woken
}

async fn events_are_read_in_order_and_resumed_without_a_gap(scene: &Scene) {
    assert_eq!(scene.store.last_seq().await.expect("a number"), 0);
    for n in 1..=5 {
        scene.completed(n, None, at(u64::from(n))).await;
    }
    let all = scene.store.events_after(0, 100, EventFilter::default()).await.expect("events");
    assert_eq!(all.len(), 5);
    assert!(all.is_sorted_by(|a, b| a.seq < b.seq));
    assert_eq!(all.iter().map(|event| event.at).collect::<Vec<_>>(), (1..=5).map(at).collect::<Vec<_>>());
    let mut seen = Vec::new();
    while let [event] = &scene
        .store
        .events_after(seen.last().copied().unwrap_or(0), 1, EventFilter::default())
        .await
        .expect("events")[..]
    {
        seen.push(event.seq);
    }
    assert_eq!(seen, all.iter().map(|event| event.seq).collect::<Vec<_>>());
    assert_eq!(scene.store.last_seq().await.expect("a number"), all[4].seq);
}

async fn a_filter_narrows_them(scene: &Scene) {
    scene.completed(1, None, at(0)).await;
    scene.completed(2, None, at(0)).await;
    let accessed = NewEvent {
        kind: kind::AUDIO_ACCESSED,
        recording: Some(recording(1)),
        actor: Some("token one".to_owned()),
        data: json!({ "range": "bytes=0-" }),
        ..NewEvent::default()
    };
    scene.store.add_event(accessed, at(1)).await.expect("an event");
    let of_one = EventFilter { recording: Some(recording(1)), kind: None };
    assert_eq!(scene.store.events_after(0, 10, of_one.clone()).await.expect("events").len(), 2);
    let accesses = EventFilter { kind: Some(kind::AUDIO_ACCESSED.to_owned()), ..of_one };
    let events = scene.store.events_after(0, 10, accesses).await.expect("events");
    assert_eq!((events[0].actor.as_deref(), &events[0].data["range"]), (Some("token one"), &json!("bytes=0-")));
    assert_eq!(events.len(), 1);
}

async fn who_watches_is_woken(scene: &Scene) {
    let (mut steps, mut events) = (scene.store.steps_changed(), scene.store.events_changed());
    steps.mark_unchanged();
    events.mark_unchanged();
    scene.store.record_callback(callback(1, "completed"), at(0)).await.expect("a callback");
    steps.changed().await.expect("a due step");
    events.changed().await.expect("an event");
    assert_eq!(scene.store.events_after(0, 10, EventFilter::default()).await.expect("events").len(), 1);
}
