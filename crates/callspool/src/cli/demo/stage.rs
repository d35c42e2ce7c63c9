//! The demo's stage: the outside world's stand-ins, and a folder for the database and the archive.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use callspool_clients::http::HttpOptions;
use callspool_domain::audio::AudioFormat;
use callspool_domain::{AccountSid, Clock, RecordingSid};
use callspool_sandbox::airtable::{Airtable, AirtableOptions};
use callspool_sandbox::twilio::{Audio, PlaceCall, PlacedCall, Sound};
use callspool_sandbox::{Twilio, TwilioOptions};

use super::super::Failure;
use crate::config::{Config, Problems, Settings};
use crate::lifecycle::{App, StartError, random};

const ACCOUNT: &str = "AC00000000000000000000000000000de0";
/// How many jobs the calls are spread over.
const JOBS: usize = 4;
const HISTORY: &str = "job_history";
/// What a person wrote into each job before.
const PRIOR_NOTE: &str = "Customer asked to be called back.";
/// Of a thousand answers, how many `--faults` breaks.
const BROKEN_PER_MILLE: u16 = 200;

/// The outside world of a demo.
pub(super) struct Stage {
    twilio: Twilio,
    airtable: Airtable,
    airtable_options: AirtableOptions,
    /// The record of each job.
    jobs: Vec<String>,
    account: AccountSid,
    token: String,
    address: SocketAddr,
    folder: Folder,
}

impl Stage {
    /// Starts the stand-ins, for a callspool at this address.
    pub(super) async fn build(address: SocketAddr) -> Result<Self, Failure> {
        let account = AccountSid::parse(ACCOUNT).map_err(|error| Failure::Usage(error.to_string()))?;
        let token = random::secret();
        let twilio = Twilio::start(TwilioOptions::new(Clock::System, account.clone(), token.clone())).await?;
        // With Airtable's own limit, so that the demo shows the pace that a customer would see.
        let airtable_options = AirtableOptions { requests_per_second: Some(5), ..AirtableOptions::new(Clock::System) };
        let airtable = Airtable::start(airtable_options.clone()).await?;
        let jobs =
            (0..JOBS).map(|n| airtable.add_record(&[("Job ID", &Self::job(n)), (HISTORY, PRIOR_NOTE)])).collect();
        Ok(Self { twilio, airtable, airtable_options, jobs, account, token, address, folder: Folder::create()? })
    }

    /// The configuration that a customer of this outside world would have.
    pub(super) fn config(&self) -> Result<Config, Problems> {
        let path = |name: &str| self.folder.0.join(name).display().to_string();
        let settings = [
            ("CALLSPOOL_LISTEN", self.address.to_string()),
            ("CALLSPOOL_LOG_LEVEL", "warn".to_owned()),
            ("DATABASE_URL", format!("sqlite://{}", path("callspool.db"))),
            ("ARCHIVE_URL", format!("file://{}", path("archive"))),
            ("TWILIO_ACCOUNT_SID", ACCOUNT.to_owned()),
            ("TWILIO_AUTH_TOKEN", self.token.clone()),
            ("TWILIO_API_URL", self.twilio.base_url().to_owned()),
            ("TWILIO_DELETE_AFTER", "10s".to_owned()),
            ("AIRTABLE_API_KEY", self.airtable_options.token.expose().to_owned()),
            ("AIRTABLE_BASE_ID", self.airtable_options.base.clone()),
            ("AIRTABLE_TABLE", self.airtable_options.table.clone()),
            ("AIRTABLE_ENDPOINT_URL", self.airtable.base_url().to_owned()),
            ("AIRTABLE_URL_FIELD", "Recording URL (Twilio/S3)".to_owned()),
        ];
        let settings: Vec<(&str, &str)> = settings.iter().map(|(name, text)| (*name, text.as_str())).collect();
        Config::read(Settings::of(&settings))
    }

    /// Opens callspool in this world.
    pub(super) async fn open(&self, config: Config) -> Result<Arc<App>, StartError> {
        let http = HttpOptions { system_proxy: false, ..HttpOptions::default() };
        App::open(config, Clock::System, &http, false).await
    }

    /// Begins to break a share of everything that the stand-ins answer.
    pub(super) fn break_things(&self) {
        self.twilio.faults().random(1, BROKEN_PER_MILLE);
        self.airtable.faults().random(2, BROKEN_PER_MILLE);
    }

    /// Ends every fault.
    pub(super) fn mend(&self) {
        self.twilio.faults().random(1, 0);
        self.airtable.faults().random(2, 0);
    }

    /// Places the n-th call: speech of various lengths, now and then with a silent side.
    pub(super) async fn place_call(&self, n: usize) -> PlacedCall {
        let job = Self::job(n);
        let url = format!("http://{}/api/twilio/recording?job={job}&source=Demo", self.address);
        let length = 4 + u32::try_from(n * 7 % 23).unwrap_or(0);
        let audio = Audio::seconds(length);
        let audio = if n % 9 == 8 { audio.sounding(Sound::DeadChannel(1)) } else { audio };
        self.twilio.place_call(PlaceCall::new(self.account.clone(), url, audio)).await
    }

    fn job(n: usize) -> String {
        format!("JOB{}", 100 + n % JOBS)
    }

    /// The history of the n-th call's job, as a person sees it in Airtable.
    pub(super) fn history(&self, n: usize) -> String {
        self.jobs.get(n % JOBS).map(|record| self.airtable.cell(record, HISTORY)).unwrap_or_default()
    }

    /// The hash of the bytes the provider made.
    pub(super) fn provider_sha256(&self, recording: &RecordingSid) -> Option<String> {
        self.twilio.media_sha256(recording, AudioFormat::Wav)
    }

    /// How many recordings are deleted at the provider.
    pub(super) fn released(&self) -> usize {
        self.twilio.deleted().len()
    }

    /// The path of an archived object.
    pub(super) fn archived(&self, key: &str) -> PathBuf {
        self.folder.0.join("archive").join(key)
    }
}

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn create() -> std::io::Result<Self> {
        let name = format!("callspool-demo-{}", random::id(Clock::System.now()));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "the demo's folder could not be removed");
        }
    }
}
