//! What a process has used so far, as the kernel counts it (<https://man7.org/linux/man-pages/man5/proc.5.html>).

use std::fs::read_to_string;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// The kernel tells times to programs in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);
/// The places of `utime` and `stime` in `/proc/<pid>/stat`, counted behind the program's name, which may hold anything.
const USER_TIME: usize = 11;
const SYSTEM_TIME: usize = 12;

/// What a process has used since it began.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Usage {
    /// Processor time of all its threads, in the program and in the kernel.
    pub cpu: Duration,
    /// The most memory it ever had resident, in bytes.
    pub peak_memory: u64,
}

impl Usage {
    /// Of the process with this id.
    pub fn of(pid: u32) -> Result<Self> {
        let stat = read_to_string(format!("/proc/{pid}/stat"))?;
        let (_, fields) = stat.rsplit_once(')').context("/proc/<pid>/stat has no name")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks =
            |place: usize| -> Result<u32> { Ok(fields.get(place).context("/proc/<pid>/stat is short")?.parse()?) };
        let status = read_to_string(format!("/proc/{pid}/status"))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        let kib: u64 = peak.trim().trim_end_matches(" kB").parse()?;
        Ok(Self { cpu: TICK * (ticks(USER_TIME)? + ticks(SYSTEM_TIME)?), peak_memory: kib * 1024 })
    }

    /// Of this process.
    pub fn of_this() -> Result<Self> {
        Self::of(std::process::id())
    }

    /// The processor time used since an earlier look, for each of so many things, in microseconds.
    pub fn cpu_micros_each(&self, since: &Self, things: usize) -> f64 {
        (self.cpu - since.cpu).as_secs_f64() * 1e6 / things as f64
    }

    /// The peak in megabytes.
    pub fn peak_megabytes(&self) -> f64 {
        self.peak_memory as f64 / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_some_memory() {
        assert!(Usage::of_this().unwrap().peak_memory > 100_000);
    }
}
