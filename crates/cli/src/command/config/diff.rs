//! `riverrun config diff`.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use client::admin::{ConfigEntry, ConfigResource, ConfigSource, ConfigSynonym};
use kernel::option::{Default as OptionDefault, synonym};
use serde_json::{Value, json};

use super::explain::all_options;
use super::more::More;
use super::{HIDDEN, Kind, Resource, describe, is_set, kind_of};
use crate::command::{Failure, Session};
use crate::print::{Output, note, table::Table};

/// Compare settings with the defaults, or with another one's.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun config diff topic orders
  riverrun config diff topic orders --with payments
  riverrun config diff broker 1 --with 2 --format json
  riverrun config diff broker 1 --with all

--format wide says who has set the value, its type, and what it does.

Of all brokers there is only what was set for all of them: nothing else is compared then. A logger's default is the level
of root, which has no default itself, and is compared only with another broker's.")]
pub struct Diff {
    #[command(flatten)]
    resource: Resource,
    /// Compare with this one of the same kind, instead of with the defaults.
    #[arg(long, value_name = "NAME")]
    with: Option<String>,
}

const DOING: &str = "cannot read the settings";

pub(super) async fn diff(diff: &Diff, session: &Session) -> Result<(), Failure> {
    let resource = diff.resource.read()?;
    let ours = describe(&resource, DOING, session).await?;
    let (theirs, title) = match &diff.with {
        Some(other) => {
            let other = Resource { kind: diff.resource.kind, name: other.clone() }.read()?;
            let theirs = values_of(&describe(&other, DOING, session).await?);
            (theirs, if other == ConfigResource::AllBrokers { "ALL" } else { "OTHER" })
        }
        None => (defaults_of(&resource, &ours), "DEFAULT"),
    };
    let entries = ours;
    let ours = values_of(&entries);
    // For all brokers there is only what somebody has set for them: the rest is no difference.
    let compared: Vec<&Values> = match (&resource, title) {
        (_, "ALL") => vec![&theirs],
        (ConfigResource::AllBrokers, _) => vec![&ours],
        _ => vec![&ours, &theirs],
    };
    let keys: BTreeSet<&String> = compared.into_iter().flat_map(Values::keys).collect();
    let mut table = Table::new(&["KEY", "VALUE", title, "+SOURCE", "+TYPE", "+DOES"]);
    let mut values = Vec::new();
    let mut names = Vec::new();
    let mut untold = Vec::new();
    for key in keys {
        let (mine, other) = (ours.get(key).cloned().flatten(), theirs.get(key).cloned().flatten());
        if mine == other {
            if mine.as_deref() == Some(HIDDEN) {
                untold.push(key.as_str());
            }
            continue;
        }
        let entry = entries.iter().find(|entry| entry.name == *key);
        let more = More::of(key, entry, &resource);
        let is_hidden = [&mine, &other].into_iter().any(|value| value.as_deref() == Some(HIDDEN));
        let told = |value: Option<String>| value.filter(|value| value != HIDDEN);
        table.row([
            key.clone(),
            mine.clone().unwrap_or_default(),
            other.clone().unwrap_or_default(),
            more.source.clone().unwrap_or_default(),
            more.kind.to_owned(),
            more.does.clone(),
        ]);
        values.push(json!({
            "key": key,
            "value": told(mine),
            "other": told(other),
            "sensitive": is_hidden,
            "source": more.source,
            "type": more.kind,
        }));
        names.push(key.clone());
    }
    let same = names.is_empty();
    let output = Output::new(Value::from(values)).table(table).names(names);
    let root = root_of(&resource, &entries).filter(|_| diff.with.is_none());
    let output = about_root(root).into_iter().fold(output, Output::hint);
    if !untold.is_empty() {
        note(&format!(
            "whether these differ cannot be told, as their values are hidden: {}",
            untold.join(", ")
        ));
    }
    let same = same && untold.is_empty();
    session.show(&if same { output.hint("there is no difference") } else { output })
}

type Values = BTreeMap<String, Option<String>>;

/// What is secret differs from what is not set, and cannot be compared otherwise.
fn values_of(entries: &[ConfigEntry]) -> Values {
    let value = |entry: &ConfigEntry| match entry.sensitive {
        true => is_set(entry).then(|| HIDDEN.to_owned()),
        false => entry.value.clone(),
    };
    entries.iter().map(|entry| (entry.name.clone(), value(entry))).collect()
}

/// The logger that others inherit from. Nobody tells at what level it is where nobody has set it.
fn root_of<'e>(resource: &ConfigResource, entries: &'e [ConfigEntry]) -> Option<&'e ConfigEntry> {
    let is_root = |entry: &&ConfigEntry| kind_of(resource) == Kind::Logger && entry.name == "root";
    entries.iter().find(is_root)
}

/// Why root is not compared.
fn about_root(root: Option<&ConfigEntry>) -> Option<String> {
    let level = root?.value.as_ref()?;
    Some(format!("root is at {level}, which is the default of all others, and has none itself"))
}

/// What settings are where nobody has set anything, by the kind of what they are of.
fn defaults_of(resource: &ConfigResource, entries: &[ConfigEntry]) -> Values {
    let root = root_of(resource, entries);
    let default = |entry: &ConfigEntry| match (kind_of(resource), root) {
        _ if entry.sensitive => None,
        // A logger for which nobody has said anything has the level of root; what root has is taken as it is.
        (Kind::Logger, Some(root)) => root.value.clone(),
        (kind, _) => default_of(kind, entry),
    };
    entries.iter().map(|entry| (entry.name.clone(), default(entry))).collect()
}

/// The value of a synonym in the unit of the setting: brokers say of `retention.ms` what they have as hours.
pub(super) fn said_by(synonym: &ConfigSynonym, name: &str) -> Option<String> {
    let (told, wanted) = (synonym::unit_of_broker(&synonym.name), synonym::unit_of_broker(name));
    let number = synonym.value.as_deref().and_then(|value| value.parse::<i64>().ok());
    match number {
        // Below zero there is no bound, in any unit.
        Some(number) if told != wanted && number >= 0 => {
            Some((told.convert(number) / wanted.convert(1)).to_string())
        }
        _ => synonym.value.clone(),
    }
}

pub(super) fn default_of(kind: Kind, entry: &ConfigEntry) -> Option<String> {
    let said = entry.synonyms.iter().find(|synonym| synonym.source == ConfigSource::Default);
    if let Some(synonym) = said {
        return said_by(synonym, &entry.name);
    }
    // Brokers leave out what is said in another unit, as hours for `retention.ms`: no default, and where a file has hours
    // the value counts as one.
    let in_units = synonym::twins_of_topic(&entry.name).is_some_and(|twin| twin.broker.len() > 1);
    let may_differ = is_set(entry) || (kind == Kind::Topic && in_units);
    if !may_differ {
        return entry.value.clone();
    }
    let known = all_options().find(|(of, def)| *of == kind.name() && def.name == entry.name);
    match known.map(|(_, def)| def.default) {
        Some(OptionDefault::Text(text)) => Some(text.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::admin::ConfigType;

    fn entry(name: &str, value: &str, source: ConfigSource, default: Option<&str>) -> ConfigEntry {
        let synonym = |value: &str| ConfigSynonym {
            name: name.to_owned(),
            value: Some(value.to_owned()),
            source: ConfigSource::Default,
        };
        ConfigEntry {
            name: name.to_owned(),
            value: Some(value.to_owned()),
            source,
            sensitive: false,
            read_only: false,
            kind: ConfigType::Long,
            synonyms: default.map(synonym).into_iter().collect(),
            documentation: None,
        }
    }

    #[track_caller]
    fn check(kind: Kind, entry: ConfigEntry, expected: Option<&str>) {
        assert_eq!(default_of(kind, &entry).as_deref(), expected, "{entry:?}");
    }

    #[test]
    fn a_default_in_hours_is_told_in_the_unit_of_the_setting() {
        let said = |name: &str, synonym: &str, value: &str| {
            let mut entry = entry(name, "5", ConfigSource::DynamicBroker, Some(value));
            entry.synonyms.iter_mut().for_each(|one| one.name = synonym.to_owned());
            default_of(Kind::Broker, &entry)
        };
        assert_eq!(said("log.retention.ms", "log.retention.hours", "168").as_deref(), Some("604800000"));
        assert_eq!(said("log.roll.ms", "log.roll.hours", "2").as_deref(), Some("7200000"));
        assert_eq!(said("retention.ms", "log.retention.minutes", "3").as_deref(), Some("180000"));
        assert_eq!(said("log.retention.minutes", "log.retention.hours", "3").as_deref(), Some("180"));
        assert_eq!(said("log.retention.ms", "log.retention.hours", "-1").as_deref(), Some("-1"));
        assert_eq!(said("flush.ms", "log.flush.interval.ms", "7").as_deref(), Some("7"));
    }

    #[test]
    fn a_default_is_what_the_cluster_says_and_else_what_this_release_knows() {
        let (topic, default) = (ConfigSource::Topic, ConfigSource::Default);
        check(Kind::Topic, entry("retention.bytes", "5", topic, Some("-1")), Some("-1"));
        check(Kind::Topic, entry("retention.ms", "5", topic, None), Some("604800000"));
        check(Kind::Topic, entry("segment.ms", "5", topic, None), Some("604800000"));
        check(Kind::Topic, entry("retention.ms", "3600000", default, None), Some("604800000"));
        check(Kind::Topic, entry("from.the.future", "5", topic, None), None);
        check(Kind::Broker, entry("node.id", "5", default, None), Some("5"));
    }
}
