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
];

const LOCK: Statement = Statement::new("schema_migrations", "SELECT pg_advisory_xact_lock(7106820341)::text");
const KNOW_MIGRATIONS: Statement = Statement::new(
    "schema_migrations",
    "CREATE TABLE IF NOT EXISTS schema_migrations (version BIGINT PRIMARY KEY, checksum TEXT NOT NULL)",
);
const APPLIED: Statement =
    Statement::new("schema_migrations", "SELECT version, checksum FROM schema_migrations ORDER BY version");
const NOTE: Statement =
    Statement::new("schema_migrations", "INSERT INTO schema_migrations (version, checksum) VALUES ($1, $2)");

/// Brings the schema to this version.
pub(crate) async fn migrate(db: &Db) -> Result<()> {
    db.write_unhurried((), |tx, ()| Box::pin(apply_missing(tx))).await
}

async fn apply_missing(tx: &Tx<'_>) -> Result<()> {
    if tx.is_postgres() {
        // Any number, the same in every version: nodes that start at once wait here for each other.
        tx.execute(&LOCK, &[]).await?;
    }
    tx.execute(&KNOW_MIGRATIONS, &[]).await?;
    let applied = tx.rows(&APPLIED, &[], |row| Ok((row.get::<i64>(0)?, row.get::<String>(1)?))).await?;
    if let Some((version, _)) = applied.iter().find(|(version, _)| MIGRATIONS.iter().all(|m| m.version != *version)) {
        return Err(Error::Migration(format!(
            "it has version {version}, which this callspool does not know; use a newer one"
        )));
    }
    for migration in MIGRATIONS {
        let checksum = hex::encode(Sha256::digest(migration.text));
        match applied.iter().find(|(version, _)| *version == migration.version) {
            Some((_, known)) if *known == checksum => {}
            Some((version, _)) => {
                return Err(Error::Migration(format!("its version {version} was made by a different callspool")));
            }
            None => {
                apply(tx, migration.text).await?;
                tx.execute(&NOTE, params![migration.version, checksum]).await?;
            }
        }
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
