//! What an account has besides calls and recordings: itself, its telephone numbers, its TwiML applications.
//!
//! Shapes are those of <https://www.twilio.com/docs/iam/api/account>,
//! <https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource> and
//! <https://www.twilio.com/docs/usage/api/applications>.

use axum::response::Response;
use callspool_domain::{AccountSid, Timestamp};
use http::StatusCode;
use serde_json::{Value, json};

use super::paging::{self, Listed};
use super::rest::{Query, Refusal, account_path, json_answer, rfc2822};
use super::state::World;
use super::{Account, Twilio};

/// A telephone number of an account.
#[derive(Debug, Clone)]
pub struct Number {
    /// Whose it is.
    pub account: AccountSid,
    /// In E.164.
    pub phone_number: String,
    /// Where its calls get their TwiML; empty for nowhere.
    pub voice_url: String,
    /// `POST` or `GET`.
    pub voice_method: String,
    /// Where its calls' states are told; empty for nowhere.
    pub status_callback: String,
    /// The application that answers instead of `voice_url`.
    pub voice_application: Option<String>,
    /// The SIP trunk that takes its calls instead of either.
    pub trunk: Option<String>,
    /// Whether it can be called at all.
    pub voice: bool,
}

impl Number {
    /// A number that is answered from this address, and tells nobody of its calls.
    pub fn new(account: AccountSid, phone_number: &str, voice_url: impl Into<String>) -> Self {
        Self {
            account,
            phone_number: phone_number.to_owned(),
            voice_url: voice_url.into(),
            voice_method: "POST".to_owned(),
            status_callback: String::new(),
            voice_application: None,
            trunk: None,
            voice: true,
        }
    }
}

/// A TwiML application of an account.
#[derive(Debug, Clone)]
pub struct Application {
    /// Whose it is.
    pub account: AccountSid,
    /// What people call it.
    pub friendly_name: String,
    /// Where its calls get their TwiML; empty for nowhere.
    pub voice_url: String,
    /// Where its calls' states are told; empty for nowhere.
    pub status_callback: String,
}

/// The rows, each with its sid and when it was made.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    numbers: Vec<(String, Timestamp, Number)>,
    applications: Vec<(String, Timestamp, Application)>,
    /// The accounts that are not `active`, and what they are.
    states: Vec<(AccountSid, String)>,
}

impl Twilio {
    /// Gives an account a number; returns its sid.
    pub fn add_number(&self, number: Number) -> String {
        let (sid, now) = (format!("PN{}", self.world().draw()), self.world().clock.now());
        self.world().ledger().inventory.numbers.push((sid.clone(), now, number));
        sid
    }

    /// Gives an account an application; returns its sid.
    pub fn add_application(&self, application: Application) -> String {
        let (sid, now) = (format!("AP{}", self.world().draw()), self.world().clock.now());
        self.world().ledger().inventory.applications.push((sid.clone(), now, application));
        sid
    }

    /// Puts an account into another state, e.g. `suspended`.
    pub fn set_account_status(&self, account: &AccountSid, status: &str) {
        let states = &mut self.world().ledger().inventory.states;
        states.retain(|(known, _)| known != account);
        states.push((account.clone(), status.to_owned()));
    }
}

/// The account itself. A standard key may not ask for it
/// (<https://www.twilio.com/docs/iam/api-keys/keys-in-console>).
pub(super) fn fetch_account(world: &World, account: &Account, by_key: bool) -> Result<Response, Refusal> {
    if by_key {
        let message = "Authentication Error - invalid username".to_owned();
        return Err(Refusal { status: StatusCode::UNAUTHORIZED, code: 20003, message });
    }
    let ledger = world.ledger();
    let state = ledger.inventory.states.iter().find(|(sid, _)| *sid == account.sid);
    let path = account_path(&account.sid);
    Ok(json_answer(&json!({
        "sid": account.sid,
        "owner_account_sid": account.sid,
        "friendly_name": "Sandbox",
        "status": state.map_or("active", |(_, status)| status.as_str()),
        "type": "Full",
        "auth_token": account.auth_token.expose(),
        "date_created": rfc2822(world.clock.now()),
        "date_updated": rfc2822(world.clock.now()),
        "uri": format!("{path}.json"),
        "subresource_uris": {},
    })))
}

pub(super) fn list_numbers(world: &World, account: &Account, path: &str, query: &Query) -> Result<Response, Refusal> {
    let ledger = world.ledger();
    let found = ledger.inventory.numbers.iter().rev().filter(|(_, _, number)| {
        number.account == account.sid && query.get("PhoneNumber").is_none_or(|asked| number.phone_number == asked)
    });
    let items = found.map(|(sid, at, number)| (sid.clone(), number_json(sid, *at, number))).collect();
    paging::page(Listed { key: "incoming_phone_numbers", path: path.to_owned(), items }, query)
        .map(|page| json_answer(&page))
}

pub(super) fn list_applications(
    world: &World,
    account: &Account,
    path: &str,
    query: &Query,
) -> Result<Response, Refusal> {
    let ledger = world.ledger();
    let found = ledger.inventory.applications.iter().rev().filter(|(_, _, application)| {
        application.account == account.sid
            && query.get("FriendlyName").is_none_or(|asked| application.friendly_name == asked)
    });
    let items = found.map(|(sid, at, application)| (sid.clone(), application_json(sid, *at, application))).collect();
    paging::page(Listed { key: "applications", path: path.to_owned(), items }, query).map(|page| json_answer(&page))
}

fn number_json(sid: &str, made: Timestamp, number: &Number) -> Value {
    json!({
        "sid": sid,
        "account_sid": number.account,
        "friendly_name": number.phone_number,
        "phone_number": number.phone_number,
        "voice_url": number.voice_url,
        "voice_method": number.voice_method,
        "voice_fallback_url": "",
        "voice_fallback_method": "POST",
        "voice_caller_id_lookup": false,
        "voice_application_sid": number.voice_application,
        "voice_receive_mode": "voice",
        "trunk_sid": number.trunk,
        "status_callback": number.status_callback,
        "status_callback_method": "POST",
        "sms_url": "",
        "sms_method": "POST",
        "sms_fallback_url": "",
        "sms_fallback_method": "POST",
        "sms_application_sid": null,
        "address_requirements": "none",
        "address_sid": null,
        "bundle_sid": null,
        "identity_sid": null,
        "emergency_address_sid": null,
        "emergency_address_status": "unregistered",
        "emergency_status": "Inactive",
        "capabilities": { "voice": number.voice, "sms": true, "mms": true, "fax": false },
        "status": "in-use",
        "api_version": "2010-04-01",
        "beta": false,
        "origin": "twilio",
        "date_created": rfc2822(made),
        "date_updated": rfc2822(made),
        "uri": format!("{}/IncomingPhoneNumbers/{sid}.json", account_path(&number.account)),
    })
}

fn application_json(sid: &str, made: Timestamp, application: &Application) -> Value {
    json!({
        "sid": sid,
        "account_sid": application.account,
        "friendly_name": application.friendly_name,
        "voice_url": application.voice_url,
        "voice_method": "POST",
        "voice_fallback_url": null,
        "voice_fallback_method": "POST",
        "voice_caller_id_lookup": false,
        "status_callback": application.status_callback,
        "status_callback_method": "POST",
        "message_status_callback": null,
        "sms_url": null,
        "sms_method": "POST",
        "sms_fallback_url": null,
        "sms_fallback_method": "POST",
        "sms_status_callback": null,
        "public_application_connect_enabled": false,
        "api_version": "2010-04-01",
        "date_created": rfc2822(made),
        "date_updated": rfc2822(made),
        "uri": format!("{}/Applications/{sid}.json", account_path(&application.account)),
    })
}
