use callspool_domain::recording::Place;
use callspool_store::Error;

use crate::scene::{Scene, at, on_both};
use crate::words::{good, recording};

on_both! {
    a_key_is_allocated_once_and_stays
    no_two_recordings_get_one_key
    a_foreign_objects_key_is_replaced_until_our_bytes_are_there
}

fn keys(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn a_key_is_allocated_once_and_stays(scene: &Scene) {
    scene.completed(1, None, at(0)).await;
    let key = scene.store.allocate_key(&recording(1), Place::Archive, keys(&["first"]), at(0)).await.expect("a key");
    let again =
        scene.store.allocate_key(&recording(1), Place::Archive, keys(&["another"]), at(1)).await.expect("a key");
    assert_eq!((key.as_str(), again.as_str()), ("first", "first"));
}

async fn no_two_recordings_get_one_key(scene: &Scene) {
    for n in 1..=3 {
        scene.completed(n, None, at(0)).await;
    }
    let allocate = async |n| scene.store.allocate_key(&recording(n), Place::Archive, keys(&["a", "b"]), at(0)).await;
    assert_eq!(allocate(1).await.expect("a key"), "a");
    assert_eq!(allocate(2).await.expect("a key"), "b");
    assert!(matches!(allocate(3).await, Err(Error::KeysTaken(last)) if last == "b"));
}

async fn a_foreign_objects_key_is_replaced_until_our_bytes_are_there(scene: &Scene) {
    scene.completed(1, None, at(0)).await;
    scene.completed(2, None, at(0)).await;
    let candidates = keys(&["a", "b", "c"]);
    scene.store.allocate_key(&recording(1), Place::Archive, candidates.clone(), at(0)).await.expect("a key");
    scene.store.allocate_key(&recording(2), Place::Archive, keys(&["b"]), at(0)).await.expect("a key");
    let replace = async |taken: &str| {
        scene.store.replace_key(&recording(1), Place::Archive, taken, candidates.clone(), at(1)).await
    };
    assert_eq!(replace("a").await.expect("a key"), "c", "b is another recording's");
    assert_eq!(replace("a").await.expect("a key"), "c", "a repeat finds it replaced");
    assert!(matches!(replace("c").await, Err(Error::KeysTaken(_))));

    let claimed = scene.claim(callspool_domain::Lane::Transfer, 10, at(1)).await;
    let ours = claimed.iter().find(|claimed| claimed.subject.id() == recording(1).as_str()).expect("the step");
    assert!(scene.store.finish_archived(&ours.lease, good(1, "c"), at(2)).await.expect("an answer"));
    let longer = scene.store.replace_key(&recording(1), Place::Archive, "c", keys(&["c", "d"]), at(3)).await;
    assert!(longer.is_err(), "a verified copy keeps its key: {longer:?}");
}
