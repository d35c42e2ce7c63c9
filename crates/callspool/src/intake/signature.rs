//! `X-Twilio-Signature`, exactly as the official SDKs check it
//! (<https://www.twilio.com/docs/usage/webhooks/webhooks-security>).
//!
//! Guarantee: only who knows a token of the account can make a request pass. Compared in constant time.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use callspool_domain::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::form::Form;

/// What a request carries besides its URL.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// A form: every pair is signed.
    Form(&'a Form),
    /// Anything else: its SHA-256 must stand in the URL as `bodySHA256`, and the URL is signed.
    Raw(&'a [u8]),
}

/// The hash of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC-SHA1: the Auth Token's only one.
    Sha1,
    /// HMAC-SHA256, which a shared key may have
    /// (<https://www.twilio.com/docs/usage/webhooks/webhook-settings>).
    Sha256,
}

/// Whether `signature` is that of this request under one of the secrets.
///
/// `url` is the URL as the provider was given it, without the fragment. As the SDKs do, it is tried with the port left out
/// and with the port written, and with `'` in the query as it is and as `%27`.
pub fn is_genuine(signature: &str, url: &str, body: Body<'_>, algorithm: Algorithm, secrets: &[Secret]) -> bool {
    if let Body::Raw(bytes) = body
        && !has_hash_of(url, bytes)
    {
        return false;
    }
    let suffix = if let Body::Form(form) = body { signed_pairs(form) } else { Vec::new() };
    let mut genuine = false;
    for url in variants(url) {
        for secret in secrets {
            let expected = sign(algorithm, secret, &url, &suffix);
            genuine |= bool::from(expected.as_bytes().ct_eq(signature.as_bytes()));
        }
    }
    genuine
}

/// The signature of a form that is sent to `url`, as the provider makes it.
pub fn signature_of(url: &str, form: &Form, algorithm: Algorithm, secret: &Secret) -> String {
    sign(algorithm, secret, url, &signed_pairs(form))
}

fn sign(algorithm: Algorithm, secret: &Secret, url: &str, suffix: &[u8]) -> String {
    match algorithm {
        Algorithm::Sha1 => sign_with::<Hmac<Sha1>>(secret, url, suffix),
        Algorithm::Sha256 => sign_with::<Hmac<Sha256>>(secret, url, suffix),
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn sign_with<H: Mac + KeyInit>(secret: &Secret, url: &str, suffix: &[u8]) -> String {
    let mut mac = <H as KeyInit>::new_from_slice(secret.expose().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(url.as_bytes());
    mac.update(suffix);
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

/// Names and values without separators, sorted bytewise by name and then value, each different pair once.
fn signed_pairs(form: &Form) -> Vec<u8> {
    let mut pairs: Vec<&(Vec<u8>, Vec<u8>)> = form.pairs().iter().collect();
    pairs.sort();
    pairs.dedup();
    pairs.into_iter().flat_map(|(name, value)| [name.as_slice(), value.as_slice()].concat()).collect()
}

fn has_hash_of(url: &str, body: &[u8]) -> bool {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let said = query.split('&').find_map(|pair| pair.strip_prefix("bodySHA256="));
    said.is_some_and(|said| {
        bool::from(hex::encode(Sha256::digest(body)).as_bytes().ct_eq(said.to_ascii_lowercase().as_bytes()))
    })
}

fn variants(url: &str) -> Vec<String> {
    let mut urls = vec![url.to_owned()];
    urls.extend(with_port(url, Port::LeftOut));
    urls.extend(with_port(url, Port::Written));
    let quoted: Vec<String> = urls.iter().filter_map(|url| with_quotes_encoded(url)).collect();
    urls.extend(quoted);
    urls.sort();
    urls.dedup();
    urls
}

enum Port {
    LeftOut,
    Written,
}

fn with_port(url: &str, port: Port) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Cow::Owned(format!("{user}@")), host),
        None => (Cow::Borrowed(""), authority),
    };
    // The last colon begins a port only behind the bracket of an IPv6 address.
    let named = host.rsplit_once(':').filter(|(_, port)| !port.contains(']'));
    let default = if scheme == "http" { "80" } else { "443" };
    let host = match port {
        Port::LeftOut => named.map_or(host, |(host, _)| host).to_owned(),
        Port::Written if named.is_some() => host.to_owned(),
        Port::Written => format!("{host}:{default}"),
    };
    Some(format!("{scheme}://{user}{host}{path}"))
}

fn with_quotes_encoded(url: &str) -> Option<String> {
    let (path, query) = url.split_once('?')?;
    query.contains('\'').then(|| format!("{path}?{}", query.replace('\'', "%27")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const U: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
    const P: &str = "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";

    fn form_passes(url: &str, body: &str, signature: &str) -> bool {
        let form = Form::decode(body.as_bytes());
        is_genuine(signature, url, Body::Form(&form), Algorithm::Sha1, &[Secret::new("12345")])
    }

    fn raw_passes(url: &str, body: &str, signature: &str) -> bool {
        is_genuine(signature, url, Body::Raw(body.as_bytes()), Algorithm::Sha1, &[Secret::new("12345")])
    }

    #[track_caller]
    fn vector(name: &str, url: &str, body: &str, signature: &str) {
        assert!(form_passes(url, body, signature), "{name} must pass");
        assert!(!form_passes(&format!("{url}&x=1"), body, signature), "{name} must fail with another query");
        assert!(!form_passes(url, &format!("{body}&x=1"), signature), "{name} must fail with another parameter");
    }

    #[test]
    fn the_vectors_of_the_official_sdks_with_ports_and_schemes() {
        vector("T1", U, P, "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
        vector(
            "T1 given a port",
            "https://mycompany.com:1234/myapp.php?foo=1&bar=2",
            P,
            "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
        );
        vector("T2", U, P, "kvajT1Ptam85bY51eRf/AJRuM3w=");
        vector("T3", "http://mycompany.com/myapp.php?foo=1&bar=2", P, "0ZXoZLH/DfblKGATFgpif+LLRf4=");
        vector("T4", "http://mycompany.com:1234/myapp.php?foo=1&bar=2", P, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=");
        vector("T9", "https://user:pass@mycompany.com/myapp.php?foo=1&bar=2", P, "CukzLTc1tT5dXEDIHm/tKBanW10=");
        vector("T10", "https://user@mycompany.com/myapp.php?foo=1&bar=2", P, "2YRLlVAflCqxaNicjMpJcSTgzSs=");
        vector("T11", "https://user:pass@mycompany.com/myapp.php?foo=1&bar=2", P, "ZQFR1PTIZXF2MXB8ZnKCvnnA+rI=");
        vector("T11b", "https://user@mycompany.com/myapp.php?foo=1&bar=2", P, "aZfj4hyX1MLZhSS6QIL18Vn2/RA=");
        vector("T24", "https://mycompany.com:443//myapp.php?foo=1&bar=2", P, "A9lH3u16NjyiiM/+wylw5rirFUs=");
    }

    #[test]
    fn the_vectors_of_the_official_sdks_with_json_bodies() {
        let json = r#"{"property": "value", "boolean": true}"#;
        let hash = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
        let t5 = format!("{U}&bodySHA256={hash}");
        assert!(raw_passes(&t5, json, "a9nBmqA0ju/hNViExpshrM61xv4="), "T5");
        let t6 = format!("https://mycompany.com/myapp.php?bodySHA256={hash}");
        assert!(raw_passes(&t6, json, "y77kIzt2vzLz71DgmJGsen2scGs="), "T6");
        let t7 = format!("{U}&bodySHA256=44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
        assert!(raw_passes(&t7, "{}", "Ldidvp12m26NI7eqEvxnEpkd9Hc="), "T7");
        assert!(!raw_passes(&t5, "{}", "a9nBmqA0ju/hNViExpshrM61xv4="), "another body");
        assert!(!raw_passes(U, json, "zYQTYrRWXE7LtzbG4PfP7/bkkGo="), "a body without bodySHA256");
    }

    #[test]
    fn the_vectors_of_the_official_sdks_with_unusual_parameters() {
        let sids = "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234";
        vector("T8", U, sids, "IK+Dwps556ElfBT0I3Rgjkr1wJU=");
        vector("T12", &format!("{U}&Body=It's+amazing"), P, "TfZzewPq8wqrGlMfyAud8+/IvJ0=");
        for order in [["1325", "1415"], ["1415", "1325"]] {
            let body = order.map(|area| format!("MessagingBinding.Address=%2B{area}xxxxxxx")).join("&");
            vector("T13", U, &body, "83O6e2vORAoJHUNzJjDWN1jz+BA=");
        }
        let conference = format!("{P}&Reason=Participant&ReasonConferenceEnded=test");
        vector("T14", U, &conference, "vOEb5UThFn24KEfnOFLQY2AE5FY=");
        assert!(!form_passes(U, &conference, "95+Bu0JVPi0r/SsESZCVf0dWAjw="), "T14 in the wrong order");
        vector("T15", "http://mycompany.com/myapp.php?foo=1&bar=2", &conference, "n2xBNyzSW7rfYStDtOFiFMv7qNo=");
        vector("T16", U, "property=value&boolean=true", "NBdBDr/T/lgjI+tlgpXjKZQZs/k=");
        vector("T17", U, "", "zYQTYrRWXE7LtzbG4PfP7/bkkGo=");
        assert!(form_passes("https://mycompany.com/myapp.php", P, "1xaxFBvyzXYvWplzNOSs28HWO94="), "T18");
        vector(
            "T19",
            "https://mycompany.com/myapp.php?foo=hello%20world&bar=test%2Bvalue",
            P,
            "er2tvAP1Wx+iuTTE2BPgvEaN1cs=",
        );
        let special = form_urlencoded::Serializer::new(String::new())
            .append_pair("Message", "Hello & goodbye! @#$%^*()")
            .append_pair("From", "+1 (415) 867-5309")
            .append_pair("Special", "unicode: ñáéíóú")
            .finish();
        vector("T20", U, &special, "dCPiR4WtQ6QFN6pJh81CtlCcWLQ=");
        vector("T21", U, "Digits=&CallSid=CA1234567890ABCDE&EmptyParam=", "9HHp/OqQMEwdrVebHDdA/+tqjX8=");
        vector("T22", U, "Zebra=last&Alpha=first&Beta=second&Gamma=third", "enveUe73ZTVLAekHxez3Qx6JuuQ=");
        vector("T23", U, "callSid=lowercase&CallSid=uppercase&CALLSID=allcaps", "jDK7WKT8wiNrwggd4ceTv4e1MJ4=");
        vector("T25", "https://mycompany.com/webhook/España?año=2023", P, "G/Hx6mqqnjUNlPAoi2Sp9bGst0g=");
    }

    #[test]
    fn any_token_in_rotation_passes_and_nothing_else() {
        let form = Form::decode(P.as_bytes());
        let genuine = |signature: &str, tokens: &[&str]| {
            let tokens: Vec<Secret> = tokens.iter().map(|token| Secret::new(*token)).collect();
            is_genuine(signature, U, Body::Form(&form), Algorithm::Sha1, &tokens)
        };
        assert!(genuine("RSOYDt4T1cUTdK1PDd93/VVr8B8=", &["next", "12345"]));
        assert!(!genuine("RSOYDt4T1cUTdK1PDd93/VVr8B8=", &["next"]));
        assert!(!genuine("RSOYDt4T1cUTdK1PDd93/VVr8B8=", &[]));
        assert!(!genuine("", &["12345"]));
    }
}
