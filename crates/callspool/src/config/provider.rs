//! The provider accounts whose recordings are kept.

use callspool_domain::{AccountSid, Secret};
use url::Url;

use super::Settings;

/// One account with its credentials.
#[derive(Debug, Clone)]
pub struct AccountSettings {
    /// The account.
    pub sid: AccountSid,
    /// The Auth Tokens accepted in signatures, the current one first; several while one is being rotated.
    pub tokens: Vec<Secret>,
    /// The user name for the API: an API key's sid, else the account's.
    pub api_user: String,
    /// Its password: the API key's secret, else the first token.
    pub api_password: Secret,
    /// The API's base URL.
    pub api_url: Url,
}

impl AccountSettings {
    pub(super) fn read_all(settings: &mut Settings) -> Vec<Self> {
        let api_url = settings.text_or("TWILIO_API_URL", "https://api.twilio.com");
        let api_url =
            Url::parse(&api_url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if api_url.is_none() {
            settings.problem("TWILIO_API_URL", "must be an http or https address");
        }
        let sid: Option<AccountSid> = settings.parsed("TWILIO_ACCOUNT_SID");
        let tokens = read_tokens(settings);
        let key = (settings.text("TWILIO_API_KEY_SID"), settings.secret("TWILIO_API_KEY_SECRET"));
        if key.0.is_some() != key.1.is_some() {
            settings.problem("TWILIO_API_KEY_SID", "and TWILIO_API_KEY_SECRET must be set together");
        }
        if settings.text("TWILIO_ACCOUNT_SID").is_none() && (!tokens.is_empty() || key.0.is_some()) {
            settings.problem("TWILIO_ACCOUNT_SID", "must be set along with the account's token or key");
        }
        let (Some(sid), Some(api_url)) = (sid, api_url) else { return Vec::new() };
        let (api_user, api_password) = match (key, tokens.first()) {
            ((Some(user), Some(secret)), _) => (user, secret),
            (_, Some(token)) => (sid.to_string(), token.clone()),
            _ => {
                settings.problem("TWILIO_AUTH_TOKEN", "must be set: it checks the callbacks' signatures");
                return Vec::new();
            }
        };
        vec![Self { sid, tokens, api_user, api_password, api_url }]
    }
}

/// A key of Twilio's Webhook Settings, shared with us to sign requests
/// (<https://www.twilio.com/docs/usage/webhooks/webhook-settings>).
#[derive(Debug, Clone)]
pub struct WebhookKey {
    /// What a request names it by.
    pub id: String,
    /// Its secret.
    pub secret: Secret,
}

impl WebhookKey {
    pub(super) fn read_all(settings: &mut Settings) -> Vec<Self> {
        let list = settings.text("TWILIO_WEBHOOK_KEYS").unwrap_or_default();
        let mut keys: Vec<Self> = Vec::new();
        for pair in list.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            match pair.split_once('=').map(|(id, secret)| (id.trim(), secret.trim())) {
                Some((id, secret)) if !id.is_empty() && !secret.is_empty() && keys.iter().all(|key| key.id != id) => {
                    keys.push(Self { id: id.to_owned(), secret: Secret::new(secret) });
                }
                _ => {
                    settings.problem("TWILIO_WEBHOOK_KEYS", "must be id=secret pairs with commas between, each id once")
                }
            }
        }
        keys
    }
}

fn read_tokens(settings: &Settings) -> Vec<Secret> {
    let list = settings.text("TWILIO_AUTH_TOKEN").unwrap_or_default();
    list.split(',').map(str::trim).filter(|token| !token.is_empty()).map(Secret::new).collect()
}
