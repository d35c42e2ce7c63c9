//! `callspool serve`: the service, until the operating system asks it to end.

use tokio::net::TcpListener;

use super::{Failure, Outcome, SharedApp};
use crate::lifecycle::{StartError, asked_to_end, serve};

pub(super) async fn run(app: SharedApp) -> Result<Outcome, Failure> {
    let address = app.config.server.listen;
    let listener = TcpListener::bind(address).await.map_err(|error| StartError::Listen(address, error))?;
    let served = serve(app, listener).await?;
    asked_to_end().await?;
    served.stop().await;
    Ok(Outcome::Done)
}
