//! The schema, in numbered steps that are applied once each, in order.
//!
//! Guarantee: safe with several nodes starting at once; a database of a newer version, or one whose applied steps are not
//! ours, is refused untouched.

use sha2::{Digest as _, Sha256};

use crate::db::{Db, Statement, Tx, params};
use crate::{Error, Result};

struct Migration {
    version: i64,
    text: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, text: include_str!("schema/0001_first.sql") },
    Migration { version: 2, text: include_str!("schema/0002_call_events.sql") },
    Migration { version: 3, text: include_str!("schema/0003_line_targets.sql") },
    Migration { version: 4, text: include_str!("schema/0004_starts.sql") },
    Migration { version: 5, text: include_str!("schema/0005_encryption.sql") },
    Migration { version: 6, text: include_str!("schema/0006_scans.sql") },
];

const LOCK: Statement = Statement::new("schema_migrations", "SELECT pg_advisory_xact_lock(7106820341)::text");
const KNOW_MIGRATIONS: Statement = Statement::new(
    "schema_migrations",
    "CREATE TABLE IF NOT EXISTS schema_migrations (version BIGINT PRIMARY KEY, checksum TEXT NOT NULL)",
);
const APPLIED: Statement =
    Statement::new("schema_migrations", "SELECT version, checksum FROM schema_migrations ORDER BY version");
static TABLE_ON_SQLITE: Statement =
    Statement::new("schema_migrations", "SELECT 1 FROM sqlite_master WHERE name = 'schema_migrations'");
static TABLE_ON_POSTGRES: Statement =
    Statement::new("schema_migrations", "SELECT 1 WHERE to_regclass('schema_migrations') IS NOT NULL");
const NOTE: Statement =
    Statement::new("schema_migrations", "INSERT INTO schema_migrations (version, checksum) VALUES ($1, $2)");

/// Brings the schema to this version.
pub(crate) async fn migrate(db: &Db) -> Result<()> {
    db.write_unhurried((), |tx, ()| Box::pin(apply_missing(tx))).await
}

/// How far a database is from this version's schema; looks, and changes nothing.
pub(crate) async fn missing(db: &Db) -> Result<usize> {
    db.read((), |tx, ()| Box::pin(count_missing(tx))).await
}

async fn count_missing(tx: &Tx<'_>) -> Result<usize> {
    let table = if tx.is_postgres() { &TABLE_ON_POSTGRES } else { &TABLE_ON_SQLITE };
    if !tx.exists(table, &[]).await? {
        return Ok(MIGRATIONS.len());
    }
    let applied = applied(tx).await?;
    Ok(MIGRATIONS.iter().filter(|m| applied.iter().all(|(version, _)| *version != m.version)).count())
}

/// What was applied so far; refuses what this version does not know.
async fn applied(tx: &Tx<'_>) -> Result<Vec<(i64, String)>> {
    let applied = tx.rows(&APPLIED, &[], |row| Ok((row.get::<i64>(0)?, row.get::<String>(1)?))).await?;
    if let Some((version, _)) = applied.iter().find(|(version, _)| MIGRATIONS.iter().all(|m| m.version != *version)) {
        return Err(Error::Migration(format!(
            "it has version {version}, which this callspool does not know; use a newer one"
        )));
    }
    for (version, known) in &applied {
        let ours = MIGRATIONS.iter().find(|m| m.version == *version).map(|m| hex::encode(Sha256::digest(m.text)));
        if ours.as_ref() != Some(known) {
            return Err(Error::Migration(format!("its version {version} was made by a different callspool")));
        }
    }
    Ok(applied)
}

async fn apply_missing(tx: &Tx<'_>) -> Result<()> {
    if tx.is_postgres() {
        // Any number, the same in every version: nodes that start at once wait here for each other.
        tx.execute(&LOCK, &[]).await?;
    }
    tx.execute(&KNOW_MIGRATIONS, &[]).await?;
    let applied = applied(tx).await?;
    for migration in MIGRATIONS.iter().filter(|m| applied.iter().all(|(version, _)| *version != m.version)) {
        apply(tx, migration.text).await?;
        tx.execute(&NOTE, params![migration.version, hex::encode(Sha256::digest(migration.text))]).await?;
    }
    Ok(())
}

async fn apply(tx: &Tx<'_>, text: &str) -> Result<()> {
    let without_comments: Vec<&str> = text.lines().filter(|line| !line.starts_with("--")).collect();
    let text = in_words_of(tx.is_postgres(), &without_comments.join("\n"));
    for statement in text.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        let statement = Statement::dynamic("the schema", statement.to_owned());
        tx.execute(&statement, &[]).await.map_err(|error| Error::Migration(error.to_string()))?;
    }
    Ok(())
}

/// The few words of the schema that differ: how text is compared, and how events get their number. SQLite's writers come
/// one after the other, so it numbers as it inserts; on PostgreSQL numbers are given after the commit.
fn in_words_of(postgres: bool, text: &str) -> String {
    if postgres {
        text.replace(" TEXT", " TEXT COLLATE \"C\"")
            .replace("{event_number}", "id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, seq BIGINT UNIQUE")
            .replace("{unnumbered_events}", "CREATE INDEX events_unnumbered ON events (id) WHERE seq IS NULL;")
    } else {
        text.replace("{event_number}", "seq INTEGER PRIMARY KEY AUTOINCREMENT").replace("{unnumbered_events}", "")
    }
}
