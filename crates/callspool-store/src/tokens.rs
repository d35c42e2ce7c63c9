//! Who may use the API and the pages. Only hashes are stored: SHA-256 of 256-bit random tokens, hexadecimal.

use callspool_domain::Timestamp;
use serde_json::{Value, json};

use crate::db::{Row, Tx, params, statements, value};
use crate::events::{self, NewEvent, kind};
use crate::{Result, Store};

macro_rules! token_columns {
    () => {
        "SELECT t.token_id, t.name, t.role, t.created_at, t.revoked_at FROM "
    };
}

statements! {
    CREATE: "tokens" = "INSERT INTO tokens (token_id, name, role, hash, created_at) VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT (token_id) DO NOTHING";
    LIST: "tokens" = concat!(token_columns!(), "tokens t ORDER BY t.created_at, t.token_id");
    FIND: "tokens" = concat!(token_columns!(), "tokens t WHERE t.hash = $1 AND t.revoked_at IS NULL");
    REVOKE: "tokens" = "UPDATE tokens SET revoked_at = $2 WHERE token_id = $1 AND revoked_at IS NULL";
    END_SESSIONS: "sessions" = "DELETE FROM sessions WHERE token_id = $1";
    CREATE_SESSION: "sessions" = "INSERT INTO sessions (hash, token_id, expires_at) VALUES ($1, $2, $3) \
        ON CONFLICT (hash) DO NOTHING";
    FORGET_SESSIONS: "sessions" = "DELETE FROM sessions WHERE expires_at <= $1";
    FIND_SESSION: "sessions" = concat!(
        token_columns!(),
        "sessions s JOIN tokens t ON t.token_id = s.token_id \
         WHERE s.hash = $1 AND s.expires_at > $2 AND t.revoked_at IS NULL"
    );
    DELETE_SESSION: "sessions" = "DELETE FROM sessions WHERE hash = $1";
}

/// What a token may do; each role includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Hear and read.
    Listener,
    /// And retry, accept, tie.
    Operator,
    /// And make tokens.
    Admin,
}

impl Role {
    /// The stored name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Listener => "listener",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// Reads the stored name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Listener, Self::Operator, Self::Admin].into_iter().find(|role| role.as_str() == name)
    }
}

value::names!(Role);

/// A token as it is stored, without its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Its id.
    pub id: String,
    /// Whose or what for.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl Store {
    /// Stores a token by its hash.
    pub async fn create_token(&self, id: &str, name: &str, role: Role, hash: &str, now: Timestamp) -> Result<()> {
        let args = (id.to_owned(), name.to_owned(), role, hash.to_owned(), now);
        self.write(args, |tx, (id, name, role, hash, now)| Box::pin(create(tx, id, name, *role, hash, *now))).await
    }

    /// Every token, revoked ones included, oldest first.
    pub async fn list_tokens(&self) -> Result<Vec<TokenRow>> {
        self.read((), |tx, ()| Box::pin(async move { tx.rows(&LIST, &[], read_token).await })).await
    }

    /// Revokes a token and ends its sessions. False where there is no such token that is still valid.
    pub async fn revoke_token(&self, id: &str, now: Timestamp) -> Result<bool> {
        self.write((id.to_owned(), now), |tx, (id, now)| Box::pin(revoke(tx, id, *now))).await
    }

    /// The valid token with this hash.
    pub async fn find_token(&self, hash: &str) -> Result<Option<TokenRow>> {
        self.read(hash.to_owned(), |tx, hash| {
            Box::pin(async move { tx.optional(&FIND, params![hash], read_token).await })
        })
        .await
    }

    /// Stores a session of a token by the session's own hash, and forgets those that are over.
    pub async fn create_session(
        &self,
        hash: &str,
        token_id: &str,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<()> {
        let args = (hash.to_owned(), token_id.to_owned(), expires_at, now);
        self.write(args, |tx, (hash, token_id, expires_at, now)| {
            Box::pin(async move {
                tx.execute(&FORGET_SESSIONS, params![*now]).await?;
                tx.execute(&CREATE_SESSION, params![hash, token_id, *expires_at]).await.map(drop)
            })
        })
        .await
    }

    /// The token of the unexpired session with this hash.
    pub async fn find_session(&self, hash: &str, now: Timestamp) -> Result<Option<TokenRow>> {
        self.read((hash.to_owned(), now), |tx, (hash, now)| {
            Box::pin(async move { tx.optional(&FIND_SESSION, params![hash, *now], read_token).await })
        })
        .await
    }

    /// Ends a session. False where there was none, so that of several who end it one knows to be the first.
    pub async fn delete_session(&self, hash: &str) -> Result<bool> {
        self.write(hash.to_owned(), |tx, hash| {
            Box::pin(async move { tx.execute(&DELETE_SESSION, params![hash]).await.map(|rows| rows > 0) })
        })
        .await
    }
}

async fn create(tx: &Tx<'_>, id: &str, name: &str, role: Role, hash: &str, now: Timestamp) -> Result<()> {
    if tx.execute(&CREATE, params![id, name, role, hash, now]).await? == 0 {
        return Ok(());
    }
    events::add(tx, &about_token(kind::TOKEN_CREATED, id, json!({ "name": name, "role": role.as_str() })), now).await
}

async fn revoke(tx: &Tx<'_>, id: &str, now: Timestamp) -> Result<bool> {
    if tx.execute(&REVOKE, params![id, now]).await? == 0 {
        return Ok(false);
    }
    tx.execute(&END_SESSIONS, params![id]).await?;
    events::add(tx, &about_token(kind::TOKEN_REVOKED, id, json!({})), now).await?;
    Ok(true)
}

fn about_token(kind: &'static str, id: &str, mut data: Value) -> NewEvent {
    data["token"] = id.into();
    NewEvent { kind, data, ..NewEvent::default() }
}

fn read_token(row: &Row<'_>) -> Result<TokenRow> {
    Ok(TokenRow {
        id: row.get(0)?,
        name: row.get(1)?,
        role: row.get(2)?,
        created_at: row.get(3)?,
        revoked_at: row.get(4)?,
    })
}
