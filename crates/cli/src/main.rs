//! `riverrun`: the one executable. Composition only: every command is a file in [`command`].

mod command;
mod logging;
mod print;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{FromArgMatches, Parser};

/// An event streaming platform that speaks Apache Kafka's protocol.
#[derive(Debug, Parser)]
#[command(
    name = "riverrun",
    version,
    about,
    propagate_version = true,
    after_help = "Examples:
  riverrun start
  riverrun topic create orders --partitions 3
  echo 'two teapots' | riverrun produce orders --key ada
  riverrun consume orders --from start --until-end
  riverrun group describe kitchen --bootstrap kafka-1:9092

Every command has more with --help.

Exit codes:
  0  done
  1  failed
  2  wrong use
  3  what was named is not there"
)]
struct Arguments {
    #[command(subcommand)]
    command: command::Command,
    #[command(flatten)]
    connection: command::Connection,
}

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let mut matches = match command::understand(&words) {
        Ok(matches) => matches,
        Err(error) => error.exit(),
    };
    let sources = command::Sources::of(&matches);
    let mut arguments = match Arguments::from_arg_matches_mut(&mut matches) {
        Ok(arguments) => arguments,
        Err(error) => error.format(&mut command::tree()).exit(),
    };
    arguments.connection.settle(sources);
    command::run(arguments.command, &arguments.connection)
}
