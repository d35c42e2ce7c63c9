//! What the provider has said about a recording so far, and how another word of it is taken.

use callspool_domain::recording::{Announcement, EncryptionDetails, ProviderStatus, Status, Track};
use callspool_domain::{AccountSid, CallSid, RecordingSid, Timestamp};

use serde_json::json;

use crate::Result;
use crate::db::{Json, Tx, params, statements};

statements! {
    KNOWN: "recordings" = "SELECT recording_sid, account_sid, call_sid, status, reason, provider_status, provider_source, \
        track, duration_seconds, channels, error_code, encrypted, started_at, announced_at, encryption \
        FROM recordings WHERE recording_sid = $1";
    INSERT: "recordings" = "INSERT INTO recordings (recording_sid, account_sid, call_sid, status, reason, provider_status, \
        provider_source, track, duration_seconds, channels, error_code, encrypted, started_at, announced_at, \
        encryption) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT (recording_sid) DO NOTHING";
    UPDATE: "recordings" = "UPDATE recordings SET status = $2, reason = $3, provider_status = $4, provider_source = $5, \
        duration_seconds = $6, channels = $7, error_code = $8, encrypted = $9, started_at = $10, \
        encryption = $11 \
        WHERE recording_sid = $1";
}

/// A recording's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) account: AccountSid,
    pub(crate) call: CallSid,
    pub(crate) status: Status,
    pub(crate) reason: Option<String>,
    pub(crate) provider_status: ProviderStatus,
    pub(crate) provider_source: Option<String>,
    pub(crate) track: Track,
    pub(crate) duration_seconds: Option<u64>,
    pub(crate) channels: Option<u16>,
    pub(crate) error_code: Option<i64>,
    pub(crate) encrypted: bool,
    pub(crate) encryption: Option<EncryptionDetails>,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) announced_at: Timestamp,
}

impl Facts {
    /// What the first word about a recording makes of it.
    pub(crate) fn first(said: &Announcement, call: CallSid, now: Timestamp) -> Self {
        let settled = said.status.settles();
        Self {
            account: said.account.clone(),
            call,
            status: settled.unwrap_or(Status::Announced),
            reason: settled.map(|_| reason(&said.status, said.error_code)),
            provider_status: said.status.clone(),
            provider_source: said.provider_source.clone(),
            track: said.track,
            duration_seconds: said.duration_seconds,
            channels: said.channels,
            error_code: said.error_code,
            encrypted: said.encrypted,
            encryption: said.encryption.clone(),
            started_at: said.started_at,
            announced_at: now,
        }
    }

    /// What another word makes of it. The more final word's facts stand; the other's fill in what is empty.
    pub(crate) fn with(self, said: &Announcement, call: CallSid) -> Self {
        let further = said.status.finality() > self.provider_status.finality();
        let mut facts = Self {
            call,
            provider_source: self.provider_source.or_else(|| said.provider_source.clone()),
            duration_seconds: prefer(further, said.duration_seconds, self.duration_seconds),
            channels: prefer(further, said.channels, self.channels),
            error_code: prefer(further, said.error_code, self.error_code),
            encrypted: self.encrypted || said.encrypted,
            encryption: self.encryption.or_else(|| said.encryption.clone()),
            started_at: self.started_at.or(said.started_at),
            ..self
        };
        if further {
            facts.settle(&said.status);
            facts.provider_status = said.status.clone();
        }
        facts
    }

    /// A recording that we have nothing of yet stands where the provider's new word puts it; one that the old word had
    /// settled wrongly is to be fetched after all.
    fn settle(&mut self, word: &ProviderStatus) {
        let settled_by_word = self.provider_status.settles() == Some(self.status);
        if self.status == Status::Announced || settled_by_word {
            let settled = word.settles();
            self.status = settled.unwrap_or(Status::Announced);
            self.reason = settled.map(|_| reason(word, self.error_code));
        }
    }
}

fn prefer<T>(new_first: bool, new: Option<T>, old: Option<T>) -> Option<T> {
    if new_first { new.or(old) } else { old.or(new) }
}

/// `absent (16101)`: the provider's word, and its error code where it gave one.
fn reason(word: &ProviderStatus, error_code: Option<i64>) -> String {
    match error_code {
        Some(code) => format!("{} ({code})", word.as_str()),
        None => word.as_str().to_owned(),
    }
}

pub(crate) async fn known(tx: &Tx<'_>, recording: &RecordingSid) -> Result<Option<Facts>> {
    tx.optional(&KNOWN, params![recording], |row| {
        Ok(Facts {
            account: row.get(1)?,
            call: row.get(2)?,
            status: row.get(3)?,
            reason: row.get(4)?,
            provider_status: row.get(5)?,
            provider_source: row.get(6)?,
            track: row.get(7)?,
            duration_seconds: row.get(8)?,
            channels: row.get(9)?,
            error_code: row.get(10)?,
            encrypted: row.get(11)?,
            started_at: row.get(12)?,
            announced_at: row.get(13)?,
            encryption: row.get::<Option<Json<EncryptionDetails>>>(14)?.map(|Json(details)| details),
        })
    })
    .await
}

/// As they stand in the ledger.
pub(crate) fn stored_encryption(details: &EncryptionDetails) -> String {
    json!(details).to_string()
}

/// False where somebody else was quicker.
pub(crate) async fn insert(tx: &Tx<'_>, recording: &RecordingSid, facts: &Facts) -> Result<bool> {
    let values = params![
        recording,
        &facts.account,
        &facts.call,
        facts.status,
        facts.reason.as_ref(),
        &facts.provider_status,
        facts.provider_source.as_ref(),
        facts.track,
        facts.duration_seconds,
        facts.channels,
        facts.error_code,
        facts.encrypted,
        facts.started_at,
        facts.announced_at,
        facts.encryption.as_ref().map(stored_encryption),
    ];
    Ok(tx.execute(&INSERT, values).await? == 1)
}

/// Writes what another word may have changed; the call is changed by moving.
pub(crate) async fn update(tx: &Tx<'_>, recording: &RecordingSid, facts: &Facts) -> Result<()> {
    let values = params![
        recording,
        facts.status,
        facts.reason.as_ref(),
        &facts.provider_status,
        facts.provider_source.as_ref(),
        facts.duration_seconds,
        facts.channels,
        facts.error_code,
        facts.encrypted,
        facts.started_at,
        facts.encryption.as_ref().map(stored_encryption),
    ];
    tx.execute(&UPDATE, values).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef";

    fn said(word: &str) -> Announcement {
        Announcement {
            recording: RecordingSid::parse(&format!("RE{HEX}")).expect("sid"),
            account: AccountSid::parse(&format!("AC{HEX}")).expect("sid"),
            call: CallSid::parse(&format!("CA{HEX}")).expect("sid"),
            status: ProviderStatus::new(word),
            provider_source: None,
            track: Track::Mixed,
            duration_seconds: None,
            channels: None,
            started_at: None,
            error_code: None,
            encrypted: false,
            encryption: None,
        }
    }

    /// Where a recording stands after these words, in this order.
    fn after(words: &[&str]) -> (Status, String) {
        let first = Facts::first(&said(words[0]), said(words[0]).call, Timestamp::from_micros(0));
        let facts = words[1..].iter().fold(first, |facts, word| facts.with(&said(word), said(word).call));
        (facts.status, facts.provider_status.as_str().to_owned())
    }

    #[test]
    fn the_order_of_words_makes_no_difference() {
        let completed = (Status::Announced, "completed".to_owned());
        assert_eq!(after(&["in-progress", "completed"]), completed);
        assert_eq!(after(&["completed", "in-progress"]), completed);
        assert_eq!(after(&["completed", "never-heard-of"]), completed);
        assert_eq!(after(&["absent", "completed"]), completed);
        assert_eq!(after(&["completed", "absent"]), completed);
        assert_eq!(after(&["in-progress", "absent"]), (Status::Absent, "absent".to_owned()));
        assert_eq!(after(&["failed", "in-progress"]), (Status::Failed, "failed".to_owned()));
    }

    #[test]
    fn a_recording_of_ours_is_not_unsettled_by_a_word() {
        let mut facts = Facts::first(&said("in-progress"), said("x").call, Timestamp::from_micros(0));
        facts.status = Status::Archived;
        assert_eq!(facts.with(&said("deleted"), said("x").call).status, Status::Archived);
    }

    #[test]
    fn what_was_empty_is_filled_and_the_more_final_word_wins() {
        let with_duration = |word, seconds| Announcement { duration_seconds: Some(seconds), ..said(word) };
        let first = Facts::first(&said("in-progress"), said("x").call, Timestamp::from_micros(0));
        let completed = first.with(&with_duration("completed", 12), said("x").call);
        assert_eq!(completed.duration_seconds, Some(12));
        let later = completed.with(&with_duration("in-progress", 3), said("x").call);
        assert_eq!(later.duration_seconds, Some(12));
    }
}
