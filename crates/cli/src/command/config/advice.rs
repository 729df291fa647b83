//! What helps where settings were refused, or are not there.

use client::admin::{ConfigEntry, ConfigResource};
use kernel::option::{Dynamic, OptionDef, find_broker, nearest, synonym};

use super::explain::all_options;
use super::meant::meant;
use super::{Kind, kind_of};
use crate::command::Failure;

/// A setting of one kind that this release knows.
pub fn known(key: &str, kind: Kind) -> Option<&'static OptionDef> {
    match kind {
        Kind::Broker => find_broker(key),
        kind => all_options().find(|(of, def)| *of == kind.name() && def.name == key).map(|(_, def)| def),
    }
}

/// The command that shows all settings that something can have. Of all brokers together those are shown that are set.
fn shows_all(resource: &ConfigResource) -> String {
    match resource {
        ConfigResource::AllBrokers => "`riverrun config get broker ID --all`".to_owned(),
        resource => format!("`{}`", look(resource)),
    }
}

/// The command that shows what is set for something, and where that can be told what else it can have.
pub fn look(resource: &ConfigResource) -> String {
    let kind = kind_of(resource).name();
    let (name, all) = match resource {
        ConfigResource::Topic(name)
        | ConfigResource::Group(name)
        | ConfigResource::ClientMetrics(name)
        | ConfigResource::Other(_, name) => (name.clone(), " --all"),
        ConfigResource::Broker(id) => (id.0.to_string(), " --all"),
        ConfigResource::BrokerLogger(id) => (id.0.to_string(), ""),
        ConfigResource::AllBrokers => ("all".to_owned(), ""),
    };
    format!("riverrun config get {kind} {name}{all}")
}

/// A setting was named that something does not have.
pub fn unknown_setting(key: &str, resource: &ConfigResource, entries: &[ConfigEntry]) -> Failure {
    let what = if kind_of(resource) == Kind::Logger { "logger" } else { "setting" };
    let failure = Failure::not_there(format!("there is no {what} {key:?}"));
    let meant = meant(key, entries.iter().map(|entry| entry.name.as_str()));
    failure.next(meant.unwrap_or_else(|| format!("{} shows those that there are", shows_all(resource))))
}

/// A broker refused a change of these settings: says which one was probably meant, or where to set what cannot be changed now.
pub fn refused(
    failure: Failure,
    keys: &[&str],
    resource: &ConfigResource,
    entries: &[ConfigEntry],
) -> Failure {
    let kind = kind_of(resource);
    if kind == Kind::Logger {
        return refused_level(failure, keys, resource, entries);
    }
    of_settings(failure, keys, kind, || format!("{} shows what there is", shows_all(resource)))
        .or_next(format!("{} shows what there is", shows_all(resource)))
}

/// The same, of a topic that is not there yet.
pub fn of_new_topic(failure: Failure, keys: &[&str]) -> Failure {
    of_settings(failure, keys, Kind::Topic, || {
        "`riverrun config get topic NAME --all` shows those of a topic that is there".to_owned()
    })
}

fn refused_level(
    failure: Failure,
    keys: &[&str],
    resource: &ConfigResource,
    entries: &[ConfigEntry],
) -> Failure {
    let is_logger = |key: &str| entries.iter().any(|entry| entry.name == key);
    let Some(unknown) = keys.iter().find(|key| !is_logger(key)) else {
        return failure.next(
            "--set LOGGER=LEVEL gives it one of FATAL, ERROR, WARN, INFO, DEBUG and TRACE; --delete takes that away, but \
             for root, which always has one",
        );
    };
    let meant = meant(unknown, entries.iter().map(|entry| entry.name.as_str()));
    let shown = || format!("{} shows the loggers that there are", shows_all(resource));
    failure.for_what_is_not_there().next(meant.unwrap_or_else(shown))
}

fn of_settings(failure: Failure, keys: &[&str], kind: Kind, shows_all: impl Fn() -> String) -> Failure {
    let known = |key: &str| known(key, kind);
    if let Some(unknown) = keys.iter().find(|key| known(key).is_none()) {
        return failure.for_what_is_not_there().next(unknown_of(unknown, kind).unwrap_or_else(shows_all));
    }
    let read_only = keys
        .iter()
        .find(|key| kind == Kind::Broker && known(key).is_some_and(|def| def.dynamic == Dynamic::ReadOnly));
    // Brokers name the one that they refuse.
    let message = failure.message().to_owned();
    let now = "a broker does not change it while it runs: put it into its file, and start it again";
    if message.contains("broker id must be specified") {
        return failure.next("`riverrun config set broker ID` changes it, for one broker at a time");
    }
    if message.contains("only per-listener") {
        let key = keys.iter().find(|key| message.contains(*key)).unwrap_or(&"KEY");
        return failure.next(format!(
            "`riverrun config set broker ID` changes it for one listener at a time: name it listener.name.LISTENER.{key}, with \
             the listener's name in lower case"
        ));
    }
    if message.contains("cannot be removed") {
        return failure.next("--set KEY=VALUE gives it another value");
    }
    if kind == Kind::Broker && message.contains("dynamically") {
        return failure.next(now);
    }
    if message.contains("Unknown topic config") {
        let next = format!("this broker does not have it, though others do; {}", shows_all());
        return failure.for_what_is_not_there().next(next);
    }
    let refused: Vec<&str> = keys.iter().copied().filter(|key| message.contains(key)).collect();
    let keys = if refused.is_empty() { keys } else { &refused };
    match (read_only, keys) {
        (Some(key), _) => failure.next(format!("{key} is read when a broker starts: put it into its file")),
        (None, [key, ..]) => failure.next(format!("`riverrun config explain {key}` says what it may be")),
        (None, []) => failure,
    }
}

/// What helps where something has no such setting: the one that was probably meant.
fn unknown_of(key: &str, kind: Kind) -> Option<String> {
    let decides = |twin: &&synonym::Twin| twin.broker.iter().any(|(name, _)| *name == key);
    if let Some(twin) = synonym::TOPIC_TWINS.iter().find(decides).filter(|_| kind == Kind::Topic) {
        return Some(format!("{key} is of brokers: a topic has {}", twin.topic));
    }
    let of_kind = all_options().filter(|(of, _)| *of == kind.name()).map(|(_, def)| def.name);
    nearest(key, of_kind).map(|near| format!("did you mean {near}? `riverrun config explain {near}`"))
}
