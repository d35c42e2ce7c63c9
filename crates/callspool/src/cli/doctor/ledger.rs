//! The database, and the folder it lies in.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use callspool_clients::archive::Disk;
use callspool_store::{Found, Store};
use url::Url;

use super::{Finding, Severity, Topic};
use crate::config::Config;

/// Below this an evening's callbacks, or recordings, may not find room.
const LITTLE_ROOM: u64 = 1 << 30;
/// Below this the database's log, or one long recording, may not find room any more.
const NO_ROOM: u64 = 64 << 20;

/// What is to be said of the database, and the database itself where it can be read.
pub(super) async fn examine(config: &Config) -> (Vec<Finding>, Option<Store>) {
    let url = &config.server.database_url;
    let mut findings = Vec::new();
    if let Some(path) = url.strip_prefix("sqlite://") {
        findings.extend(data_folder(Path::new(path)));
    }
    let about = about(url);
    let mut store = None;
    findings.push(match Store::look(url, config.policy()).await {
        Ok(Found::Current(found)) => {
            store = Some(found);
            Finding::ok(about, "answers, and its schema is this version's")
        }
        Ok(Found::Nothing) => not_ready(about, "there is none yet"),
        Ok(Found::Behind(missing)) => not_ready(about, &format!("{missing} change(s) of its schema are missing")),
        Err(error) => unusable(about, &error.to_string()),
    });
    findings.extend(api_token(store.as_ref()).await);
    (findings, store)
}

fn not_ready(about: String, found: &str) -> Finding {
    let todo = "start callspool serve, which sees to it";
    Finding::new(Severity::Note, Topic::DatabaseNotReady, about, found, todo)
}

fn unusable(about: String, found: &str) -> Finding {
    let todo = "correct DATABASE_URL, or make the database available: without it every callback is answered 503";
    Finding::new(Severity::Loses, Topic::DatabaseUnusable, about, found, todo)
}

/// Where the database is, without who opens it.
fn about(url: &str) -> String {
    match (url.strip_prefix("sqlite://"), Url::parse(url)) {
        (Some(path), _) => format!("database {path}"),
        (None, Ok(url)) => format!("database {}{}", url.host_str().unwrap_or("PostgreSQL"), url.path()),
        (None, Err(_)) => "database".to_owned(),
    }
}

/// Where the file's folder is or, where it is not made yet, the nearest one above it that is there.
pub(super) fn folder_of(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    path.ancestors().skip(1).find(|folder| folder.is_dir()).map(Path::to_owned)
}

/// The folder takes new files (the database's log and lock are some), and the file itself can be written.
fn data_folder(path: &Path) -> Option<Finding> {
    let folder = folder_of(path)?;
    let about = format!("data folder {}", folder.display());
    if let Err(error) = try_writing(&folder, path) {
        return Some(unusable(about, &format!("can't be written: {error}")));
    }
    room(about, Disk::of(&folder).ok()?)
}

fn try_writing(folder: &Path, database: &Path) -> io::Result<()> {
    let trial = folder.join(format!(".callspool-doctor-{}", std::process::id()));
    File::create_new(&trial)?;
    std::fs::remove_file(&trial)?;
    match OpenOptions::new().append(true).open(database) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        opened => opened.map(drop),
    }
}

/// What to say where a file system is nearly full.
pub(super) fn room(about: String, disk: Disk) -> Option<Finding> {
    if disk.free_bytes >= LITTLE_ROOM {
        return None;
    }
    let found = format!("{} MiB are free", disk.free_bytes >> 20);
    let (severity, todo) = if disk.free_bytes < NO_ROOM {
        (Severity::Loses, "make room now: without it callbacks are answered 503, or nothing can be archived")
    } else {
        (Severity::Advice, "make room before it is full")
    };
    Some(Finding::new(severity, Topic::DiskSpaceLow, about, found, todo))
}

async fn api_token(store: Option<&Store>) -> Option<Finding> {
    let tokens = store?.list_tokens().await.ok()?;
    let valid = tokens.iter().any(|token| token.revoked_at.is_none());
    let finding = || {
        let todo = "callspool token create --name you --role admin";
        let found = "there is none, so nobody can sign in or follow a link";
        Finding::new(Severity::Advice, Topic::ApiTokenMissing, "API tokens", found, todo)
    };
    (!valid).then(finding)
}

#[cfg(test)]
mod tests {
    use super::super::{Outcome, outcome};
    use super::*;

    #[test]
    fn little_room_is_advice_and_hardly_any_loses() {
        let of = |free_bytes| outcome_of(room("disk".to_owned(), Disk { device: 1, free_bytes }));
        let outcome_of_all = [0, NO_ROOM - 1, NO_ROOM, LITTLE_ROOM - 1, LITTLE_ROOM].map(of);
        let (loses, advice) = ((Some(Severity::Loses), Outcome::Findings), (Some(Severity::Advice), Outcome::Done));
        assert_eq!(outcome_of_all, [loses, loses, advice, advice, (None, Outcome::Done)]);
    }

    fn outcome_of(finding: Option<Finding>) -> (Option<Severity>, Outcome) {
        (finding.as_ref().map(|finding| finding.severity), outcome(&Vec::from_iter(finding)))
    }
}
