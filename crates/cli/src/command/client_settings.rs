//! Settings of the client by Kafka's names, for who needs another than the command has an option for.

use client::{ClientConfig, ConsumerConfig, ProducerConfig};

use super::{Command, Failure, bench};

/// What `-X` gives, in its order.
#[derive(Debug, Clone, Default)]
pub struct ClientSettings {
    settings: Vec<(String, String)>,
}

/// The settings that a command has a use for besides those of every client.
fn others(command: &Command) -> Vec<&'static str> {
    let (produces, consumes) = match command {
        Command::Produce(_) | Command::Bench(bench::Bench::Produce(_)) => (true, false),
        Command::Consume(_) | Command::Bench(bench::Bench::Consume(_)) => (false, true),
        Command::Bench(bench::Bench::Latency(_)) => (true, true),
        _ => (false, false),
    };
    let names = |used: bool, names: &'static [&'static str]| if used { names } else { &[] };
    [names(produces, ProducerConfig::NAMES), names(consumes, ConsumerConfig::NAMES)].concat()
}

impl ClientSettings {
    /// Changes what every client has, and keeps the rest for the command. A setting that the command has no use for is
    /// refused: it would go unheard.
    pub fn apply(
        settings: &[(String, String)],
        config: &mut ClientConfig,
        command: &Command,
    ) -> Result<ClientSettings, Failure> {
        let others = others(command);
        for (name, value) in settings {
            let known = config.set(name, value).map_err(refused)?;
            if !known && !others.contains(&name.as_str()) {
                let mut names = [ClientConfig::NAMES, &others].concat();
                names.sort_unstable();
                return Err(Failure::wrong_use(format!("the client has no setting {name:?} here"))
                    .next(format!("it has {}", names.join(", "))));
            }
        }
        Ok(ClientSettings { settings: settings.to_vec() })
    }

    /// Changes what a producer has.
    pub fn set_producer(&self, config: &mut ProducerConfig) -> Result<(), Failure> {
        self.set(|name, value| config.set(name, value))
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
