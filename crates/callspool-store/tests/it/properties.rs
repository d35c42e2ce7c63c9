//! Whatever the order in which steps are claimed, lost, failed, given back and finished: each ends exactly once.

use callspool_domain::{Code, Lane, StepFailure, Subject};
use callspool_store::Claimed;
use proptest::prelude::*;

use crate::scene::{Scene, at};
use crate::words::{callback, good, recording};

const RECORDINGS: u32 = 3;

#[derive(Debug, Clone)]
enum Act {
    Callback(u32, usize),
    Claim(u32),
    Expire,
    Finish(usize),
    Fail(usize, usize),
    HandBack(usize),
    Extend(usize),
    Wait(u64),
}

const WORDS: [&str; 3] = ["in-progress", "completed", "never-heard-of"];
const CODES: [Code; 3] = [Code::ProviderUnreachable, Code::MediaNotReady, Code::MediaEncrypted];

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (1..=RECORDINGS, 0..WORDS.len()).prop_map(|(n, word)| Act::Callback(n, word)),
        (1_u32..4).prop_map(Act::Claim),
        Just(Act::Expire),
        (0_usize..8).prop_map(Act::Finish),
        (0_usize..8, 0..CODES.len()).prop_map(|(held, code)| Act::Fail(held, code)),
        (0_usize..8).prop_map(Act::HandBack),
        (0_usize..8).prop_map(Act::Extend),
        (1_u64..400).prop_map(Act::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_interleaving_ends_each_step_once(acts in proptest::collection::vec(act(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        runtime.block_on(play(acts));
    }
}

async fn play(acts: Vec<Act>) {
    let scene = Scene::sqlite().await;
    // Every lease there ever was, the lost ones too: each may try to end its step at any time.
    let mut leases: Vec<Claimed> = Vec::new();
    let mut second = 0;
    for act in acts {
        let chosen = |held: usize| leases.get(held % leases.len().max(1)).cloned();
        match act {
            Act::Callback(n, word) => {
                scene.store.record_callback(callback(n, WORDS[word]), at(second)).await.expect("a callback");
            }
            Act::Claim(limit) => leases.extend(scene.claim(Lane::Transfer, limit, at(second)).await),
            Act::Expire => scene.expire_leases().await,
            Act::Wait(seconds) => second += seconds,
            Act::Finish(held) => {
                if let Some(claimed) = chosen(held) {
                    finish(&scene, &claimed, second).await;
                }
            }
            Act::Fail(held, code) => {
                if let Some(claimed) = chosen(held) {
                    let failure = StepFailure::new(CODES[code], "no");
                    scene.store.fail(&claimed.lease, &failure, None, 0, at(second)).await.expect("an answer");
                }
            }
            Act::HandBack(held) => {
                if let Some(claimed) = chosen(held) {
                    scene.store.hand_back(&claimed.lease, at(second), at(second)).await.expect("an answer");
                }
            }
            Act::Extend(held) => {
                if let Some(claimed) = chosen(held) {
                    scene.store.extend(&claimed.lease, at(second)).await.expect("an answer");
                }
            }
        }
        for n in 1..=RECORDINGS {
            assert!(times_verified(&scene, n).await <= 1);
        }
    }
    bring_to_an_end(&scene, second).await;
    scene.end().await;
}

/// Everything that was completed gets archived in the end, once.
async fn bring_to_an_end(scene: &Scene, mut second: u64) {
    for n in 1..=RECORDINGS {
        scene.store.record_callback(callback(n, "completed"), at(second)).await.expect("a callback");
    }
    scene.expire_leases().await;
    scene.store.retry(callspool_store::RetryWhat::Failed, at(second)).await.expect("a count");
    while let Some(due) = scene.store.next_due(Lane::Transfer).await.expect("a time") {
        second = second.max(due.since(at(0)).as_secs() + 1);
        for claimed in scene.claim(Lane::Transfer, 10, at(second)).await {
            finish(scene, &claimed, second).await;
        }
    }
    for n in 1..=RECORDINGS {
        assert_eq!(times_verified(scene, n).await, 1);
    }
    assert_eq!(scene.store.stats().await.expect("stats").archived_bytes, u64::from(RECORDINGS) * 160_044);
}

async fn finish(scene: &Scene, claimed: &Claimed, second: u64) {
    let Subject::Recording(sid) = &claimed.subject else { panic!("a recording") };
    let n = (1..=RECORDINGS).find(|n| recording(*n) == *sid).expect("one of ours");
    let key = scene.allocate(n, at(second)).await;
    scene.store.finish_archived(&claimed.lease, good(n, &key), at(second)).await.expect("an answer");
}

async fn times_verified(scene: &Scene, n: u32) -> usize {
    scene.kinds(n).await.into_iter().filter(|kind| kind == "archive_verified").count()
}
