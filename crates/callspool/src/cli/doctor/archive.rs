//! The archive: may we do there what archiving needs, is the folder the right one, is there room.

use std::path::Path;

use callspool_clients::archive::{Archive, ArchiveConfig, Disk, LocalFolder, PROBE_KEY, Rights};
use callspool_clients::archive::{Bucket, BucketConfig};
use callspool_clients::http::Http;
use callspool_domain::{Code, StepFailure};
use callspool_store::Store;

use super::{Finding, Severity, Topic, ledger};
use crate::config::Config;
use crate::lifecycle::folder_name;

pub(super) async fn examine(config: &Config, http: &Http, store: Option<&Store>) -> Vec<Finding> {
    match &config.archive.place {
        ArchiveConfig::Local { root } => folder(config, root, store).await,
        ArchiveConfig::Bucket(settings) => {
            let about = format!("bucket {}", settings.name());
            match Archive::open_bucket(http, settings) {
                Ok(Archive::Bucket(opened)) => bucket(about, settings, &opened).await,
                Ok(Archive::Local(_)) => Vec::new(),
                Err(failure) => vec![Finding::failed(about, &failure)],
            }
        }
    }
}

async fn bucket(about: String, settings: &BucketConfig, opened: &Bucket) -> Vec<Finding> {
    match opened.try_rights().await {
        Ok(rights) => of_rights(&about, settings, rights),
        Err(failure) => vec![Finding::failed(about, &failure)],
    }
}

fn of_rights(about: &str, settings: &BucketConfig, rights: Rights) -> Vec<Finding> {
    let Rights { put, get, head, list, missing_is_told, delete } = rights;
    let needed: Vec<StepFailure> = [put, get, head].into_iter().filter_map(Result::err).collect();
    if !needed.is_empty() {
        return needed.iter().map(|failure| Finding::failed(about, failure)).collect();
    }
    let mut findings = vec![Finding::ok(about, "an object can be written, and reads back the same")];
    match list {
        Ok(()) if missing_is_told => {}
        Err(failure) if !is_refused(&failure) => findings.push(Finding::failed(about, &failure)),
        _ => {
            let found = if missing_is_told {
                "objects can't be listed, which archiving does not need"
            } else {
                "objects can't be listed, so what is missing can't be told from what is forbidden"
            };
            let todo = match settings {
                BucketConfig::S3(_) => "allow s3:ListBucket on the bucket (callspool policy iam), or leave it",
                BucketConfig::Gcs(_) => "allow storage.objects.list on the bucket (callspool policy iam), or leave it",
                BucketConfig::Azure(_) => "give the shared access signature the right to list (sp=rcwl), or leave it",
            };
            findings.push(Finding::new(Severity::Note, Topic::ArchiveNoList, about, found, todo));
        }
    }
    match delete {
        Ok(()) => {}
        Err(failure) if is_refused(&failure) => {
            let prefix = settings.prefix().map(|prefix| format!("{prefix}/")).unwrap_or_default();
            let found = format!("objects can't be deleted, which archiving does not need; {prefix}{PROBE_KEY} stays");
            let todo = match settings {
                // There the right to delete is the right to replace as well.
                BucketConfig::Gcs(_) => "allow storage.objects.delete where uploads that broke must be written again",
                BucketConfig::S3(_) | BucketConfig::Azure(_) => {
                    "nothing, unless recordings are to be deleted after a time"
                }
            };
            findings.push(Finding::new(Severity::Note, Topic::ArchiveNoDelete, about, found, todo));
        }
        Err(failure) => findings.push(Finding::failed(about, &failure)),
    }
    findings
}

/// Refused for want of a right, or because what is kept must stay (409 where Azure holds blobs as immutable:
/// <https://learn.microsoft.com/en-us/azure/storage/blobs/immutable-storage-overview>), and not because the store is out.
fn is_refused(failure: &StepFailure) -> bool {
    matches!(failure.code, Code::ArchiveUnauthorized | Code::ArchiveRejected | Code::ArchiveConflict)
}

async fn folder(config: &Config, root: &Path, store: Option<&Store>) -> Vec<Finding> {
    let about = format!("archive folder {}", root.display());
    let id = match store {
        Some(store) => store.meta_get(&folder_name(root)).await.unwrap_or_default(),
        None => None,
    };
    let found = match LocalFolder::try_out(root, id).await {
        Ok(found) => found,
        Err(failure) => return vec![Finding::failed(about, &failure).losing()],
    };
    let said = if found.exists { "takes files, and reads them back" } else { "is not there yet, and can be made" };
    let mut findings = vec![Finding::ok(about.as_str(), said)];
    findings.extend(ledger::room(about.clone(), found.disk));
    findings.extend(beside(config, about, found.disk));
    findings
}

/// What the database beside it means for a folder.
fn beside(config: &Config, about: String, disk: Disk) -> Option<Finding> {
    let Some(path) = config.server.database_url.strip_prefix("sqlite://") else {
        let todo = "use a bucket where there is more than one node";
        let found = "a folder belongs to one machine, and the database may be shared by several";
        return Some(Finding::new(Severity::Note, Topic::ArchiveFolderShared, about, found, todo));
    };
    let data = Disk::of(&ledger::folder_of(Path::new(path))?).ok()?;
    if data.device != disk.device {
        return None;
    }
    let found = "it is on the file system of the database: recordings that fill it stop the callbacks too";
    let todo = "put it on one of its own, or watch how full it is";
    Some(Finding::new(Severity::Note, Topic::ArchiveSameDisk, about, found, todo))
}
