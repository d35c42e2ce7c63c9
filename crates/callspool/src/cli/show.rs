//! `callspool show RE…`: everything known about one recording, and why it would or would not be released.

use callspool_domain::gate;
use callspool_domain::{RecordingSid, Timestamp};
use callspool_store::{EventRow, RecordingRow, StepRow};
use serde_json::json;

use super::{Failure, Outcome, SharedApp, say, say_json, work};
use crate::lifecycle::App;

/// The most events shown.
const EVENTS: u32 = 50;

/// Which recording.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The recording.
    #[arg(value_name = "RE…")]
    recording: RecordingSid,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(app: &SharedApp, args: &Args) -> Result<Outcome, Failure> {
    let sid = &args.recording;
    let Some(row) = app.store.recording(sid).await? else {
        say(&format!("{sid} is not known; callspool process {sid} asks the provider for it"));
        return Ok(Outcome::Findings);
    };
    let steps = work::steps(app, sid).await?;
    let events = app.store.recording_events(sid, EVENTS).await?;
    let kept = kept_because(app, &row).await?;
    if args.json {
        say_json(&as_json(&row, &steps, &events, &kept));
    } else {
        print(&row, &steps, &events, &kept);
    }
    app.store.clone().close().await;
    Ok(Outcome::Done)
}

/// Every reason why the provider's copy is not released now.
async fn kept_because(app: &App, row: &RecordingRow) -> Result<Vec<String>, Failure> {
    let Some(view) = app.store.release_view(&row.sid).await? else {
        return Ok(vec![gate::without_audio(row.status).to_string()]);
    };
    let reasons = gate::closed(&view.call, &view.recording, app.store.policy(), app.clock.now());
    Ok(reasons.iter().map(ToString::to_string).collect())
}

fn print(row: &RecordingRow, steps: &[StepRow], events: &[EventRow], kept: &[String]) {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    say(&format!("recording   {} ({})", row.sid, row.track));
    say(&format!("call        {} of {}", row.call, row.account));
    say(&format!("job         {}", or_dash(row.job.as_ref().map(ToString::to_string))));
    say(&format!(
        "status      {}{}",
        row.status,
        row.reason.as_ref().map(|why| format!(" ({why})")).unwrap_or_default()
    ));
    let source = row.provider_source.as_ref().map(|source| format!(", made by {source}")).unwrap_or_default();
    say(&format!("provider    {}{source}", row.provider_status.as_str()));
    say(&format!("announced   {}", row.announced_at));
    if let Some(sealed) = &row.sealed {
        let verified = sealed.verified_at.map_or_else(|| "not verified yet".to_owned(), |at| format!("verified {at}"));
        say(&format!("sealed      {} ({verified})", sealed.object_key));
        if let (Some(bytes), Some(sha256)) = (sealed.bytes, &sealed.sha256) {
            say(&format!("            {bytes} bytes, SHA-256 {sha256}"));
        }
    }
    if let Some(encryption) = &row.encryption {
        let (key, iv) = (&encryption.public_key_sid, encryption.iv.as_str());
        say(&format!("encryption  {key}, iv {iv}, encrypted_cek {}", encryption.encrypted_cek.as_str()));
    }
    if let Some(archive) = &row.archive {
        let verified = archive.verified_at.map_or_else(|| "not verified yet".to_owned(), |at| format!("verified {at}"));
        say(&format!("archive     {} ({verified})", archive.object_key));
        if let (Some(bytes), Some(sha256)) = (archive.bytes, &archive.sha256) {
            say(&format!("            {bytes} bytes, SHA-256 {sha256}"));
        }
        if let Some(audio) = &archive.audio {
            let (seconds, channels) = (audio.duration_ms as f64 / 1000.0, audio.channels.len());
            say(&format!("audio       {seconds:.3} s, {channels} channel(s), {} Hz", audio.sample_rate));
        }
        for finding in &archive.findings {
            let accepted = archive.accepted_at.map(|at| format!(", accepted {at}")).unwrap_or_default();
            say(&format!("doubtful    {}{accepted}", finding.as_str()));
        }
    }
    say(&format!("history     {}", row.line.map_or("no line", |line| line.as_str())));
    match row.provider_gone_at {
        Some(at) => say(&format!("released    {at}")),
        None if kept.is_empty() => say("release     the gate is open"),
        None => kept.iter().for_each(|reason| say(&format!("kept        {reason}"))),
    }
    for step in steps {
        let trouble =
            step.code.map(|code| format!(", {} failure(s), {code}: {}", step.failures, or_dash(step.detail.clone())));
        let due = format!("due {}", step.due_at);
        say(&format!(
            "step        {} on {}: {}, {due}{}",
            step.name,
            step.subject,
            step.state,
            trouble.unwrap_or_default()
        ));
    }
    for event in events {
        let data = if event.data.is_null() { String::new() } else { format!("  {}", event.data) };
        say(&format!("event       {}  {}{data}", event.at, event.kind));
    }
}

fn as_json(row: &RecordingRow, steps: &[StepRow], events: &[EventRow], kept: &[String]) -> serde_json::Value {
    let at = |time: Timestamp| time.rfc3339();
    let steps: Vec<serde_json::Value> = steps.iter().map(|step| {
        json!({
            "step": step.name, "subject": step.subject.to_string(), "state": step.state, "due_at": at(step.due_at),
            "attempt": step.attempt, "failures": step.failures, "code": step.code.map(|code| code.as_str()), "detail": step.detail,
        })
    }).collect();
    let events: Vec<serde_json::Value> = events.iter().map(|event| {
        json!({"seq": event.seq, "at": at(event.at), "kind": event.kind, "actor": event.actor, "data": event.data})
    }).collect();
    let archive = row.archive.as_ref().map(|archive| {
        json!({
            "state": archive.state, "key": archive.object_key, "bytes": archive.bytes, "sha256": archive.sha256,
            "verified_at": archive.verified_at.map(at), "findings": archive.findings, "accepted_at": archive.accepted_at.map(at),
            "audio": archive.audio,
        })
    });
    let sealed = row.sealed.as_ref().map(|sealed| {
        json!({
            "state": sealed.state, "key": sealed.object_key, "bytes": sealed.bytes, "sha256": sealed.sha256,
            "verified_at": sealed.verified_at.map(at),
        })
    });
    json!({
        "recording_sid": row.sid, "call_sid": row.call, "job_id": row.job, "account_sid": row.account, "track": row.track,
        "source": row.source, "status": row.status, "reason": row.reason, "provider_status": row.provider_status.as_str(),
        "provider_source": row.provider_source, "announced_at": at(row.announced_at), "archive": archive, "sealed": sealed, "encryption": row.encryption, "line": row.line,
        "provider_gone_at": row.provider_gone_at.map(at), "kept_because": kept, "steps": steps, "events": events,
    })
}
