//! Every statement the store can send, for the test that prepares them all on both databases.

use callspool_domain::recording::Status;
use callspool_domain::{AccountSid, CallSid, JobId, RecordingSid, Timestamp};

use crate::db::Statement;
use crate::events::EventFilter;
use crate::lists::{self, CallCursor, CallFilter, JobCursor, RecordingCursor, RecordingFilter};
use crate::steps::{claim, claim_own, close, fail, finish, queue, retry, services, sweep};
use crate::{
    accept, archive_keys, call_events, calls, counters, events, facts, intake, jobs, limits, lines, meta, planning,
    postman, recordings, scans, starts, stops, store, ties, tokens,
};

/// The text as SQLite is sent it.
pub fn for_sqlite(text: &str) -> String {
    crate::db::statement::for_sqlite(text)
}

/// What both databases must understand.
pub fn statements() -> Vec<String> {
    let fixed = [
        accept::STATEMENTS,
        archive_keys::STATEMENTS,
        call_events::STATEMENTS,
        calls::STATEMENTS,
        counters::STATEMENTS,
        events::STATEMENTS,
        facts::STATEMENTS,
        intake::STATEMENTS,
        jobs::STATEMENTS,
        limits::STATEMENTS,
        lines::STATEMENTS,
        meta::STATEMENTS,
        planning::STATEMENTS,
        recordings::STATEMENTS,
        scans::STATEMENTS,
        starts::STATEMENTS,
        stops::STATEMENTS,
        store::STATEMENTS,
        ties::STATEMENTS,
        tokens::STATEMENTS,
        claim::STATEMENTS,
        claim_own::STATEMENTS,
        close::STATEMENTS,
        fail::STATEMENTS,
        finish::STATEMENTS,
        queue::STATEMENTS,
        retry::STATEMENTS,
        services::STATEMENTS,
        sweep::STATEMENTS,
    ];
    fixed.into_iter().flatten().map(text).chain(lists()).collect()
}

/// What only PostgreSQL is sent.
pub fn postgres_statements() -> Vec<String> {
    postman::POSTGRES_STATEMENTS.iter().chain(claim::POSTGRES_STATEMENTS).map(text).collect()
}

fn text(statement: &Statement) -> String {
    statement.text.to_string()
}

/// Every list, with each filter alone and with all together.
fn lists() -> Vec<String> {
    let hex = "0123456789abcdef0123456789abcdef";
    let (Ok(recording), Ok(call), Ok(account), Ok(job)) = (
        RecordingSid::parse(&format!("RE{hex}")),
        CallSid::parse(&format!("CA{hex}")),
        AccountSid::parse(&format!("AC{hex}")),
        JobId::parse("job"),
    ) else {
        return Vec::new();
    };
    let at = Timestamp::from_micros(0);
    let all = RecordingFilter {
        status: Some(Status::Announced),
        provider_status: Some("completed".to_owned()),
        call: Some(call.clone()),
        job: Some(job.clone()),
        account: Some(account.clone()),
        since: Some(at),
        until: Some(at),
    };
    let none = RecordingFilter::default();
    let filters = [
        none.clone(),
        RecordingFilter { status: all.status, ..none.clone() },
        RecordingFilter { provider_status: all.provider_status.clone(), ..none.clone() },
        RecordingFilter { call: all.call.clone(), ..none.clone() },
        RecordingFilter { job: all.job.clone(), ..none.clone() },
        RecordingFilter { account: all.account.clone(), ..none.clone() },
        RecordingFilter { since: all.since, ..none.clone() },
        RecordingFilter { until: all.until, ..none },
        all,
    ];
    let cursor = RecordingCursor { announced_at: at, recording: recording.clone() };
    let mut texts = Vec::new();
    for filter in &filters {
        for after in [None, Some(&cursor)] {
            texts.push(text(&lists::recordings_query(filter, after, 1).0));
        }
    }
    let call_cursor = CallCursor { created_at: at, call };
    for filter in [CallFilter::default(), CallFilter { job: Some(job.clone()) }] {
        for after in [None, Some(&call_cursor)] {
            texts.push(text(&lists::calls_query(&filter, after, 1).0));
        }
    }
    let job_cursor = JobCursor { created_at: at, job };
    for after in [None, Some(&job_cursor)] {
        texts.push(text(&lists::jobs_query(after, 1).0));
    }
    let (recording, kind) = (Some(recording), Some("released".to_owned()));
    for filter in [
        EventFilter::default(),
        EventFilter { recording: recording.clone(), kind: None },
        EventFilter { recording: None, kind: kind.clone() },
        EventFilter { recording, kind },
    ] {
        texts.push(text(&events::after_text(&filter)));
    }
    texts
}
