//! `cargo xtask crash-points`: states that a crash could leave of a node's disk, each started from and judged; see
//! `docs/simulation.md`. The states are looked at by a program of `crates/simulation`, which is built here.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;

const USAGE: &str = "usage: cargo xtask crash-points [--states N] [--seed S] [--script NAME]
       cargo xtask crash-points --script NAME --state MOMENT.CHOICE [--seed S] [--bug NAME]
       cargo xtask crash-points --planted
  --states N    so many different states (10,000), shared among the scripts
  --seed S      another choice of sizes and of states (1)
  --script NAME only this life; --scripts lists them
  --state M.C   one state again, as a violation names it
  --bug NAME    plant this bug
  --planted     plant one bug after the other: each must be found";

/// How many states the nightly run looks at.
const STATES: &str = "10000";

/// How many states are enough to find a planted bug.
const STATES_PLANTED: &str = "3000";

/// The planted bugs of which a crash must show something.
const BUGS: &[&str] = &[
    "AckBeforeSync",
    "SwallowFailedSync",
    "ForgetDirectorySync",
    "RenameBeforeSync",
    "SkipTornTail",
    "SkipChecksum",
    "ForgetProducers",
    "ForgetOldestBatch",
    "AcceptAnySequence",
    "LoseCommit",
    "AckCommitBeforeSync",
    "SkipFirstOnLoad",
    "MetadataBeforeSync",
];

pub fn run(args: &[String]) -> Outcome {
    if args.iter().any(|arg| arg == "--help") {
        return Err(USAGE.to_owned());
    }
    let root = crate::check::root()?;
    let has = |wanted: &str| args.iter().any(|arg| arg == wanted);
    let program = build(&root, has("--planted") || has("--bug"))?;
    if has("--planted") {
        return planted(&program);
    }
    let mut command = Command::new(&program);
    if !has("--states") {
        command.args(["--states", STATES]);
    }
    let status = command.args(args).status().map_err(|error| cannot_start(&program, &error))?;
    // It has said everything itself.
    if status.success() { Ok(()) } else { Err(String::new()) }
}

fn build(root: &Path, bugs: bool) -> Result<PathBuf, String> {
    let features: &[&str] = if bugs { &["--features", "planted"] } else { &[] };
    let status = Command::new("cargo")
        .args(["build", "--quiet", "--profile", "sim", "--package", "simulation", "--bin", "crash-points"])
        .args(features)
        .current_dir(root)
        .status()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    if status.success() { Ok(target.join("sim/crash-points")) } else { Err("it cannot be built".to_owned()) }
}

fn planted(program: &Path) -> Outcome {
    let mut missed = Vec::new();
    for bug in BUGS {
        let output = Command::new(program)
            .args(["--states", STATES_PLANTED, "--bug", bug])
            .output()
            .map_err(|error| cannot_start(program, &error))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let found = said.lines().find(|line| line.starts_with("VIOLATION"));
        println!("{bug}: {}", found.unwrap_or("not found"));
        if found.is_none() {
            missed.push(*bug);
        }
    }
    println!("{} bugs, {} found", BUGS.len(), BUGS.len() - missed.len());
    if missed.is_empty() { Ok(()) } else { Err(format!("not found: {}", missed.join(", "))) }
}

fn cannot_start(program: &Path, error: &std::io::Error) -> String {
    format!("cannot start {}: {error}", program.display())
}
