//! What the configuration decides about every recording, as far as the plan and the gate need it.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::id::PublicKeySid;

/// The decisions of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The public base URL; permanent links begin with it.
    pub app_url: String,
    /// `TWILIO_DELETE_AFTER`: the delay before release, counted from the verification of the archive copy;
    /// `None` keeps the provider's copy.
    pub delete_after: Option<Duration>,
    /// `RELEASE_WITHOUT_JOB`: whether a recording of a call without a job may be released.
    pub release_without_job: bool,
    /// Whether the job of a call can be looked up by the call's sid (Airtable).
    pub find_jobs: bool,
    /// `RECORDING_MAX`: how long a recording that we started may run; `None` lets it run as long as its call.
    pub recording_max: Option<Duration>,
    /// The public keys for which `TWILIO_RECORDING_KEYS` names the private one.
    pub recording_keys: BTreeSet<PublicKeySid>,
}

impl Policy {
    /// A text that differs where a stored plan could come out differently; a changed one makes every call due for planning.
    pub fn fingerprint(&self) -> String {
        let Self { app_url: _, delete_after, release_without_job, find_jobs, recording_max, recording_keys } = self;
        let keys: Vec<&str> = recording_keys.iter().map(PublicKeySid::as_str).collect();
        format!(
            "delete_after={delete_after:?} release_without_job={release_without_job} find_jobs={find_jobs} \
             recording_max={recording_max:?} recording_keys={}",
            keys.join(",")
        )
    }
}
