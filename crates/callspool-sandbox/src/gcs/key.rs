//! The service account that a [`Gcs`](super::Gcs) knows: a key made for it, and the proof of what was signed with it.

use std::io;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use callspool_domain::{Clock, Secret};
use http::request::Parts;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const EMAIL: &str = "callspool@sandbox.iam.gserviceaccount.com";
/// `object_store` signs for Google's host, whatever the endpoint; other clients sign for the one they connect to.
const GOOGLES_HOST: &str = "storage.googleapis.com";

pub(super) struct Key {
    file: Secret,
    public: Vec<u8>,
}

impl Key {
    pub(super) fn new() -> io::Result<Self> {
        let failed = |_unspecified| io::Error::other("no key could be made");
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
        let text = STANDARD.encode(der.as_ref());
        let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
        let file = json!({
            "type": "service_account",
            "project_id": "sandbox",
            "private_key_id": "1",
            "private_key": pem,
            "client_email": EMAIL,
            "client_id": "1",
            "token_uri": "https://oauth2.googleapis.com/token",
        });
        Ok(Self { file: Secret::new(file.to_string()), public: pair.public_key().as_ref().to_vec() })
    }

    /// What stands in a file of `GOOGLE_APPLICATION_CREDENTIALS`.
    pub(super) fn file(&self) -> &Secret {
        &self.file
    }

    fn has_signed(&self, text: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public).verify(text.as_bytes(), signature).is_ok()
    }

    /// A token that the account signed itself (<https://google.aip.dev/auth/4111>).
    pub(super) fn knows_token(&self, token: &str) -> bool {
        let read = || {
            let (text, signature) = token.rsplit_once('.')?;
            let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text.split_once('.')?.1).ok()?).ok()?;
            let genuine = self.has_signed(text, &URL_SAFE_NO_PAD.decode(signature).ok()?);
            Some(genuine && claims["iss"] == EMAIL && claims["exp"].as_i64()? > now())
        };
        read().unwrap_or(false)
    }

    /// A signed URL (<https://cloud.google.com/storage/docs/authentication/canonical-requests>).
    pub(super) fn knows_url(&self, head: &Parts) -> bool {
        let raw = head.uri.query().unwrap_or_default();
        let text = |name: &str| {
            form_urlencoded::parse(raw.as_bytes()).find(|(key, _)| key == name).map(|(_, text)| text.into_owned())
        };
        let read = |host: &str| {
            let (date, credential) = (text("X-Goog-Date")?, text("X-Goog-Credential")?);
            let scope = credential.strip_prefix(EMAIL)?.strip_prefix('/')?.to_owned();
            let signed_at: jiff::civil::DateTime = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", &date).ok()?;
            let signed_at = signed_at.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
            let mut query: Vec<&str> = raw.split('&').filter(|pair| !pair.starts_with("X-Goog-Signature=")).collect();
            query.sort_unstable();
            // A form writes a blank as a plus, a canonical request never.
            let query = query.join("&").replace('+', "%20");
            let canonical =
                format!("{}\n{}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD", head.method, head.uri.path());
            let digest = hex::encode(Sha256::digest(canonical));
            let genuine = self.has_signed(
                &format!("GOOG4-RSA-SHA256\n{date}\n{scope}\n{digest}"),
                &hex::decode(text("X-Goog-Signature")?).ok()?,
            );
            Some(genuine && now() < signed_at + text("X-Goog-Expires")?.parse::<i64>().ok()?)
        };
        let own = head.headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        [GOOGLES_HOST, own].into_iter().any(|host| read(host).unwrap_or(false))
    }
}

fn now() -> i64 {
    Clock::System.now().as_micros() / 1_000_000
}
