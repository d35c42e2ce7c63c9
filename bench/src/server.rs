//! callspool as a process of its own, so that what it uses is counted alone.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::connection::Connection;
use crate::usage::Usage;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server; killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: String,
}

/// The release build of callspool, which lies beside this program.
pub fn callspool() -> Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name("callspool");
    if !program.exists() {
        bail!("{} is missing; use bench/run, which builds it", program.display());
    }
    Ok(program)
}

impl Server {
    /// Starts a program that serves callspool, in a folder of its own, and waits until it answers. Nothing of the
    /// environment but `settings` reaches it; its log goes to a file.
    pub async fn start(
        program: &Path,
        arguments: &[String],
        folder: &Path,
        settings: &[(&str, String)],
    ) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let child = Command::new(program)
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .envs(settings.iter().map(|(name, text)| (name, text)))
            .env("CALLSPOOL_LISTEN", &address)
            .stdin(Stdio::null())
            .stderr(File::create(folder.join("log"))?)
            .spawn()?;
        let mut server = Self { child, address };
        tokio::time::timeout(PATIENCE, server.answers()).await.context("the server does not answer")??;
        Ok(server)
    }

    async fn answers(&mut self) -> Result<()> {
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        loop {
            if let Ok(mut connection) = Connection::open(&self.address).await {
                return connection.send(request.as_bytes()).await;
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended: {status}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Its `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What it has used so far.
    pub fn usage(&self) -> Result<Usage> {
        Usage::of(self.child.id())
    }

    /// SIGKILL: whatever it had acknowledged has to be in the ledger all the same.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `kill` there is nothing left to do, and that is not an error worth telling.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
