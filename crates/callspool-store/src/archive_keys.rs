//! Archive keys: allocated once under a unique index, before the first byte.

use callspool_domain::recording::{CopyState, Place};
use callspool_domain::{RecordingSid, Timestamp};

use crate::db::{Tx, params, statements};
use crate::{Error, Result, Store, calls};

statements! {
    KEY: "copies" = "SELECT object_key FROM copies WHERE recording_sid = $1 AND place = $2";
    ALLOCATE: "copies" = "INSERT INTO copies (recording_sid, place, state, object_key, created_at) \
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    IS_TAKEN: "copies" = "SELECT 1 FROM copies WHERE object_key = $1";
    NOTE_WRITTEN: "copies" = "UPDATE copies SET state = 'present' \
        WHERE recording_sid = $1 AND object_key = $2 AND state = 'allocated'";
    REPLACE: "copies" = "UPDATE copies SET object_key = $3 \
        WHERE recording_sid = $1 AND place = $4 AND object_key = $2 AND state = 'allocated'";
}

impl Store {
    /// The key of a recording's copy in the archive, as audio or sealed: the one allocated before, else the first free one
    /// of `candidates`, now allocated.
    pub async fn allocate_key(
        &self,
        recording: &RecordingSid,
        place: Place,
        candidates: Vec<String>,
        now: Timestamp,
    ) -> Result<String> {
        self.write((recording.clone(), place, candidates, now), |tx, (recording, place, candidates, now)| {
            Box::pin(allocate(tx, (recording, *place), candidates, *now))
        })
        .await
    }

    /// The next free key after `taken`, which was found to hold somebody else's object before any byte of ours.
    /// Returns the present key where `taken` is not the recording's key any more.
    pub async fn replace_key(
        &self,
        recording: &RecordingSid,
        place: Place,
        taken: &str,
        candidates: Vec<String>,
        now: Timestamp,
    ) -> Result<String> {
        let args = ((recording.clone(), place), taken.to_owned(), candidates, now);
        self.write(args, |tx, ((recording, place), taken, candidates, now)| {
            Box::pin(replace(tx, (recording, *place), taken, candidates, *now))
        })
        .await
    }

    /// Notes that bytes of ours are at the key now; until they are verified, others of ours may replace them.
    pub async fn note_written(&self, recording: &RecordingSid, key: &str) -> Result<()> {
        self.write((recording.clone(), key.to_owned()), |tx, (recording, key)| {
            Box::pin(async move { tx.execute(&NOTE_WRITTEN, params![recording, key]).await.map(drop) })
        })
        .await
    }
}

/// Whose copy, and which.
type Copy<'a> = (&'a RecordingSid, Place);

async fn allocate(tx: &Tx<'_>, copy: Copy<'_>, candidates: &[String], now: Timestamp) -> Result<String> {
    let (recording, place) = copy;
    calls::lock_of(tx, recording).await?;
    if let Some(key) = present_key(tx, copy).await? {
        return Ok(key);
    }
    for key in candidates {
        let values = params![recording, place, CopyState::Allocated, key, now];
        if tx.execute(&ALLOCATE, values).await? == 1 {
            return Ok(key.clone());
        }
    }
    Err(none_free(candidates))
}

async fn replace(tx: &Tx<'_>, copy: Copy<'_>, taken: &str, candidates: &[String], now: Timestamp) -> Result<String> {
    let (recording, place) = copy;
    calls::lock_of(tx, recording).await?;
    match present_key(tx, copy).await? {
        Some(key) if key != taken => return Ok(key),
        Some(_) => {}
        None => return allocate(tx, copy, candidates, now).await,
    }
    // Candidates come in order of preference; those up to the taken one have been looked at.
    let tried = candidates.iter().position(|key| key == taken).map_or(0, |at| at + 1);
    for key in candidates.iter().skip(tried) {
        // Should somebody take it in between, the unique index lets this body run again.
        if !tx.exists(&IS_TAKEN, params![key]).await?
            && tx.execute(&REPLACE, params![recording, taken, key, place]).await? == 1
        {
            return Ok(key.clone());
        }
    }
    Err(none_free(candidates))
}

async fn present_key(tx: &Tx<'_>, (recording, place): Copy<'_>) -> Result<Option<String>> {
    tx.optional(&KEY, params![recording, place], |row| row.get(0)).await
}

fn none_free(candidates: &[String]) -> Error {
    Error::KeysTaken(candidates.last().cloned().unwrap_or_default())
}
