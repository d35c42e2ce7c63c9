//! The built-in job records: a line once, and never one that is lost.

use callspool_domain::StepName;

use crate::scene::{Scene, at, on_both};
use crate::words::{job, line_of};

on_both! {
    a_built_in_history_gets_each_line_once
    lines_that_come_at_once_are_all_kept
}

async fn a_built_in_history_gets_each_line_once(scene: &Scene) {
    scene.archived(1, Some("JOB1"), at(0)).await;
    let owed = scene.store.owed_lines(&[job("JOB1")]).await.expect("lines");
    let lines: Vec<_> = owed.iter().map(line_of).collect();
    let url = lines[0].url_field().map(str::to_owned);
    let row = async || scene.store.job(&job("JOB1")).await.expect("a read").expect("a row");
    let linked = async |url: Option<&str>, now| {
        let lease = scene.claim_one(StepName::Link, at(now)).await.lease;
        scene.store.finish_linked_here(&lease, &job("JOB1"), &lines, url, at(now)).await.expect("an answer")
    };
    assert!(linked(url.as_deref(), 1).await);
    let first = row().await;
    assert_eq!((lines[0].count_in(&first.history), &first.url), (1, &url));
    assert_eq!(scene.store.owed_lines(&[job("JOB1")]).await.expect("lines"), []);

    // The job is owed another line; the first one is written a second time along with it.
    scene.archived(2, Some("JOB1"), at(2)).await;
    assert!(linked(None, 3).await);
    assert_eq!(row().await, first, "once, and the field keeps the last recording's URL");
    assert_eq!(scene.store.job(&job("JOB2")).await.expect("a read"), None);
}

async fn lines_that_come_at_once_are_all_kept(scene: &Scene) {
    for n in 1..=4 {
        scene.archived(n, Some("JOB1"), at(u64::from(n))).await;
    }
    let owed = scene.store.owed_lines(&[job("JOB1")]).await.expect("lines");
    let lines: Vec<_> = owed.iter().map(line_of).collect();
    let lease = scene.claim_one(StepName::Link, at(9)).await.lease;
    assert!(scene.store.finish_linked_here(&lease, &job("JOB1"), &lines, None, at(9)).await.expect("an answer"));
    let history = scene.store.job(&job("JOB1")).await.expect("a read").expect("a row").history;
    assert_eq!(history.lines().count(), 4);
    assert!(lines.iter().all(|line| line.count_in(&history) == 1));
    let late = scene.store.finish_linked_here(&lease, &job("JOB1"), &[lines[0].clone()], None, at(10)).await;
    assert!(late.expect("an answer"), "the same attempt ended as it says");
    assert_eq!(scene.store.job(&job("JOB1")).await.expect("a read").expect("a row").history, history);
}
