//! Where an account's telephone numbers and applications get their TwiML, and what that means for the recording.
//!
//! Guarantee: an address that the provider tells is connected to only where it is on our own host.

use std::collections::HashMap;

use callspool_clients::http::Http;
use callspool_clients::provider::{Application, PhoneNumber, Twilio};
use callspool_clients::reach;
use serde_json::Value;
use url::Url;

use super::{Finding, Severity, Topic, mask, provider, twiml};
use crate::config::{AccountSettings, Config};
use crate::intake::{PATHS, STATUS_PATH, VOICE_PATHS};

/// How many names stand in one finding.
const NAMED: usize = 3;
/// How many documents on our own host are read.
const DOCUMENTS: usize = 20;

/// What answers calls: a number, or an application.
struct Place {
    /// The masked number, or the application's sid.
    name: String,
    number: Option<String>,
    voice_url: String,
    status_callback: String,
}

/// What was read on our own host.
#[derive(Clone, Default)]
struct Document {
    findings: Vec<Finding>,
    /// It starts a recording.
    records: bool,
}

/// Who answers at an address.
enum Answerer {
    Nobody,
    /// Our voice webhook.
    Callspool(Url),
    /// Nearly: why it will not work.
    Almost(&'static str),
    /// Something else on our own host.
    Neighbour(Url),
    /// Another host, or what is no host.
    Stranger(String),
}

pub(super) async fn examine(config: &Config, http: &Http, account: &AccountSettings, client: &Twilio) -> Vec<Finding> {
    let sid = account.sid.as_str();
    let listed = tokio::join!(client.phone_numbers(), client.applications());
    let (numbers, applications) = match listed {
        (Ok(numbers), Ok(applications)) => (numbers, applications),
        (Err(failure), _) | (_, Err(failure)) if provider::is_refusal(failure.code) => {
            let found = "telephone numbers and applications can't be read with these credentials";
            let todo = "compare them with callspool policy twilio by hand, or give the key the right to read them";
            return vec![Finding::new(Severity::Note, Topic::NumbersUnreadable, sid, found, todo)];
        }
        (Err(failure), _) | (_, Err(failure)) => return vec![Finding::failed(sid, &failure)],
    };
    let mut findings = Vec::new();
    if !(numbers.complete && applications.complete) {
        let found = "there are more numbers or applications than doctor reads; the rest was not looked at";
        let todo = "compare them with callspool policy twilio by hand";
        findings.push(Finding::new(Severity::Note, Topic::NumbersUnreadable, sid, found, todo));
    }
    let (places, odd) = places(&numbers.items, &applications.items);
    findings.extend(odd);
    let mut documents = HashMap::new();
    for place in &places {
        findings.extend(look_at(config, http, account, place, &mut documents).await);
    }
    let (total, others) = (numbers.items.len(), applications.items.len());
    let mut findings = gather(findings);
    findings.insert(0, Finding::ok(sid, format!("{total} number(s) and {others} application(s) looked at")));
    findings
}

/// What answers, and what needs no further look.
fn places(numbers: &[PhoneNumber], applications: &[Application]) -> (Vec<Place>, Vec<Finding>) {
    let (mut places, mut findings) = (Vec::new(), Vec::new());
    for number in numbers.iter().filter(|number| number.takes_calls()) {
        let name = mask::number(&number.phone_number);
        let set = |sid: &Option<String>| sid.clone().filter(|sid| !sid.is_empty());
        if set(&number.trunk_sid).is_some() {
            let found = "its calls go to a SIP trunk, whose recordings Twilio announces to nobody";
            let todo = "bring them in with callspool process RE…";
            findings.push(Finding::new(Severity::Note, Topic::NumberOnTrunk, name, found, todo));
        } else if let Some(sid) = set(&number.voice_application_sid) {
            // A number with an application is answered as the application says, which is looked at once.
            if applications.iter().all(|application| application.sid != sid) {
                let found = format!("application {sid} answers it, which these credentials don't see");
                let todo = "look in the Twilio Console where its voice URL leads";
                findings.push(Finding::new(Severity::Note, Topic::ApplicationHidden, name, found, todo));
            }
        } else {
            places.push(Place {
                name,
                number: Some(number.phone_number.clone()),
                voice_url: number.voice_url.clone().unwrap_or_default(),
                status_callback: number.status_callback.clone().unwrap_or_default(),
            });
        }
    }
    places.extend(applications.iter().map(|application| Place {
        name: application.sid.clone(),
        number: None,
        voice_url: application.voice_url.clone().unwrap_or_default(),
        status_callback: application.status_callback.clone().unwrap_or_default(),
    }));
    (places, findings)
}

async fn look_at(
    config: &Config,
    http: &Http,
    account: &AccountSettings,
    place: &Place,
    documents: &mut HashMap<Url, Document>,
) -> Vec<Finding> {
    let Ok(app) = Url::parse(&config.server.app_url) else { return Vec::new() };
    let finding = |severity, topic, found: String, todo: &str| {
        vec![Finding::new(severity, topic, place.name.as_str(), found, todo)]
    };
    match answerer(&app, &place.voice_url) {
        Answerer::Nobody if place.number.is_none() => Vec::new(),
        Answerer::Nobody => {
            let todo = "set its voice URL (callspool policy twilio), or leave it where nobody should call";
            finding(Severity::Note, Topic::NumberUnanswered, "nothing answers its calls".to_owned(), todo)
        }
        Answerer::Callspool(url) => of_ours(config, account, place, &app, &url),
        Answerer::Almost(why) => {
            let todo = "set its voice URL to what callspool policy twilio prints, letter by letter";
            finding(Severity::Loses, Topic::NumberUrlWrong, why.to_owned(), todo)
        }
        Answerer::Neighbour(url) => {
            let address = without_query(&url);
            if !documents.contains_key(&url) && documents.len() < DOCUMENTS {
                let read = read_document(config, http, &url, &address).await;
                documents.insert(url.clone(), read);
            }
            let document = documents.get(&url).cloned().unwrap_or_default();
            let by_request = of_request(config, account, place, &app, document.records);
            // What is recorded by a request needs no TwiML that records.
            let needs_none = by_request.is_some();
            let found = document.findings.into_iter();
            let found = found.filter(|finding| !(needs_none && finding.is(Topic::TwimlNotRecorded)));
            found.map(|finding| finding.about(format!("{} ({address})", place.name))).chain(by_request).collect()
        }
        Answerer::Stranger(host) => {
            if let Some(by_request) = of_request(config, account, place, &app, false) {
                return vec![by_request];
            }
            let found = format!("{host} answers its calls, and is not asked by doctor");
            let todo = "see that the TwiML there starts a recording as callspool policy twilio prints it";
            finding(Severity::Note, Topic::NumberElsewhere, found, todo)
        }
    }
}

fn answerer(app: &Url, voice_url: &str) -> Answerer {
    let voice_url = voice_url.trim();
    if voice_url.is_empty() {
        return Answerer::Nobody;
    }
    let Ok(url) = Url::parse(voice_url) else { return Answerer::Stranger("what is no address".to_owned()) };
    let Some(host) = url.host_str() else { return Answerer::Stranger("what is no address".to_owned()) };
    let is_voice = |path: &str| VOICE_PATHS.contains(&path);
    let path = path_below(app, &url);
    let same_host = app.host_str() == Some(host);
    if !same_origin(app, &url) {
        return if same_host && VOICE_PATHS.iter().any(|path| url.path().ends_with(path)) {
            Answerer::Almost("its voice URL differs from APP_URL in scheme or port, so its signature is refused")
        } else {
            Answerer::Stranger(host.to_owned())
        };
    }
    let ends_with_slash = path.and_then(|path| path.strip_suffix('/')).is_some_and(is_voice);
    match path {
        Some(path) if is_voice(path) && has_user(&url) => Answerer::Almost(
            "its voice URL has user:password@, which callspool does not sign, so its signature is refused",
        ),
        Some(path) if is_voice(path) => Answerer::Callspool(url),
        _ if ends_with_slash => Answerer::Almost("its voice URL ends with a slash, where callspool answers 404"),
        Some(path) if PATHS.contains(&path) || path == STATUS_PATH => {
            Answerer::Almost("its voice URL is a callback's, which answers no calls")
        }
        _ if VOICE_PATHS.iter().any(|path| url.path().ends_with(path)) => {
            Answerer::Almost("its voice URL has another path than APP_URL, so its signature is refused")
        }
        _ => Answerer::Neighbour(url),
    }
}

/// A name or password in the address is signed by the provider, and our public address has none.
fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

pub(super) fn same_origin(app: &Url, url: &Url) -> bool {
    (app.scheme(), app.host_str(), app.port_or_known_default())
        == (url.scheme(), url.host_str(), url.port_or_known_default())
}

/// The path below that of `APP_URL`.
pub(super) fn path_below<'a>(app: &Url, url: &'a Url) -> Option<&'a str> {
    url.path().strip_prefix(app.path().trim_end_matches('/'))
}

/// Whether a URL asks to be tried again, also where something answers that it could not store.
pub(super) fn asks_for_retries(url: &Url) -> bool {
    let fragment = url.fragment().unwrap_or_default();
    fragment.split('&').any(|pair| matches!(pair, "rp=all") || pair.starts_with("rp=") && pair.contains("5xx"))
}

/// Our own voice webhook answers: is there something to say to the caller, and is all told that can be?
fn of_ours(config: &Config, account: &AccountSettings, place: &Place, app: &Url, url: &Url) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut note = |topic, found: &str, todo: &str| {
        findings.push(Finding::new(Severity::Advice, topic, place.name.as_str(), found, todo));
    };
    let assistant = url.query_pairs().find(|(name, _)| name == "assistant").map(|(_, value)| value.into_owned());
    let rule = config.voice.rule_for(&account.sid, place.number.as_deref(), assistant.as_deref());
    if rule.is_none_or(|rule| rule.then.is_none()) {
        let found =
            "callspool answers it, and no [[voice]] rule says what comes next: callers hear that it is not set up";
        note(Topic::VoiceRuleMissing, found, "add a [[voice]] rule");
    }
    if config.voice.callback_retry && !asks_for_retries(url) {
        let found =
            "its voice URL asks for no retries, so a call is dropped when callspool is started again at that moment";
        note(Topic::RetryMissing, found, "add #rc=5&rp=all to it");
    }
    if !tells_us(place, app) {
        let found =
            "callspool is not told how its calls end, so a recording that only the call's end names is not brought in";
        note(Topic::StatusCallbackMissing, found, "set its call status callback (callspool policy twilio)");
    }
    findings
}

/// Whether callspool gets its call status callback.
fn tells_us(place: &Place, app: &Url) -> bool {
    let status = Url::parse(&place.status_callback).ok();
    status.is_some_and(|url| same_origin(app, &url) && !has_user(&url) && path_below(app, &url) == Some(STATUS_PATH))
}

/// Somebody else answers, and a rule has its calls recorded by a request: that needs word of every call as it begins, and
/// no second recording beside it. A number's own call status callback tells of a call's end alone; the events of
/// <https://www.twilio.com/docs/voice/api/call-resource#statuscallbackevent> are asked for by whoever handles the call.
fn of_request(
    config: &Config,
    account: &AccountSettings,
    place: &Place,
    app: &Url,
    records_itself: bool,
) -> Option<Finding> {
    config.voice.rule_for(&account.sid, place.number.as_deref(), None).filter(|rule| rule.is_by_request())?;
    let name = place.name.as_str();
    if records_itself {
        let found =
            "its TwiML records, and a [[voice]] rule with start = \"rest\" has its calls recorded a second time";
        let todo = "take the recording out of one of the two";
        return Some(Finding::new(Severity::Advice, Topic::RestTwice, name, found, todo));
    }
    let (severity, found) = if tells_us(place, app) {
        (
            Severity::Note,
            "its calls are recorded by a request once callspool hears that they are answered, and the number itself \
             tells of their end alone",
        )
    } else {
        (
            Severity::Advice,
            "its calls are recorded by a request once callspool hears that they are answered, and the number tells it \
             of none of them",
        )
    };
    let todo = "have the program that handles its calls send the call status callback with the event answered";
    Some(Finding::new(severity, Topic::RestNotTold, name, found, todo))
}

async fn read_document(config: &Config, http: &Http, url: &Url, about: &str) -> Document {
    let unreadable = |found: String| {
        let todo = "see that the TwiML there starts a recording as callspool policy twilio prints it";
        let finding = Finding::new(Severity::Note, Topic::TwimlUnreadable, about, found, todo);
        Document { findings: vec![finding], records: false }
    };
    match reach::get(http, url).await {
        Ok(answer) if answer.status == 200 => {
            let text = String::from_utf8_lossy(&answer.body);
            if text.contains("<Response") {
                Document { findings: twiml::lint(config, &text, url, about), records: twiml::records(&text) }
            } else {
                unreadable("there is no TwiML in its answer to a plain GET".to_owned())
            }
        }
        Ok(answer) if answer.status == 404 => {
            let finding = nothing_there(about, &answer.body);
            Document { findings: vec![finding], records: false }
        }
        Ok(answer) => unreadable(format!("answers {} to a plain GET", answer.status)),
        Err(unanswered) => unreadable(format!("can't be read: {unanswered}")),
    }
}

/// Callspool's own 404 holds for every method. Another program may answer a POST where it answers none to a GET, so that
/// only a person can tell.
fn nothing_there(about: &str, body: &[u8]) -> Finding {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let (severity, found, todo) = if body["error"]["code"] == "not_found" {
        let todo = "set its voice URL to what callspool policy twilio prints, letter by letter";
        (Severity::Loses, "its voice URL leads to callspool, which has nothing at this path and answers 404", todo)
    } else {
        let todo = "correct its voice URL, or see that the program there answers Twilio's method at this path";
        (Severity::Advice, "its voice URL leads to our own host, which answers 404 to a plain GET", todo)
    };
    Finding::new(severity, Topic::NumberUrlWrong, about, found, todo)
}

/// A query may hold a secret.
fn without_query(url: &Url) -> String {
    format!("{}{}", url.host_str().unwrap_or_default(), url.path())
}

/// One line for what is the same of many.
fn gather(findings: Vec<Finding>) -> Vec<Finding> {
    let mut groups: Vec<(Finding, Vec<String>)> = Vec::new();
    for finding in findings {
        let about = finding.about.clone();
        match groups.iter_mut().find(|(first, _)| first.is_like(&finding)) {
            Some((_, names)) => names.push(about),
            None => groups.push((finding, vec![about])),
        }
    }
    let named = |names: &[String]| {
        let first: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
        let more = names.len().saturating_sub(NAMED);
        if more == 0 { first.join(", ") } else { format!("{} and {more} more", first.join(", ")) }
    };
    groups.into_iter().map(|(finding, names)| finding.about(named(&names))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_ours_only_where_its_signature_will_hold() {
        let app = Url::parse("https://calls.example.com/base").expect("a URL");
        let kind = |url: &str| match answerer(&app, url) {
            Answerer::Nobody => "nobody",
            Answerer::Callspool(_) => "ours",
            Answerer::Almost(_) => "almost",
            Answerer::Neighbour(_) => "neighbour",
            Answerer::Stranger(_) => "stranger",
        };
        for (url, expected) in [
            ("", "nobody"),
            ("https://calls.example.com/base/api/twilio/voice", "ours"),
            ("https://calls.example.com:443/base/twiml?assistant=a#rc=5", "ours"),
            ("http://calls.example.com/base/api/twilio/voice", "almost"),
            ("https://calls.example.com/api/twilio/voice", "almost"),
            ("https://calls.example.com/base/api/twilio/recording", "almost"),
            ("https://anna:hunter2@calls.example.com/base/api/twilio/voice", "almost"),
            ("https://anna@calls.example.com/base/twiml", "almost"),
            ("https://calls.example.com/base/api/twilio/voice/", "almost"),
            ("https://calls.example.com/base/twiml/?assistant=a", "almost"),
            ("https://calls.example.com/base/other", "neighbour"),
            ("https://calls.example.com:8443/other", "stranger"),
            ("https://elsewhere.example/api/twilio/voice", "stranger"),
            ("client:anna", "stranger"),
        ] {
            assert_eq!(kind(url), expected, "{url}");
        }
    }
}
