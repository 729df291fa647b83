//! Settings of the client by Kafka's names, for who needs another than the command has an option for.

use clap::Args;
use client::{Client, ConsumerConfig, ProducerConfig};

use super::{Failure, Session, units};

/// Settings of the client.
#[derive(Debug, Clone, Default, Args)]
pub struct ClientSettings {
    /// A setting of the client in Kafka's name, such as max.request.size=50000000; may be given several times.
    #[arg(long = "client-setting", short = 'X', value_name = "KEY=VALUE", value_parser = units::key_value)]
    settings: Vec<(String, String)>,
}

impl ClientSettings {
    /// The client of the session, or one with what was set for it.
    pub async fn client(&self, session: &Session, others: &[&str]) -> Result<Client, Failure> {
        let mut config = session.client.config().clone();
        let mut changed = false;
        for (name, value) in &self.settings {
            let known = config.set(name, value).map_err(refused)?;
            changed |= known;
            if !known && !others.contains(&name.as_str()) {
                let names = client::ClientConfig::NAMES.iter().chain(others);
                let mut names: Vec<&str> = names.copied().collect();
                names.sort_unstable();
                return Err(Failure::wrong_use(format!("the client has no setting {name:?} here"))
                    .next(format!("it has {}", names.join(", "))));
            }
        }
        if !changed {
            return Ok(session.client.clone());
        }
        Client::connect(config).await.map_err(|error| Failure::of(error, "cannot connect"))
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
