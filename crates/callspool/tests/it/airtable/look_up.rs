//! Which record: found by the job, by the call, later, or not at all; and never the wrong one.

use std::time::Duration;

use callspool_domain::line::LineState;
use callspool_domain::{CallSid, Code, RecordingSid, StepName, StepState, Subject};
use callspool_sandbox::Fault;
use callspool_sandbox::airtable::Route;
use callspool_sandbox::twilio::{Call, NewRecording, Route as TwilioRoute, Word};
use callspool_store::{RetryWhat, Role};
use serde_json::json;

use super::{find_job_step, line, link_step, parked, query};
use crate::harness::{Table, World, story};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// When a job that was not found is looked for, in seconds after the first time.
const LOOK_UPS: [u64; 12] =
    [MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, DAY, 2 * DAY, 3 * DAY, 4 * DAY, 5 * DAY, 6 * DAY, 7 * DAY];
/// By how much a step may be late so that not all of them come at once.
const SPREAD: u64 = 2;

/// Turns the clock from look-up to look-up; each sends one list, and none is sent in between.
async fn let_every_look_up_pass(world: &World, table: &Table) {
    let mut passed = 0;
    for at in LOOK_UPS {
        let before = table.count(Route::List);
        world.advance(Duration::from_secs(at - 1 - passed)).await;
        assert_eq!(table.count(Route::List), before, "looked too early, before {at} s");
        world.advance(Duration::from_secs(1 + SPREAD)).await;
        assert_eq!(table.count(Route::List), before + 1, "one look at {at} s");
        passed = at + SPREAD;
    }
}

/// Announces a recording of this call, without a job.
async fn announce(world: &World, call: CallSid) -> RecordingSid {
    let recording = world.twilio.add_recording(NewRecording::new(world.account(), World::speech()).of_call(call));
    let url = world.url("/api/twilio/recording");
    world.twilio.announce_status(&recording, &url, Word::Completed).await.expect("known");
    world.settle().await;
    recording
}

story! {
    async fn without_a_job_the_record_that_names_the_call_is_found(world: World, table: Table) {
        let first = world.call("").await;
        world.settle().await;
        let call = &first.call_sid;
        let decoys = [format!("x{call}"), format!("{call}0, CA1"), format!("{call}-old"), call.as_str().to_lowercase()];
        let decoys = decoys.map(|text| table.add_record(&[("Job ID", "DECOY"), ("Call SID", &text)]));
        let calls = format!("CA00000000000000000000000000000000\r\n{call}, CA11111111111111111111111111111111");
        let record = table.add_record(&[("Job ID", "JOB7"), ("Call SID", &calls)]);
        world.advance(Duration::from_secs(MINUTE + SPREAD)).await;

        assert_eq!(world.recording(&first.recording_sid).await.job.expect("found").as_str(), "JOB7");
        assert_eq!(table.lines_of(&record, &first), 1);
        assert!(decoys.iter().all(|decoy| table.history(decoy).is_empty()));
        table.end(world).await;
    }
}

story! {
    async fn a_record_that_names_the_parent_of_the_call_is_its_jobs(world: World, table: Table) {
        let (leg, parent) = (world.twilio.new_call_sid(), world.twilio.new_call_sid());
        world.twilio.add_call(Call {
            sid: leg.clone(),
            account: world.account(),
            parent: Some(parent.clone()),
            from: "+14155550100".to_owned(),
            to: "+14155550199".to_owned(),
            status: "completed".to_owned(),
            started: world.clock.now(),
            seconds: 10,
        });
        let record = table.add_record(&[("Call SID", parent.as_str())]);
        let recording = announce(&world, leg).await;
        // Where the record has no job of its own, its id is the job's.
        assert_eq!(world.recording(&recording).await.job.expect("found").as_str(), record);
        assert_eq!(table.history(&record).matches(recording.as_str()).count(), 1);
        table.end(world).await;
    }
}

story! {
    with ["TWILIO_DELETE_AFTER" = "1h"]
    async fn a_call_without_a_job_is_looked_up_for_seven_days_and_then_waits_for_a_put(world: World, table: Table) {
        let placed = world.call("").await;
        world.settle().await;
        assert_eq!(table.count(Route::List), 1);
        let step = find_job_step(&world, &placed).await;
        assert_eq!((step.state, step.code), (StepState::Waiting, Some(Code::JobNotFound)));
        let_every_look_up_pass(&world, &table).await;
        assert_eq!(parked(&find_job_step(&world, &placed).await), Some(Code::JobUnknown));
        let asked = table.asked();
        world.advance(Duration::from_secs(30 * DAY)).await;
        assert_eq!(table.asked(), asked, "parked is parked");
        assert!(world.twilio.deleted().is_empty());

        let record = table.job("LATE");
        let (status, body) = world.put(&format!("/api/v1/calls/{}", placed.call_sid), json!({"job_id": "LATE"})).await;
        assert_eq!(status, 200, "{body}");
        world.settle().await;
        assert_eq!(table.lines_of(&record, &placed), 1);
        assert_eq!(world.twilio.deleted(), [placed.recording_sid.clone()]);
        assert_eq!(find_job_step(&world, &placed).await.state, StepState::Cancelled);
        table.end(world).await;
    }
}

story! {
    async fn a_call_that_was_given_up_is_looked_up_again_by_retry(world: World, table: Table) {
        let placed = world.call("").await;
        world.settle().await;
        let_every_look_up_pass(&world, &table).await;
        let record = table.add_record(&[("Job ID", "J"), ("Call SID", placed.call_sid.as_str())]);
        let what = RetryWhat::Recording(placed.recording_sid.clone());
        assert_eq!(world.app().store.retry(what, world.clock.now()).await.expect("the store answers"), 1);
        world.settle().await;
        assert_eq!(table.lines_of(&record, &placed), 1);
        table.end(world).await;
    }
}

story! {
    async fn a_job_that_no_record_has_is_looked_up_for_seven_days_and_again_by_retry(world: World, table: Table) {
        let placed = world.call("?job=NEW").await;
        world.settle().await;
        assert_eq!((table.count(Route::List), link_step(&world, "NEW").await.code), (1, Some(Code::JobNotFound)));
        let_every_look_up_pass(&world, &table).await;
        assert_eq!(parked(&link_step(&world, "NEW").await), Some(Code::JobUnknown));
        let record = table.job("NEW");
        let what = RetryWhat::Recording(placed.recording_sid.clone());
        assert_eq!(world.app().store.retry(what, world.clock.now()).await.expect("the store answers"), 1);
        world.settle().await;
        assert_eq!(table.history(&record), line(&world, &placed), "with the time when it was owed");
        table.end(world).await;
    }
}

story! {
    async fn a_record_that_is_made_later_is_found_at_the_next_look_up(world: World, table: Table) {
        let by_job = world.call("?job=NEW").await;
        let by_call = world.call("").await;
        let by_id = world.call("?job=recABCDEFGHIJKLMN").await;
        world.settle().await;
        world.advance(Duration::from_secs(50 * MINUTE)).await;
        let jobs_record = table.job("NEW");
        let calls_record = table.add_record(&[("Job ID", "J"), ("Call SID", by_call.call_sid.as_str())]);
        world.settle().await;
        assert_eq!(table.lines_of(&jobs_record, &by_job), 0);
        world.advance(Duration::from_secs(HOUR)).await;
        assert_eq!(table.lines_of(&jobs_record, &by_job), 1);
        assert_eq!(table.lines_of(&calls_record, &by_call), 1);
        assert_eq!(link_step(&world, "recABCDEFGHIJKLMN").await.code, Some(Code::JobNotFound));
        assert_eq!(world.recording(&by_id.recording_sid).await.line, Some(LineState::Owed));
        assert_eq!(table.records().len(), 2);
        table.end(world).await;
    }
}

story! {
    async fn look_ups_of_ten_calls_are_one_request(world: World, table: Table) {
        let mut calls = Vec::new();
        for _ in 0..12 {
            calls.push(world.call("").await);
        }
        world.settle().await;
        let before = table.count(Route::List);
        world.advance(Duration::from_secs(MINUTE + SPREAD)).await;
        assert_eq!(table.count(Route::List), before + 2);
        let records: Vec<String> =
            calls.iter().map(|placed| table.add_record(&[("Call SID", placed.call_sid.as_str())])).collect();
        world.advance(Duration::from_secs(5 * MINUTE)).await;
        for (record, placed) in records.iter().zip(&calls) {
            assert_eq!(table.history(record).lines().count(), 1);
            assert_eq!(table.lines_of(record, placed), 1);
        }
        table.end(world).await;
    }
}

story! {
    async fn of_several_records_with_the_job_none_is_chosen(world: World, table: Table) {
        let (one, other) = (table.job("TWICE"), table.job("TWICE"));
        let placed = world.call("?job=TWICE").await;
        world.settle().await;
        assert_eq!(parked(&link_step(&world, "TWICE").await), Some(Code::JobAmbiguous));
        world.advance(Duration::from_secs(8 * DAY)).await;
        assert!(table.history(&one).is_empty() && table.history(&other).is_empty());
        assert_eq!(table.count(Route::List), 1, "parked is parked");
        table.delete_record(&other);
        world.app().store.retry(RetryWhat::Failed, world.clock.now()).await.expect("the store answers");
        world.settle().await;
        assert_eq!(table.history(&one), line(&world, &placed));
        table.end(world).await;
    }
}

story! {
    async fn of_several_records_that_name_the_call_none_is_chosen(world: World, table: Table) {
        let call = world.twilio.new_call_sid();
        let records = ["A", "B"].map(|job| table.add_record(&[("Job ID", job), ("Call SID", call.as_str())]));
        announce(&world, call.clone()).await;
        let step = world.step(StepName::FindJob, Subject::Call(call.clone())).await;
        assert_eq!(parked(&step), Some(Code::JobAmbiguous));
        assert!(records.iter().all(|record| table.history(record).is_empty()));
        world.put(&format!("/api/v1/calls/{call}"), json!({"job_id": "B"})).await;
        world.settle().await;
        assert_eq!(records.map(|record| table.history(&record).lines().count()), [0, 1]);
        table.end(world).await;
    }
}

story! {
    async fn a_job_with_a_hostile_name_is_found_as_itself_and_nothing_else(world: World, table: Table) {
        let jobs = [
            "x'x", "x\"x", "x\\", "x\\'", "{Job ID}", "x}&''='y", "line\nbreak", "line\r\nbreak", "tab\tbed",
            "',TRUE(),'", "'&{job_history}&'", "')=1,OR(1=1,FIND('x", "=1+1", "RECORD_ID()", "100%", "ö 🎧", "a,b;c",
            "recABC", "0", "../../etc/passwd", "<script>", "NOT({Job ID}='')",
        ];
        let bystander = table.job("BYSTANDER");
        let records: Vec<String> = jobs.iter().map(|job| table.job(job)).collect();
        let mut calls = Vec::new();
        for job in jobs {
            calls.push(world.call(&query(job)).await);
        }
        world.settle().await;
        for ((record, placed), job) in records.iter().zip(&calls).zip(jobs) {
            assert_eq!(table.history(record), line(&world, placed), "{job:?}");
            assert_eq!(table.cell(record, "Job ID"), job);
        }
        assert_eq!(table.history(&bystander), "");
        table.end(world).await;
    }
}

story! {
    async fn a_mistyped_job_is_corrected_by_put_as_long_as_no_record_has_it(world: World, table: Table) {
        let record = table.job("JOB456");
        let placed = world.call("?job=J0B456").await;
        world.settle().await;
        let (status, body) = world.put(&format!("/api/v1/calls/{}", placed.call_sid), json!({"job_id": "JOB456"})).await;
        assert_eq!(status, 200, "{body}");
        world.settle().await;
        assert_eq!(table.history(&record).lines().count(), 1);
        world.advance(Duration::from_secs(8 * 24 * 3600)).await;
        let queue = world.app().store.queue().await.expect("the store answers");
        assert_eq!(queue, [], "nothing looks for the mistyped job any more");
        world.end().await;
    }
}

story! {
    async fn a_provider_that_does_not_tell_the_parent_keeps_nobody_from_being_found(world: World, table: Table) {
        let mut world = world;
        // Longer than a story may last.
        world.patience.read_timeout = Duration::from_secs(HOUR);
        world.restart().await;
        world.twilio.faults().always(TwilioRoute::Call, Fault::Hang);
        let placed = world.call("").await;
        let record = table.add_record(&[("Job ID", "JOB7"), ("Call SID", placed.call_sid.as_str())]);
        world.settle().await;
        world.advance(Duration::from_secs(MINUTE + SPREAD)).await;
        assert_eq!(table.lines_of(&record, &placed), 1);
        world.twilio.faults().lift();
        table.end(world).await;
    }
}

story! {
    async fn a_job_that_several_records_have_is_corrected_by_put_and_nobody_is_called_for_it(world: World, table: Table) {
        table.job("TWICE");
        table.job("TWICE");
        let good = table.job("GOOD");
        let placed = world.call("?job=TWICE").await;
        world.settle().await;
        assert_eq!(parked(&link_step(&world, "TWICE").await), Some(Code::JobAmbiguous));
        let (status, _) = world.put(&format!("/api/v1/calls/{}", placed.call_sid), json!({"job_id": "GOOD"})).await;
        assert_eq!(status, 200);
        world.settle().await;
        assert_eq!(table.lines_of(&good, &placed), 1);
        assert_eq!(link_step(&world, "TWICE").await.state, StepState::Cancelled);
        table.end(world).await;
    }
}

story! {
    async fn the_metrics_tell_steps_of_one_lane_apart(world: World, table: Table) {
        world.call("?job=UNKNOWN").await;
        world.call("").await;
        world.settle().await;
        let token = world.token(Role::Listener).await;
        let answer = world.http.get(world.url("/metrics")).bearer_auth(token).send().await.expect("an answer");
        let text = answer.text().await.expect("text");
        let series: Vec<&str> = text.lines().filter_map(|line| Some(line.rsplit_once(' ')?.0)).collect();
        let series: Vec<&str> = series.into_iter().filter(|name| !name.starts_with('#')).collect();
        let different: std::collections::BTreeSet<&str> = series.iter().copied().collect();
        assert_eq!(different.len(), series.len(), "a series is there twice: {text}");
        for step in ["find-job", "link"] {
            assert!(text.contains(&format!("lane=\"records\",step=\"{step}\",state=\"waiting\",code=\"job_not_found\"}} 1")), "{text}");
        }
        table.end(world).await;
    }
}
