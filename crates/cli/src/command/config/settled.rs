//! Reads settings again that were changed, once the broker has taken them over.

use client::Error;
use client::admin::{ConfigChange, ConfigEntry, ConfigResource, ConfigSource};

use super::change::{items, name_of, without};
use crate::command::Session;
use crate::command::seen::until_seen;

/// The settings once the broker shows all changes; and whether it did so in time.
pub async fn settled(
    resource: &ConfigResource,
    changes: &[ConfigChange],
    before: &[ConfigEntry],
    session: &Session,
) -> Result<(Vec<ConfigEntry>, bool), Error> {
    let shows_all =
        |after: &[ConfigEntry]| changes.iter().all(|change| shows(resource, change, before, after));
    let ask = async || session.admin.describe_configs(resource).await;
    let (after, is_seen) = until_seen(ask, |after| after.as_deref().map_or(true, shows_all)).await;
    Ok((after?, is_seen))
}

/// The source of what was said for the resource itself.
pub fn own_source(resource: &ConfigResource) -> Option<ConfigSource> {
    match resource {
        ConfigResource::Topic(_) => Some(ConfigSource::Topic),
        ConfigResource::Broker(_) => Some(ConfigSource::DynamicBroker),
        ConfigResource::AllBrokers => Some(ConfigSource::DynamicDefaultBroker),
        ConfigResource::Group(_) => Some(ConfigSource::Group),
        ConfigResource::ClientMetrics(_) => Some(ConfigSource::ClientMetrics),
        ConfigResource::BrokerLogger(_) | ConfigResource::Other(..) => None,
    }
}

/// Whether a change is among what a broker says.
fn shows(
    resource: &ConfigResource,
    change: &ConfigChange,
    before: &[ConfigEntry],
    entries: &[ConfigEntry],
) -> bool {
    // Levels of loggers are changed by the broker itself, at once.
    let Some(own) = own_source(resource) else { return true };
    let of_it = |entry: &&ConfigEntry| entry.name == name_of(change);
    let (old, entry) = (before.iter().find(of_it), entries.iter().find(of_it));
    let value = entry.and_then(|entry| entry.value.as_deref()).unwrap_or_default();
    let has = |item: &str| items(value).any(|one| one == item);
    match change {
        ConfigChange::Set { value: set, .. } => {
            entry.is_some_and(|entry| entry.source == own && (entry.sensitive || is_same(value, set)))
        }
        // Kafka's brokers forget first who has said a value, and then the value.
        ConfigChange::Delete { .. } => entry.is_none_or(|entry| {
            let old = old.filter(|old| old.source == own && !old.sensitive);
            let has_changed = old.is_none_or(|old| old.value != entry.value);
            let stays = || old.is_some_and(|old| without(old, resource) == entry.value);
            entry.source != own && (has_changed || stays())
        }),
        ConfigChange::Append { value: more, .. } => items(more).all(has),
        ConfigChange::Subtract { value: less, .. } => !items(less).any(has),
    }
}

/// Whether two texts say the same: brokers tell a value in a form of their own, and what a list has twice once.
fn is_same(one: &str, other: &str) -> bool {
    let whole = |text: &str| text.trim().parse::<i64>().ok();
    match (whole(one), whole(other)) {
        // As fractions, large ones that are near would be the same.
        (Some(one), Some(other)) => one == other,
        _ => {
            let is_number = fraction(one).is_some() && fraction(one) == fraction(other);
            is_number || distinct(one) == distinct(other)
        }
    }
}

/// A number as Kafka's brokers read it, which may have the letter of its type in Java behind it.
fn fraction(text: &str) -> Option<f64> {
    let text = text.trim();
    text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text).parse().ok()
}

fn distinct(list: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for item in items(list).map(str::to_ascii_lowercase) {
        if !all.contains(&item) {
            all.push(item);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use client::admin::{ConfigSynonym, ConfigType};

    use super::*;

    fn entry(name: &str, value: Option<&str>, source: ConfigSource) -> ConfigEntry {
        ConfigEntry {
            name: name.to_owned(),
            value: value.map(str::to_owned),
            source,
            sensitive: value.is_none(),
            read_only: false,
            kind: ConfigType::String,
            synonyms: Vec::new(),
            documentation: None,
        }
    }

    #[test]
    fn a_change_counts_as_seen_once_the_broker_shows_it_and_not_when_something_else_has_changed() {
        let broker = ConfigResource::Broker(kernel::NodeId(1));
        let change =
            |name: &str, value: &str| ConfigChange::Set { name: name.to_owned(), value: value.to_owned() };
        let shown = |change: &ConfigChange, entries: &[ConfigEntry]| shows(&broker, change, &[], entries);
        let set = change("a", "7");
        assert!(!shown(&set, &[]));
        assert!(!shown(&set, &[entry("a", Some("6"), ConfigSource::DynamicBroker)]), "an older change");
        assert!(!shown(&set, &[entry("a", Some("7"), ConfigSource::Default)]), "nobody has set it yet");
        assert!(shown(&set, &[entry("a", Some("7"), ConfigSource::DynamicBroker)]));
        assert!(shown(&change("a", "secret"), &[entry("a", None, ConfigSource::DynamicBroker)]));
        for (told, said) in [
            ("true", "TRUE"),
            ("0.5", "0.50"),
            ("0.5", ".5d"),
            ("1.0E10", "1e10F"),
            ("compact,delete", "compact, delete,compact"),
            ("", ""),
        ] {
            let entries = [entry("a", Some(told), ConfigSource::DynamicBroker)];
            assert!(shown(&change("a", said), &entries), "{said}");
        }
        let largest = [entry("a", Some("9223372036854775807"), ConfigSource::DynamicBroker)];
        assert!(!shown(&change("a", "9223372036854775806"), &largest), "an older change");
        let delete = ConfigChange::Delete { name: "a".to_owned() };
        assert!(!shown(&delete, &[entry("a", Some("7"), ConfigSource::DynamicBroker)]));
        assert!(shown(&delete, &[entry("a", Some("7"), ConfigSource::StaticBroker)]));
        assert!(shown(&delete, &[]));
        let own = [entry("a", Some("7"), ConfigSource::DynamicBroker)];
        let deleted = |before: &[ConfigEntry], value: Option<&str>| {
            let entries = [ConfigEntry { sensitive: false, ..entry("a", value, ConfigSource::Default) }];
            shows(&broker, &delete, before, &entries)
        };
        assert!(!deleted(&own, Some("7")), "the value is not taken back yet");
        assert!(deleted(&own, Some("5")) && deleted(&own, None));
        let mut same = own.clone();
        let said = |source| ConfigSynonym { name: "a".to_owned(), value: Some("7".to_owned()), source };
        same[0].synonyms = [ConfigSource::DynamicBroker, ConfigSource::Default].map(said).to_vec();
        assert!(deleted(&same, Some("7")), "the default is the same");
        let append = ConfigChange::Append { name: "a".to_owned(), value: "y,z".to_owned() };
        let subtract = ConfigChange::Subtract { name: "a".to_owned(), value: "x".to_owned() };
        for (told, appended, subtracted) in
            [("x,y", false, false), ("x,y,z", true, false), ("y", false, true)]
        {
            let entries = [entry("a", Some(told), ConfigSource::DynamicBroker)];
            assert_eq!(
                (shown(&append, &entries), shown(&subtract, &entries)),
                (appended, subtracted),
                "{told}"
            );
        }
    }
}
