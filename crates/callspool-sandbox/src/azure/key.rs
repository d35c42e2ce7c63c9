//! The account's key of an [`Azure`](super::Azure), and the proof of what was signed with it; and a token of Entra's.
//!
//! It follows <https://learn.microsoft.com/en-us/rest/api/storageservices/authorize-with-shared-key> and
//! <https://learn.microsoft.com/en-us/rest/api/storageservices/create-service-sas>.

use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callspool_domain::{Clock, Secret};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::request::Parts;
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use sha2::Sha256;

pub(super) struct Key {
    pub(super) account: String,
    pub(super) secret: Secret,
    pub(super) token: Mutex<Option<Secret>>,
}

impl Key {
    pub(super) fn knows(&self, head: &Parts) -> bool {
        let said = head.headers.get(http::header::AUTHORIZATION).and_then(|text| text.to_str().ok());
        match said {
            Some(text) if text.starts_with("Bearer ") => {
                let known = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
                known.is_some_and(|token| text.strip_prefix("Bearer ") == Some(token.expose()))
            }
            Some(text) => {
                let signature = text.strip_prefix(&format!("SharedKey {}:", self.account));
                signature.is_some_and(|signature| self.has_signed(&self.canonical(head), signature))
            }
            None => self.knows_url(head).unwrap_or(false),
        }
    }

    fn has_signed(&self, text: &str, signature: &str) -> bool {
        let (Ok(key), Ok(signature)) = (STANDARD.decode(self.secret.expose()), STANDARD.decode(signature)) else {
            return false;
        };
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else { return false };
        mac.update(text.as_bytes());
        mac.verify_slice(&signature).is_ok()
    }

    /// The text that a request's `Authorization` signs.
    fn canonical(&self, head: &Parts) -> String {
        let text = |name: &str| value(&head.headers, name);
        let length = text("content-length");
        let mut lines = vec![head.method.as_str().to_owned(), text("content-encoding"), text("content-language")];
        lines.push(if length == "0" { String::new() } else { length });
        for name in ["content-md5", "content-type"] {
            lines.push(text(name));
        }
        lines.push(if head.headers.contains_key("x-ms-date") { String::new() } else { text("date") });
        for name in ["if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"] {
            lines.push(text(name));
        }
        let mut own: Vec<&str> =
            head.headers.keys().map(http::HeaderName::as_str).filter(|name| name.starts_with("x-ms-")).collect();
        own.sort_unstable();
        lines.extend(own.into_iter().map(|name| format!("{name}:{}", text(name))));
        lines.push(format!("/{}{}", self.account, head.uri.path()));
        let mut query: Vec<(String, String)> = query(head).collect();
        query.sort();
        lines.extend(query.into_iter().map(|(name, text)| format!("{}:{text}", name.to_ascii_lowercase())));
        lines.join("\n")
    }

    /// A blob's signed URL, which reads.
    fn knows_url(&self, head: &Parts) -> Option<bool> {
        let text = |name: &str| query(head).find(|(key, _)| key == name).map(|(_, text)| text);
        let or_empty = |name: &str| text(name).unwrap_or_default();
        let expiry: jiff::Timestamp = text("se")?.parse().ok()?;
        // The account stands in the path here; in the signature the names stand as they are, not as a URL writes them.
        let resource = percent_decode_str(head.uri.path()).decode_utf8().ok()?;
        let fields = [
            or_empty("sp"),
            or_empty("st"),
            or_empty("se"),
            format!("/blob{resource}"),
            or_empty("si"),
            or_empty("sip"),
            or_empty("spr"),
            or_empty("sv"),
            or_empty("sr"),
            String::new(),
            or_empty("ses"),
            or_empty("rscc"),
            or_empty("rscd"),
            or_empty("rsce"),
            or_empty("rscl"),
            or_empty("rsct"),
        ];
        let reads =
            matches!(head.method, Method::GET | Method::HEAD) && text("sp")?.contains('r') && text("sr")? == "b";
        let lives = Clock::System.now().as_micros() / 1_000_000 < expiry.as_second();
        Some(reads && lives && self.has_signed(&fields.join("\n"), &text("sig")?))
    }
}

fn value(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|text| text.to_str().ok()).unwrap_or_default().trim().to_owned()
}

fn query(head: &Parts) -> impl Iterator<Item = (String, String)> {
    form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).into_owned()
}
