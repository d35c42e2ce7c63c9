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
    let first = scene.store.append_job_history(&job("JOB1"), &lines, url.as_deref(), at(1)).await.expect("a history");
    let again = scene.store.append_job_history(&job("JOB1"), &lines, None, at(2)).await.expect("a history");
    assert_eq!(first, again);
    assert_eq!(lines[0].count_in(&first), 1);
    let row = scene.store.job(&job("JOB1")).await.expect("a read").expect("a row");
    assert_eq!((row.history, row.url), (first, url), "the field keeps the last recording's URL");
    assert_eq!(scene.store.job(&job("JOB2")).await.expect("a read"), None);
}

async fn lines_that_come_at_once_are_all_kept(scene: &Scene) {
    for n in 1..=4 {
        scene.archived(n, Some("JOB1"), at(u64::from(n))).await;
    }
    let owed = scene.store.owed_lines(&[job("JOB1")]).await.expect("lines");
    let appends = owed.iter().map(|owed| {
        let store = scene.store.clone();
        let line = line_of(owed);
        async move { store.append_job_history(&job("JOB1"), &[line], None, at(9)).await }
    });
    for append in futures::future::join_all(appends).await {
        append.expect("a history");
    }
    let history = scene.store.job(&job("JOB1")).await.expect("a read").expect("a row").history;
    assert_eq!(history.lines().count(), 4);
    assert!(owed.iter().all(|owed| line_of(owed).count_in(&history) == 1));
}
