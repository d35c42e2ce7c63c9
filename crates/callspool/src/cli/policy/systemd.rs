//! A unit for systemd that gives the service its folders and nothing else
//! (<https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html>).

use std::path::{Component, Path, PathBuf};

use callspool_clients::archive::ArchiveConfig;

use crate::config::Config;

/// `StateDirectory=callspool`, where the service also works: what is relative lies there.
const STATE: &str = "/var/lib/callspool";
const PROGRAM: &str = "/usr/local/bin/callspool";
/// What a system service should not be run from: others may write there, or it is gone after a build or a start.
const PASSING: [&str; 4] = ["/home", "/root", "/tmp", "/var/tmp"];

/// The unit, for the program that runs now. Stopping takes up to 30 s: running steps are finished or handed back.
pub(super) fn unit(config: &Config, running: Option<&Path>) -> String {
    let outside = folders_outside(config);
    let user = user(&outside);
    let writable: String = outside.iter().map(|folder| format!("\nReadWritePaths={}", quoted(folder))).collect();
    // `yes` would hide a folder of ours that lies there; all but that is read-only anyway.
    let home = if outside.iter().any(|folder| is_below(folder, "/home") || is_below(folder, "/root")) {
        "read-only"
    } else {
        "yes"
    };
    let (install, program) = program(running);
    let after = if config.server.database_url.starts_with("postgres") { " postgresql.service" } else { "" };
    format!(
        "\
# /etc/systemd/system/callspool.service
# Settings: /etc/callspool.toml, and secrets as NAME=value in /etc/callspool.env (mode 0600), which systemd reads as root.
# The service's own user reads callspool.toml and every file that a setting names: the keys of TWILIO_RECORDING_KEYS,
# NAME_FILE, auth_token_file, GOOGLE_APPLICATION_CREDENTIALS. One that only root may read is handed over below [Service]:
#   LoadCredential=google.json:/etc/callspool/google.json
#   Environment=GOOGLE_APPLICATION_CREDENTIALS=%d/google.json
# In callspool.toml such a file is /run/credentials/callspool.service/google.json.
{install}[Unit]
Description=callspool keeps telephone call recordings
Wants=network-online.target
After=network-online.target{after}

[Service]
ExecStart={program} serve --config /etc/callspool.toml
EnvironmentFile=-/etc/callspool.env
{user}
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
ProtectHome={home}
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

/// The folders that are written to and do not lie in the state directory. The database has files beside it.
fn folders_outside(config: &Config) -> Vec<PathBuf> {
    let archive = match &config.archive.place {
        ArchiveConfig::Local { root } => Some(root.clone()),
        ArchiveConfig::Bucket(_) => None,
    };
    let database = config.server.database_url.strip_prefix("sqlite://").map(absolute);
    let database = database.and_then(|file| file.parent().map(Path::to_owned));
    let mut folders: Vec<PathBuf> = database.into_iter().chain(archive).map(absolute).collect();
    folders.retain(|folder| !is_below(folder, STATE));
    folders.dedup();
    folders
}

/// The path as the service sees it, without `.` and `..`, which systemd refuses.
fn absolute(path: impl AsRef<Path>) -> PathBuf {
    Path::new(STATE).join(path).components().fold(PathBuf::new(), |mut path, component| {
        match component {
            Component::ParentDir => drop(path.pop()),
            Component::CurDir => {}
            other => path.push(other),
        }
        path
    })
}

fn is_below(path: &Path, folder: &str) -> bool {
    path.starts_with(folder)
}

/// A user that systemd makes up owns the state directory alone, and has another number at another time.
fn user(outside: &[PathBuf]) -> String {
    if outside.is_empty() {
        return "DynamicUser=yes".to_owned();
    }
    let folders: Vec<String> = outside.iter().map(|folder| shell(folder)).collect();
    let folders = folders.join(" ");
    format!(
        "\
# A user of its own, because a folder lies outside of {STATE}. Make both before the first start, and give it the
# files that are there already:
#   useradd --system --no-create-home --shell /usr/sbin/nologin callspool
#   mkdir -p {folders} && chown callspool: {folders}
User=callspool"
    )
}

/// How the program gets to its place, where it is not there, and the place as a word of the unit.
fn program(running: Option<&Path>) -> (String, String) {
    let stays = |program: &&Path| {
        let is_built = program.components().any(|component| component.as_os_str() == "target");
        program.is_absolute() && !is_built && !PASSING.iter().any(|folder| is_below(program, folder))
    };
    match running.filter(stays) {
        Some(program) => (String::new(), word(program)),
        None => {
            let from = running.map_or_else(|| "callspool".to_owned(), shell);
            (format!("# Install the program first:\n#   install -m 0755 {from} {PROGRAM}\n"), PROGRAM.to_owned())
        }
    }
}

/// A path as one word of a unit, with quotes where it needs them.
fn word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c));
    if plain { text } else { quoted(path) }
}

/// A path as one word of a shell's command.
fn shell(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}

/// A path as one word of a unit: `%` begins a specifier.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::configured;
    use super::*;

    fn unit_of(pairs: &[(&str, &str)]) -> String {
        unit(&configured(pairs), Some(Path::new("/usr/bin/callspool")))
    }

    #[test]
    fn a_folder_elsewhere_can_be_written_and_nothing_else() {
        let unit = unit_of(&[("ARCHIVE_URL", "file:///srv/call archive 100%")]);
        assert!(unit.contains("\nReadWritePaths=\"/srv/call archive 100%%\"\n"), "{unit}");
        assert!(unit.contains("chown callspool: '/srv/call archive 100%'\n"), "{unit}");
        for url in ["file://./archive", "file:///var/lib/callspool/archive", "s3://calls"] {
            let unit = unit_of(&[("ARCHIVE_URL", url)]);
            assert!(!unit.contains("ReadWritePaths") && unit.contains("\nDynamicUser=yes\n"), "{unit}");
            assert!(unit.contains("\nProtectHome=yes\n"), "{unit}");
        }
    }

    #[test]
    fn a_database_elsewhere_can_be_written_by_a_user_that_stays() {
        let bucket = ("ARCHIVE_URL", "s3://calls");
        let unit = unit_of(&[("DATABASE_URL", "sqlite:///srv/calls/c.db"), bucket]);
        assert!(unit.contains("\nReadWritePaths=\"/srv/calls\"\n"), "{unit}");
        assert!(unit.contains("\nUser=callspool\n") && !unit.contains("DynamicUser"), "{unit}");
        assert!(unit.contains("useradd --system") && unit.contains("chown callspool: '/srv/calls'"), "{unit}");
        for url in ["sqlite://./c.db", "sqlite:///var/lib/callspool/a/c.db", "postgres://x@db/c"] {
            let unit = unit_of(&[("DATABASE_URL", url), bucket]);
            assert!(!unit.contains("ReadWritePaths") && unit.contains("\nDynamicUser=yes\n"), "{unit}");
        }
        let both = [("DATABASE_URL", "sqlite:///srv/calls/c.db"), ("ARCHIVE_URL", "file:///srv/calls")];
        assert_eq!(unit_of(&both).matches("ReadWritePaths").count(), 1);
        let out = unit_of(&[("DATABASE_URL", "sqlite://../other/c.db"), bucket]);
        assert!(out.contains("\nReadWritePaths=\"/var/lib/other\"\n"), "{out}");
        let home = unit_of(&[("DATABASE_URL", "sqlite:///home/anna/c.db"), bucket]);
        assert!(home.contains("\nProtectHome=read-only\n"), "{home}");
    }

    #[test]
    fn the_program_that_runs_is_started_unless_it_will_not_stay() {
        let start = |running: Option<&str>| {
            let unit = unit(&configured(&[]), running.map(Path::new));
            let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("a line").to_owned();
            (line.replace(" serve --config /etc/callspool.toml", ""), unit.contains("install -m 0755"))
        };
        assert_eq!(start(Some("/opt/callspool/callspool")), ("/opt/callspool/callspool".to_owned(), false));
        assert_eq!(start(Some("/opt/call spool/x")), ("\"/opt/call spool/x\"".to_owned(), false));
        for passing in ["/home/anna/.cargo/bin/callspool", "/root/callspool", "/srv/x/target/debug/callspool", "/tmp/c"]
        {
            assert_eq!(start(Some(passing)), (PROGRAM.to_owned(), true), "{passing}");
        }
        assert_eq!(start(None), (PROGRAM.to_owned(), true));
    }

    #[test]
    fn files_that_settings_name_are_to_be_readable() {
        let unit = unit_of(&[]);
        assert!(unit.contains("TWILIO_RECORDING_KEYS") && unit.contains("LoadCredential=") && !unit.contains("%%d"));
    }
}
