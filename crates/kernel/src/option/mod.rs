//! Every option of a broker, a topic, a group and a client-metrics subscription, declared once.
//!
//! The tables ([`broker`], [`topic`], [`group`], [`client_metrics`]) hold facts. [`resolve`] reads what somebody
//! wrote (a file, `KAFKA_*` variables, `--set`), [`BrokerConfig`] is what a broker takes from it, and
//! [`NodeOptions`] adds what is changed while running: it answers DescribeConfigs, checks IncrementalAlterConfigs
//! and yields the [`LogSettings`] of a topic.
//!
//! *Invariant:* a name, type, default, bound or description appears in one row of one table and nowhere else.
//! *Invariant:* nothing here reads a file or the environment; texts and pairs are handed in.

pub mod broker;
pub mod broker_config;
mod check;
pub mod client_metrics;
mod declare;
pub mod describe;
pub mod deviation;
pub mod duration;
pub mod effect;
pub mod endpoint;
pub mod group;
mod listeners;
pub mod log_settings;
mod nearest;
mod node_options;
pub mod properties;
mod resolve;
pub mod synonym;
pub mod topic;
mod valid;
mod value;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::LazyLock;

pub use broker_config::BrokerConfig;
pub use declare::{Default, Dynamic, Importance, Kind, OptionDef};
pub use describe::{Described, Source, Synonym};
pub use log_settings::LogSettings;
pub use nearest::nearest;
pub use node_options::{NodeOptions, PUSH_INTERVAL, PUSH_INTERVALS, bound_of_group};
pub use resolve::{Origin, ResolveError, Resolved, Setting, Sources, environment_key, resolve};
pub use valid::{Rule, Valid};
pub use value::{OptionError, Value, default_value, validate};

/// Texts by name, as they are stored for a resource.
pub type Overrides = BTreeMap<String, String>;

/// The four resources that have options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    Broker,
    Topic,
    Group,
    ClientMetrics,
}

impl Table {
    /// The rows of this table, by name.
    pub fn rows(self) -> impl Iterator<Item = &'static OptionDef> {
        self.index().rows.iter().copied()
    }

    /// The names of this table that are so long.
    fn names_by_len(self, lens: RangeInclusive<usize>) -> impl Iterator<Item = &'static str> {
        let longer = lens.end().saturating_add(1);
        self.index().by_len.range((*lens.start(), "")..(longer, "")).map(|((_, name), _)| *name)
    }

    /// The row of exactly this name.
    pub fn find(self, name: &str) -> Option<&'static OptionDef> {
        self.index().by_len.get(&(name.len(), name)).copied()
    }

    fn index(self) -> &'static Index {
        match self {
            Self::Broker => &BROKER,
            Self::Topic => &TOPIC,
            Self::Group => &GROUP,
            Self::ClientMetrics => &CLIENT_METRICS,
        }
    }
}

/// The rows of a table, sorted by name.
struct Index {
    rows: Vec<&'static OptionDef>,
    /// A lookup compares few letters: names have long beginnings in common, but seldom their length.
    by_len: BTreeMap<(usize, &'static str), &'static OptionDef>,
}

static BROKER: LazyLock<Index> = LazyLock::new(|| index(broker::AREAS.iter().map(|(_, rows)| *rows)));
static TOPIC: LazyLock<Index> = LazyLock::new(|| index([topic::TOPIC]));
static GROUP: LazyLock<Index> = LazyLock::new(|| index([group::GROUP]));
static CLIENT_METRICS: LazyLock<Index> = LazyLock::new(|| index([client_metrics::CLIENT_METRICS]));

fn index(tables: impl IntoIterator<Item = &'static [OptionDef]>) -> Index {
    let mut rows: Vec<_> = tables.into_iter().flatten().collect();
    rows.sort_by_key(|def| def.name);
    let by_len = rows.iter().map(|def| ((def.name.len(), def.name), *def)).collect();
    Index { rows, by_len }
}

/// The row that a broker option belongs to, looking through a `listener.name.NAME.` (and mechanism) before it.
pub fn find_broker(name: &str) -> Option<&'static OptionDef> {
    Table::Broker.find(name).or_else(|| Table::Broker.find(synonym::listener_base(name)?))
}

/// Whether an option exists only while running: a file that sets it does not.
pub fn is_dynamic_only(name: &str) -> bool {
    broker::THROTTLE.iter().any(|def| def.name == name)
}

#[cfg(test)]
mod tests;
