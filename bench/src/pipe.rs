//! The yardstick: a plain HTTP pipe that sends each body on as it comes, with no hash, no check and no memory of anything.

use std::io::{Write as _, read_to_string};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::header::CONTENT_LENGTH;
use reqwest::{Body, Client};
use serde::{Deserialize, Serialize};

use crate::usage::Usage;

/// One body to be sent on, from URL to URL.
#[derive(Debug, Serialize, Deserialize)]
pub struct Transfer {
    /// Where it is.
    pub from: String,
    /// Where it goes, by PUT.
    pub to: String,
}

/// What it took to send all.
#[derive(Debug, Serialize, Deserialize)]
pub struct Piped {
    /// How long.
    pub seconds: f64,
    /// What the process used.
    pub usage: Usage,
}

/// Runs a pipe in a process of its own: this program, called with `arguments`, which has to call [`run`].
pub fn spawn(arguments: &[&str], transfers: &[Transfer]) -> Result<Piped> {
    let program = std::env::current_exe()?;
    let mut child = Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().context("no pipe to the pipe")?;
    input.write_all(&serde_json::to_vec(transfers)?)?;
    drop(input);
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "the pipe failed: {}", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Reads the transfers from standard input, carries them out, so many at a time, and says what it took.
pub async fn run(at_a_time: usize) -> Result<Piped> {
    let transfers: Vec<Transfer> = serde_json::from_str(&read_to_string(std::io::stdin())?)?;
    let client = Client::builder().no_proxy().build()?;
    let before = Usage::of_this()?;
    let began = Instant::now();
    // Tasks of their own, so that all processors carry them, as they do callspool's.
    let work = transfers.into_iter().map(async |transfer| tokio::spawn(send_on(client.clone(), transfer)).await?);
    stream::iter(work).buffer_unordered(at_a_time).try_collect::<()>().await?;
    let after = Usage::of_this()?;
    let usage = Usage { cpu: after.cpu - before.cpu, ..after };
    Ok(Piped { seconds: began.elapsed().as_secs_f64(), usage })
}

async fn send_on(client: Client, Transfer { from, to }: Transfer) -> Result<()> {
    let source = client.get(from).send().await?.error_for_status()?;
    let length = source.content_length().context("the source does not say how long it is")?;
    let body = Body::wrap_stream(source.bytes_stream());
    client.put(to).header(CONTENT_LENGTH, length).body(body).send().await?.error_for_status()?;
    Ok(())
}
