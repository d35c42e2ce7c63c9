//! Where the program listens, how the world reaches it, where its ledger is, and how it logs.

use std::net::{Ipv4Addr, SocketAddr};

use tracing_subscriber::EnvFilter;
use url::Url;

use super::Settings;

/// Settings of the server itself.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The public base URL, without a slash at its end: signatures are checked against it, links are made from it.
    pub app_url: String,
    /// `sqlite://path` or `postgres://…`; may hold a password, so it is never printed.
    pub database_url: String,
    /// Logs as JSON lines.
    pub log_json: bool,
    /// The log filter, e.g. `info` or `callspool=debug`.
    pub log_level: String,
}

impl ServerSettings {
    pub(super) fn read(settings: &mut Settings) -> Self {
        let port: Option<u16> = settings.parsed("PORT");
        let listen: Option<SocketAddr> = settings.parsed("CALLSPOOL_LISTEN");
        let every_address = port.map(|port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)));
        let listen = listen.or(every_address).unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)));
        let app_url = settings.text("APP_URL").unwrap_or_else(|| format!("http://{listen}"));
        check_app_url(settings, &app_url);
        let database_url = settings.text_or("DATABASE_URL", "sqlite://callspool-data/callspool.db");
        if !["sqlite://", "postgres://", "postgresql://"].iter().any(|scheme| database_url.starts_with(scheme)) {
            settings.problem("DATABASE_URL", "must begin with sqlite:// or postgres://");
        }
        let log = settings.text_or("CALLSPOOL_LOG", "text");
        if !matches!(log.as_str(), "text" | "json") {
            settings.problem("CALLSPOOL_LOG", "must be text or json");
        }
        let log_level = settings.text_or("CALLSPOOL_LOG_LEVEL", "info");
        if let Err(error) = EnvFilter::try_new(&log_level) {
            settings
                .problem("CALLSPOOL_LOG_LEVEL", format!("must be a level or a filter like callspool=debug: {error}"));
        }
        Self {
            listen,
            app_url: app_url.trim_end_matches('/').to_owned(),
            database_url,
            log_json: log == "json",
            log_level,
        }
    }
}

fn check_app_url(settings: &mut Settings, text: &str) {
    let usable = Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none() && url.fragment().is_none()
    });
    let has_password = Url::parse(text).is_ok_and(|url| !url.username().is_empty() || url.password().is_some());
    if has_password {
        settings.problem("APP_URL", "must hold no user and password: it stands in every link and in the log");
    } else if !usable {
        settings.problem("APP_URL", "must be an http or https address without query and fragment");
    }
}
