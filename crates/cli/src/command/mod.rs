//! The commands, one file each.

mod start;

use std::process::ExitCode;

use clap::Subcommand;

/// How a command ended, as scripts see it.
pub const FAILED: u8 = 1;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a node: broker and controller in one process.
    Start(start::Start),
}

pub fn run(command: Command) -> ExitCode {
    match command {
        Command::Start(start) => start::run(&start),
    }
}
