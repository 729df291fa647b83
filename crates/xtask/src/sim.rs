//! `cargo xtask sim`: runs of the simulation, which is built for it.

use std::process::Command;

use crate::Outcome;

/// The profile that the simulation is built with, see `Cargo.toml`.
const PROFILE: &str = "sim";

pub fn run(args: &[String]) -> Outcome {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let status = Command::new(cargo)
        .args(["run", "--quiet", "--profile", PROFILE, "--package", "simulation", "--"])
        .args(args)
        .status()
        .map_err(|error| format!("the simulation cannot be run: {error}"))?;
    if status.success() { Ok(()) } else { Err(String::new()) }
}
