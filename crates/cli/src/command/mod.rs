//! The commands, one file each, and what all of them share.

mod ask;
mod consume;
mod failure;
mod format;
mod group;
mod produce;
mod session;
mod settings;
mod start;
mod time;
mod topic;

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

pub use failure::{FAILED, Failure, WRONG_USE};
use session::Session;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a node: broker and controller in one process.
    Start(start::Start),
    /// Settle a cluster's id and features before a node's first start.
    Format(format::Format),
    /// Create, list, describe and delete topics.
    #[command(subcommand)]
    Topic(topic::Topic),
    /// Write records, one for each line of standard input.
    Produce(produce::Produce),
    /// Read records and print them.
    Consume(consume::Consume),
    /// List groups, and describe what they have read.
    #[command(subcommand)]
    Group(group::Group),
}

/// How commands reach a cluster and print what they find.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection and output")]
pub struct Connection {
    /// A broker of the cluster; several are separated by commas.
    #[arg(
        long,
        global = true,
        value_name = "HOST:PORT",
        env = "RIVERRUN_BOOTSTRAP",
        default_value = "127.0.0.1:9092"
    )]
    pub bootstrap: String,
    /// How to print: for people, or as JSON for programs.
    #[arg(long, global = true, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// The form of what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Columns; for records, lines of text.
    #[value(alias = "text")]
    Table,
    Json,
}

pub fn run(command: Command, connection: &Connection) -> ExitCode {
    let outcome = match command {
        Command::Start(start) => return start::run(&start),
        Command::Format(format) => format::run(format),
        Command::Topic(topic) => session::run(connection, async |session| topic::run(topic, session).await),
        Command::Produce(produce) => {
            session::run(connection, async |session| produce::run(produce, session).await)
        }
        Command::Consume(consume) => {
            session::run(connection, async |session| consume::run(consume, session).await)
        }
        Command::Group(group) => session::run(connection, async |session| group::run(group, session).await),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
