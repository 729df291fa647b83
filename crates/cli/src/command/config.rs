//! `riverrun config`: get, set, diff, explain.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use client::Error;
use client::admin::{ConfigChange, ConfigEntry, ConfigResource, ConfigSource, ConfigType};
use kernel::NodeId;
use kernel::option::{Default as OptionDefault, OptionDef, Table as OptionTable, nearest};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::ask::Change;
use super::{Failure, Format, Session};
use crate::print::{Output, table::Table};

#[derive(Debug, Subcommand)]
pub enum Config {
    Get(Get),
    Set(Set),
    Diff(Diff),
    Explain(Explain),
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
enum Kind {
    Topic,
    Broker,
    /// The levels of a broker's log.
    Logger,
    Group,
    /// A subscription to metrics of clients.
    ClientMetrics,
}

impl Resource {
    fn read(&self) -> Result<ConfigResource, Failure> {
        let name = self.name.clone();
        let number = || {
            let wrong = |_| Failure::wrong_use(format!("{:?} is not a broker's number", self.name));
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
  riverrun config get broker 1 --format json")]
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
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,
    /// Take a setting away, so that the default holds again; may be given several times.
    #[arg(long, value_name = "KEY")]
    delete: Vec<String>,
    /// Add to a list; may be given several times.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    append: Vec<(String, String)>,
    /// Take from a list; may be given several times.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    subtract: Vec<(String, String)>,
}

/// Compare settings with the defaults, or with another one's.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun config diff topic orders
  riverrun config diff topic orders --with payments
  riverrun config diff broker 1 --with 2 --format json")]
pub struct Diff {
    #[command(flatten)]
    resource: Resource,
    /// Compare with this one of the same kind, instead of with the defaults.
    #[arg(long, value_name = "NAME")]
    with: Option<String>,
}

/// Say what a setting does, what it may be, and what it is if nobody sets it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun config explain retention.ms
  riverrun config explain log.flush.interval.ms --format json

It needs no broker. docs/config.md has all settings.")]
pub struct Explain {
    /// The setting.
    #[arg(value_name = "KEY")]
    key: String,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("KEY=VALUE is expected".to_owned()),
    }
}

pub async fn run(config: Config, session: &Session) -> Result<(), Failure> {
    match config {
        Config::Get(get) => self::get(&get, session).await,
        Config::Set(set) => alter(&set.resource.read()?, &set.changes, session).await,
        Config::Diff(diff) => self::diff(&diff, session).await,
        Config::Explain(explain) => self::explain(&explain, session.format),
    }
}

fn cannot_read(error: Error) -> Failure {
    Failure::of(error, "cannot read the settings")
}

async fn get(get: &Get, session: &Session) -> Result<(), Failure> {
    let entries = session.admin.describe_configs(&get.resource.read()?).await.map_err(cannot_read)?;
    if let Some(unknown) = get.keys.iter().find(|key| !entries.iter().any(|entry| entry.name == **key)) {
        let failure = Failure::not_there(format!("{} has no setting {unknown:?}", get.resource.name));
        let near = nearest(unknown, entries.iter().map(|entry| entry.name.as_str()));
        return Err(match near {
            Some(near) => failure.next(format!("did you mean {near}?")),
            None => failure.next("--all shows those that there are"),
        });
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
    let before = session.admin.describe_configs(resource).await.map_err(failed)?;
    let dry_run = changes.change.dry_run;
    session.admin.alter_configs(resource, &all, dry_run).await.map_err(|error| hint(failed(error), &keys))?;
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
    })
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
    let expected = changes.iter().any(|change| match change {
        ConfigChange::Set { name, value } => old(name) != Some(value),
        _ => true,
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

/// Says which setting was probably meant, if one that was named is not known.
fn hint(failure: Failure, keys: &[&str]) -> Failure {
    let known = || all_options().map(|(_, def)| def.name);
    let unknown = keys.iter().find(|key| !known().any(|name| name == **key));
    match unknown.and_then(|key| nearest(key, known())) {
        Some(near) => failure.next(format!("did you mean {near}? `riverrun config explain {near}`")),
        None => failure,
    }
}

async fn diff(diff: &Diff, session: &Session) -> Result<(), Failure> {
    let ours = session.admin.describe_configs(&diff.resource.read()?).await.map_err(cannot_read)?;
    let (theirs, title) = match &diff.with {
        Some(other) => {
            let resource = Resource { kind: diff.resource.kind, name: other.clone() };
            let theirs = session.admin.describe_configs(&resource.read()?).await.map_err(cannot_read)?;
            (values_of(&theirs), "OTHER")
        }
        None => (defaults_of(&ours), "DEFAULT"),
    };
    let ours = values_of(&ours);
    let keys: std::collections::BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let mut table = Table::new(&["KEY", "VALUE", title]);
    let mut values = Vec::new();
    let mut names = Vec::new();
    for key in keys {
        let (mine, other) = (ours.get(key).cloned().flatten(), theirs.get(key).cloned().flatten());
        if mine == other {
            continue;
        }
        table.row([key.clone(), mine.clone().unwrap_or_default(), other.clone().unwrap_or_default()]);
        values.push(json!({ "key": key, "value": mine, "other": other }));
        names.push(key.clone());
    }
    let same = names.is_empty();
    let output = Output::new(Value::from(values)).table(table).names(names);
    session.show(&if same { output.hint("there is no difference") } else { output })
}

type Values = BTreeMap<String, Option<String>>;

/// What is secret cannot be compared.
fn values_of(entries: &[ConfigEntry]) -> Values {
    let open = entries.iter().filter(|entry| !entry.sensitive);
    open.map(|entry| (entry.name.clone(), entry.value.clone())).collect()
}

/// What settings would be if nobody had set them here: the next place that says something, in the end the default.
fn defaults_of(entries: &[ConfigEntry]) -> Values {
    let open = entries.iter().filter(|entry| !entry.sensitive);
    let default = |entry: &ConfigEntry| {
        let below = entry.synonyms.iter().find(|synonym| synonym.source == ConfigSource::Default);
        match (is_set(entry), below) {
            (false, _) => entry.value.clone(),
            (true, Some(synonym)) => synonym.value.clone(),
            (true, None) => None,
        }
    };
    open.map(|entry| (entry.name.clone(), default(entry))).collect()
}

fn is_set(entry: &ConfigEntry) -> bool {
    entry.source != ConfigSource::Default
}

fn shown_value(value: Option<&str>, sensitive: bool) -> String {
    if sensitive { "(hidden)".to_owned() } else { value.unwrap_or_default().to_owned() }
}

fn source(source: ConfigSource) -> String {
    match source {
        ConfigSource::Topic => "topic".to_owned(),
        ConfigSource::DynamicBroker => "broker".to_owned(),
        ConfigSource::DynamicDefaultBroker => "all brokers".to_owned(),
        ConfigSource::StaticBroker => "file".to_owned(),
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

/// All options that this release knows, with what they are of.
fn all_options() -> impl Iterator<Item = (&'static str, &'static OptionDef)> {
    let tables = [
        ("topic", OptionTable::Topic),
        ("broker", OptionTable::Broker),
        ("group", OptionTable::Group),
        ("client-metrics", OptionTable::ClientMetrics),
    ];
    tables.into_iter().flat_map(|(of, table)| table.rows().map(move |def| (of, def)))
}

/// Says what a setting does; it needs no broker.
pub fn explain(explain: &Explain, format: Format) -> Result<(), Failure> {
    let found: Vec<_> = all_options().filter(|(_, def)| def.name == explain.key).collect();
    if found.is_empty() {
        let failure = Failure::not_there(format!("there is no setting {:?}", explain.key));
        return Err(match nearest(&explain.key, all_options().map(|(_, def)| def.name)) {
            Some(near) => failure.next(format!("did you mean {near}?")),
            None => failure.next("docs/config.md lists all settings"),
        });
    }
    let mut output = Output::new(found.iter().map(|(of, def)| explained(of, def)).collect());
    for (of, def) in &found {
        let default = match def.default {
            OptionDefault::Required => "(somebody has to set it)",
            OptionDefault::Null => "(no value)",
            OptionDefault::Text("") => "(empty)",
            OptionDefault::Text(text) => text,
        };
        output = output
            .fact("setting", def.name)
            .fact("of", *of)
            .fact("does", def.doc)
            .fact("type", def.kind.name().to_lowercase())
            .fact("default", default);
        if *of == "broker" {
            output = output.fact("changes", def.dynamic.name());
        }
    }
    output.names([&explain.key]).print(format).map_err(Failure::from)
}

fn explained(of: &str, def: &OptionDef) -> Value {
    let mut object = Map::new();
    let default = match def.default {
        OptionDefault::Text(text) => Value::from(text),
        OptionDefault::Required | OptionDefault::Null => Value::Null,
    };
    object.insert("key".to_owned(), def.name.into());
    object.insert("of".to_owned(), of.into());
    object.insert("type".to_owned(), def.kind.name().to_lowercase().into());
    object.insert("default".to_owned(), default);
    object.insert("importance".to_owned(), def.importance.name().to_lowercase().into());
    object.insert("changes".to_owned(), def.dynamic.name().into());
    object.insert("doc".to_owned(), def.doc.into());
    Value::from(object)
}
