//! What this machine's disk takes for one durable append: the floor under every commit.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use crate::spread::Latencies;

/// How many appends are measured.
const APPENDS: usize = 2000;

/// Appends pages of 4 KiB to a file in this folder, with an fdatasync after each.
pub fn durable_appends(folder: &Path) -> Result<Latencies> {
    let mut file = File::create(folder.join("appends"))?;
    let mut latencies = Vec::with_capacity(APPENDS);
    for _ in 0..APPENDS {
        let began = Instant::now();
        file.write_all(&[0x5a; 4096])?;
        file.sync_data()?;
        latencies.push(began.elapsed());
    }
    Ok(Latencies::of(latencies))
}
