//! `riverrun`: the one executable. Composition only: every command is a file in [`command`].

// They panic where nothing can be written, and a command that has done its work would end as if it had not: `print` has what
// does not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod command;
mod logging;
mod print;

use std::ffi::OsString;
use std::io::{self, Write};
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

A command waits 30 s (request.timeout.ms) for a first answer. One that only asks waits 20 s in all after that for brokers that
do not answer, and tells what the others have; one that changes something waits for a minute at most. -X sets the time for
both: default.api.timeout.ms.

Exit codes:
  0  done
  1  failed
  2  wrong use
  3  what was named is not there
It ends by the signal where Ctrl-C or another one stops it before it is done, which shells show as 130 and the like."
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
        Err(error) => return say(&error),
    };
    let sources = command::Sources::of(&matches);
    let mut arguments = match Arguments::from_arg_matches_mut(&mut matches) {
        Ok(arguments) => arguments,
        Err(error) => return say(&error.format(&mut command::tree())),
    };
    arguments.connection.settle(sources);
    command::run(arguments.command, &arguments.connection)
}

/// Says why a command line is none, or the help that it asks for: a result, which somebody misses where it cannot be printed.
fn say(error: &clap::Error) -> ExitCode {
    let printed = error.print().and_then(|()| io::stdout().flush());
    match printed {
        Err(unprinted) if !error.use_stderr() => command::Failure::from(unprinted).report(),
        _ => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(command::FAILED)),
    }
}
