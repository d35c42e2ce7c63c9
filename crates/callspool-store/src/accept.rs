//! A person's word that a doubtful recording is good after all.

use callspool_domain::audio::Finding;
use callspool_domain::recording::CopyState;
use callspool_domain::{Policy, RecordingSid, Timestamp};
use serde_json::json;

use crate::db::{Json, Row, Tx, params, statements};
use crate::events::{self, NewEvent, kind};
use crate::planning::replan;
use crate::{Result, Store, calls};

statements! {
    COPY: "copies" = "SELECT state, findings, accepted_at FROM copies WHERE recording_sid = $1 AND place = 'archive'";
    ACCEPT: "copies" = "UPDATE copies SET accepted_at = $2 WHERE recording_sid = $1 AND place = 'archive'";
}

/// What became of an acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It counts as good from now on (or did already).
    Accepted,
    /// Its audio is not doubtful.
    NotDoubtful,
    /// It is not archived, or not known at all.
    NotArchived,
}

impl Store {
    /// Accepts a doubtful recording, so that it may be released.
    pub async fn accept(
        &self,
        recording: &RecordingSid,
        reason: &str,
        actor: &str,
        now: Timestamp,
    ) -> Result<Accepted> {
        let args = (recording.clone(), reason.to_owned(), actor.to_owned(), self.shared_policy(), now);
        self.write(args, |tx, (recording, reason, actor, policy, now)| {
            Box::pin(accept(tx, recording, reason, actor, policy, *now))
        })
        .await
    }
}

/// An archive copy, as far as its audio has been judged.
struct Judged {
    state: CopyState,
    doubtful: bool,
    accepted: bool,
}

fn read_judged(row: &Row<'_>) -> Result<Judged> {
    let findings: Option<Json<Vec<Finding>>> = row.get(1)?;
    let accepted_at: Option<Timestamp> = row.get(2)?;
    let doubtful = findings.is_some_and(|Json(findings)| !findings.is_empty());
    Ok(Judged { state: row.get(0)?, doubtful, accepted: accepted_at.is_some() })
}

async fn accept(
    tx: &Tx<'_>,
    recording: &RecordingSid,
    reason: &str,
    actor: &str,
    policy: &Policy,
    now: Timestamp,
) -> Result<Accepted> {
    let Some(call) = calls::lock_of(tx, recording).await? else { return Ok(Accepted::NotArchived) };
    match tx.optional(&COPY, params![recording], read_judged).await? {
        Some(Judged { state: CopyState::Verified, doubtful: false, .. }) => return Ok(Accepted::NotDoubtful),
        Some(Judged { state: CopyState::Verified, accepted: true, .. }) => return Ok(Accepted::Accepted),
        Some(Judged { state: CopyState::Verified, .. }) => {}
        _ => return Ok(Accepted::NotArchived),
    }
    tx.execute(&ACCEPT, params![recording, now]).await?;
    let event = NewEvent {
        kind: kind::ACCEPTED,
        recording: Some(recording.clone()),
        call: Some(call.clone()),
        actor: Some(actor.to_owned()),
        data: json!({ "reason": reason }),
        ..NewEvent::default()
    };
    events::add(tx, &event, now).await?;
    replan(tx, policy, &call, now).await?;
    Ok(Accepted::Accepted)
}
