//! `callspool doctor` as a process of its own, beside a running callspool or without one: each finding once, the exit codes,
//! and that it leaves no trace and tells no secret.

mod archive;
mod by_request;
mod callback;
mod numbers;
mod provider;
mod reader;
mod records;
mod setup;

use std::process::{Command, Stdio};

use callspool_sandbox::twilio::Number;
use callspool_store::Role;
use serde_json::Value;

use crate::harness::{ACCOUNT, TOKEN, World};

/// What doctor told.
pub(crate) struct Told {
    pub(crate) exit: i32,
    pub(crate) outcome: String,
    findings: Vec<Value>,
    text: String,
}

impl Told {
    /// The severity of every finding of this code.
    pub(crate) fn severities(&self, code: &str) -> Vec<&str> {
        self.of(code).map(|finding| finding["severity"].as_str().expect("a severity")).collect()
    }

    /// The finding of this code; exactly one.
    #[track_caller]
    pub(crate) fn only(&self, code: &str) -> &Value {
        let found: Vec<&Value> = self.of(code).collect();
        assert_eq!(found.len(), 1, "{code} in {}", self.text);
        found[0]
    }

    /// The codes of all findings that are no `ok`, each once, sorted.
    pub(crate) fn codes(&self) -> Vec<&str> {
        let mut codes: Vec<&str> = self.findings.iter().filter_map(|finding| finding["code"].as_str()).collect();
        // How full the machine's disk is, is no business of a story.
        codes.retain(|code| !matches!(*code, "ok" | "disk_space_low"));
        codes.sort_unstable();
        codes.dedup();
        codes
    }

    fn of(&self, code: &str) -> impl Iterator<Item = &Value> {
        self.findings.iter().filter(move |finding| finding["code"] == code)
    }
}

/// Runs doctor in this world, with these settings instead of its own.
pub(crate) async fn doctor(world: &World, other: &[(&str, &str)]) -> Told {
    let (exit, text) = run(world, other, &["doctor", "--json"]).await;
    for secret in [TOKEN, "sandbox-secret", "patSandbox.0123456789", "4155550199"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let told: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let outcome = told["outcome"].as_str().expect("an outcome").to_owned();
    let findings = told["findings"].as_array().expect("findings").clone();
    for finding in &findings {
        for name in ["severity", "code", "about", "found", "do"] {
            assert!(finding[name].is_string(), "{name} of {finding}");
        }
        let page = finding["page"].as_str();
        assert_eq!(page.is_none(), finding["severity"] == "ok", "{finding}");
        let exists = |page| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(page).exists();
        assert!(page.is_none_or(exists), "{finding}");
    }
    Told { exit, outcome, findings, text }
}

/// Runs the program in this world; its exit code and what it printed.
pub(crate) async fn run(world: &World, other: &[(&str, &str)], arguments: &[&str]) -> (i32, String) {
    let elsewhere = tempfile::tempdir().expect("a folder");
    let file = elsewhere.path().join("story.toml");
    std::fs::write(&file, &world.file).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_callspool"));
    command.args(arguments).arg("--config").arg(&file).env_clear().envs(world.environment());
    command.envs(other.iter().copied()).current_dir(elsewhere.path()).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("joined").expect("it runs");
    (output.status.code().expect("an exit"), String::from_utf8(output.stdout).expect("text"))
}

/// A number that callspool answers, with everything set as it should be.
pub(crate) fn good_number(world: &World) -> Number {
    let voice_url = world.url("/api/twilio/voice#rc=5&rp=all");
    let number = Number::new(world.account(), "+14155550199", voice_url);
    Number { status_callback: world.url("/api/twilio/status#rc=5&rp=all"), ..number }
}

/// Everything as it should be: a token to sign in with, a number, and what callers hear.
pub(crate) async fn put_in_order(world: &mut World) {
    world.token(Role::Admin).await;
    world.set("TWILIO_DELETE_AFTER", "24h");
    world.file = format!("[[voice]]\naccount = \"{ACCOUNT}\"\nthen = \"say:hello\"\n");
    world.restart().await;
    world.twilio.add_number(good_number(world));
}
