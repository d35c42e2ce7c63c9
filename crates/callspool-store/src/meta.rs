//! Small values of the installation, such as the key its own URLs are signed with; and the policy it was planned by.

use callspool_domain::{CallSid, Policy, Timestamp};

use crate::db::{Db, Tx, params, statements};
use crate::{Result, Store};

statements! {
    GET: "meta" = "SELECT value FROM meta WHERE name = $1";
    LOCK: "meta" = "SELECT value FROM meta WHERE name = $1 FOR UPDATE";
    SET_IF_ABSENT: "meta" = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    SET: "meta" = "INSERT INTO meta (name, value) VALUES ($1, $2) \
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    REMOVE: "meta" = "DELETE FROM meta WHERE name = $1";
    NEXT_CALLS: "calls" = "SELECT call_sid FROM calls WHERE call_sid > $1 ORDER BY call_sid LIMIT $2";
    MAKE_DUE: "calls" = "UPDATE calls SET plan_due_at = $1 WHERE call_sid > $2 AND call_sid <= $3";
}

const POLICY: &str = "policy";
/// After a changed policy: the last call that was made due for planning; no row once all are.
const POLICY_CURSOR: &str = "policy_cursor";
/// How many calls a changed policy makes due at a time.
const PAGE: usize = 500;

impl Store {
    /// The value of that name.
    pub async fn meta_get(&self, name: &str) -> Result<Option<String>> {
        self.read(name.to_owned(), |tx, name| Box::pin(get(tx, name))).await
    }

    /// Stores `value` where there is none of that name yet; returns the one that is stored now.
    pub async fn meta_set_if_absent(&self, name: &str, value: &str) -> Result<String> {
        let args = (name.to_owned(), value.to_owned());
        self.write(args, |tx, (name, value)| {
            Box::pin(async move {
                tx.execute(&SET_IF_ABSENT, params![name, value]).await?;
                Ok(get(tx, name).await?.unwrap_or_else(|| value.clone()))
            })
        })
        .await
    }
}

async fn get(tx: &Tx<'_>, name: &str) -> Result<Option<String>> {
    tx.optional(&GET, params![name], |row| row.get(0)).await
}

/// Notes which policy the calls are planned by; where it is another than before, every call is to be planned again.
pub(crate) async fn adopt_policy(db: &Db, policy: &Policy) -> Result<()> {
    db.write(policy.fingerprint(), |tx, fingerprint| {
        Box::pin(async move {
            let before: Option<String> = tx.optional(&LOCK, params![POLICY], |row| row.get(0)).await?;
            if before.as_ref() == Some(fingerprint) {
                return Ok(());
            }
            tx.execute(&SET, params![POLICY, fingerprint]).await?;
            if before.is_some() {
                tx.execute(&SET, params![POLICY_CURSOR, ""]).await?;
            }
            Ok(())
        })
    })
    .await
}

/// Makes the next page of calls due for planning, where a changed policy asks for it.
pub(crate) async fn continue_with_policy(tx: &Tx<'_>, now: Timestamp) -> Result<()> {
    let cursor: Option<String> = tx.optional(&LOCK, params![POLICY_CURSOR], |row| row.get(0)).await?;
    let Some(cursor) = cursor else { return Ok(()) };
    let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
    let page: Vec<CallSid> = tx.rows(&NEXT_CALLS, params![&cursor, limit], |row| row.get(0)).await?;
    if let Some(last) = page.last() {
        tx.execute(&MAKE_DUE, params![now, &cursor, last]).await?;
    }
    match page.last() {
        Some(last) if page.len() == PAGE => tx.execute(&SET, params![POLICY_CURSOR, last]).await?,
        _ => tx.execute(&REMOVE, params![POLICY_CURSOR]).await?,
    };
    Ok(())
}
