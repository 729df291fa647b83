//! What DescribeConfigs answers: each option with its value, where that comes from, and what lies behind it.

use super::node_options::broker_default;
use super::{
    Kind, NodeOptions, OptionDef, Overrides, Resolved, Table, Value, find_broker, synonym, validate,
};

/// Where a value comes from, by the numbers of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Topic = 1,
    DynamicBroker = 2,
    DynamicDefaultBroker = 3,
    StaticBroker = 4,
    Default = 5,
    DynamicBrokerLogger = 6,
    ClientMetrics = 7,
    Group = 8,
}

impl Source {
    pub const fn code(self) -> i8 {
        self as i8
    }
}

/// A value that counts, or would count if the ones before it were not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synonym {
    pub name: String,
    /// `None` for sensitive options, too.
    pub value: Option<String>,
    pub source: Source,
}

/// One line of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    pub name: String,
    /// `None` when there is none, and for sensitive options.
    pub value: Option<String>,
    pub source: Source,
    /// See [`Kind::code`]; 0 for an unknown option.
    pub kind_code: i8,
    pub is_sensitive: bool,
    pub is_read_only: bool,
    pub synonyms: Vec<Synonym>,
    pub doc: Option<&'static str>,
}

impl Described {
    /// What version 0 of the answer says instead of a source.
    pub fn is_default(&self) -> bool {
        self.source == Source::Default
    }
}

impl NodeOptions {
    /// Everything about a topic that itself sets `topic`.
    pub fn describe_topic(&self, topic: &Overrides) -> Vec<Described> {
        let names = listed(Table::Topic, topic);
        names.map(|(name, def)| self.describe_topic_option(topic, name, def)).collect()
    }

    /// Everything about this broker.
    pub fn describe_broker(&self) -> Vec<Described> {
        let known = Table::Broker.rows().filter(|def| !def.internal && !super::is_dynamic_only(def.name));
        let set = self.effective.settings().map(|(name, _)| name);
        let others = set.filter(|name| {
            Table::Broker.find(name).is_none_or(|def| def.internal || super::is_dynamic_only(name))
        });
        known.map(|def| def.name).chain(others).map(|name| self.describe_broker_option(name, true)).collect()
    }

    /// What is set while running for all brokers.
    pub fn describe_cluster(&self) -> Vec<Described> {
        self.cluster.keys().map(|name| self.describe_broker_option(name, false)).collect()
    }

    /// Everything about a group that itself sets `group`.
    pub fn describe_group(&self, group: &Overrides) -> Vec<Described> {
        // A group's internal option is also listed when the brokers' twin of it is set.
        let twin_set = |def: &&OptionDef| {
            def.internal
                && !group.contains_key(def.name)
                && synonym::twin_of_group(def.name).is_some_and(|twin| self.effective.is_set(twin))
        };
        let by_twin = Table::Group.rows().filter(twin_set).map(|def| (def.name, Some(def)));
        let names = listed(Table::Group, group).chain(by_twin);
        names.map(|(name, def)| self.describe_group_option(group, name, def)).collect()
    }

    /// Everything about a client-metrics subscription that itself sets `subscription`.
    pub fn describe_client_metrics(&self, subscription: &Overrides) -> Vec<Described> {
        let describe = |(name, def): (&str, Option<&'static OptionDef>)| {
            let default = def.map_or(Value::Null, super::default_value);
            let own = own_value(subscription, name, def, Source::ClientMetrics);
            let value = own.as_ref().map_or_else(|| default.to_text(), |own| own.value.clone());
            finish(name, def, value, own.into_iter().collect(), false)
        };
        listed(Table::ClientMetrics, subscription).map(describe).collect()
    }

    fn describe_topic_option(
        &self,
        topic: &Overrides,
        name: &str,
        def: Option<&'static OptionDef>,
    ) -> Described {
        let own = own_value(topic, name, def, Source::Topic);
        let twin = synonym::twins_of_topic(name).and_then(|twin| twin.broker.first());
        let behind = twin.map(|(twin, _)| self.broker_synonyms(twin)).unwrap_or_default();
        let value = own.as_ref().map_or_else(|| self.topic_default(name).to_text(), |own| own.value.clone());
        finish(name, def, value, own.into_iter().chain(behind).collect(), false)
    }

    fn describe_group_option(
        &self,
        group: &Overrides,
        name: &str,
        def: Option<&'static OptionDef>,
    ) -> Described {
        let own = own_value(group, name, def, Source::Group);
        let behind = match synonym::twin_of_group(name) {
            Some(twin) => self.broker_synonyms(twin),
            None => {
                let text = def.and_then(|def| super::default_value(def).to_text());
                let default =
                    |text| Synonym { name: name.to_owned(), value: Some(text), source: Source::Default };
                text.map(default).into_iter().collect()
            }
        };
        let value = own.as_ref().map_or_else(|| self.group_default(name).to_text(), |own| own.value.clone());
        finish(name, def, value, own.into_iter().chain(behind).collect(), false)
    }

    fn describe_broker_option(&self, name: &str, for_node: bool) -> Described {
        let def = find_broker(name);
        let value =
            if for_node { shown(&self.effective, name, def) } else { self.cluster.get(name).cloned() };
        let mut synonyms = self.broker_synonyms(name);
        if !for_node {
            synonyms.retain(|synonym| synonym.source == Source::DynamicDefaultBroker);
        }
        let read_only = Table::Broker.find(name).is_none_or(|def| def.changes() == super::Dynamic::ReadOnly);
        let mut described = finish(name, def, value, synonyms, read_only);
        // A listener's option has no text of its own.
        described.doc = Table::Broker.find(name).map(|def| def.doc);
        described
    }

    /// Every value that `name` has or would have, by precedence. What comes before the first one of exactly this
    /// name belongs to another option.
    fn broker_synonyms(&self, name: &str) -> Vec<Synonym> {
        let names = synonym::of_broker(name, true);
        let sensitive = find_broker(name).is_none_or(OptionDef::is_sensitive);
        let mut all = Vec::new();
        let mut add = |source: Source, value_of: &dyn Fn(&str) -> Option<String>| {
            for name in &names {
                if let Some(value) = value_of(name) {
                    let value = (!sensitive).then_some(value);
                    all.push(Synonym { name: (*name).to_owned(), value, source });
                }
            }
        };
        add(Source::DynamicBroker, &|name| self.node.get(name).cloned());
        add(Source::DynamicDefaultBroker, &|name| self.cluster.get(name).cloned());
        add(Source::StaticBroker, &|name| self.fixed.setting(name).map(|setting| setting.raw.clone()));
        add(Source::Default, &|name| {
            let listed = !super::is_dynamic_only(name);
            listed.then(|| broker_default(&self.fixed, name).to_text()).flatten()
        });
        all.into_iter().skip_while(|synonym| synonym.name != name).collect()
    }
}

/// The options to list: all but the internal ones, and whatever is set.
fn listed(table: Table, set: &Overrides) -> impl Iterator<Item = (&str, Option<&'static OptionDef>)> {
    let known = table.rows().filter(|def| !def.internal).map(|def| (def.name, Some(def)));
    let others = set.keys().map(move |name| (name.as_str(), table.find(name)));
    known.chain(others.filter(|(_, def)| def.is_none_or(|def| def.internal)))
}

fn own_value(set: &Overrides, name: &str, def: Option<&OptionDef>, source: Source) -> Option<Synonym> {
    let raw = set.get(name)?;
    let value = match def {
        Some(def) => validate(def, raw).map_or_else(|_| Some(raw.clone()), |value| value.to_text()),
        None => Some(raw.clone()),
    };
    Some(Synonym { name: name.to_owned(), value, source })
}

/// The value of a broker option as it is shown: texts as written, anything else as Kafka writes it.
fn shown(all: &Resolved, name: &str, def: Option<&OptionDef>) -> Option<String> {
    match (def, all.setting(name)) {
        // Kafka knows no type for a listener's option and shows it as it was written.
        (Some(def), Some(setting)) if def.name != name => Some(setting.raw.clone()),
        (Some(_), _) => all.value(name).to_text(),
        (None, setting) => setting.map(|setting| setting.raw.clone()),
    }
}

fn finish(
    name: &str,
    def: Option<&'static OptionDef>,
    value: Option<String>,
    mut synonyms: Vec<Synonym>,
    is_read_only: bool,
) -> Described {
    // What an unknown option is about nobody knows; it might be a secret.
    let is_sensitive = def.is_none_or(OptionDef::is_sensitive);
    if is_sensitive {
        synonyms.iter_mut().for_each(|synonym| synonym.value = None);
    }
    Described {
        name: name.to_owned(),
        value: value.filter(|_| !is_sensitive),
        source: synonyms.first().map_or(Source::Default, |first| first.source),
        kind_code: def.map_or(0, |def| Kind::code(def.kind)),
        is_sensitive,
        is_read_only,
        synonyms,
        doc: def.map(|def| def.doc),
    }
}
