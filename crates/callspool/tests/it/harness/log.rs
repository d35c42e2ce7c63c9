//! What the machines of a story log, line by line, as an operator would search it.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::DefaultGuard;

use super::World;

/// The log of every machine of a story, in the order of its lines.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Takes what this thread logs until the guard is dropped; `None` where it goes to the test's own output.
    pub(super) fn begin(&self) -> Option<DefaultGuard> {
        if std::env::var("CALLSPOOL_TEST_LOG").is_ok() {
            return None;
        }
        let log = self.clone();
        let lines = tracing_subscriber::fmt().json().flatten_event(true).with_max_level(LevelFilter::INFO);
        Some(tracing::subscriber::set_default(lines.with_writer(move || log.clone()).finish()))
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl World {
    /// The lines of this name, in their order.
    pub(crate) fn logged(&self, name: &str) -> Vec<Value> {
        let bytes = self.log.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = String::from_utf8(bytes).expect("a log in UTF-8");
        let lines = text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON"));
        lines.filter(|line: &Value| line["message"] == name).collect()
    }
}
