//! `riverrun config`: a file for each of its commands.

pub mod advice;
mod change;
mod diff;
mod explain;
mod get;
mod meant;
mod more;
mod settled;
mod values;

use clap::{Args, Subcommand, ValueEnum};
use client::admin::{ConfigEntry, ConfigResource, ConfigSource};
use kernel::NodeId;

use super::brokers::no_broker;
use super::several::no_topic;
use super::{Failure, Session};
pub use change::{Changes, alter, twice};
pub use explain::{explain, names};
pub use values::values;

#[derive(Debug, Subcommand)]
pub enum Config {
    Get(get::Get),
    Set(Set),
    Diff(diff::Diff),
    Explain(explain::Explain),
}

/// What settings are of.
#[derive(Debug, Args)]
pub struct Resource {
    /// What the settings are of.
    #[arg(value_enum, value_name = "KIND")]
    kind: Kind,
    /// Which one: a topic, a broker's number (or `all` for what holds for all of them), a group, a subscription.
    #[arg(value_name = "NAME")]
    name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    Topic,
    Broker,
    /// The levels of a broker's log.
    Logger,
    Group,
    /// A subscription to metrics of clients.
    ClientMetrics,
}

impl Kind {
    /// As the settings of this release are listed.
    fn name(self) -> &'static str {
        match self {
            Kind::Topic => "topic",
            Kind::Broker => "broker",
            Kind::Logger => "logger",
            Kind::Group => "group",
            Kind::ClientMetrics => "client-metrics",
        }
    }
}

impl Resource {
    fn read(&self) -> Result<ConfigResource, Failure> {
        let name = self.name.clone();
        let number = || {
            let wrong = |_| {
                Failure::wrong_use(format!("{:?} is not a broker's number", self.name)).next(
                    match self.kind {
                        Kind::Logger => {
                            "`riverrun cluster info` shows the brokers; each has loggers of its own"
                        }
                        _ => "`riverrun cluster info` shows the brokers; all is for all of them",
                    },
                )
            };
            self.name.parse().map(NodeId).map_err(wrong)
        };
        if name.is_empty() && !matches!(self.kind, Kind::Broker | Kind::Logger) {
            let kind = self.kind.name();
            return Err(Failure::wrong_use(format!("the name of the {kind} is empty"))
                .next(format!("give a name in its place, as in {kind} NAME")));
        }
        Ok(match self.kind {
            Kind::Topic => ConfigResource::Topic(name),
            Kind::Broker if name == "all" => ConfigResource::AllBrokers,
            Kind::Broker => ConfigResource::Broker(number()?),
            Kind::Logger => ConfigResource::BrokerLogger(number()?),
            Kind::Group => ConfigResource::Group(name),
            Kind::ClientMetrics => ConfigResource::ClientMetrics(name),
        })
    }
}

/// Change settings.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun config set topic orders --set retention.ms=86400000
  riverrun config set topic orders --delete retention.ms
  riverrun config set broker all --set log.cleaner.threads=2 --dry-run
  riverrun config set topic orders --append cleanup.policy=compact

It asks before it changes a topic that the cluster made for itself. Without a terminal to ask on, that needs --yes.")]
pub struct Set {
    #[command(flatten)]
    resource: Resource,
    #[command(flatten)]
    changes: Changes,
}

pub async fn run(config: Config, session: &Session) -> Result<(), Failure> {
    match config {
        Config::Get(get) => get::get(&get, session).await,
        Config::Set(set) => alter(&set.resource.read()?, &set.changes, session).await,
        Config::Diff(diff) => diff::diff(&diff, session).await,
        Config::Explain(explain) => self::explain(&explain, session.format),
    }
}

/// The settings of something, if it is there.
async fn describe(
    resource: &ConfigResource,
    doing: &str,
    session: &Session,
) -> Result<Vec<ConfigEntry>, Failure> {
    check(resource, session).await?;
    let asked = session.ask(async |admin| admin.describe_configs(resource).await).await;
    match (asked, resource) {
        (Ok(entries), _) => Ok(entries),
        (Err(error), ConfigResource::Topic(name)) => Err(no_topic(name, error, doing, session).await),
        (Err(error), _) => Err(Failure::of(error, doing)),
    }
}

/// Whether a broker is one of the cluster's.
async fn check(resource: &ConfigResource, session: &Session) -> Result<(), Failure> {
    match resource {
        ConfigResource::Broker(id) | ConfigResource::BrokerLogger(id)
            if !session.client.metadata().brokers.contains_key(id) =>
        {
            Err(no_broker(*id, session).await)
        }
        _ => Ok(()),
    }
}

fn is_set(entry: &ConfigEntry) -> bool {
    entry.source != ConfigSource::Default
}

fn kind_of(resource: &ConfigResource) -> Kind {
    match resource {
        ConfigResource::Broker(_) | ConfigResource::AllBrokers => Kind::Broker,
        ConfigResource::BrokerLogger(_) => Kind::Logger,
        ConfigResource::Group(_) => Kind::Group,
        ConfigResource::ClientMetrics(_) => Kind::ClientMetrics,
        ConfigResource::Topic(_) | ConfigResource::Other(..) => Kind::Topic,
    }
}

/// What stands for a value that brokers tell nobody.
const HIDDEN: &str = "(hidden)";

fn shown_value(value: Option<&str>, sensitive: bool) -> Option<String> {
    if sensitive { Some(HIDDEN.to_owned()) } else { value.map(str::to_owned) }
}
