//! A unit for systemd that gives the service its folder and nothing else
//! (<https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html>).

use callspool_clients::archive::ArchiveConfig;

use crate::config::Config;

/// The unit. Stopping takes up to 30 s: running steps are finished or handed back.
pub(super) fn unit(config: &Config) -> String {
    let writable = match &config.archive.place {
        ArchiveConfig::Local { root } if root.is_absolute() => {
            format!("\nReadWritePaths={}", quoted(&root.display().to_string()))
        }
        ArchiveConfig::Local { .. } | ArchiveConfig::Bucket(_) => String::new(),
    };
    let after = if config.server.database_url.starts_with("postgres") { " postgresql.service" } else { "" };
    format!(
        "\
# /etc/systemd/system/callspool.service
# Settings: /etc/callspool.toml, and secrets as NAME=value in /etc/callspool.env (mode 0600).
[Unit]
Description=callspool keeps telephone call recordings
Wants=network-online.target
After=network-online.target{after}

[Service]
ExecStart=/usr/local/bin/callspool serve --config /etc/callspool.toml
EnvironmentFile=-/etc/callspool.env
DynamicUser=yes
StateDirectory=callspool
StateDirectoryMode=0700
WorkingDirectory=%S/callspool{writable}
Restart=always
RestartSec=1
TimeoutStopSec=35
LimitNOFILE=8192
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
PrivateDevices=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectSystem=strict
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service

[Install]
WantedBy=multi-user.target"
    )
}

/// A path as one word of a unit: `%` begins a specifier.
fn quoted(path: &str) -> String {
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::configured;
    use super::*;

    #[test]
    fn a_folder_elsewhere_can_be_written_and_nothing_else() {
        let unit_of = |url| unit(&configured(&[("ARCHIVE_URL", url)]));
        assert!(unit_of("file:///srv/call archive 100%").contains("\nReadWritePaths=\"/srv/call archive 100%%\"\n"));
        assert!(!unit_of("file://./archive").contains("ReadWritePaths"));
        assert!(!unit_of("s3://calls").contains("ReadWritePaths"));
    }
}
