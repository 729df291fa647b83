//! Changes of settings: `riverrun config set`, and `topic alter`.

use std::collections::BTreeSet;

use clap::Args;
use client::ErrorCode;
use client::admin::{ConfigChange, ConfigEntry, ConfigResource, ConfigSource, ConfigType};
use kernel::option::{find_broker, synonym};
use serde_json::json;

use super::diff::{default_of, said_by};
use super::explain::all_options;
use super::meant::meant;
use super::more::More;
use super::settled::{own_source, settled};
use super::{advice, describe, kind_of, shown_value};
use crate::command::ask::Destruction;
use crate::command::session::changing;
use crate::command::{Failure, Session, units};
use crate::print::{Output, note, table::Table};

/// What is to be changed.
#[derive(Debug, Args)]
pub struct Changes {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    destruction: Destruction,
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

const DOING: &str = "cannot change the settings";

/// The first that stands there twice.
pub fn twice<'a>(keys: &[&'a str]) -> Option<&'a str> {
    let mut seen = BTreeSet::new();
    keys.iter().copied().find(|key| !seen.insert(*key))
}

impl Which {
    fn all(&self) -> Vec<ConfigChange> {
        let pair = |(name, value): &(String, String)| (name.clone(), value.clone());
        let set = self.set.iter().map(pair).map(|(name, value)| ConfigChange::Set { name, value });
        let delete = self.delete.iter().map(|name| ConfigChange::Delete { name: name.clone() });
        let append = self.append.iter().map(pair).map(|(name, value)| ConfigChange::Append { name, value });
        let subtract =
            self.subtract.iter().map(pair).map(|(name, value)| ConfigChange::Subtract { name, value });
        set.chain(delete).chain(append).chain(subtract).collect()
    }
}

/// A topic that the cluster made for itself may lose what it holds.
async fn ask_about(resource: &ConfigResource, changes: &Changes, session: &Session) -> Result<(), Failure> {
    let ConfigResource::Topic(name) = resource else { return Ok(()) };
    let asks = changes.destruction.asks();
    if asks && session.admin.describe_topic(name).await.is_ok_and(|topic| topic.internal) {
        let question = format!("Change settings of {name}, which the cluster made for itself,");
        changes.destruction.confirm(&question, session).await?;
    }
    Ok(())
}

/// Changes settings, and prints what is different then.
pub async fn alter(resource: &ConfigResource, changes: &Changes, session: &Session) -> Result<(), Failure> {
    let all = changes.which.all();
    let keys: Vec<&str> = all.iter().map(name_of).collect();
    if let Some(key) = twice(&keys) {
        return Err(Failure::wrong_use(format!("{key} is to be changed twice"))
            .next("say once what becomes of it; values of a list are separated by commas"));
    }
    let before = describe(resource, DOING, session).await?;
    // A broker takes such a change, and does nothing.
    if let Some(unknown) = changes.which.delete.iter().find(|key| !is_setting(key, &before)) {
        return Err(advice::unknown_setting(unknown, resource, &before));
    }
    let dry_run = changes.destruction.dry_run;
    ask_about(resource, changes, session).await?;
    let look = advice::look(resource);
    let altered = changing(DOING, &look, session.admin.alter_configs(resource, &all, dry_run)).await?;
    altered.map_err(|error| match error.code() {
        Some(ErrorCode::InvalidConfig | ErrorCode::InvalidRequest) => {
            advice::refused(Failure::of(error, DOING), &keys, resource, &before)
        }
        _ => Failure::of_change(error, DOING, &look),
    })?;
    let mut table = Table::new(&["KEY", "BEFORE", "NOW", "+SOURCE", "+DEFAULT", "+TYPE", "+DOES"]);
    let mut values = Vec::new();
    let (after, is_seen) = match dry_run {
        true => (Vec::new(), true),
        false => settled(resource, &all, &before, session)
            .await
            .map_err(|error| Failure::of(error, "the settings are changed, but cannot be read again"))?,
    };
    for change in &all {
        let name = name_of(change);
        let value_in = |entries: &[ConfigEntry]| {
            let entry = entries.iter().find(|entry| entry.name == name)?;
            shown_value(entry.value.as_deref(), entry.sensitive)
        };
        let old = value_in(&before);
        let new = match dry_run {
            true => planned(change, resource, &before, session).await,
            false => value_in(&after),
        };
        let shown = new.clone().unwrap_or_else(|| match (dry_run, resource) {
            (true, ConfigResource::AllBrokers) | (false, _) => String::new(),
            (true, _) => "(the default)".to_owned(),
        });
        // Before the change a value is said by whoever said it before.
        let (source, default, kind, does) = more(name, &after, &before, resource);
        let source = source.filter(|_| !dry_run);
        values.push(json!({
            "key": name,
            "before": old,
            "now": new,
            "source": source,
            "default": default,
            "type": kind,
        }));
        let text = Option::unwrap_or_default;
        table.row([name.to_owned(), text(old), shown, text(source), text(default), kind.to_owned(), does]);
    }
    let output = Output::new(json!({ "dry_run": dry_run, "changes": values })).table(table).names(keys);
    session.show(&match dry_run {
        true => output.hint("nothing was changed (--dry-run)"),
        false => output,
    })?;
    if !is_seen {
        note(&format!("warning: the broker does not show all of it yet; `{look}` shows it when it does"));
    }
    warn_unknown(resource, &all, &before);
    Ok(())
}

/// Who says a setting, its default, its type, and what it does.
fn more(
    name: &str,
    after: &[ConfigEntry],
    before: &[ConfigEntry],
    resource: &ConfigResource,
) -> (Option<String>, Option<String>, &'static str, String) {
    let entry = after.iter().chain(before).find(|entry| entry.name == name);
    let open = entry.filter(|entry| !entry.sensitive);
    let default = open.and_then(|entry| default_of(kind_of(resource), entry));
    let More { source, kind, does } = More::of(name, entry, resource);
    (source, default, kind, does)
}

/// Whether a setting is one: of those that are there, or of those that this release knows.
fn is_setting(key: &str, entries: &[ConfigEntry]) -> bool {
    entries.iter().any(|entry| entry.name == key) || all_options().any(|(_, def)| def.name == key)
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

pub(super) fn name_of(change: &ConfigChange) -> &str {
    match change {
        ConfigChange::Set { name, .. }
        | ConfigChange::Delete { name }
        | ConfigChange::Append { name, .. }
        | ConfigChange::Subtract { name, .. } => name,
    }
}

/// What a setting would be; nothing where only the cluster can tell.
async fn planned(
    change: &ConfigChange,
    resource: &ConfigResource,
    before: &[ConfigEntry],
    session: &Session,
) -> Option<String> {
    let name = name_of(change);
    let entry = before.iter().find(|entry| entry.name == name);
    if let Some(entry) = entry.filter(|entry| entry.sensitive) {
        return shown_value(None, entry.sensitive);
    }
    let old = entry.and_then(|entry| entry.value.as_deref()).unwrap_or_default();
    match change {
        ConfigChange::Set { value, .. } => Some(value.clone()),
        ConfigChange::Append { value, .. } => Some(appended(old, value)),
        ConfigChange::Subtract { value, .. } => Some(subtracted(old, value)),
        ConfigChange::Delete { .. } => match without(entry?, resource) {
            Some(value) => Some(value),
            None => from_broker(name, resource, session).await,
        },
    }
}

pub(super) fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// As controllers do it: what is there already stays where it is.
fn appended(list: &str, value: &str) -> String {
    let mut all: Vec<&str> = items(list).collect();
    for item in items(value) {
        if !all.contains(&item) {
            all.push(item);
        }
    }
    all.join(",")
}

fn subtracted(list: &str, value: &str) -> String {
    let mut all: Vec<&str> = items(list).collect();
    for item in items(value) {
        if let Some(place) = all.iter().position(|one| *one == item) {
            all.remove(place);
        }
    }
    all.join(",")
}

/// The value that counts where the resource itself says nothing, as far as the answer about the resource tells.
pub(super) fn without(entry: &ConfigEntry, resource: &ConfigResource) -> Option<String> {
    let own = own_source(resource).filter(|own| *own != ConfigSource::DynamicDefaultBroker)?;
    if entry.source != own {
        return entry.value.clone();
    }
    if let Some(next) = entry.synonyms.iter().find(|synonym| synonym.source != own) {
        return said_by(next, &entry.name);
    }
    // A broker may have said it in other units.
    let in_units = synonym::twins_of_topic(&entry.name).is_some_and(|twin| twin.broker.len() > 1);
    if in_units { None } else { default_of(kind_of(resource), entry) }
}

/// What a broker says of a topic's setting under other names and in other units, as hours for milliseconds.
async fn from_broker(name: &str, resource: &ConfigResource, session: &Session) -> Option<String> {
    if !matches!(resource, ConfigResource::Topic(_)) {
        return None;
    }
    let broker = *session.client.metadata().brokers.keys().next()?;
    let entries = session.admin.describe_configs(&ConfigResource::Broker(broker)).await.ok()?;
    let twin = synonym::twins_of_topic(name)?;
    twin.broker.iter().find_map(|(option, unit)| {
        let value = entries.iter().find(|entry| entry.name == *option)?.value.as_deref()?;
        value.parse().map(|number| unit.convert(number).to_string()).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_changed_as_controllers_do_it() {
        assert_eq!(appended("delete", "compact, delete"), "delete,compact");
        assert_eq!(appended("", "compact"), "compact");
        assert_eq!(subtracted("delete,compact", "delete"), "compact");
        assert_eq!(subtracted("delete", "compact,delete"), "");
    }
}
