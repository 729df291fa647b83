//! Settings of the client by Kafka's names, for who needs another than the command has an option for.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches};
use client::config::Acks;
use client::{ClientConfig, ConsumerConfig, ProducerConfig};

use super::{Command, Connection, Failure, bench, units};

/// What `-X` gives, in its order.
#[derive(Debug, Clone, Default)]
pub struct ClientSettings {
    settings: Vec<(String, String)>,
}

/// The option among the arguments.
pub const ID: &str = "client_settings";

/// The option, for every level of the command line: clap would take those of the last level alone.
pub fn option() -> Arg {
    Arg::new(ID)
        .long("client-setting")
        .short('X')
        .value_name("KEY=VALUE")
        .action(ArgAction::Append)
        .value_parser(units::key_value)
        .help_heading("Connection and output")
        .display_order(99)
        .help(
            "A setting of the client by Kafka's name, such as request.timeout.ms=5000, and where records are written or \
             read also one of the producer or the consumer; may be given several times",
        )
}

/// What was given on all levels, in its order.
pub fn given(matches: &ArgMatches) -> Vec<(String, String)> {
    let own = matches.get_many(ID).into_iter().flatten().cloned();
    let below = matches.subcommand().map(|(_, matches)| given(matches)).unwrap_or_default();
    own.chain(below).collect()
}

/// Options of commands that say what a setting says: the argument, the option, and the setting.
const OPTIONS: [(&str, &str, &str); 9] = [
    ("acks", "--acks", "acks"),
    ("batch_size", "--batch-size", "batch.size"),
    ("bootstrap", "--bootstrap", "bootstrap.servers"),
    ("compression", "--compression", "compression.type"),
    ("from", "--from", "auto.offset.reset"),
    ("group", "--group", "group.id"),
    ("linger", "--linger", "linger.ms"),
    ("read_committed", "--read-committed", "isolation.level"),
    ("security_protocol", "--security-protocol", "security.protocol"),
];

/// The options of these that are on the command line, with the settings that they are.
pub fn said(matches: &ArgMatches) -> Vec<(&'static str, &'static str)> {
    if let Some((_, matches)) = matches.subcommand() {
        return said(matches);
    }
    let is_given = |name: &str| {
        let is_known = matches.try_contains_id(name).unwrap_or(false);
        is_known && matches.value_source(name) == Some(ValueSource::CommandLine)
    };
    let given = OPTIONS.into_iter().filter(|(name, ..)| is_given(name));
    given.map(|(_, option, setting)| (option, setting)).collect()
}

/// Settings of a consumer that mean something to members of a group alone.
pub const OF_MEMBERS: [&str; 8] = [
    "auto.commit.interval.ms",
    "enable.auto.commit",
    "group.id",
    "group.instance.id",
    "heartbeat.interval.ms",
    "max.poll.interval.ms",
    "partition.assignment.strategy",
    "session.timeout.ms",
];

/// The setting of a producer that no command has: a topic that a typing error would make helps nobody.
const MAKES_TOPICS: &str = "allow.auto.create.topics";

/// The settings that a command has a use for besides those of every client.
fn others(command: &Command) -> Vec<&'static str> {
    let (produces, consumes) = match command {
        Command::Produce(_) | Command::Bench(bench::Bench::Produce(_)) => (true, false),
        Command::Consume(_) | Command::Bench(bench::Bench::Consume(_)) => (false, true),
        Command::Bench(bench::Bench::Latency(_)) => (true, true),
        _ => (false, false),
    };
    let names = |used: bool, names: &'static [&'static str]| if used { names } else { &[] };
    let mut others =
        [names(produces, ProducerConfig::NAMES), names(consumes, ConsumerConfig::NAMES)].concat();
    if matches!(command, Command::Bench(_)) {
        // A measurement is no member: it would commit where it got to all the same.
        others.retain(|name| !OF_MEMBERS.contains(name));
    }
    others
}

impl ClientSettings {
    /// Changes what every client has, and keeps the rest for the command. A setting that the command has no use for is
    /// refused: it would go unheard.
    pub fn apply(
        connection: &Connection,
        config: &mut ClientConfig,
        command: &Command,
    ) -> Result<ClientSettings, Failure> {
        let settings = &connection.client_settings;
        let twice =
            connection.said.iter().find(|(_, setting)| settings.iter().any(|(name, _)| name == setting));
        if let Some((option, setting)) = twice {
            return Err(Failure::wrong_use(format!("{option} says what -X {setting} says as well"))
                .next("leave one of them out"));
        }
        let others = others(command);
        if others.contains(&MAKES_TOPICS) && settings.iter().any(|(name, _)| name == MAKES_TOPICS) {
            let refused = format!("no topic is made by writing to it, whatever -X {MAKES_TOPICS} says");
            return Err(
                Failure::wrong_use(refused).next("leave it out; `riverrun topic create NAME` makes one")
            );
        }
        for (name, value) in settings {
            let known = config.set(name, value).map_err(refused)?;
            if !known && !others.contains(&name.as_str()) {
                let mut names = [ClientConfig::NAMES, &others].concat();
                names.retain(|name| *name != MAKES_TOPICS);
                names.sort_unstable();
                return Err(Failure::wrong_use(format!("the client has no setting {name:?} here"))
                    .next(format!("it has {}", names.join(", "))));
            }
        }
        Ok(ClientSettings { settings: settings.to_vec() })
    }

    /// Changes what a producer has. As with Kafka's, one that is to have fewer acknowledgements than all is not idempotent,
    /// unless somebody says that it should be.
    pub fn set_producer(&self, config: &mut ProducerConfig) -> Result<(), Failure> {
        self.set(|name, value| config.set(name, value))?;
        config.enable_idempotence &= config.acks == Acks::All || self.has("enable.idempotence");
        Ok(())
    }

    /// Whether there is a setting of this name.
    pub fn has(&self, name: &str) -> bool {
        self.settings.iter().any(|(set, _)| set == name)
    }

    /// Changes what a consumer has.
    pub fn set_consumer(&self, config: &mut ConsumerConfig) -> Result<(), Failure> {
        self.set(|name, value| config.set(name, value))
    }

    fn set(&self, mut set: impl FnMut(&str, &str) -> Result<bool, client::Error>) -> Result<(), Failure> {
        self.settings.iter().try_for_each(|(name, value)| set(name, value).map(drop)).map_err(refused)
    }
}

fn refused(error: client::Error) -> Failure {
    Failure::of(error, "the client cannot be set up so")
}
