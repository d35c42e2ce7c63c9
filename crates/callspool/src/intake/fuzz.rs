//! What comes in from the outside, whatever its bytes: read without a panic, and believed only as far as it holds.

use callspool_domain::Secret;
use callspool_fuzz::fuzz;
use callspool_sandbox::twilio::sign;
use sha2::{Digest as _, Sha256};

use super::form::Form;
use super::signature::{Algorithm, Body, is_genuine};
use super::twiml::Twiml;
use super::webhook::Webhook;
use super::{call, callback, json, status};

fn corpus(name: &str) -> String {
    format!("{}/tests/fuzz/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The first line as text, and what follows it.
fn line(input: &[u8]) -> (String, &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (first, rest) = input.split_at(end);
    (String::from_utf8_lossy(first).into_owned(), rest.get(1..).unwrap_or_default())
}

/// URL, signature, body: only what the sandbox's own signature proves passes.
#[test]
fn fuzz_signature() {
    fuzz(corpus("signature"), |input| {
        let (url, rest) = line(input);
        let (header, body) = line(rest);
        let url = url.split('#').next().unwrap_or_default().to_owned();
        let secrets = [Secret::new("another token"), Secret::new("12345")];
        let form = Form::decode(body);
        let passes = |signature: &str| is_genuine(signature, &url, Body::Form(&form), Algorithm::Sha1, &secrets);
        let fields = form.text();
        if let Ok(fields) = &fields {
            let genuine = sign(&secrets[1], &url, fields.pairs());
            assert!(passes(&genuine));
            assert!(!passes(&genuine.to_lowercase()) && !passes(genuine.trim_end_matches('=')));
            assert!(!passes(&sign(&Secret::new("nobody's"), &url, fields.pairs())));
        }
        let hash = hex::encode(Sha256::digest(body));
        let mark = if url.contains('?') { '&' } else { '?' };
        let hashed = format!("{url}{mark}bodySHA256={hash}");
        let raw =
            |body| is_genuine(&sign(&secrets[1], &hashed, &[]), &hashed, Body::Raw(body), Algorithm::Sha1, &secrets);
        assert!(raw(body) || url.contains("bodySHA256="));
        assert!(!raw(&[body, b"x"].concat()));
        (passes(&header), fields.map(|fields| fields.pairs().len()).map_err(|error| std::mem::discriminant(&error)))
    });
}

/// Query, then a body: a form, or JSON, of any of the callbacks.
#[test]
fn fuzz_callback() {
    fuzz(corpus("callback"), |input| {
        let (query, body) = line(input);
        let form = Form::decode(body);
        let again = form_urlencoded_again(&form);
        assert_eq!(Form::decode(again.as_bytes()), form, "what was decoded means the same when encoded again");
        let Ok(query) = Form::decode(query.as_bytes()).text() else { return String::new() };
        let forms = [form.text(), json::fields(body)];
        let outcomes = forms.into_iter().flatten().map(|fields| read(&Webhook { fields, query: query.clone() }));
        format!("{:?} {}", outcomes.collect::<Vec<_>>(), json::account(body).is_some())
    });
}

fn form_urlencoded_again(form: &Form) -> String {
    let half = |bytes: &[u8]| form_urlencoded::byte_serialize(bytes).collect::<String>();
    let pairs = form.pairs().iter().map(|(name, value)| format!("{}={}", half(name), half(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// Reads a request as each of the callbacks; how each ended.
fn read(webhook: &Webhook) -> [String; 2] {
    let said = |name: &str| webhook.fields.get(name).ok().flatten().map(str::to_owned);
    let recording = callback::read_callback(webhook).map(|callback| {
        let announcement = callback.announcement;
        assert_eq!(Some(announcement.recording.as_str()), said("RecordingSid").as_deref());
        assert_eq!(Some(announcement.account.as_str()), said("AccountSid").as_deref());
        assert!(announcement.channels.is_none_or(|channels| (1..=8).contains(&channels)));
        assert!(!announcement.status.as_str().chars().any(char::is_control));
        assert!(callback.source.is_none_or(|source| !source.as_str().contains(['\n', '\r', '|'])));
        (announcement.track, announcement.channels.is_some(), announcement.started_at.is_some(), callback.job.is_some())
    });
    let call = call::read(webhook).and_then(|event| {
        assert_eq!(Some(event.call.as_str()), said("CallSid").as_deref());
        let recording = status::read_recording(webhook, &event)?;
        Ok((event.parent.is_some(), event.duration_seconds.is_some(), recording.is_some()))
    });
    [ended(recording), ended(call)]
}

fn ended<T: std::fmt::Debug, E: std::fmt::Debug>(result: Result<T, E>) -> String {
    // Errors hold what was sent; their kinds are enough.
    format!("{result:?}").chars().take_while(|c| *c != '"').take(60).collect()
}

/// Any text within TwiML: an independent parser reads the document, and finds the text.
#[test]
fn fuzz_twiml() {
    fuzz(corpus("twiml"), |input| {
        let text = String::from_utf8_lossy(input);
        let mut twiml = Twiml::new();
        twiml.open("Say", &[("voice", &text), ("language", "en")]).text(&text).close("Say");
        let document = twiml.finish();
        let document = roxmltree::Document::parse(&document).expect("well-formed");
        let response = document.root_element();
        let elements: Vec<_> = response.children().collect();
        let [say] = &elements[..] else { panic!("one element and nothing beside it") };
        let allowed: String = text.chars().filter(|c| is_xml(*c)).collect();
        assert_eq!((response.tag_name().name(), say.tag_name().name()), ("Response", "Say"));
        assert_eq!(say.attributes().len(), 2);
        assert_eq!(say.attribute("voice"), Some(allowed.as_str()));
        assert!(say.children().all(|child| child.is_text()));
        assert_eq!(say.text().unwrap_or_default(), allowed);
        (allowed.len() == text.len(), text.len().min(40))
    });
}

/// <https://www.w3.org/TR/xml/#charsets>
fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}
