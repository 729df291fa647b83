//! The commands, one file each, and what all of them share.

mod acks;
mod api;
mod ask;
mod bench;
mod brokers;
mod cannot_start;
mod client_settings;
mod cluster;
mod completion;
mod config;
mod consume;
mod failure;
mod files;
mod format;
mod group;
mod place;
mod produce;
mod profile;
mod seen;
mod session;
mod settings;
mod several;
mod start;
mod template;
#[cfg(test)]
mod tests;
mod time;
mod topic;
mod tree;
pub mod units;
mod version;
mod waiting;
mod waits;
mod watch;
mod wrong_use;

use std::process::ExitCode;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Subcommand, ValueEnum};
use client::config::SecurityProtocol;

pub use failure::{FAILED, Failure};
use session::Session;
pub use tree::{text_variable, tree};
pub use wrong_use::understand;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a node: broker and controller in one process.
    Start(start::Start),
    /// Settle a cluster's id and features before a node's first start.
    Format(format::Format),
    /// Create, list, describe, change, trim and delete topics.
    #[command(subcommand)]
    Topic(topic::Topic),
    /// Write records, one for each line of standard input.
    Produce(produce::Produce),
    /// Read records and print them.
    Consume(consume::Consume),
    /// List groups, see how far they are, send them elsewhere, delete them.
    #[command(subcommand)]
    Group(group::Group),
    /// Read, change, compare and explain settings.
    #[command(subcommand)]
    Config(config::Config),
    /// Look at the cluster: its brokers, its health, its disks.
    #[command(subcommand)]
    Cluster(cluster::Cluster),
    /// Measure how fast a cluster is, seen from here.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// See which requests a broker answers, and in which versions.
    Api(api::Api),
    /// Keep the addresses of several clusters under names.
    ///
    /// They are kept in the file that RIVERRUN_PROFILES names, or else in riverrun/profiles.json among the user's configuration
    /// ($XDG_CONFIG_HOME, or ~/.config). RIVERRUN_PROFILE names the profile of all commands that are not told another.
    #[command(subcommand)]
    Profile(profile::Profile),
    /// Print a script that completes commands, topics and groups in a shell.
    Completion(completion::Completion),
    Version(version::Version),
    /// What could stand at the end of a command line; for the scripts of `completion`.
    #[command(hide = true)]
    Complete(completion::Complete),
}

const BOOTSTRAP: &str = "RIVERRUN_BOOTSTRAP";
const PROFILE: &str = "RIVERRUN_PROFILE";
const SECURITY_PROTOCOL: &str = "RIVERRUN_SECURITY_PROTOCOL";

/// How commands reach a cluster and print what they find.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection and output")]
pub struct Connection {
    /// A broker of the cluster; several are separated by commas. Without it and without --profile, the first of these counts:
    /// RIVERRUN_BOOTSTRAP, RIVERRUN_PROFILE, the current profile, 127.0.0.1:9092.
    #[arg(long, short, global = true, value_name = "HOST:PORT", env = BOOTSTRAP, aliases = ["bootstrap-server", "brokers"])]
    pub bootstrap: Option<String>,
    /// The cluster, by the name that `riverrun profile create` gave it.
    #[arg(long, global = true, value_name = "PROFILE", env = PROFILE)]
    pub profile: Option<String>,
    /// How connections are secured, by Kafka's `security.protocol`. This version has none but PLAINTEXT.
    #[arg(
        long,
        global = true,
        value_name = "PROTOCOL",
        env = SECURITY_PROTOCOL,
        default_value = "PLAINTEXT",
        ignore_case = true,
        value_parser = protocols()
    )]
    pub security_protocol: SecurityProtocol,
    /// What `-X` gives on every level of the command line.
    #[arg(skip)]
    pub client_settings: Vec<(String, String)>,
    /// Which of these options are on the command line, and mean something to commands that speak to a cluster alone.
    #[arg(skip)]
    pub given: Vec<&'static str>,
    /// Which options are there that are settings of the client as well.
    #[arg(skip)]
    pub said: Vec<(&'static str, &'static str)>,
    /// How to print.
    #[arg(long, global = true, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Print times in the local time zone (TZ, or else /etc/localtime) and not in UTC, and mean it where a time is given
    /// without an offset.
    #[arg(long, global = true)]
    pub local: bool,
}

/// Whether the address and the profile are on the command line, and not in variables, and what is there on several levels.
#[derive(Debug)]
pub struct Sources {
    bootstrap: bool,
    profile: bool,
    client_settings: Vec<(String, String)>,
    given: Vec<&'static str>,
    said: Vec<(&'static str, &'static str)>,
}

impl Sources {
    pub fn of(matches: &ArgMatches) -> Self {
        let given = |name: &str| matches.value_source(name) == Some(ValueSource::CommandLine);
        let client_settings = client_settings::given(matches);
        let options = [
            ("bootstrap", "--bootstrap"),
            ("profile", "--profile"),
            ("security_protocol", "--security-protocol"),
            ("local", "--local"),
        ];
        let on_line = options.into_iter().filter(|(name, _)| given(name)).map(|(_, option)| option).collect();
        Self {
            bootstrap: given("bootstrap"),
            profile: given("profile"),
            client_settings,
            given: on_line,
            said: client_settings::said(matches),
        }
    }
}

impl Connection {
    /// What is on the command line goes before a variable, also where one is an address and the other a profile. An address
    /// that is given as a setting of the client is one, too.
    pub fn settle(&mut self, given: Sources) {
        let last = given.client_settings.iter().rev().find(|(name, _)| name == "bootstrap.servers");
        // Whoever says both is refused later, where the settings are read.
        let as_setting = last.filter(|_| !given.bootstrap).map(|(_, servers)| servers.clone());
        let bootstrap = given.bootstrap || as_setting.is_some();
        self.bootstrap = as_setting.or(self.bootstrap.take());
        self.client_settings = given.client_settings;
        self.given = given.given;
        self.said = given.said;
        match (bootstrap, given.profile) {
            (false, true) => self.bootstrap = None,
            // Both on the command line are refused by whoever asks for the place.
            (true, true) => {}
            _ if self.bootstrap.is_some() => self.profile = None,
            _ => {}
        }
    }

    /// The address and the profile, as far as somebody has said which.
    fn said(&self) -> (Option<&str>, Option<&str>) {
        (self.bootstrap.as_deref(), self.profile.as_deref())
    }
}

/// Kafka's names of the protocols.
fn protocols() -> impl TypedValueParser<Value = SecurityProtocol> {
    let names = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];
    PossibleValuesParser::new(names)
        .try_map(|name| SecurityProtocol::parse(&name).ok_or("it is none of Kafka's protocols"))
}

/// The form of what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Columns that fit the terminal; for records, lines of text.
    #[value(alias = "text")]
    Table,
    /// The same with more columns.
    Wide,
    /// For programs.
    Json,
    /// The same, easier to read.
    Yaml,
    /// Names alone, one a line.
    Name,
}

pub fn run(command: Command, connection: &Connection) -> ExitCode {
    let outcome = match command {
        Command::Start(_) if connection.format != Format::Table => {
            Err(Failure::wrong_use("a node prints no results, only its log")
                .next("--log-format json is for that"))
        }
        Command::Start(_) | Command::Format(_) if !connection.client_settings.is_empty() => {
            Err(Failure::wrong_use("a node is no client").next("--set is for the settings of a node"))
        }
        Command::Start(_) | Command::Format(_) if !connection.given.is_empty() => {
            let options = connection.given.join(" and ");
            Err(Failure::wrong_use(format!("{options}: this command speaks to no cluster"))
                .next("leave it out; --set listeners=PLAINTEXT://HOST:PORT says where a node listens"))
        }
        Command::Start(start) => start::run(&start),
        Command::Format(format) => format::run(format, connection.format),
        Command::Profile(profile) => profile::run(profile, connection),
        Command::Completion(completion) => completion::run(&completion),
        Command::Complete(complete) => completion::complete(&complete),
        Command::Version(_) => version::run(connection.format),
        Command::Config(config::Config::Explain(explain)) => config::explain(&explain, connection.format),
        connected => {
            let patience = patience(&connected);
            session::run(connected, connection, patience, run_connected)
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// How long a command waits for a cluster that is not there yet: only one that was told to.
fn patience(command: &Command) -> Duration {
    match command {
        Command::Cluster(cluster) => cluster.patience(),
        _ => Duration::ZERO,
    }
}

/// Runs a command that speaks to a cluster.
async fn run_connected(command: Command, session: &Session) -> Result<(), Failure> {
    match command {
        Command::Topic(topic) => topic::run(topic, session).await,
        Command::Produce(produce) => produce::run(produce, session).await,
        Command::Consume(consume) => consume::run(consume, session).await,
        Command::Group(group) => group::run(group, session).await,
        Command::Config(config) => config::run(config, session).await,
        Command::Cluster(cluster) => cluster::run(cluster, session).await,
        Command::Bench(bench) => bench::run(bench, session).await,
        Command::Api(api) => api::run(&api, session).await,
        Command::Start(_)
        | Command::Format(_)
        | Command::Profile(_)
        | Command::Completion(_)
        | Command::Complete(_)
        | Command::Version(_) => Err(Failure::failed("this command speaks to no cluster")),
    }
}
