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

/// What an account is configured with, from the environment or from an `[[account]]` of the file.
struct Texts<'a> {
    sid: Option<String>,
    tokens: Option<String>,
    key_sid: Option<String>,
    key_secret: Option<String>,
    api_url: Option<String>,
    /// What the five are called where they were written.
    names: [&'a str; 5],
}

impl AccountSettings {
    pub(super) fn read_all(settings: &mut Settings) -> Vec<Self> {
        let names = [
            "TWILIO_ACCOUNT_SID",
            "TWILIO_AUTH_TOKEN",
            "TWILIO_API_KEY_SID",
            "TWILIO_API_KEY_SECRET",
            "TWILIO_API_URL",
        ];
        let [sid, tokens, key_sid, key_secret, api_url] = names.map(|name| settings.text(name));
        let first = Texts { sid, tokens, key_sid, key_secret, api_url: api_url.clone(), names };
        let is_any = [&first.sid, &first.tokens, &first.key_sid, &first.key_secret].iter().any(|text| text.is_some());
        let mut accounts = Vec::new();
        if is_any {
            accounts.extend(first.account(settings));
        } else {
            // A mistyped address is told also where no account is configured yet.
            first.api_url(settings);
        }
        for mut table in settings.take_accounts() {
            let mut text = |name: &str| table.remove(name);
            let texts = Texts {
                sid: text("sid"),
                tokens: text("auth_token"),
                key_sid: text("api_key_sid"),
                key_secret: text("api_key_secret"),
                api_url: text("api_url").or_else(|| api_url.clone()),
                names: ACCOUNT_NAMES,
            };
            accounts.extend(texts.account(settings));
        }
        for (n, account) in accounts.iter().enumerate() {
            if accounts.iter().take(n).any(|other| other.sid == account.sid) {
                settings.problem("[[account]] sid", format!("{} is configured twice", account.sid));
            }
        }
        accounts
    }
}

const ACCOUNT_NAMES: [&str; 5] = [
    "[[account]] sid",
    "[[account]] auth_token",
    "[[account]] api_key_sid",
    "[[account]] api_key_secret",
    "[[account]] api_url",
];

/// The keys of an `[[account]]`; those of secrets can also be given as files.
pub(super) const ACCOUNT_KEYS: [&str; 5] = ["sid", "auth_token", "api_key_sid", "api_key_secret", "api_url"];

impl Texts<'_> {
    fn account(self, settings: &mut Settings) -> Option<AccountSettings> {
        let [sid_name, token_name, key_name, secret_name, _] = self.names;
        let api_url = self.api_url(settings);
        let tokens = split_tokens(self.tokens.as_deref().unwrap_or_default());
        if self.key_sid.is_some() != self.key_secret.is_some() {
            settings.problem(key_name, format!("and {secret_name} must be set together"));
        }
        let sid = match self.sid.as_deref().map(AccountSid::parse) {
            Some(Ok(sid)) => sid,
            Some(Err(error)) => {
                settings.problem(sid_name, error);
                return None;
            }
            None => {
                settings.problem(sid_name, "must be set along with the account's token or key");
                return None;
            }
        };
        let (api_user, api_password) = match (self.key_sid, self.key_secret, tokens.first()) {
            (Some(user), Some(secret), _) => (user, Secret::new(secret)),
            (_, _, Some(token)) => (sid.to_string(), token.clone()),
            _ => {
                settings.problem(token_name, "must be set: it checks the callbacks' signatures");
                return None;
            }
        };
        Some(AccountSettings { sid, tokens, api_user, api_password, api_url: api_url? })
    }

    fn api_url(&self, settings: &mut Settings) -> Option<Url> {
        let text = self.api_url.as_deref().unwrap_or("https://api.twilio.com");
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if url.is_none() {
            settings.problem(self.names[4], "must be an http or https address");
        }
        url
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

fn split_tokens(list: &str) -> Vec<Secret> {
    list.split(',').map(str::trim).filter(|token| !token.is_empty()).map(Secret::new).collect()
}
