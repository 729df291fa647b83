//! `riverrun config`: get and set here; diff and explain in files of their own.

mod diff;
mod explain;
mod meant;

use std::collections::BTreeSet;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use client::admin::{ConfigChange, ConfigEntry, ConfigResource, ConfigSource, ConfigType};
use client::{Error, ErrorCode};
use kernel::NodeId;
use kernel::option::{Dynamic, find_broker, nearest, synonym};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::ask::Change;
use super::{Failure, Session, units};
use crate::print::{Output, note, table::Table};
use explain::all_options;
pub use explain::{explain, names};
use meant::meant;

#[derive(Debug, Subcommand)]
pub enum Config {
    Get(Get),
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
                Failure::wrong_use(format!("{:?} is not a broker's number", self.name))
                    .next("`riverrun cluster info` shows the brokers; all is for all of them")
            };
            self.name.parse().map(NodeId).map_err(wrong)
        };
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

/// Read settings: those that somebody has set, or all of them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun config get topic orders
  riverrun config get topic orders --all
  riverrun config get topic orders retention.ms --format name
  riverrun config get broker 1 --format json

SOURCE says who has set a value:
  topic, group, subscription    somebody, for this one alone
  dynamic broker                somebody, for this broker while it runs
  dynamic cluster default       somebody, for all brokers while they run
  broker file or command line   whoever started the broker: its file, a variable such as KAFKA_LOG_DIRS, or --set
  default                       nobody")]
pub struct Get {
    #[command(flatten)]
    resource: Resource,
    /// Only these settings; all if none is named.
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
    /// Also those that nobody has set.
    #[arg(long)]
    all: bool,
}

/// Change settings.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun config set topic orders --set retention.ms=86400000
  riverrun config set topic orders --delete retention.ms
  riverrun config set broker all --set log.cleaner.threads=2 --dry-run
  riverrun config set topic orders --append cleanup.policy=compact")]
pub struct Set {
    #[command(flatten)]
    resource: Resource,
    #[command(flatten)]
    changes: Changes,
}

/// What is to be changed.
#[derive(Debug, Args)]
pub struct Changes {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    change: Change,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Which {
    /// Give a setting a value; may be given several times.
    #[arg(long, value_name = "KEY=VALUE", value_parser = units::key_value)]
    set: Vec<(String, String)>,
    /// Take a setting away, so that the default holds again; may be given several times.
    #[arg(long, value_name = "KEY")]
    delete: Vec<String>,
    /// Add to a list; may be given several times.
    #[arg(long, value_name = "KEY=VALUE", value_parser = units::key_value)]
    append: Vec<(String, String)>,
    /// Take from a list; may be given several times.
    #[arg(long, value_name = "KEY=VALUE", value_parser = units::key_value)]
    subtract: Vec<(String, String)>,
}

pub async fn run(config: Config, session: &Session) -> Result<(), Failure> {
    match config {
        Config::Get(get) => self::get(&get, session).await,
        Config::Set(set) => alter(&set.resource.read()?, &set.changes, session).await,
        Config::Diff(diff) => diff::diff(&diff, session).await,
        Config::Explain(explain) => self::explain(&explain, session.format),
    }
}

/// The settings of something, if it is there.
async fn describe(resource: &ConfigResource, session: &Session) -> Result<Vec<ConfigEntry>, Failure> {
    check(resource, session)?;
    let described = session.admin.describe_configs(resource).await;
    described.map_err(|error| Failure::of(error, "cannot read the settings"))
}

/// Whether a broker is one of the cluster's.
fn check(resource: &ConfigResource, session: &Session) -> Result<(), Failure> {
    match resource {
        ConfigResource::Broker(id) | ConfigResource::BrokerLogger(id)
            if !session.client.metadata().brokers.contains_key(id) =>
        {
            Err(Failure::not_there(format!("there is no broker {}", id.0))
                .next("`riverrun cluster info` shows those that are there"))
        }
        _ => Ok(()),
    }
}

async fn get(get: &Get, session: &Session) -> Result<(), Failure> {
    let resource = get.resource.read()?;
    let entries = describe(&resource, session).await?;
    if let Some(unknown) = get.keys.iter().find(|key| !entries.iter().any(|entry| entry.name == **key)) {
        return Err(unknown_setting(unknown, &entries));
    }
    let wanted = |entry: &&ConfigEntry| match get.keys.is_empty() {
        true => get.all || is_set(entry),
        false => get.keys.contains(&entry.name),
    };
    let mut shown: Vec<&ConfigEntry> = entries.iter().filter(wanted).collect();
    shown.sort_by(|a, b| a.name.cmp(&b.name));
    let mut table = Table::new(&["KEY", "VALUE", "SOURCE", "+TYPE", "+READ-ONLY"]);
    for entry in &shown {
        table.row([
            entry.name.clone(),
            shown_value(entry.value.as_deref(), entry.sensitive),
            source(entry.source),
            kind(entry.kind).to_owned(),
            entry.read_only.to_string(),
        ]);
    }
    let value = |entry: &&ConfigEntry| {
        json!({
            "key": entry.name,
            "value": entry.value,
            "source": source(entry.source),
            "type": kind(entry.kind),
            "sensitive": entry.sensitive,
            "read_only": entry.read_only,
        })
    };
    let output = Output::new(Value::from(shown.iter().map(value).collect::<Vec<_>>())).table(table);
    let output = match get.keys.is_empty() {
        true => output.names(shown.iter().map(|entry| entry.name.as_str())),
        // Who named a setting knows its name.
        false => output.names(shown.iter().map(|entry| entry.value.clone().unwrap_or_default())),
    };
    session.show(&match shown.is_empty() {
        true => output.hint("nobody has set anything; --all shows the defaults"),
        false => output,
    })
}

/// Changes settings, and prints what is different then.
pub async fn alter(resource: &ConfigResource, changes: &Changes, session: &Session) -> Result<(), Failure> {
    let failed = |error| Failure::of(error, "cannot change the settings");
    let which = &changes.which;
    let pair = |(name, value): &(String, String)| (name.clone(), value.clone());
    let set = which.set.iter().map(pair).map(|(name, value)| ConfigChange::Set { name, value });
    let delete = which.delete.iter().map(|name| ConfigChange::Delete { name: name.clone() });
    let append = which.append.iter().map(pair).map(|(name, value)| ConfigChange::Append { name, value });
    let subtract =
        which.subtract.iter().map(pair).map(|(name, value)| ConfigChange::Subtract { name, value });
    let all: Vec<ConfigChange> = set.chain(delete).chain(append).chain(subtract).collect();
    let keys: Vec<&str> = all.iter().map(name_of).collect();
    let mut seen = BTreeSet::new();
    if let Some(twice) = keys.iter().find(|key| !seen.insert(**key)) {
        return Err(Failure::wrong_use(format!("{twice} is to be changed twice"))
            .next("say once what becomes of it; values of a list are separated by commas"));
    }
    check(resource, session)?;
    let before = session.admin.describe_configs(resource).await.map_err(failed)?;
    // A broker takes such a change, and does nothing.
    if let Some(unknown) = which.delete.iter().find(|key| !is_setting(key, &before)) {
        return Err(unknown_setting(unknown, &before));
    }
    let dry_run = changes.change.dry_run;
    session.admin.alter_configs(resource, &all, dry_run).await.map_err(|error| match error.code() {
        Some(ErrorCode::InvalidConfig | ErrorCode::InvalidRequest) => {
            hint(failed(error), &keys, kind_of(resource))
        }
        _ => failed(error),
    })?;
    let mut table = Table::new(&["KEY", "BEFORE", "NOW"]);
    let mut values = Vec::new();
    let after = match dry_run {
        true => Vec::new(),
        false => settled(resource, &all, &before, session).await.map_err(failed)?,
    };
    for change in &all {
        let name = name_of(change);
        let value_in = |entries: &[ConfigEntry]| {
            let entry = entries.iter().find(|entry| entry.name == name)?;
            Some(shown_value(entry.value.as_deref(), entry.sensitive))
        };
        let old = value_in(&before);
        let new = if dry_run { Some(planned(change)) } else { value_in(&after) };
        table.row([name.to_owned(), old.clone().unwrap_or_default(), new.clone().unwrap_or_default()]);
        values.push(json!({ "key": name, "before": old, "now": new }));
    }
    let output = Output::new(json!({ "dry_run": dry_run, "changes": values })).table(table).names(keys);
    session.show(&match dry_run {
        true => output.hint("nothing was changed (--dry-run)"),
        false => output,
    })?;
    warn_unknown(resource, &all, &before);
    Ok(())
}

/// Whether a setting is one: of those that are there, or of those that this release knows.
fn is_setting(key: &str, entries: &[ConfigEntry]) -> bool {
    entries.iter().any(|entry| entry.name == key) || all_options().any(|(_, def)| def.name == key)
}

fn unknown_setting(key: &str, entries: &[ConfigEntry]) -> Failure {
    let failure = Failure::not_there(format!("there is no setting {key:?}"));
    let meant = meant(key, entries.iter().map(|entry| entry.name.as_str()));
    failure.next(
        meant
            .unwrap_or_else(|| "`riverrun config get KIND NAME --all` shows those that there are".to_owned()),
    )
}

/// Brokers keep settings that they do not know, as plugins of Kafka may have some: a wrong name would never be noticed.
fn warn_unknown(resource: &ConfigResource, changes: &[ConfigChange], before: &[ConfigEntry]) {
    if !matches!(resource, ConfigResource::Broker(_) | ConfigResource::AllBrokers) {
        return;
    }
    let known = |key: &str| {
        let told = |entry: &ConfigEntry| entry.name == key && entry.kind != ConfigType::Unknown;
        find_broker(key).is_some() || before.iter().any(told)
    };
    let kept = changes.iter().filter(|change| !matches!(change, ConfigChange::Delete { .. })).map(name_of);
    for key in kept.filter(|key| !known(key)) {
        note(&format!(
            "warning: {key:?} is no setting of brokers; they keep such a one, and do nothing with it"
        ));
        let of_brokers = all_options().filter(|(of, _)| *of == "broker").map(|(_, def)| def.name);
        let meant = meant(key, of_brokers).map(|meant| format!("{meant} ")).unwrap_or_default();
        note(&format!("next: {meant}--delete {key} takes it away again"));
    }
}

/// How long a broker may take to see what its controller has decided, and how often it is asked.
const SEEN_MAX: Duration = Duration::from_secs(2);
const ASK_EVERY: Duration = Duration::from_millis(20);

/// The settings once the broker has seen the changes: Kafka answers before that.
async fn settled(
    resource: &ConfigResource,
    changes: &[ConfigChange],
    before: &[ConfigEntry],
    session: &Session,
) -> Result<Vec<ConfigEntry>, Error> {
    let old =
        |name: &str| before.iter().find(|entry| entry.name == name).and_then(|entry| entry.value.as_deref());
    let is_set = |name: &str| before.iter().any(|entry| entry.name == name && is_set(entry));
    let expected = changes.iter().any(|change| match change {
        ConfigChange::Set { name, value } => old(name) != Some(value),
        // What nobody has set stays as it is.
        ConfigChange::Delete { name } => is_set(name),
        ConfigChange::Append { .. } | ConfigChange::Subtract { .. } => true,
    });
    let deadline = Instant::now() + SEEN_MAX;
    loop {
        let after = session.admin.describe_configs(resource).await?;
        if !expected || after != before || Instant::now() >= deadline {
            return Ok(after);
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

fn name_of(change: &ConfigChange) -> &str {
    match change {
        ConfigChange::Set { name, .. }
        | ConfigChange::Delete { name }
        | ConfigChange::Append { name, .. }
        | ConfigChange::Subtract { name, .. } => name,
    }
}

fn planned(change: &ConfigChange) -> String {
    match change {
        ConfigChange::Set { value, .. } => value.clone(),
        ConfigChange::Delete { .. } => "(the default)".to_owned(),
        ConfigChange::Append { value, .. } => format!("(with {value})"),
        ConfigChange::Subtract { value, .. } => format!("(without {value})"),
    }
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

/// What helps where something has no such setting: the one that was probably meant.
fn unknown_of(key: &str, kind: Kind) -> String {
    let decides = |twin: &&synonym::Twin| twin.broker.iter().any(|(name, _)| *name == key);
    if let Some(twin) = synonym::TOPIC_TWINS.iter().find(decides).filter(|_| kind == Kind::Topic) {
        return format!("{key} is of brokers: a topic has {}", twin.topic);
    }
    let of_kind = || all_options().filter(|(of, _)| *of == kind.name()).map(|(_, def)| def.name);
    match nearest(key, of_kind()) {
        Some(near) => format!("did you mean {near}? `riverrun config explain {near}`"),
        None => format!("`riverrun config get {} NAME --all` shows what there is", kind.name()),
    }
}

/// Says which setting was probably meant, if one that was named is not known, and where to set what cannot be changed now.
pub fn hint(failure: Failure, keys: &[&str], kind: Kind) -> Failure {
    let known = |key: &str| match kind {
        Kind::Broker => find_broker(key),
        kind => all_options().find(|(of, def)| *of == kind.name() && def.name == key).map(|(_, def)| def),
    };
    if let Some(unknown) = keys.iter().find(|key| known(key).is_none()) {
        return failure.next(unknown_of(unknown, kind));
    }
    let read_only = keys
        .iter()
        .find(|key| kind == Kind::Broker && known(key).is_some_and(|def| def.dynamic == Dynamic::ReadOnly));
    // Brokers name the one that they refuse.
    let message = failure.message().to_owned();
    let refused: Vec<&str> = keys.iter().copied().filter(|key| message.contains(key)).collect();
    let keys = if refused.is_empty() { keys } else { &refused };
    match (read_only, keys) {
        (Some(key), _) => failure.next(format!("{key} is read when a broker starts: put it into its file")),
        (None, [key, ..]) => failure.next(format!("`riverrun config explain {key}` says what it may be")),
        (None, []) => failure,
    }
}

fn is_set(entry: &ConfigEntry) -> bool {
    entry.source != ConfigSource::Default
}

fn shown_value(value: Option<&str>, sensitive: bool) -> String {
    if sensitive { "(hidden)".to_owned() } else { value.unwrap_or_default().to_owned() }
}

/// Kafka's kinds of places in words that can be understood without knowing it; the help of `config get` explains them.
fn source(source: ConfigSource) -> String {
    match source {
        ConfigSource::Topic => "topic".to_owned(),
        ConfigSource::DynamicBroker => "dynamic broker".to_owned(),
        ConfigSource::DynamicDefaultBroker => "dynamic cluster default".to_owned(),
        ConfigSource::StaticBroker => "broker file or command line".to_owned(),
        ConfigSource::Default => "default".to_owned(),
        ConfigSource::BrokerLogger => "logger".to_owned(),
        ConfigSource::ClientMetrics => "subscription".to_owned(),
        ConfigSource::Group => "group".to_owned(),
        ConfigSource::Other(number) => format!("source {number}"),
    }
}

fn kind(kind: ConfigType) -> &'static str {
    match kind {
        ConfigType::Boolean => "boolean",
        ConfigType::String => "string",
        ConfigType::Int => "int",
        ConfigType::Short => "short",
        ConfigType::Long => "long",
        ConfigType::Double => "double",
        ConfigType::List => "list",
        ConfigType::Class => "class",
        ConfigType::Password => "password",
        ConfigType::Unknown => "unknown",
    }
}
