//! Who may do what: an API token as bearer, or a signed-in session, each with a role.
//!
//! Guarantee: [`require`] stands before every closed route, so a handler that forgets to ask is closed, not open. Tokens and
//! sessions are random secrets of 256 bits that are stored and looked up by hash: no comparison of theirs can be timed. A
//! session's cookie changes nothing unless the request comes from a page of ours.

mod origin;
mod session;
mod sign_in;
mod throttle;

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use callspool_store::{Role, TokenRow};
use http::request::Parts;
use http::{HeaderMap, header};
use sha2::{Digest as _, Sha256};

use self::origin::Origin;
use super::refusal::Refusal;
use super::site::Site;
pub(crate) use sign_in::router;
pub use sign_in::sign_in_address;
pub(crate) use throttle::Throttle;

/// Who sent a request.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    /// The token's name; stands in events.
    pub name: String,
    /// The token's id.
    pub token_id: String,
    /// What the token may do.
    pub role: Role,
    credential: Credential,
}

/// How a request said who sent it, by hash.
#[derive(Debug, Clone)]
enum Credential {
    Token(String),
    Session(String),
}

/// SHA-256 of a secret, hexadecimal: the form in which secrets are stored.
fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret))
}

impl Actor {
    fn new(token: TokenRow, credential: Credential) -> Self {
        Self { name: token.name, token_id: token.id, role: token.role, credential }
    }

    /// Who is behind a credential now; `None` once it is revoked or over.
    async fn behind(site: &Site, credential: Credential) -> Result<Option<Self>, Refusal> {
        let store = &site.app.store;
        let token = match &credential {
            Credential::Token(hash) => store.find_token(hash).await?,
            Credential::Session(hash) => store.find_session(hash, site.app.clock.now()).await?,
        };
        Ok(token.map(|token| Self::new(token, credential)))
    }

    /// True while the token or session is good; long answers ask again. A database that does not answer ends nothing.
    pub(crate) async fn is_still_good(&self, site: &Site) -> bool {
        !matches!(Self::behind(site, self.credential.clone()).await, Ok(None))
    }
}

/// Finds out who sent a request. A bearer token that is no good is refused even where a session would do.
pub(crate) async fn identify(site: &Site, headers: &HeaderMap) -> Result<Actor, Refusal> {
    let credential = match headers.get(header::AUTHORIZATION) {
        Some(value) => {
            let text = value.to_str().unwrap_or_default();
            let token = text.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
            Credential::Token(hash(token.ok_or_else(Refusal::sign_in_first)?.1.trim()))
        }
        None => Credential::Session(session::hash_of(headers).ok_or_else(Refusal::sign_in_first)?),
    };
    Actor::behind(site, credential).await?.ok_or_else(Refusal::sign_in_first)
}

/// Lets a request pass only from somebody known; a change by session only from a page of ours.
pub(crate) async fn require(State(site): State<Arc<Site>>, mut request: Request, next: Next) -> Response {
    let actor = match identify(&site, request.headers()).await {
        Ok(actor) => actor,
        Err(refusal) => return refusal.into_response(),
    };
    let by_browser = matches!(actor.credential, Credential::Session(_));
    if by_browser && !request.method().is_safe() && Origin::of(request.headers(), &site.origin) != Origin::Ours {
        return Refusal::cross_site().into_response();
    }
    request.extensions_mut().insert(actor);
    next.run(request).await
}

fn actor_of(parts: &Parts, needed: Role) -> Result<Actor, Refusal> {
    let actor = parts.extensions.get::<Actor>().ok_or_else(Refusal::sign_in_first)?;
    if actor.role < needed {
        return Err(Refusal::role_too_low(needed.as_str()));
    }
    Ok(actor.clone())
}

/// Whoever may hear and read.
#[derive(Debug)]
pub(crate) struct Listener(pub Actor);

/// Whoever may also retry, accept and tie.
#[derive(Debug)]
pub(crate) struct Operator(pub Actor);

impl<S: Sync> FromRequestParts<S> for Listener {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        actor_of(parts, Role::Listener).map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for Operator {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        actor_of(parts, Role::Operator).map(Self)
    }
}
