//! The REST API: who may ask, what may be asked, and the answers in the provider's shapes.

use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callspool_domain::{AccountSid, CallSid, RecordingSid, Timestamp};
use http::request::Parts;
use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::paging::{self, Listed};
use super::state::{Call, Recording, World};
use super::target::{self, Target, Under, Which};
use super::{Account, inventory, live, media};
use crate::server::Unexpected;

/// A query, decoded.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(query: Option<&str>) -> Self {
        Self(form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

/// An answer that is no success.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// The provider's error code (<https://www.twilio.com/docs/api/errors>).
    pub(super) code: u32,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn bad_request(code: u32, message: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message }
    }

    pub(super) fn not_found(path: &str) -> Self {
        let message = format!("The requested resource {path} was not found");
        Self { status: StatusCode::NOT_FOUND, code: 20404, message }
    }

    fn unauthorized() -> Self {
        Self { status: StatusCode::UNAUTHORIZED, code: 20003, message: "Authenticate".to_owned() }
    }

    /// In JSON, or in XML as on every path that does not end in `.json`.
    pub(super) fn answer(self, xml: bool) -> Response {
        let Self { status, code, message } = self;
        let more = format!("https://www.twilio.com/docs/errors/{code}");
        let number = status.as_u16();
        let (media_type, body) = if xml {
            let body = format!(
                "<?xml version='1.0' encoding='UTF-8'?>\n<TwilioResponse><RestException><Code>{code}</Code><Message>\
                 {message}</Message><MoreInfo>{more}</MoreInfo><Status>{number}</Status></RestException></TwilioResponse>"
            );
            ("application/xml", body)
        } else {
            let body = json!({ "code": code, "message": message, "more_info": more, "status": number });
            ("application/json", body.to_string())
        };
        let mut response = (status, [(header::CONTENT_TYPE, media_type)], body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let realm = header::HeaderValue::from_static("Basic realm=\"Twilio API\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, realm);
        }
        response
    }
}

/// Answers one request.
pub(super) fn answer(world: &World, head: &Parts, form: &[u8]) -> Response {
    let path = head.uri.path();
    let xml = !path.ends_with(".json");
    let Some((account, target)) = target::parse(path) else {
        return unexpected(Refusal::not_found(path), xml, "no such path");
    };
    let Some(account) = world.account(&account).filter(|account| is_authorized(account, head)) else {
        return unexpected(Refusal::unauthorized(), xml, "wrong or missing credentials");
    };
    let query = Query::parse(head.uri.query());
    if let Some((name, _)) = query.pairs().iter().find(|(name, _)| !target.parameters().contains(&name.as_str())) {
        let refusal = Refusal::bad_request(20001, format!("Unknown parameter {name}"));
        return unexpected(refusal, xml, &format!("unknown parameter {name}"));
    }
    let outcome = match (&head.method, target) {
        (&Method::GET, Target::Recordings(under)) => list_recordings(world, account, &under, path, &query),
        (&Method::POST, Target::Recordings(Under::Call(call))) => {
            return live::start(world, account, &call, path, form);
        }
        (&Method::POST, Target::RecordingUnder(under, which)) => {
            return live::update(world, account, (&under, &which), path, form);
        }
        (&Method::GET, Target::Recording(sid) | Target::RecordingUnder(_, Which::Sid(sid))) => {
            fetch_recording(world, account, &sid, path, &query)
        }
        (&Method::GET, Target::Media(sid, format)) => media::answer(world, account, &sid, format, path, &query),
        (&Method::DELETE, Target::Recording(sid) | Target::RecordingUnder(_, Which::Sid(sid))) => {
            delete_recording(world, account, &sid, path)
        }
        (&Method::GET, Target::Calls) => list_calls(world, account, path, &query),
        (&Method::GET, Target::Call(sid)) => fetch_call(world, account, &sid, path),
        (&Method::GET, Target::Account) => inventory::fetch_account(world, account, is_by_key(account, head)),
        (&Method::GET, Target::Numbers) => inventory::list_numbers(world, account, path, &query),
        (&Method::GET, Target::Applications) => inventory::list_applications(world, account, path, &query),
        (method, _) => {
            let message = format!("Method {method} not allowed");
            let refusal = Refusal { status: StatusCode::METHOD_NOT_ALLOWED, code: 20004, message };
            return unexpected(refusal, xml, "wrong method");
        }
    };
    outcome.unwrap_or_else(|refusal| refusal.answer(xml))
}

pub(super) fn unexpected(refusal: Refusal, xml: bool, why: &str) -> Response {
    let mut response = refusal.answer(xml);
    response.extensions_mut().insert(Unexpected(why.to_owned()));
    response
}

/// Basic credentials: the account's sid and auth token, or its API key.
fn is_authorized(account: &Account, head: &Parts) -> bool {
    let Some((user, password)) = credentials(head) else { return false };
    let by_token = user == account.sid.as_str() && password == account.auth_token.expose();
    let by_key = account.api_key.as_ref().is_some_and(|(sid, secret)| user == *sid && password == secret.expose());
    by_token || by_key
}

/// Whether an API key asks, and not the account by its token.
fn is_by_key(account: &Account, head: &Parts) -> bool {
    credentials(head).is_none_or(|(user, _)| user != account.sid.as_str())
}

fn credentials(head: &Parts) -> Option<(String, String)> {
    let coded = head.headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let given = String::from_utf8(STANDARD.decode(coded).ok()?).ok()?;
    given.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}

fn list_recordings(
    world: &World,
    account: &Account,
    under: &Under,
    path: &str,
    query: &Query,
) -> Result<Response, Refusal> {
    let dates = Dates::read(query, "DateCreated")?;
    let now = world.clock.now();
    let deleted_too = query.is_true("IncludeSoftDeleted");
    let ledger = world.ledger();
    let mut found: Vec<&Recording> = ledger
        .recordings
        .iter()
        .rev()
        .filter(|recording| recording.spec.account == account.sid && !recording.is_purged(now))
        .filter(|recording| deleted_too || recording.deleted.is_none())
        .filter(|recording| match under {
            Under::Account => true,
            Under::Call(call) => recording.spec.call.as_ref() == Some(call),
            Under::Conference(conference) => recording.spec.conference.as_ref() == Some(conference),
        })
        .filter(|recording| matches(query, "CallSid", recording.spec.call.as_ref()))
        .filter(|recording| matches(query, "ConferenceSid", recording.spec.conference.as_ref()))
        .filter(|recording| dates.hold(recording.created))
        .collect();
    // Stable: of those made at the same time the later stays first.
    found.sort_by_key(|recording| std::cmp::Reverse(recording.created));
    let items =
        found.into_iter().map(|recording| (recording.sid.to_string(), world.recording_json(recording))).collect();
    paging::page(Listed { key: "recordings", path: path.to_owned(), items }, query).map(|page| json_answer(&page))
}

fn fetch_recording(
    world: &World,
    account: &Account,
    sid: &RecordingSid,
    path: &str,
    query: &Query,
) -> Result<Response, Refusal> {
    let ledger = world.ledger();
    let found = ledger.recording(sid).filter(|recording| recording.spec.account == account.sid);
    let found = found.filter(|recording| !recording.is_purged(world.clock.now()));
    found
        .filter(|recording| recording.deleted.is_none() || query.is_true("IncludeSoftDeleted"))
        .map(|recording| json_answer(&world.recording_json(recording)))
        .ok_or_else(|| Refusal::not_found(path))
}

fn delete_recording(world: &World, account: &Account, sid: &RecordingSid, path: &str) -> Result<Response, Refusal> {
    let now = world.clock.now();
    let mut ledger = world.ledger();
    let recording = ledger
        .recording_mut(sid)
        .filter(|recording| recording.spec.account == account.sid && recording.deleted.is_none())
        .ok_or_else(|| Refusal::not_found(path))?;
    if recording.status != "completed" {
        let message = format!("Recording is {} and can't be deleted", recording.status);
        return Err(Refusal::bad_request(16114, message));
    }
    recording.status = "deleted".to_owned();
    recording.deleted = Some(now);
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn list_calls(world: &World, account: &Account, path: &str, query: &Query) -> Result<Response, Refusal> {
    let dates = Dates::read(query, "StartTime")?;
    let ledger = world.ledger();
    let found = ledger.calls.iter().rev().filter(|call| {
        call.account == account.sid
            && matches(query, "To", Some(&call.to))
            && matches(query, "From", Some(&call.from))
            && matches(query, "Status", Some(&call.status))
            && matches(query, "ParentCallSid", call.parent.as_ref())
            && dates.hold(call.started)
    });
    let items = found.map(|call| (call.sid.to_string(), call_json(call))).collect();
    paging::page(Listed { key: "calls", path: path.to_owned(), items }, query).map(|page| json_answer(&page))
}

fn fetch_call(world: &World, account: &Account, sid: &CallSid, path: &str) -> Result<Response, Refusal> {
    let ledger = world.ledger();
    let found = ledger.call(sid).filter(|call| call.account == account.sid);
    found.map(|call| json_answer(&call_json(call))).ok_or_else(|| Refusal::not_found(path))
}

fn matches<T: AsRef<str>>(query: &Query, name: &str, value: Option<&T>) -> bool {
    query.get(name).is_none_or(|asked| value.is_some_and(|value| value.as_ref() == asked))
}

/// The three filters of a date. They compare days in UTC, whatever time of day is given.
struct Dates {
    on: Option<String>,
    until: Option<String>,
    from: Option<String>,
}

impl Dates {
    fn read(query: &Query, name: &str) -> Result<Self, Refusal> {
        let day = |name: String| match query.get(&name) {
            None => Ok(None),
            Some(text) => match text.get(..10).and_then(|day| day.parse::<jiff::civil::Date>().ok()) {
                Some(day) => Ok(Some(day.to_string())),
                None => Err(Refusal::bad_request(20001, format!("{name} must be YYYY-MM-DD"))),
            },
        };
        Ok(Self { on: day(name.to_owned())?, until: day(format!("{name}<"))?, from: day(format!("{name}>"))? })
    }

    fn hold(&self, at: Timestamp) -> bool {
        let (year, month, day) = at.date();
        let at = format!("{year:04}-{month:02}-{day:02}");
        self.on.as_ref().is_none_or(|on| at == *on)
            && self.until.as_ref().is_none_or(|until| at <= *until)
            && self.from.as_ref().is_none_or(|from| at >= *from)
    }
}

pub(super) fn json_answer(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

/// RFC 2822 in UTC, the provider's form of every date.
pub(super) fn rfc2822(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or_default();
    at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

pub(super) fn account_path(account: &AccountSid) -> String {
    format!("/2010-04-01/Accounts/{account}")
}

impl World {
    pub(super) fn recording_json(&self, recording: &Recording) -> Value {
        let path = format!("{}/Recordings/{}", account_path(&recording.spec.account), recording.sid);
        // Seen in the field: -1 until the audio is there.
        let duration = match recording.status.as_str() {
            "completed" | "deleted" => recording.said_seconds().to_string(),
            _ => "-1".to_owned(),
        };
        json!({
            "account_sid": recording.spec.account,
            "api_version": "2010-04-01",
            "call_sid": recording.spec.call,
            "conference_sid": recording.spec.conference,
            "channels": recording.said_channels(),
            "date_created": rfc2822(recording.created),
            "date_updated": rfc2822(recording.deleted.unwrap_or(recording.created)),
            "start_time": rfc2822(recording.created),
            "duration": duration,
            "sid": recording.sid,
            "price": null,
            "price_unit": "USD",
            "status": recording.status,
            "source": recording.spec.source,
            "track": recording.spec.track,
            "error_code": recording.error_code,
            "uri": format!("{path}.json"),
            "encryption_details": recording.encryption_details,
            "subresource_uris": {
                "add_on_results": format!("{path}/AddOnResults.json"),
                "transcriptions": format!("{path}/Transcriptions.json"),
            },
            "media_url": format!("{}{path}", self.base_url),
        })
    }
}

fn call_json(call: &Call) -> Value {
    let ended = call.started + std::time::Duration::from_secs(call.seconds);
    json!({
        "sid": call.sid,
        "parent_call_sid": call.parent,
        "account_sid": call.account,
        "to": call.to,
        "to_formatted": call.to,
        "from": call.from,
        "from_formatted": call.from,
        "phone_number_sid": null,
        "status": call.status,
        "start_time": rfc2822(call.started),
        "end_time": rfc2822(ended),
        "duration": call.seconds.to_string(),
        "price": null,
        "price_unit": "USD",
        "direction": "inbound",
        "answered_by": null,
        "api_version": "2010-04-01",
        "forwarded_from": null,
        "group_sid": null,
        "caller_name": null,
        "queue_time": "0",
        "trunk_sid": null,
        "date_created": rfc2822(call.started),
        "date_updated": rfc2822(ended),
        "uri": format!("{}/Calls/{}.json", account_path(&call.account), call.sid),
        "subresource_uris": {},
    })
}
