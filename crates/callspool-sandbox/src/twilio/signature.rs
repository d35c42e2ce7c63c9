//! `X-Twilio-Signature`, as the provider computes it: base64 of HMAC-SHA1 over the URL and the sorted parameters
//! (<https://www.twilio.com/docs/usage/webhooks/webhooks-security>).

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callspool_domain::Secret;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

/// The signature of a form POST to `url` with these decoded parameters.
///
/// `url` is taken as configured, percent-encoding untouched, without its fragment. Parameters are sorted by name,
/// byte-wise; of a repeated name each distinct value counts once, in sorted order.
pub fn sign(auth_token: &Secret, url: &str, params: &[(String, String)]) -> String {
    let mut mac = keyed(auth_token);
    mac.update(without_fragment(url).as_bytes());
    let sorted: BTreeSet<&(String, String)> = params.iter().collect();
    for (name, value) in sorted {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    STANDARD.encode(mac.finalize().into_bytes())
}

/// The URL as it is requested: connection overrides stand in the fragment, which is never sent.
pub(super) fn without_fragment(url: &str) -> &str {
    url.split_once('#').map_or(url, |(before, _)| before)
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn keyed(auth_token: &Secret) -> Hmac<Sha1> {
    Hmac::new_from_slice(auth_token.expose().as_bytes()).expect("any key")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn agrees_with_the_vectors_of_the_official_sdks() {
        let token = Secret::new("12345");
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        let call = pairs(&[
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+14158675309"),
            ("Digits", "1234"),
            ("From", "+14158675309"),
            ("To", "+18005551212"),
        ]);
        assert_eq!(sign(&token, url, &call), "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
        assert_eq!(sign(&token, &format!("{url}#rc=5&rp=all"), &call), "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
        assert_eq!(sign(&token, url, &[]), "zYQTYrRWXE7LtzbG4PfP7/bkkGo=");
        let repeated = pairs(&[
            ("Sid", "CA123"),
            ("SidAccount", "AC123"),
            ("Digits", "5678"),
            ("Digits", "1234"),
            ("Digits", "1234"),
        ]);
        assert_eq!(sign(&token, url, &repeated), "IK+Dwps556ElfBT0I3Rgjkr1wJU=");
        let cased = pairs(&[("callSid", "lowercase"), ("CallSid", "uppercase"), ("CALLSID", "allcaps")]);
        assert_eq!(sign(&token, url, &cased), "jDK7WKT8wiNrwggd4ceTv4e1MJ4=");
    }
}
