//! A machine that runs callspool: a thread and a runtime of its own, so that its power can fail.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use callspool::config::Config;
use callspool::lifecycle::{App, metrics, serve};
use callspool_clients::http::HttpOptions;
use callspool_domain::Clock;
use callspool_store::{OpenOptions, Store};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::log::Log;

/// How long what blocks (file work) may go on after a power failure; it takes a moment.
const BLOCKING: Duration = Duration::from_secs(30);

/// What a machine boots with.
pub(crate) struct Boot {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) patience: HttpOptions,
    pub(crate) ledger: OpenOptions,
    pub(crate) log: Log,
}

/// A running callspool.
pub(crate) struct Machine {
    app: Arc<App>,
    power: Power,
}

/// The switches of a machine, and its end.
struct Power {
    stop: CancellationToken,
    /// The power is on as long as it is held.
    on: DropGuard,
    gone: oneshot::Receiver<()>,
}

impl Power {
    async fn stop(self) {
        self.stop.cancel();
        self.gone.await.expect("it stopped in good order");
    }

    async fn fail(self) {
        drop(self.on);
        self.gone.await.expect("it is gone");
    }
}

impl Machine {
    /// Boots callspool behind this listener. `None`: `dead` came before it served.
    pub(crate) async fn boot(boot: Boot, listener: TcpListener, dead: impl Future<Output = ()>) -> Option<Self> {
        let (stop, failure) = (CancellationToken::new(), CancellationToken::new());
        let (up, is_up) = oneshot::channel();
        let (went, gone) = oneshot::channel();
        let power = Power { stop: stop.clone(), on: failure.clone().drop_guard(), gone };
        std::thread::spawn(move || {
            // One thread does everything, so that what it logs and counts is this machine's alone.
            let _log = boot.log.begin();
            let recorder = metrics::recorder();
            let _metrics = ::metrics::set_default_local_recorder(&recorder);
            let counted = recorder.handle();
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = failure.cancelled() => {}
                    () = live(boot, counted, listener, up, stop) => {}
                }
            });
            runtime.shutdown_timeout(BLOCKING);
            // Where the test has failed nobody waits for it.
            went.send(()).unwrap_or_default();
        });
        tokio::select! {
            biased;
            () = dead => {
                power.fail().await;
                None
            }
            app = is_up => Some(Self { app: app.expect("callspool serves"), power }),
        }
    }

    /// The running program.
    pub(crate) fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Stops callspool as the operating system would ask it to.
    pub(crate) async fn stop(self) {
        drop(self.app);
        self.power.stop().await;
    }

    /// The power fails: nothing that runs takes another step, nothing is finished, nobody is told.
    pub(crate) async fn crash(self) {
        drop(self.app);
        self.power.fail().await;
    }
}

async fn live(
    boot: Boot,
    counted: PrometheusHandle,
    listener: TcpListener,
    up: oneshot::Sender<Arc<App>>,
    stop: CancellationToken,
) {
    let Boot { config, clock, patience, ledger, log: _ } = boot;
    let store = Store::open(&config.server.database_url, config.policy(), ledger).await.expect("the ledger opens");
    let app = App::on(store, config, clock, &patience, counted).await.expect("callspool opens");
    listener.set_nonblocking(true).expect("a socket");
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    let served = serve(app, listener).await.expect("callspool serves");
    // Nobody waits for it any more where the power failed meanwhile.
    drop(up.send(Arc::clone(served.app())));
    stop.cancelled().await;
    served.stop().await;
}
