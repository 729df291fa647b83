//! Which options stand for one another: a topic's for a broker's, hours for milliseconds, a listener's for the plain one.

/// How the value of a broker option becomes that of its topic twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Same,
    Minutes,
    Hours,
}

impl Unit {
    /// `value` in the unit of the topic option.
    pub const fn convert(self, value: i64) -> i64 {
        match self {
            Self::Same => value,
            Self::Minutes => value.saturating_mul(60_000),
            Self::Hours => value.saturating_mul(3_600_000),
        }
    }
}

/// A topic option, and the broker options that decide where a topic does not; the first one that is set counts.
#[derive(Clone, Copy, Debug)]
pub struct Twin {
    pub topic: &'static str,
    pub broker: &'static [(&'static str, Unit)],
}

macro_rules! twins {
    ($($topic:literal <- $($broker:literal $unit:ident),+;)*) => {
        &[$(Twin { topic: $topic, broker: &[$(($broker, Unit::$unit)),+] },)*]
    };
}

/// Every topic option that a broker has a say in.
pub static TOPIC_TWINS: &[Twin] = twins! {
    "cleanup.policy" <- "log.cleanup.policy" Same;
    "compression.gzip.level" <- "compression.gzip.level" Same;
    "compression.lz4.level" <- "compression.lz4.level" Same;
    "compression.type" <- "compression.type" Same;
    "compression.zstd.level" <- "compression.zstd.level" Same;
    "delete.retention.ms" <- "log.cleaner.delete.retention.ms" Same;
    "file.delete.delay.ms" <- "log.segment.delete.delay.ms" Same;
    "flush.messages" <- "log.flush.interval.messages" Same;
    "flush.ms" <- "log.flush.interval.ms" Same, "log.flush.scheduler.interval.ms" Same;
    "index.interval.bytes" <- "log.index.interval.bytes" Same;
    "local.retention.bytes" <- "log.local.retention.bytes" Same;
    "local.retention.ms" <- "log.local.retention.ms" Same;
    "max.compaction.lag.ms" <- "log.cleaner.max.compaction.lag.ms" Same;
    "max.decompressed.message.bytes" <- "max.decompressed.message.bytes" Same;
    "max.message.bytes" <- "message.max.bytes" Same;
    "message.timestamp.after.max.ms" <- "log.message.timestamp.after.max.ms" Same;
    "message.timestamp.before.max.ms" <- "log.message.timestamp.before.max.ms" Same;
    "message.timestamp.type" <- "log.message.timestamp.type" Same;
    "min.cleanable.dirty.ratio" <- "log.cleaner.min.cleanable.ratio" Same;
    "min.compaction.lag.ms" <- "log.cleaner.min.compaction.lag.ms" Same;
    "min.insync.replicas" <- "min.insync.replicas" Same;
    "preallocate" <- "log.preallocate" Same;
    "remote.copy.lag.bytes" <- "log.remote.copy.lag.bytes" Same;
    "remote.copy.lag.ms" <- "log.remote.copy.lag.ms" Same;
    "retention.bytes" <- "log.retention.bytes" Same;
    "retention.ms" <- "log.retention.ms" Same, "log.retention.minutes" Minutes, "log.retention.hours" Hours;
    "segment.bytes" <- "log.segment.bytes" Same;
    "segment.index.bytes" <- "log.index.size.max.bytes" Same;
    "segment.jitter.ms" <- "log.roll.jitter.ms" Same, "log.roll.jitter.hours" Hours;
    "segment.ms" <- "log.roll.ms" Same, "log.roll.hours" Hours;
    "unclean.leader.election.enable" <- "unclean.leader.election.enable" Same;
    "write.caching" <- "log.write.caching" Same;
};

/// The unit of an option of a broker, where others say the same in another one.
pub fn unit_of_broker(name: &str) -> Unit {
    let mut all = TOPIC_TWINS.iter().flat_map(|twin| twin.broker);
    all.find(|(option, _)| *option == name).map_or(Unit::Same, |(_, unit)| *unit)
}

/// The broker's say in `topic_option`, if it has one.
pub fn twins_of_topic(topic_option: &str) -> Option<&'static Twin> {
    TOPIC_TWINS.iter().find(|twin| twin.topic == topic_option)
}

/// The broker option that decides where a group does not. All but one have the same name with `group.` before it.
pub fn twin_of_group(group_option: &str) -> Option<&'static str> {
    if group_option == "streams.assignor.name" {
        return Some("group.streams.assignors");
    }
    super::Table::Broker.find(&format!("group.{group_option}")).map(|def| def.name)
}

/// Options of a broker that say the same thing in different units, by precedence.
const FAMILIES: &[&[&str]] = &[
    &["log.roll.ms", "log.roll.hours"],
    &["log.roll.jitter.ms", "log.roll.jitter.hours"],
    &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
];

/// The names under which a value for `name` may have been set, by precedence; `name` itself is one of them.
/// With `listeners`, an option of a listener may also have been set without the listener.
pub fn of_broker(name: &str, listeners: bool) -> Vec<&str> {
    if let Some(family) = FAMILIES.iter().find(|family| family.contains(&name)) {
        return family.to_vec();
    }
    if name == "log.flush.interval.ms" {
        // The scheduler's interval serves as the default, but is an option of its own the other way round.
        return vec![name, "log.flush.scheduler.interval.ms"];
    }
    match listener_base(name).filter(|_| listeners) {
        Some(base) => vec![name, base],
        None => vec![name],
    }
}

/// Options that may also have a SASL mechanism between the listener and their name.
const PER_MECHANISM: &[&str] = &[
    "sasl.jaas.config",
    "sasl.login.callback.handler.class",
    "sasl.login.class",
    "sasl.server.callback.handler.class",
    "connections.max.reauth.ms",
];

/// The plain option in `listener.name.NAME.option` and in `listener.name.NAME.MECHANISM.option`.
pub fn listener_base(name: &str) -> Option<&str> {
    let (_, base) = listener_prefix(name)?;
    Some(PER_MECHANISM.iter().find(|known| base.ends_with(**known)).copied().unwrap_or(base))
}

/// Splits `listener.name.NAME.rest` into the listener's name and the rest.
pub fn listener_prefix(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("listener.name.")?.split_once('.')
}
