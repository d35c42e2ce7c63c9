//! Who may use the API and the pages. Only hashes are stored: SHA-256 of 256-bit random tokens, hexadecimal.

use callspool_domain::Timestamp;

use crate::{Result, Store};

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
        let _ = (id, name, role, hash, now);
        todo!()
    }

    /// Every token, revoked ones included, oldest first.
    pub async fn list_tokens(&self) -> Result<Vec<TokenRow>> {
        todo!()
    }

    /// Revokes a token and ends its sessions. False where there is no such token that is still valid.
    pub async fn revoke_token(&self, id: &str, now: Timestamp) -> Result<bool> {
        let _ = (id, now);
        todo!()
    }

    /// The valid token with this hash.
    pub async fn find_token(&self, hash: &str) -> Result<Option<TokenRow>> {
        let _ = hash;
        todo!()
    }

    /// Stores a session of a token by the session's own hash.
    pub async fn create_session(
        &self,
        hash: &str,
        token_id: &str,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<()> {
        let _ = (hash, token_id, expires_at, now);
        todo!()
    }

    /// The token of the unexpired session with this hash.
    pub async fn find_session(&self, hash: &str, now: Timestamp) -> Result<Option<TokenRow>> {
        let _ = (hash, now);
        todo!()
    }

    /// Ends a session.
    pub async fn delete_session(&self, hash: &str) -> Result<()> {
        let _ = hash;
        todo!()
    }
}
