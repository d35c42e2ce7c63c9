//! The link step: a job's outstanding history lines are written and read back.
//!
//! Guarantee: each line stands in the job's history exactly once, after what stood there before, byte for byte
//! (invariant 4). A line counts as confirmed only once it was read back. Steps come in batches of up to ten, and one batch
//! at a time runs over all nodes, so no two writers of ours meet in one record.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use callspool_clients::records::{Found, Pace, RecordId, Row, Write, Written};
use callspool_domain::failure::Code;
use callspool_domain::line::{Event, Line, Said, append, no_recording_reason};
use callspool_domain::step::no_match;
use callspool_domain::{JobId, StepFailure, Subject};
use callspool_store::{Claimed, Lease, OwedLine};
use futures::future::join_all;

use super::{Stop, fenced, report};
use crate::lifecycle::{App, metrics};
use crate::links;
use crate::records::{AirtableRecords, JobRecords, ReadThenWrite};

/// How many records Airtable takes in one request
/// (<https://airtable.com/developers/web/api/update-multiple-records>).
pub(super) const BATCH: u32 = 10;

/// What was read longer ago is not written back: a person may have typed meanwhile.
const FRESH: Duration = Duration::from_secs(1);

/// One step of the batch and what is to be written for it.
struct Task<'a> {
    step: &'a Claimed,
    job: JobId,
    owed: Vec<OwedLine>,
    /// The lines that are owed, as they are written by this attempt.
    lines: Vec<Line>,
}

impl Task<'_> {
    /// The URL field's new value: the last line's that brings one.
    fn url_field(&self) -> Option<&str> {
        url_field(&self.lines)
    }
}

fn url_field(lines: &[Line]) -> Option<&str> {
    lines.iter().rev().find_map(Line::url_field)
}

/// Runs a batch; one result a step, in their order.
pub(super) async fn run_batch(app: &App, steps: &[Claimed]) -> Vec<Result<(), Stop>> {
    let tasks = match tasks(app, steps).await {
        Ok(tasks) => tasks,
        Err(failure) => return steps.iter().map(|_| Err(Stop::Failed(failure.clone()))).collect(),
    };
    let mut ended: BTreeMap<&str, Result<(), Stop>> = BTreeMap::new();
    let mut ready = Vec::with_capacity(tasks.len());
    for mut task in tasks {
        let step = task.step.lease.step.as_str();
        match lines(app, &task.owed).await {
            // A job may be owed nothing any more: its call was tied to another one before anything was written.
            Ok(lines) if lines.is_empty() => {
                ended.insert(step, confirm(app, &task, "", None).await);
            }
            Ok(lines) => {
                task.lines = lines;
                ready.push(task);
            }
            Err(failure) => {
                ended.insert(step, Err(failure.into()));
            }
        }
    }
    let tasks = ready;
    let results = match &app.records {
        JobRecords::BuiltIn => link_built_in(app, &tasks).await,
        JobRecords::Airtable(airtable) => link_airtable(app, airtable, &tasks).await,
    };
    ended.extend(tasks.iter().map(|task| task.step.lease.step.as_str()).zip(results));
    steps.iter().map(|step| ended.remove(step.lease.step.as_str()).unwrap_or(Err(Stop::LeaseLost))).collect()
}

async fn tasks<'a>(app: &App, steps: &'a [Claimed]) -> Result<Vec<Task<'a>>, StepFailure> {
    let mut tasks = Vec::with_capacity(steps.len());
    for step in steps {
        let Subject::Job(job) = &step.subject else {
            return Err(StepFailure::new(
                Code::StepPanicked,
                format!("link can't work on {}; this is a bug", step.subject),
            ));
        };
        tasks.push(Task { step, job: job.clone(), owed: Vec::new(), lines: Vec::new() });
    }
    let jobs: Vec<JobId> = tasks.iter().map(|task| task.job.clone()).collect();
    let owed = app.store.owed_lines(&jobs).await;
    for line in owed.map_err(|error| StepFailure::new(Code::StoreUnavailable, error.to_string()))? {
        if let Some(task) = tasks.iter_mut().find(|task| task.job == line.job) {
            task.owed.push(line);
        }
    }
    Ok(tasks)
}

/// What is owed, in words. A URL is made anew for each attempt: a signed one lives from now.
async fn lines(app: &App, owed: &[OwedLine]) -> Result<Vec<Line>, StepFailure> {
    let mut lines = Vec::with_capacity(owed.len());
    for owed in owed {
        let url = async || links::for_record(app, &owed.recording).await;
        if owed.event == Event::Pending {
            report::fallback(owed);
        }
        let said = match owed.event {
            Event::Recording => Said::Recording { url: url().await? },
            Event::Pending => Said::Pending { url: url().await? },
            Event::LinkRenewed => Said::LinkRenewed { url: url().await? },
            Event::Moved => {
                // Every such line has it; one without would say that the call is where it is.
                let to = owed.moved_to.clone().unwrap_or_else(|| owed.job.clone());
                Said::Moved { url: url().await?, to }
            }
            Event::NoRecording => {
                Said::NoRecording { reason: no_recording_reason(owed.status, owed.reason.as_deref(), owed.error_code) }
            }
        };
        let (recording, at, source) = (owed.recording.clone(), owed.at, owed.source.clone());
        lines.push(Line { recording, at, source, said });
    }
    Ok(lines)
}

/// All at once, so that they share the ledger's commits.
async fn link_built_in(app: &App, tasks: &[Task<'_>]) -> Vec<Result<(), Stop>> {
    join_all(tasks.iter().map(|task| link_one_built_in(app, task))).await
}

async fn link_one_built_in(app: &App, task: &Task<'_>) -> Result<(), Stop> {
    let (lease, now) = (&task.step.lease, app.clock.now());
    fenced(app.store.finish_linked_here(lease, &task.job, &task.lines, task.url_field(), now).await?)?;
    report(app, task, None).await;
    Ok(())
}

/// Two requests for up to ten records, one list and one patch, and one list more for the reading back. Where one of several
/// refuses, each half is read and written again, until the culprit stands alone.
async fn link_airtable(app: &App, airtable: &AirtableRecords, tasks: &[Task<'_>]) -> Vec<Result<(), Stop>> {
    let results = match link_together(app, airtable, tasks).await {
        Ok(Some(results)) => results,
        Ok(None) => {
            let (first, second) = tasks.split_at(tasks.len() / 2);
            let mut results = Box::pin(link_airtable(app, airtable, first)).await;
            results.extend(Box::pin(link_airtable(app, airtable, second)).await);
            return results;
        }
        Err(failure) => {
            tracing::warn!(
                code = failure.code.as_str(),
                detail = failure.detail,
                jobs = tasks.len(),
                "airtable_update_error"
            );
            return tasks.iter().map(|_| Err(Stop::Failed(failure.clone()))).collect();
        }
    };
    for (task, result) in tasks.iter().zip(&results) {
        if let Err(Stop::Failed(failure)) = result {
            tracing::warn!(
                job_id = task.job.as_str(),
                code = failure.code.as_str(),
                detail = failure.detail,
                "airtable_update_error"
            );
        }
    }
    results
}

/// One result a task; `None` where one of several records refused, and so none was written.
async fn link_together(
    app: &App,
    airtable: &AirtableRecords,
    tasks: &[Task<'_>],
) -> Result<Option<Vec<Result<(), Stop>>>, StepFailure> {
    let turns = airtable.read_then_write().await?;
    let rows = find_rows(airtable, tasks, app, &turns).await?;
    let writes = writes(tasks, &rows);
    let mut failures: BTreeMap<RecordId, StepFailure> = BTreeMap::new();
    if !writes.is_empty() {
        let leases = tasks.iter().map(|task| &task.step.lease).collect();
        match airtable.write(&writes, &Fence { app, leases, turns: &turns }).await {
            Ok(Written::Each(each)) => {
                failures.extend(each.into_iter().filter_map(|(id, result)| Some((id, result.err()?))));
            }
            Ok(Written::NoneOfThem) => return Ok(None),
            Err(failure) => failures.extend(writes.into_iter().map(|write| (write.record, failure.clone()))),
        }
    }
    let written: BTreeSet<RecordId> =
        rows.iter().flatten().map(|row| row.id.clone()).filter(|id| !failures.contains_key(id)).collect();
    let written: Vec<RecordId> = written.into_iter().collect();
    let histories: BTreeMap<RecordId, String> = match airtable.read(&written).await {
        Ok(rows) => rows.into_iter().filter_map(|(id, row)| Some((id, row?.history))).collect(),
        Err(failure) => {
            failures.extend(written.into_iter().map(|id| (id, failure.clone())));
            BTreeMap::new()
        }
    };
    let mut results = Vec::with_capacity(tasks.len());
    for (task, row) in tasks.iter().zip(&rows) {
        results.push(match row {
            Err(failure) => Err(failure.clone().into()),
            Ok(row) => match failures.get(&row.id) {
                Some(failure) => Err(failure.clone().into()),
                None => {
                    confirm(app, task, histories.get(&row.id).map_or("", String::as_str), Some(row.id.as_str())).await
                }
            },
        });
    }
    Ok(Some(results))
}

/// Stands before a write, which replaces the whole cell and can't be taken back: it goes out only under leases that outlast
/// it, and only soon after the read it rests on. Whoever was stopped in between (a frozen machine) has to read again.
struct Fence<'a> {
    app: &'a App,
    leases: Vec<&'a Lease>,
    turns: &'a ReadThenWrite<'a>,
}

impl Pace for Fence<'_> {
    async fn slot(&self) -> Result<(), StepFailure> {
        self.turns.slot().await?;
        let now = self.app.clock.now();
        let kept = join_all(self.leases.iter().map(|lease| self.app.store.extend(lease, now))).await;
        let kept: callspool_store::Result<Vec<bool>> = kept.into_iter().collect();
        let kept = kept.map_err(|error| StepFailure::new(Code::StoreUnavailable, error.to_string()))?;
        let age = self.turns.age();
        if kept.contains(&false) || age > FRESH {
            let detail = format!("the histories were read {} ms ago, too long to write them now", age.as_millis());
            return Err(StepFailure::new(Code::RecordsStale, detail));
        }
        Ok(())
    }
}

/// The record of each task, in their order; the batch fails as a whole only where the service does.
async fn find_rows(
    airtable: &AirtableRecords,
    tasks: &[Task<'_>],
    app: &App,
    pace: &impl Pace,
) -> Result<Vec<Result<Row, StepFailure>>, StepFailure> {
    let jobs: Vec<JobId> = tasks.iter().map(|task| task.job.clone()).collect();
    let mut found: BTreeMap<JobId, Found<Row>> = airtable.find_by_jobs(&jobs, pace).await?.into_iter().collect();
    let now = app.clock.now();
    let rows = tasks.iter().map(|task| match found.remove(&task.job) {
        Some(Found::One(row)) => Ok(row),
        Some(Found::Many(n)) => Err(StepFailure::new(
            Code::JobAmbiguous,
            format!("{n} records have the job {}; make it unique, then callspool retry", task.job),
        )),
        Some(Found::None) | None => {
            let detail = format!("no record has the job {}; it is looked up again", task.job);
            Err(no_match(detail, task.step.first_miss_at.unwrap_or(now), now))
        }
    });
    Ok(rows.collect())
}

/// What is missing in the records that were found.
fn writes(tasks: &[Task<'_>], rows: &[Result<Row, StepFailure>]) -> Vec<Write> {
    // Two job ids can name one record (its id and its job column): their lines are merged into one write.
    let mut lines: BTreeMap<&RecordId, (&Row, Vec<Line>)> = BTreeMap::new();
    for (task, row) in tasks.iter().zip(rows) {
        if let Ok(row) = row {
            lines.entry(&row.id).or_insert_with(|| (row, Vec::new())).1.extend(task.lines.clone());
        }
    }
    let writes = lines.into_values().filter_map(|(row, lines)| {
        let history = append(&row.history, &lines)?;
        Some(Write { record: row.id.clone(), history, url: url_field(&lines).map(str::to_owned) })
    });
    writes.collect()
}

/// Closes the step if every line stands in the history that was read back.
async fn confirm(app: &App, task: &Task<'_>, history: &str, record_id: Option<&str>) -> Result<(), Stop> {
    if let Some(line) = task.lines.iter().find(|line| !line.is_in(history)) {
        let detail = format!(
            "the line of {} is not in the history of {} when read back; it is written again",
            line.recording, task.job
        );
        return Err(StepFailure::new(Code::HistoryLineMissing, detail).into());
    }
    let (lease, now) = (&task.step.lease, app.clock.now());
    fenced(app.store.finish_linked(lease, &task.job, &task.lines, record_id, now).await?)?;
    report(app, task, record_id).await;
    Ok(())
}

/// Tells that every line of a task stands in its job's history.
async fn report(app: &App, task: &Task<'_>, record_id: Option<&str>) {
    for owed in &task.owed {
        report::line_confirmed(owed, record_id);
        match owed.event {
            Event::Recording => metrics::linked(owed.finished_at.map(|finished| app.clock.now().since(finished))),
            Event::Pending => metrics::fell_back(),
            Event::NoRecording | Event::Moved | Event::LinkRenewed => continue,
        }
        report::release_plans(app, &owed.recording).await;
    }
}
