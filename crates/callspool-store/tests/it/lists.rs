use callspool_domain::recording::Status;
use callspool_store::{CallCursor, CallFilter, JobCursor, RecordingCursor, RecordingFilter};

use crate::scene::{Scene, at, on_both};
use crate::words::{account, call, callback, job, recording};

on_both! {
    recordings_come_newest_first_page_by_page
    every_filter_narrows_the_list
    calls_and_jobs_are_listed
}

async fn recordings_come_newest_first_page_by_page(scene: &Scene) {
    // Two of a second, so that the sid decides.
    for n in 1..=7 {
        scene.completed(n, None, at(u64::from(n / 2))).await;
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = scene.store.list_recordings(RecordingFilter::default(), after, 2).await.expect("a page");
        let Some(last) = page.last() else { break };
        after = Some(RecordingCursor { announced_at: last.announced_at, recording: last.sid.clone() });
        seen.extend(page.into_iter().map(|row| row.sid));
    }
    assert_eq!(seen, (1..=7).rev().map(recording).collect::<Vec<_>>());
}

async fn every_filter_narrows_the_list(scene: &Scene) {
    scene.archived(1, Some("JOB1"), at(1)).await;
    scene.completed(2, None, at(2)).await;
    scene.store.record_callback(callback(3, "absent"), at(3)).await.expect("a callback");
    let filter = RecordingFilter::default;
    for (filter, expected) in [
        (RecordingFilter { status: Some(Status::Archived), ..filter() }, vec![1]),
        (RecordingFilter { provider_status: Some("completed".to_owned()), ..filter() }, vec![2, 1]),
        (RecordingFilter { call: Some(call(2)), ..filter() }, vec![2]),
        (RecordingFilter { job: Some(job("JOB1")), ..filter() }, vec![1]),
        (RecordingFilter { account: Some(account()), ..filter() }, vec![3, 2, 1]),
        (RecordingFilter { since: Some(at(2)), ..filter() }, vec![3, 2]),
        (RecordingFilter { until: Some(at(2)), ..filter() }, vec![1]),
        (RecordingFilter { status: Some(Status::Archived), job: Some(job("JOB2")), ..filter() }, vec![]),
    ] {
        let page = scene.store.list_recordings(filter.clone(), None, 10).await.expect("a page");
        let sids: Vec<_> = page.into_iter().map(|row| row.sid).collect();
        assert_eq!(sids, expected.into_iter().map(recording).collect::<Vec<_>>(), "{filter:?}");
    }
}

async fn calls_and_jobs_are_listed(scene: &Scene) {
    for n in 1..=3 {
        scene.completed(n, Some(&format!("JOB{n}")), at(u64::from(n))).await;
    }
    let calls = scene.store.list_calls(CallFilter::default(), None, 2).await.expect("a page");
    assert_eq!(calls.iter().map(|row| row.sid.clone()).collect::<Vec<_>>(), [call(3), call(2)]);
    let after = Some(CallCursor { created_at: calls[1].created_at, call: calls[1].sid.clone() });
    let calls = scene.store.list_calls(CallFilter::default(), after, 2).await.expect("a page");
    assert_eq!(calls.len(), 1);
    let of_job = CallFilter { job: Some(job("JOB2")) };
    assert_eq!(scene.store.list_calls(of_job, None, 10).await.expect("a page")[0].sid, call(2));

    let jobs = scene.store.list_jobs(None, 2).await.expect("a page");
    assert_eq!(jobs.iter().map(|row| row.id.clone()).collect::<Vec<_>>(), [job("JOB3"), job("JOB2")]);
    let after = Some(JobCursor { created_at: jobs[1].created_at, job: jobs[1].id.clone() });
    assert_eq!(scene.store.list_jobs(after, 2).await.expect("a page")[0].id, job("JOB1"));

    scene.store.note_parent(&call(1), &call(9)).await.expect("a note");
    let calls = scene.store.calls_for_find_job(&[call(1), call(2), call(8)]).await.expect("calls");
    assert_eq!(calls, [(call(1), Some(call(9))), (call(2), None)]);
}
