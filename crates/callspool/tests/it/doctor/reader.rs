//! What commands print to a reader that has gone away, as `head -1` does once it has its line.

use std::fs::OpenOptions;
use std::process::{Command, Output, Stdio};

/// Runs the program without any settings.
fn print_to(stdout: Stdio, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_callspool"));
    command.args(arguments).env_clear().current_dir(folder.path());
    command
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs")
        .wait_with_output()
        .expect("it ends")
}

#[test]
fn a_reader_that_has_gone_away_is_no_failure() {
    for what in ["twilio", "systemd"] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = print_to(writer.into(), &["policy", what]);
        assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
    }
}

#[test]
fn what_can_not_be_printed_is_told() {
    // Always full, on Linux.
    let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else { return };
    let output = print_to(full.into(), &["policy", "twilio"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.starts_with("callspool: standard output can't be written") && told.lines().count() == 1, "{told}");
}
