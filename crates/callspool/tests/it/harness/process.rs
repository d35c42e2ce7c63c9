//! The real program as a process of its own: a service to be killed, and commands.

use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::World;

/// How callspool is started: the same command and environment every time.
pub(crate) struct Program {
    settings: Vec<(String, String)>,
    port: u16,
}

impl Program {
    /// A program with these settings, on a port of its own that stays the same over restarts.
    pub(crate) fn new(settings: &[(&str, String)]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let settings = settings.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect();
        Self { settings, port }
    }

    /// A URL of it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Starts it and waits until it answers; errors alone are logged, to where the test's own go.
    pub(crate) async fn start(&self) -> Process {
        self.spawn(self.command().env("CALLSPOOL_LOG_LEVEL", "error")).await
    }

    /// The same with its log in a file, at the level of the settings.
    pub(crate) async fn start_with_log(&self, log: &Path) -> Process {
        self.spawn(self.command().stderr(File::create(log).expect("a file"))).await
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callspool"));
        command
            .arg("serve")
            .env_clear()
            .envs(self.settings.iter().map(|(name, text)| (name, text)))
            .env("CALLSPOOL_LISTEN", format!("127.0.0.1:{}", self.port))
            .stdin(Stdio::null());
        command
    }

    async fn spawn(&self, command: &mut Command) -> Process {
        let child = command.spawn().expect("the program starts");
        let process = Process(child);
        let health = self.url("/healthz");
        let up = async {
            while !reqwest::get(&health).await.is_ok_and(|answer| answer.status().is_success()) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), up).await.expect("the program answers");
        process
    }
}

/// What a command said, and its exit code.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl World {
    /// Runs a command with the story's settings, by the system's clock; callspool itself should be stopped.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callspool"));
        command.args(arguments).env_clear().envs(self.environment()).env("CALLSPOOL_LOG_LEVEL", "error");
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic");
        let output = output.expect("the program runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// A running program; killed when dropped.
pub(crate) struct Process(Child);

impl Process {
    /// SIGKILL: it gets no chance to do anything more.
    pub(crate) fn kill(mut self) {
        self.0.kill().expect("it can be killed");
        self.0.wait().expect("it is gone");
    }

    /// SIGTERM, and waits for its end; returns whether it ended well.
    pub(crate) fn terminate(mut self) -> bool {
        let asked = Command::new("kill").arg(self.0.id().to_string()).status().expect("kill runs");
        assert!(asked.success());
        self.0.wait().expect("it ends").success()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // After kill or terminate there is nothing left to do, and that is not an error worth telling.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
