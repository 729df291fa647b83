//! `riverrun config get`.

use clap::Args;
use client::admin::{ConfigEntry, ConfigResource, ConfigSource, ConfigType};
use kernel::option::{Dynamic, Kind, OptionDef};
use serde_json::{Value, json};

use super::{Resource, advice, describe, is_set, kind_of, shown_value};
use crate::command::several::once;
use crate::command::{Failure, Session};
use crate::print::{Output, table::Table};

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
  default                       nobody
  not set                       nobody, for all brokers; what holds is each broker's own

--format name prints the settings' names; where KEY is named, their values alone, in the order of the KEYs.")]
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

pub(super) async fn get(get: &Get, session: &Session) -> Result<(), Failure> {
    let resource = get.resource.read()?;
    let entries = describe(&resource, "cannot read the settings", session).await?;
    let shown = match get.keys.is_empty() {
        true => {
            let mut set: Vec<ConfigEntry> =
                entries.into_iter().filter(|entry| get.all || is_set(entry)).collect();
            set.sort_by(|a, b| a.name.cmp(&b.name));
            set
        }
        false => {
            let keys = once(&get.keys);
            keys.map(|key| named(key, &resource, &entries)).collect::<Result<_, _>>()?
        }
    };
    let mut table = Table::new(&["KEY", "VALUE", "SOURCE", "+TYPE", "+READ-ONLY"]);
    for entry in &shown {
        table.row([
            entry.name.clone(),
            shown_value(entry.value.as_deref(), entry.sensitive).unwrap_or_default(),
            source(entry.source, &resource),
            kind(entry.kind).to_owned(),
            entry.read_only.to_string(),
        ]);
    }
    let value = |entry: &ConfigEntry| {
        json!({
            "key": entry.name,
            "value": entry.value,
            "source": source(entry.source, &resource),
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
        true => output.hint(match resource {
            ConfigResource::AllBrokers => {
                "nothing is set for all brokers; `riverrun config get broker NUMBER` shows one"
            }
            _ if get.all => "there are no settings",
            _ => "nobody has set anything; --all shows the defaults",
        }),
        false => output,
    })
}

/// A setting that was asked for by its name.
fn named(key: &str, resource: &ConfigResource, entries: &[ConfigEntry]) -> Result<ConfigEntry, Failure> {
    if let Some(entry) = entries.iter().find(|entry| entry.name == key) {
        return Ok(entry.clone());
    }
    match (resource, advice::known(key, kind_of(resource))) {
        (ConfigResource::AllBrokers, Some(def)) => Ok(not_set(key, def)),
        (_, Some(_)) => Err(Failure::failed(format!("brokers do not tell {key}, though it can be set"))
            .next(format!("`riverrun config explain {key}` says what it is where nobody sets it"))),
        (_, None) => Err(advice::unknown_setting(key, resource, entries)),
    }
}

/// What brokers leave out where nobody has said anything for all of them.
fn not_set(key: &str, def: &OptionDef) -> ConfigEntry {
    ConfigEntry {
        name: key.to_owned(),
        value: None,
        source: ConfigSource::Default,
        sensitive: false,
        read_only: def.dynamic == Dynamic::ReadOnly,
        kind: type_of(def.kind),
        synonyms: Vec::new(),
        documentation: None,
    }
}

pub(super) fn type_of(kind: Kind) -> ConfigType {
    match kind {
        Kind::Boolean => ConfigType::Boolean,
        Kind::String => ConfigType::String,
        Kind::Int => ConfigType::Int,
        Kind::Short => ConfigType::Short,
        Kind::Long => ConfigType::Long,
        Kind::Double => ConfigType::Double,
        Kind::List => ConfigType::List,
        Kind::Class => ConfigType::Class,
        Kind::Password => ConfigType::Password,
    }
}

/// Kafka's kinds of places in words that can be understood without knowing it; the help of `config get` explains them.
pub(super) fn source(source: ConfigSource, resource: &ConfigResource) -> String {
    match source {
        ConfigSource::Topic => "topic".to_owned(),
        ConfigSource::DynamicBroker => "dynamic broker".to_owned(),
        ConfigSource::DynamicDefaultBroker => "dynamic cluster default".to_owned(),
        ConfigSource::StaticBroker => "broker file or command line".to_owned(),
        // What holds for all brokers is what somebody has said, and nothing else.
        ConfigSource::Default if *resource == ConfigResource::AllBrokers => "not set".to_owned(),
        ConfigSource::Default => "default".to_owned(),
        ConfigSource::BrokerLogger => "logger".to_owned(),
        ConfigSource::ClientMetrics => "subscription".to_owned(),
        ConfigSource::Group => "group".to_owned(),
        ConfigSource::Other(number) => format!("source {number}"),
    }
}

pub(super) fn kind(kind: ConfigType) -> &'static str {
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
