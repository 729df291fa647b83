//! `cargo xtask sim`: whole brokers and their clients in a simulated world, one seed after the other.
//!
//! A seed is run by the program of `crates/simulation`; here it is built, given seeds, watched, and what it found is
//! summed up. How to read what it says is in `docs/simulation.md`.

pub(crate) mod ledger;
mod options;
mod planted;
mod seeds;
mod worker;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use options::{Mode, Options};

pub fn run(args: &[String]) -> Outcome {
    let options = Options::parse(args)?;
    let root = crate::check::root()?;
    let simulator = Simulator::build(&root, options.needs_bugs(), options.world.clone())?;
    match &options.mode {
        Mode::Seed { seed, bug, trace } => simulator.show(*seed, bug.as_deref(), trace.as_deref()),
        Mode::Seeds { from, count, minutes } => {
            let found = seeds::run(&simulator, *from, *count, *minutes, options.jobs)?;
            if options.ledger {
                ledger::append(&root, &found)?;
            }
            found.verdict()
        }
        Mode::Planted { bug } => planted::run(&simulator, bug.as_deref(), options.jobs),
    }
}

/// The program that runs seeds.
#[derive(Debug)]
pub struct Simulator {
    program: PathBuf,
    /// What every run is told about its world.
    world: Vec<String>,
}

impl Simulator {
    /// Bugs are in the program only if they are asked for.
    fn build(root: &Path, bugs: bool, world: Vec<String>) -> Result<Self, String> {
        let features: &[&str] = if bugs { &["--features", "planted"] } else { &[] };
        let status = Command::new("cargo")
            .args(["build", "--quiet", "--profile", "sim", "--package", "simulation"])
            .args(features)
            .current_dir(root)
            .status()
            .map_err(|error| format!("cannot run cargo: {error}"))?;
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        match status.success() {
            true => Ok(Self { program: target.join("sim/simulation"), world }),
            false => Err("the simulator cannot be built".to_owned()),
        }
    }

    /// Runs one seed for somebody who looks on.
    fn show(&self, seed: u64, bug: Option<&str>, trace: Option<&Path>) -> Outcome {
        let mut command = Command::new(&self.program);
        command.args(["--seed", &seed.to_string()]).args(&self.world);
        command.args(bug.iter().flat_map(|bug| ["--bug", bug]));
        if let Some(trace) = trace {
            command.arg("--trace").arg(trace);
        }
        let status = command.status().map_err(|error| self.cannot_start(&error))?;
        if status.success() { Ok(()) } else { Err(String::new()) }
    }

    fn cannot_start(&self, error: &std::io::Error) -> String {
        format!("cannot start {}: {error}", self.program.display())
    }
}

/// How to see a seed again.
fn replay(seed: u64, bug: Option<&str>) -> String {
    let bug = bug.map_or_else(String::new, |bug| format!(" --bug {bug}"));
    format!("to see it again: cargo xtask sim --seed {seed}{bug}")
}

/// Digits in groups of three.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_failing_seed_says_how_to_see_it_again() {
        assert_eq!(replay(7, None), "to see it again: cargo xtask sim --seed 7");
        assert!(replay(7, Some("LoseCommit")).ends_with("--seed 7 --bug LoseCommit"));
    }
}
