//! What one process holds: the configuration, the clock, the ledger and the clients of the outside services.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use callspool_clients::archive::{Archive, ArchiveConfig, LocalFolder, PartBudget};
use callspool_clients::http::{Http, HttpOptions, SetupError};
use callspool_clients::provider::{Twilio, TwilioAccount};
use callspool_domain::{AccountSid, Clock, Code, Lane, StepFailure, Timestamp};
use callspool_store::{OpenOptions, Store};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::{metrics, random};
use crate::config::{AccountSettings, Config};
use crate::links::LinkKey;
use crate::records::JobRecords;

/// How many recordings are moved at once; each holds at least one part buffer.
const TRANSFERS: usize = 16;
/// How many small provider requests run at once.
const REQUESTS: usize = 4;
/// How often an archive folder that can't be made is tried again.
const ESTABLISH_EVERY: Duration = Duration::from_secs(5);

/// One process's parts, shared by its requests and steps.
#[derive(Debug)]
pub struct App {
    /// The configuration.
    pub config: Config,
    /// Where the time comes from.
    pub clock: Clock,
    /// The ledger.
    pub store: Store,
    /// The customer's archive.
    pub archive: Archive,
    /// The memory all transfers share.
    pub parts: PartBudget,
    /// The customer's job records.
    pub records: JobRecords,
    /// What this process counts and measures.
    pub metrics: PrometheusHandle,
    /// Cancelled when the process ends; long answers end with it.
    pub shutdown: CancellationToken,
    /// The key that signs our own URLs, once it was read.
    pub(crate) link_key: OnceCell<LinkKey>,
    accounts: BTreeMap<AccountSid, Account>,
}

/// A configured account and its client.
#[derive(Debug)]
pub struct Account {
    /// Its settings.
    pub settings: AccountSettings,
    /// Its client.
    pub client: Twilio,
}

/// Why the program can't start. `Display` says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The ledger can't be opened.
    #[error("the database can't be used: {0}")]
    Store(#[from] callspool_store::Error),
    /// The archive can't be opened.
    #[error("the archive can't be used: {0}")]
    Archive(#[from] StepFailure),
    /// No HTTP client can be made.
    #[error("no HTTP client can be made: {0}")]
    Http(#[from] SetupError),
    /// The address can't be listened on.
    #[error("{0} can't be listened on: {1}")]
    Listen(std::net::SocketAddr, std::io::Error),
}

impl App {
    /// Opens the ledger (bringing its schema up to date) and makes the clients; connects to nothing else. With
    /// `wait_for_server` a PostgreSQL server that does not answer is no error: callers are answered without it.
    pub async fn open(
        config: Config,
        clock: Clock,
        http: &HttpOptions,
        wait_for_server: bool,
    ) -> Result<Arc<Self>, StartError> {
        let options = OpenOptions { wait_for_server, ..OpenOptions::default() };
        let store = Store::open(&config.server.database_url, config.policy(), options).await?;
        Self::on(store, config, clock, http, metrics::handle()).await
    }

    /// The same on a ledger that is open: the configuration's own, opened with its policy and other options; `metrics` reads
    /// the recorder that is installed here.
    pub async fn on(
        store: Store,
        config: Config,
        clock: Clock,
        http: &HttpOptions,
        metrics: PrometheusHandle,
    ) -> Result<Arc<Self>, StartError> {
        let http = Http::new(http)?;
        let mut accounts = BTreeMap::new();
        for settings in &config.accounts {
            let client = client_of(&http, settings);
            accounts.insert(settings.sid.clone(), Account { settings: settings.clone(), client });
        }
        let shutdown = CancellationToken::new();
        let archive = match &config.archive.place {
            ArchiveConfig::Local { root } => {
                let id = match folder_id(&store, root, clock.now()).await {
                    Err(callspool_store::Error::Unavailable(why)) => Err(StepFailure::new(
                        Code::StoreUnavailable,
                        format!("what the archive folder is known by: {why}"),
                    )),
                    id => id?,
                };
                let is_unknown = id.is_err();
                let folder = LocalFolder::open(root, id).await;
                if is_unknown {
                    tokio::spawn(establish(
                        store.clone(),
                        clock.clone(),
                        root.clone(),
                        folder.clone(),
                        shutdown.clone(),
                    ));
                }
                Archive::Local(folder)
            }
            ArchiveConfig::Bucket(bucket) => Archive::open_bucket(&http, bucket)?,
        };
        let records = JobRecords::new(&config.records, &http, &store, &clock);
        Ok(Arc::new(Self {
            config,
            clock,
            store,
            archive,
            parts: PartBudget::default(),
            records,
            metrics,
            shutdown,
            link_key: OnceCell::new(),
            accounts,
        }))
    }

    /// The account with this sid, if it is configured.
    pub fn account(&self, sid: &AccountSid) -> Option<&Account> {
        self.accounts.get(sid)
    }

    /// Every configured account, in the order of their SIDs.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// How many steps of a lane run at once in this process.
    pub fn slots(&self, lane: Lane) -> usize {
        match lane {
            Lane::Transfer => TRANSFERS,
            Lane::Api => REQUESTS,
            Lane::Records => 1,
        }
    }

    /// Waits until the clock shows `at`.
    pub async fn sleep_until(&self, at: Timestamp) {
        sleep_until(&self.clock, at).await;
    }
}

/// The provider's client for this account, which is not asked anything.
pub(crate) fn client_of(http: &Http, account: &AccountSettings) -> Twilio {
    Twilio::new(
        http,
        TwilioAccount {
            sid: account.sid.clone(),
            user: account.api_user.clone(),
            password: account.api_password.clone(),
            base_url: account.api_url.clone(),
        },
    )
}

/// What the ledger knows the archive folder by. Only where it knows nothing the folder is used for the first time; why
/// that failed is the inner error, which stops the steps of this process and not the process.
async fn folder_id(
    store: &Store,
    root: &Path,
    now: Timestamp,
) -> Result<Result<String, StepFailure>, callspool_store::Error> {
    let name = folder_name(root);
    if let Some(known) = store.meta_get(&name).await? {
        return Ok(Ok(known));
    }
    match LocalFolder::establish(root, &random::id(now)).await {
        // Where another process was faster, what it stored is the id: its folder may not be the one seen here.
        Ok(id) => store.meta_set_if_absent(&name, &id).await.map(Ok),
        Err(failure) => Ok(Err(failure)),
    }
}

/// The name under which the ledger keeps a folder's id.
pub(crate) fn folder_name(root: &Path) -> String {
    let absolute = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    format!("archive_folder {}", absolute.display())
}

/// Makes the folder as soon as it can be made.
async fn establish(store: Store, clock: Clock, root: PathBuf, folder: LocalFolder, shutdown: CancellationToken) {
    loop {
        let again = clock.now() + ESTABLISH_EVERY;
        if shutdown.run_until_cancelled(sleep_until(&clock, again)).await.is_none() {
            return;
        }
        if let Ok(Ok(id)) = folder_id(&store, &root, clock.now()).await {
            tracing::info!(folder = %root.display(), "the archive folder is there now");
            return folder.know(id);
        }
    }
}

/// Waits until the clock shows `at`.
pub async fn sleep_until(clock: &Clock, at: Timestamp) {
    match clock {
        Clock::System => tokio::time::sleep(at.since(clock.now())).await,
        Clock::Manual(clock) => clock.until(at).await,
    }
}
