//! `callspool token create|list|revoke`: who may use the API and the pages.

use callspool_store::Role;
use clap::Subcommand;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Failure, Outcome, SharedApp, say, say_json};
use crate::lifecycle::{App, random};

/// What to do with tokens.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a token; it is shown once and stored only as a hash.
    Create {
        /// Whose or what for.
        #[arg(long)]
        name: String,
        /// listener (hear and read), operator (and retry, accept, tie), admin (and everything else).
        #[arg(long, value_parser = parse_role, default_value = "listener")]
        role: Role,
    },
    /// List the tokens.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token and end its sessions.
    Revoke {
        /// The token's id, from `list`.
        id: String,
    },
}

fn parse_role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| "must be listener, operator or admin".to_owned())
}

pub(super) async fn run(app: &SharedApp, args: Args) -> Result<Outcome, Failure> {
    let outcome = match args.command {
        Command::Create { name, role } => create(app, &name, role).await,
        Command::List { json } => list(app, json).await,
        Command::Revoke { id } => revoke(app, &id).await,
    };
    app.store.clone().close().await;
    outcome
}

async fn create(app: &App, name: &str, role: Role) -> Result<Outcome, Failure> {
    if name.trim().is_empty() || name.len() > 100 || name.contains('\0') {
        return Err(Failure::Usage("--name must be 1 to 100 characters".to_owned()));
    }
    let token = new_token(app, name, role).await?;
    say(&token);
    Ok(Outcome::Done)
}

/// Makes a token and stores its hash; the token itself is known only to the caller.
pub(super) async fn new_token(app: &App, name: &str, role: Role) -> Result<String, Failure> {
    let now = app.clock.now();
    let (id, token) = (random::id(now), format!("cs_{}", random::secret()));
    app.store.create_token(&id, name, role, &hex::encode(Sha256::digest(&token)), now).await?;
    Ok(token)
}

async fn list(app: &App, json: bool) -> Result<Outcome, Failure> {
    let tokens = app.store.list_tokens().await?;
    if json {
        let rows = tokens.iter().map(|token| {
            json!({
                "id": token.id, "name": token.name, "role": token.role.as_str(),
                "created_at": token.created_at.rfc3339(), "revoked_at": token.revoked_at.map(|at| at.rfc3339()),
            })
        });
        say_json(&rows.collect());
        return Ok(Outcome::Done);
    }
    for token in tokens {
        let state = token.revoked_at.map_or_else(String::new, |at| format!("  revoked {at}"));
        say(&format!("{}  {:<8}  {}  {}{state}", token.id, token.role.as_str(), token.created_at, token.name));
    }
    Ok(Outcome::Done)
}

async fn revoke(app: &App, id: &str) -> Result<Outcome, Failure> {
    if !app.store.revoke_token(id, app.clock.now()).await? {
        say(&format!("there is no valid token {id}"));
        return Ok(Outcome::Findings);
    }
    say(&format!("{id} is revoked"));
    Ok(Outcome::Done)
}
