//! Fuzzing on stable Rust: a target is a function over bytes, which panics where a promise is broken.
//!
//! As a normal test a target is run over its corpus and a few hundred mutations of it, always the same ones. With
//! `CALLSPOOL_FUZZ_SECONDS` it is run over fresh mutations for so long, from a seed that is printed and can be given again
//! as `CALLSPOOL_FUZZ_SEED`. What broke a promise is kept as a file, to be added to the corpus.

mod mutate;

use std::collections::HashSet;
use std::fmt::Debug;
use std::fs;
use std::hash::{BuildHasher as _, DefaultHasher, Hash as _, Hasher as _, RandomState};
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use self::mutate::Dice;

/// How many mutations a normal test runs.
const NORMALLY: u64 = 300;
/// How many inputs with an outcome of their own are kept beside the corpus.
const KEPT: usize = 4096;

/// Runs a target over the corpus in this folder and over mutations of it.
///
/// What `target` returns is the outcome: an input whose outcome is new is mutated further. It should tell apart what the
/// code does (the kind of error, how many of something), and not every value.
///
/// # Panics
/// Where the target does, after the input was kept; and where there is no corpus.
pub fn fuzz<T: Debug>(corpus: impl AsRef<Path>, target: impl Fn(&[u8]) -> T) {
    let folder = corpus.as_ref();
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let time = variable("CALLSPOOL_FUZZ_SECONDS").map(Duration::from_secs);
    let seed = match time {
        Some(_) => variable("CALLSPOOL_FUZZ_SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish()),
        None => 1,
    };
    let mut run = Run { name: &name, seed, target: &target, pool: read(folder), outcomes: HashSet::new() };
    for input in run.pool.clone() {
        run.execute(&input);
    }
    let (mut dice, began, mut executions) = (Dice::new(seed), Instant::now(), 0_u64);
    while time.map_or(executions < NORMALLY, |time| began.elapsed() < time) {
        let input = mutate::mutated(&mut dice, &run.pool);
        if run.execute(&input) && run.pool.len() < KEPT {
            run.pool.push(input);
        }
        executions += 1;
    }
    if time.is_some() {
        say(&format!("{name}: seed {seed}, {executions} executions, {} outcomes\n", run.outcomes.len()));
    }
}

struct Run<'a, F> {
    name: &'a str,
    seed: u64,
    target: &'a F,
    pool: Vec<Vec<u8>>,
    outcomes: HashSet<u64>,
}

impl<T: Debug, F: Fn(&[u8]) -> T> Run<'_, F> {
    /// Runs the target once; true where its outcome is new.
    fn execute(&mut self, input: &[u8]) -> bool {
        match catch_unwind(AssertUnwindSafe(|| (self.target)(input))) {
            Ok(outcome) => self.outcomes.insert(hash(format!("{outcome:?}").as_bytes())),
            Err(panic) => {
                let kept = std::env::temp_dir().join(format!("callspool-{}-{:016x}", self.name, hash(input)));
                let written = fs::write(&kept, input);
                let to = written.map_or_else(|error| error.to_string(), |()| kept.display().to_string());
                say(&format!("{}: seed {}; the input that broke it: {to}\n", self.name, self.seed));
                resume_unwind(panic)
            }
        }
    }
}

/// The files of a corpus, in the order of their names.
#[expect(clippy::panic, reason = "a target without its corpus would test nothing")]
fn read(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut paths: Vec<PathBuf> = entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    paths.sort();
    let inputs: std::io::Result<Vec<Vec<u8>>> = paths.iter().map(fs::read).collect();
    let inputs = inputs.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    assert!(!inputs.is_empty(), "{} is empty", folder.display());
    inputs
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

#[expect(clippy::disallowed_methods, reason = "whoever fuzzes says for how long; the program does not hold this crate")]
fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Past the capture of the test runner: what was run and what was found is for whoever asked for it.
fn say(text: &str) {
    std::io::stderr().write_all(text.as_bytes()).unwrap_or_default();
}
