use callspool_store::Role;

use crate::scene::{Scene, at, on_both};

on_both! {
    a_token_is_found_by_its_hash_until_it_is_revoked
    a_session_ends_with_its_time_its_token_or_by_hand
    a_small_value_is_set_once
}

async fn a_token_is_found_by_its_hash_until_it_is_revoked(scene: &Scene) {
    scene.store.create_token("one", "the page", Role::Operator, "hash", at(0)).await.expect("a token");
    let token = scene.store.find_token("hash").await.expect("a read").expect("a token");
    assert_eq!((token.id.as_str(), token.role, token.revoked_at), ("one", Role::Operator, None));
    assert_eq!(scene.store.find_token("one").await.expect("a read"), None);
    assert!(scene.store.revoke_token("one", at(1)).await.expect("an answer"));
    assert!(!scene.store.revoke_token("one", at(2)).await.expect("an answer"));
    assert_eq!(scene.store.find_token("hash").await.expect("a read"), None);
    assert_eq!(scene.store.list_tokens().await.expect("tokens")[0].revoked_at, Some(at(1)));
}

async fn a_session_ends_with_its_time_its_token_or_by_hand(scene: &Scene) {
    scene.store.create_token("one", "the page", Role::Listener, "hash", at(0)).await.expect("a token");
    for session in ["timed", "ended", "revoked"] {
        scene.store.create_session(session, "one", at(10), at(0)).await.expect("a session");
    }
    let is_valid =
        async |session, second| scene.store.find_session(session, at(second)).await.expect("a read").is_some();
    assert!(is_valid("timed", 9).await && !is_valid("timed", 10).await);
    scene.store.delete_session("ended").await.expect("an end");
    assert!(!is_valid("ended", 1).await && is_valid("revoked", 1).await);
    scene.store.revoke_token("one", at(2)).await.expect("an answer");
    assert!(!is_valid("revoked", 3).await);
}

async fn a_small_value_is_set_once(scene: &Scene) {
    assert_eq!(scene.store.meta_get("key").await.expect("a read"), None);
    assert_eq!(scene.store.meta_set_if_absent("key", "first").await.expect("a value"), "first");
    assert_eq!(scene.store.meta_set_if_absent("key", "second").await.expect("a value"), "first");
    assert_eq!(scene.store.meta_get("key").await.expect("a read").as_deref(), Some("first"));
}
