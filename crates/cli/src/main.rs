//! `riverrun`: the one executable. Composition only: every command is a file in [`command`].

mod command;
mod logging;

use std::process::ExitCode;

use clap::Parser;

/// An event streaming platform that speaks Apache Kafka's protocol.
#[derive(Debug, Parser)]
#[command(name = "riverrun", version, about, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: command::Command,
}

fn main() -> ExitCode {
    command::run(Arguments::parse().command)
}
