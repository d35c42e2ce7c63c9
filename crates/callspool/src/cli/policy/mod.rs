//! `callspool policy iam|lifecycle|twilio|systemd`: what the surroundings of this configuration have to be set to, exactly.
//!
//! Guarantee: nothing is opened or asked, and no secret is printed.

mod iam;
mod lifecycle;
mod systemd;
mod twilio;

use callspool_clients::archive::{ArchiveConfig, BucketConfig};
use clap::Subcommand;

use super::{Failure, Outcome, say, say_json};
use crate::config::Config;

/// Which surroundings.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The rights on the bucket: a policy of AWS IAM, or a custom role as `gcloud iam roles create` or
    /// `az role definition create` takes it.
    Iam {
        /// And the right to delete objects, which archiving does not need.
        #[arg(long)]
        with_delete: bool,
    },
    /// The bucket's lifecycle, as `aws s3api put-bucket-lifecycle-configuration`, `gcloud storage buckets update
    /// --lifecycle-file` or `az storage account management-policy create` takes it.
    Lifecycle {
        /// Days until a recording moves to infrequent access.
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(30..=36_500))]
        infrequent_after: u32,
        /// Days until a recording is deleted for good.
        #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=36_500))]
        expire_after: u32,
        /// Keep recordings for ever instead.
        #[arg(long, conflicts_with = "expire_after")]
        keep: bool,
    },
    /// What to set at Twilio.
    Twilio,
    /// A unit for systemd.
    Systemd,
}

pub(super) fn run(config: &Config, args: &Args) -> Result<Outcome, Failure> {
    match args.command {
        Command::Iam { with_delete } => say_json(&iam::policy(bucket(config)?, with_delete)),
        Command::Lifecycle { infrequent_after, expire_after, keep } => {
            let expire_after = Some(expire_after).filter(|_| !keep);
            if expire_after.is_some_and(|days| days <= infrequent_after) {
                return Err(Failure::Usage("--expire-after must be more than --infrequent-after".to_owned()));
            }
            say_json(&lifecycle::rules(bucket(config)?, infrequent_after, expire_after));
        }
        Command::Twilio => say(&twilio::settings(config)),
        Command::Systemd => say(&systemd::unit(config, std::env::current_exe().ok().as_deref())),
    }
    Ok(Outcome::Done)
}

fn bucket(config: &Config) -> Result<&BucketConfig, Failure> {
    match &config.archive.place {
        ArchiveConfig::Bucket(bucket) => Ok(bucket),
        ArchiveConfig::Local { root } => Err(Failure::Usage(format!(
            "the archive is the folder {}; this is for a bucket (ARCHIVE_URL=s3://…, gs://… or az://…)",
            root.display()
        ))),
    }
}

/// The keys below the prefix, as a pattern or a filter begins with them.
fn prefix(bucket: &BucketConfig) -> String {
    bucket.prefix().map(|prefix| format!("{prefix}/")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    /// A configuration of these settings.
    pub(super) fn configured(pairs: &[(&str, &str)]) -> Config {
        Config::read(Settings::of(pairs)).expect("valid settings")
    }

    #[test]
    fn a_folder_has_no_bucket_policy() {
        assert!(matches!(bucket(&configured(&[])), Err(Failure::Usage(_))));
    }
}
