//! Our own public address, tried as the provider would use it: a signed request that is genuine and says too little.
//!
//! Guarantee: it leaves no trace. What is asked for is the refusal that comes after the signature was accepted and before
//! anything is stored.

use callspool_clients::http::Http;
use callspool_clients::reach::{self, Answer};
use callspool_domain::Secret;
use http::{HeaderName, HeaderValue};
use serde_json::Value;
use url::Url;

use super::{Finding, Severity, Topic};
use crate::config::{AccountSettings, Config};
use crate::intake::form::Form;
use crate::intake::signature::{Algorithm, signature_of};
use crate::intake::{PATHS, STATUS_PATH, VOICE_PATHS};

/// Reserved characters in the query: a proxy that decodes or reorders them breaks every signature.
const QUERY: &str = "?job=doctor%2F1&source=A%20B";

/// What a request is signed with.
struct Signer<'a> {
    name: String,
    algorithm: Algorithm,
    secret: &'a Secret,
    /// The shared key's id, where it is one.
    key: Option<&'a str>,
}

pub(super) async fn examine(config: &Config, http: &Http) -> Vec<Finding> {
    let mut findings = Vec::new();
    for account in &config.accounts {
        for signer in signers(config, account) {
            // What Twilio is told of calls goes the same way; once is enough to know that it is open.
            let paths: &[&str] =
                if findings.is_empty() { &[PATHS[0], VOICE_PATHS[0], STATUS_PATH] } else { &[PATHS[0]] };
            for path in paths {
                match try_path(config, http, account, &signer, path).await {
                    Ok(finding) => findings.push(finding),
                    // Nobody is there; asking again would wait again.
                    Err(finding) => return vec![finding],
                }
            }
        }
    }
    findings
}

fn signers<'a>(config: &'a Config, account: &'a AccountSettings) -> Vec<Signer<'a>> {
    let token = account.tokens.first().map(|secret| Signer {
        name: format!("{} and its Auth Token", account.sid),
        algorithm: Algorithm::Sha1,
        secret,
        key: None,
    });
    let keys = config.webhook_keys.iter().map(|key| Signer {
        name: format!("{} and shared key {}", account.sid, key.id),
        algorithm: Algorithm::Sha256,
        secret: &key.secret,
        key: Some(&key.id),
    });
    token.into_iter().chain(keys).collect()
}

/// What one request finds; an error where nothing answers at all.
async fn try_path(
    config: &Config,
    http: &Http,
    account: &AccountSettings,
    signer: &Signer<'_>,
    path: &str,
) -> Result<Finding, Finding> {
    let text = format!("{}{path}{QUERY}", config.server.app_url);
    let about = format!("{path} with {}", signer.name);
    let fields = [("AccountSid", account.sid.as_str())];
    let Ok(url) = Url::parse(&text) else {
        return Err(wrong(about, "APP_URL is no address".to_owned()));
    };
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let signature = signature_of(&text, &Form::decode(body.as_bytes()), signer.algorithm, signer.secret);
    let mut headers = vec![("x-twilio-signature", signature)];
    if let Some(key) = signer.key {
        headers.push(("x-twilio-webhooks-signature-settings", format!("key={key},algorithm=HMAC_SHA256")));
    }
    let headers: Vec<(HeaderName, HeaderValue)> = headers
        .into_iter()
        .filter_map(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::from_str(&value).ok()?)))
        .collect();
    match reach::post(http, &url, &fields, &headers).await {
        Ok(answer) => Ok(judge(about, &answer)),
        Err(unanswered) => Err(Finding::new(
            Severity::Loses,
            Topic::CallbackUnreachable,
            about,
            format!("{} does not answer: {unanswered}", config.server.app_url),
            "start callspool serve, and see that APP_URL leads to it",
        )),
    }
}

fn judge(about: String, answer: &Answer) -> Finding {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let code = body["error"]["code"].as_str().unwrap_or_default();
    match (answer.status, code) {
        (400, "missing_field") => Finding::ok(about, "is reached, and the signature is accepted"),
        (403, "bad_signature") => refused(
            about,
            "the signature is refused",
            "the service that answers has another APP_URL or Auth Token than this configuration, or a proxy changes path or query",
        ),
        (403, "unknown_account" | "no_credentials") => refused(
            about,
            "the service that answers does not know this account",
            "give it this configuration, and start it again",
        ),
        (status @ 300..=399, _) => {
            wrong(about, format!("redirects ({status}); a redirected callback loses its signature"))
        }
        (status @ 500..=599, _) => {
            wrong(about, format!("answers {status}: what stands before callspool can't reach it"))
        }
        (status, _) => wrong(about, format!("answers {status}, which callspool would not")),
    }
}

fn refused(about: String, found: &str, todo: &str) -> Finding {
    Finding::new(Severity::Loses, Topic::CallbackRefused, about, found, todo)
}

fn wrong(about: String, found: String) -> Finding {
    let todo = "let APP_URL, with its path, lead to callspool and to nothing else";
    Finding::new(Severity::Loses, Topic::CallbackWrongAnswer, about, found, todo)
}
