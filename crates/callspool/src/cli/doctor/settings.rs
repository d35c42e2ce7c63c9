//! What can be said of the settings alone.

use std::time::Duration;

use url::{Host, Url};

use super::{Finding, Severity, Topic};
use crate::config::{Config, LinkStyle};

/// A day to notice what went wrong, and to listen to what is doubtful.
const RECOMMENDED_DELAY: Duration = Duration::from_secs(24 * 3600);

pub(super) fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = vec![Finding::ok("configuration", "parses, and makes sense")];
    findings.extend(config.unused.iter().map(|unused| {
        let todo = "remove it, or set what it needs";
        Finding::new(Severity::Advice, Topic::SettingUnused, unused.name.as_str(), unused.why.as_str(), todo)
    }));
    findings.extend(accounts(config));
    findings.extend(app_url(config));
    findings.extend(delete_after(config));
    findings.extend(link_style(config));
    findings
}

fn accounts(config: &Config) -> Vec<Finding> {
    if config.accounts.is_empty() {
        return vec![Finding::new(
            Severity::Loses,
            Topic::AccountMissing,
            "TWILIO_ACCOUNT_SID",
            "no account is configured, so every callback is refused",
            "set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN",
        )];
    }
    let without_token = config.accounts.iter().filter(|account| account.tokens.is_empty());
    let finding = |sid: &str| {
        let (severity, found) = if config.webhook_keys.is_empty() {
            (Severity::Loses, "it has an API key and no Auth Token, so its callbacks are refused")
        } else {
            (Severity::Note, "it has no Auth Token, so only callbacks signed with a shared key are taken")
        };
        let todo = "set its Auth Token as well: API keys sign nothing";
        Finding::new(severity, Topic::TokenMissing, sid, found, todo)
    };
    without_token.map(|account| finding(account.sid.as_str())).collect()
}

/// `APP_URL` must be what the provider can reach. On the loopback it serves tests and the demo, whose provider is there too.
fn app_url(config: &Config) -> Option<Finding> {
    let text = &config.server.app_url;
    let url = Url::parse(text).ok()?;
    let is_far = |account: &crate::config::AccountSettings| !is_loopback(&account.api_url);
    if is_private(&url) && config.accounts.iter().any(is_far) {
        return Some(Finding::new(
            Severity::Loses,
            Topic::AppUrlNotPublic,
            "APP_URL",
            format!("{text} can't be reached from the Internet, so no callback arrives"),
            "set it to the public https address that Twilio is told",
        ));
    }
    if url.scheme() != "https" && !is_loopback(&url) {
        return Some(Finding::new(
            Severity::Loses,
            Topic::AppUrlNotHttps,
            "APP_URL",
            format!(
                "{text} is not https: who listens in can read the callbacks, and signatures differ behind a proxy that adds TLS"
            ),
            "put callspool behind https, and set APP_URL to that address",
        ));
    }
    Some(Finding::ok("APP_URL", text))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// An address that means something on its own network at most.
fn is_private(url: &Url) -> bool {
    is_loopback(url)
        || match url.host() {
            Some(Host::Domain(name)) => !name.contains('.') || name.ends_with(".local") || name.ends_with(".internal"),
            Some(Host::Ipv4(address)) => address.is_private() || address.is_link_local() || address.is_unspecified(),
            Some(Host::Ipv6(address)) => {
                address.is_unique_local() || address.is_unicast_link_local() || address.is_unspecified()
            }
            None => true,
        }
}

fn link_style(config: &Config) -> Option<Finding> {
    let (severity, found) = match config.recording.link {
        LinkStyle::Permanent => return None,
        LinkStyle::Signed => (Severity::Note, "signed: the links in job records end with RECORDING_LINK_TTL"),
        LinkStyle::Public => (Severity::Advice, "public: whoever learns a link hears the call, and nobody knows of it"),
    };
    let todo = "permanent links ask for a sign-in, don't end, and tell who listened";
    Some(Finding::new(severity, Topic::LinkStyle, "RECORDING_LINK", found, todo))
}

fn delete_after(config: &Config) -> Option<Finding> {
    let found = match config.recording.delete_after {
        None => "never: Twilio's copies are kept, and paid for".to_owned(),
        Some(delay) if delay < RECOMMENDED_DELAY => {
            format!("{} s leave little time to notice that something is wrong", delay.as_secs())
        }
        Some(_) => return None,
    };
    let todo = "24h is recommended once you trust the archive";
    Some(Finding::new(Severity::Advice, Topic::DeleteAfter, "TWILIO_DELETE_AFTER", found, todo))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_twilio_can_not_reach_is_told_from_one_for_tests() {
        for (address, private, loopback) in [
            ("https://calls.example.com", false, false),
            ("http://127.0.0.1:8080", true, true),
            ("http://[::1]:8080", true, true),
            ("https://app.localhost", true, true),
            ("https://10.1.2.3", true, false),
            ("http://0.0.0.0:8080", true, false),
            ("https://calls", true, false),
            ("https://[fd00::1]/x", true, false),
            ("https://8.8.8.8", false, false),
        ] {
            let url = Url::parse(address).expect("a URL");
            assert_eq!((is_private(&url), is_loopback(&url)), (private, loopback), "{address}");
        }
    }

    #[test]
    fn a_private_address_loses_where_the_provider_is_far_away() {
        let read = |url: &str| {
            let account = [("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000001"), ("TWILIO_AUTH_TOKEN", "x")];
            let settings = [account[0], account[1], ("APP_URL", url), ("TWILIO_DELETE_AFTER", "24h")];
            let config = Config::read(crate::config::Settings::of(&settings)).expect("valid settings");
            examine(&config).iter().filter_map(|finding| finding.json()["page"].as_str().map(str::to_owned)).collect()
        };
        let pages: Vec<String> = read("https://10.1.2.3");
        assert_eq!(pages, ["docs/doctor/app_url_not_public.md"]);
        assert_eq!(read("http://calls.example.com"), ["docs/doctor/app_url_not_https.md"]);
        assert_eq!(read("https://calls.example.com"), Vec::<String>::new());
    }

    #[test]
    fn links_that_end_or_that_anybody_may_follow_are_told() {
        let severity = |style: &str| {
            let bucket = [("ARCHIVE_URL", "s3://calls"), ("RECORDING_LINK", style)];
            let config = Config::read(crate::config::Settings::of(&bucket)).expect("valid settings");
            link_style(&config).map(|finding| finding.severity)
        };
        assert_eq!(severity("permanent"), None);
        assert_eq!((severity("signed"), severity("public")), (Some(Severity::Note), Some(Severity::Advice)));
    }
}
