//! How a PostgreSQL server is reached: the URL's `sslmode`, and TLS that always checks the server's certificate.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{Error, Result};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A server that is silent for this long is gone; the connection is given up.
const SILENT_FOR: Duration = Duration::from_secs(15);

/// Reads `postgres://…`. Beside libpq's words, `sslmode=verify-full` is understood; certificates are checked in every mode,
/// and on the loopback and Unix sockets TLS is used only where it is required.
pub(super) fn config(url: &str) -> Result<Config> {
    let strict = ["sslmode=verify-full", "sslmode=verify-ca"].iter().any(|mode| url.contains(mode));
    let url = url.replace("sslmode=verify-full", "sslmode=require").replace("sslmode=verify-ca", "sslmode=require");
    // The parser's message may quote the URL, which holds the password.
    let mut config: Config =
        url.parse().map_err(|_| Error::Url("is not a PostgreSQL URL (postgres://user@host/database)".to_owned()))?;
    if config.get_ssl_mode() == SslMode::Prefer && !strict && config.get_hosts().iter().all(is_local) {
        config.ssl_mode(SslMode::Disable);
    }
    config.application_name("callspool").connect_timeout(CONNECT_TIMEOUT).tcp_user_timeout(SILENT_FOR);
    config.keepalives_idle(SILENT_FOR);
    Ok(config)
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback()),
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

/// The connector for every connection; it is not used where the mode is `disable`.
pub(super) fn connector() -> Result<MakeRustlsConnect> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(rustls::ConfigBuilder::with_platform_verifier)
        .map_err(|error| Error::Unavailable(format!("TLS can't be set up: {error}")))?
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(tls))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> SslMode {
        config(url).expect("a URL").get_ssl_mode()
    }

    #[test]
    fn the_loopback_needs_no_tls_and_everything_else_asks_for_it() {
        assert_eq!(mode("postgres://a@127.0.0.1/b"), SslMode::Disable);
        assert_eq!(mode("postgres://a@localhost:5433/b"), SslMode::Disable);
        assert_eq!(mode("postgres://a@[::1]/b"), SslMode::Disable);
        assert_eq!(mode("postgres://a@db.example.com/b"), SslMode::Prefer);
        assert_eq!(mode("postgres://a@127.0.0.1/b?sslmode=require"), SslMode::Require);
        assert_eq!(mode("postgres://a@db.example.com/b?sslmode=verify-full"), SslMode::Require);
        assert_eq!(mode("postgres://a@db.example.com/b?sslmode=disable"), SslMode::Disable);
    }

    #[test]
    fn a_url_that_is_none_is_refused_without_quoting_it() {
        let error = config("postgres://user:hunter2@host/db?sslmode=sideways").expect_err("no such mode");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
