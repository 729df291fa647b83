//! All that decides about options on one node: what it was started with, and what was set while it runs.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::{
    BrokerConfig, Dynamic, LogSettings, OptionDef, OptionError, Overrides, Resolved, Table, Value, check,
    deviation, find_broker, synonym, validate,
};

/// An immutable snapshot. A change while running makes a new one.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// What the node was started with.
    pub(super) fixed: Resolved,
    /// Set while running, for all brokers.
    pub(super) cluster: Overrides,
    /// Set while running, for this broker.
    pub(super) node: Overrides,
    /// Stored for all brokers and for this one, and of no use: a node that had the directory before could be told more.
    unusable: (Overrides, Overrides),
    /// All of that together.
    pub(super) effective: Resolved,
    /// What follows from that for every topic option, computed once: logs ask for all of them.
    topic_defaults: BTreeMap<&'static str, Value>,
}

impl NodeOptions {
    pub fn new(fixed: Resolved) -> Self {
        let effective = fixed.clone();
        Self::assemble(fixed, Overrides::new(), Overrides::new(), effective)
    }

    fn assemble(fixed: Resolved, cluster: Overrides, node: Overrides, effective: Resolved) -> Self {
        let topic_defaults =
            Table::Topic.rows().map(|def| (def.name, topic_default(&effective, def))).collect();
        Self { fixed, cluster, node, unusable: Default::default(), effective, topic_defaults }
    }

    /// The node with these settings over what it was started with, and a warning for each one that cannot be used:
    /// a stored setting must never keep a broker from running.
    pub fn with_dynamic(&self, cluster: &Overrides, node: &Overrides) -> (Self, Vec<String>) {
        let mut warnings = Vec::new();
        let mut usable = |layer: &Overrides, per_broker: bool| -> (Overrides, Overrides) {
            let (mut keep, mut other) = (Overrides::new(), Overrides::new());
            for (name, raw) in layer {
                let to = match check_one(name, raw, per_broker) {
                    Ok(()) => &mut keep,
                    Err(error) => {
                        warnings.push(format!("dynamic setting {name} is ignored: {error}"));
                        &mut other
                    }
                };
                to.insert(name.clone(), raw.clone());
            }
            (keep, other)
        };
        let ((cluster, no_cluster), (node, no_node)) = (usable(cluster, false), usable(node, true));
        let mut effective = self.fixed.overlaid(&cluster, &node);
        if let Err(error) = BrokerConfig::new(&effective) {
            warnings.push(format!("the dynamic settings of this broker are ignored: {error}"));
            effective = self.fixed.clone();
        }
        let unusable = (no_cluster, no_node);
        (Self { unusable, ..Self::assemble(self.fixed.clone(), cluster, node, effective) }, warnings)
    }

    /// The settings that count now.
    pub fn effective(&self) -> &Resolved {
        &self.effective
    }

    /// The settings that the node was started with.
    pub fn fixed(&self) -> &Resolved {
        &self.fixed
    }

    pub fn broker_config(&self) -> Result<BrokerConfig, OptionError> {
        BrokerConfig::new(&self.effective)
    }

    /// The value of a topic option, given what the topic itself sets.
    pub fn topic_value(&self, topic: &Overrides, name: &str) -> Value {
        let Some(def) = Table::Topic.find(name) else { return Value::Null };
        let own = topic.get(name).and_then(|raw| validate(def, raw).ok());
        own.unwrap_or_else(|| self.topic_default(name))
    }

    /// The value of a topic option where topics are silent.
    pub fn topic_default(&self, name: &str) -> Value {
        self.topic_defaults.get(name).cloned().unwrap_or(Value::Null)
    }

    /// The settings of the logs of a topic that itself sets `topic`.
    pub fn log_settings(&self, topic: &Overrides) -> LogSettings {
        LogSettings::read(|name| self.topic_value(topic, name))
    }

    /// The value of a group option, given what the group itself sets.
    pub fn group_value(&self, group: &Overrides, name: &str) -> Value {
        let Some(def) = Table::Group.find(name) else { return Value::Null };
        let own = group.get(name).and_then(|raw| validate(def, raw).ok());
        own.unwrap_or_else(|| self.group_default(name))
    }

    /// The value of a group option where groups are silent.
    pub fn group_default(&self, name: &str) -> Value {
        match (Table::Group.find(name), synonym::twin_of_group(name)) {
            (None, _) => Value::Null,
            // A group picks one assignor; the brokers list those there are.
            (Some(_), Some(twin @ "group.streams.assignors")) => {
                self.effective.list(twin).into_iter().next().map_or(Value::Null, Value::Text)
            }
            (Some(_), Some(twin)) => self.effective.value(twin),
            (Some(def), None) => super::default_value(def),
        }
    }

    /// Whether `new` may become the settings of this broker, or with `per_broker` false those of all brokers. What is stored
    /// and of no use may stay as it is: it is not what is changed.
    pub fn check_broker(&self, new: &Overrides, per_broker: bool) -> Result<(), OptionError> {
        let unusable = if per_broker { &self.unusable.1 } else { &self.unusable.0 };
        let new: Overrides = new
            .iter()
            .filter(|(name, raw)| unusable.get(*name) != Some(*raw))
            .map(|(name, raw)| (name.clone(), raw.clone()))
            .collect();
        for (name, raw) in &new {
            check_one(name, raw, per_broker)?;
        }
        let after = match per_broker {
            true => self.fixed.overlaid(&self.cluster, &new),
            false => self.fixed.overlaid(&new, &self.node),
        };
        if let Some(conflict) = check::conflicts(&after).into_iter().next() {
            return Err(conflict);
        }
        BrokerConfig::new(&after)?;
        self.check_pools(&after)?;
        check_remote(&|name| {
            after.value(BROKER_REMOTE.iter().find(|(topic, _)| *topic == name).map_or(name, |(_, b)| b))
        })
    }

    /// Whether `new` may become the settings of a topic that has `old` now.
    pub fn check_topic(&self, old: &Overrides, new: &Overrides) -> Result<(), OptionError> {
        check_names(Table::Topic, new, "topic config name")?;
        let value = |name: &str| self.topic_value(new, name);
        let number = |name: &str| value(name).as_i64().unwrap_or_default();
        let (min, max) = (number("min.compaction.lag.ms"), number("max.compaction.lag.ms"));
        if min > max {
            let reason = format!(
                "min.compaction.lag.ms ({min}) must not be greater than max.compaction.lag.ms ({max})"
            );
            return Err(OptionError::conflict("min.compaction.lag.ms", reason));
        }
        let flag = |name: &str| value(name).as_bool().unwrap_or_default();
        if !flag("remote.storage.enable") {
            let was_remote =
                old.get("remote.storage.enable").is_some_and(|raw| raw.trim().eq_ignore_ascii_case("true"));
            if was_remote && !flag("remote.log.delete.on.disable") {
                let reason = "remote.storage.enable can be switched off only together with remote.log.delete.on.disable=true; to keep the remote data readable, set remote.log.copy.disable=true instead";
                return Err(OptionError::conflict("remote.storage.enable", reason));
            }
            return Ok(());
        }
        if !self.effective.boolean("remote.log.storage.system.enable") {
            let reason = "remote.storage.enable needs remote.log.storage.system.enable on the brokers";
            return Err(OptionError::conflict("remote.storage.enable", reason));
        }
        if value("cleanup.policy").as_list().is_some_and(|list| list.iter().any(|policy| policy == "compact"))
        {
            let reason = "remote.storage.enable does not go with cleanup.policy=compact";
            return Err(OptionError::conflict("cleanup.policy", reason));
        }
        check_remote(&value)?;
        for (local, whole) in
            [("local.retention.ms", "retention.ms"), ("local.retention.bytes", "retention.bytes")]
        {
            let (kept, all) = (number(local), number(whole));
            if flag("remote.log.copy.disable") && kept != -2 && kept != all {
                let reason = format!(
                    "{local} must be -2 or the same as {whole} while remote.log.copy.disable is true"
                );
                return Err(OptionError::conflict(local, reason));
            }
        }
        Ok(())
    }

    /// Whether `new` may become the settings of a group.
    pub fn check_group(&self, new: &Overrides) -> Result<(), OptionError> {
        check_names(Table::Group, new, "group config name")?;
        for name in new.keys() {
            self.check_group_bounds(new, name)?;
        }
        for kind in ["consumer", "share", "streams"] {
            let (session, heartbeat) =
                (format!("{kind}.session.timeout.ms"), format!("{kind}.heartbeat.interval.ms"));
            let given = new.contains_key(&session) || new.contains_key(&heartbeat);
            let number = |name: &str| self.group_value(new, name).as_i64().unwrap_or_default();
            if given && number(&session) <= number(&heartbeat) {
                return Err(OptionError::conflict(
                    &session,
                    format!("{session} must be greater than {heartbeat}"),
                ));
            }
        }
        let assignors = self.effective.list("group.streams.assignors");
        if let Some(name) =
            new.get("streams.assignor.name").filter(|name| !assignors.iter().any(|one| one == name.trim()))
        {
            let reason = format!(
                "streams.assignor.name '{name}' is not one of group.streams.assignors: {}",
                assignors.join(", ")
            );
            return Err(OptionError::conflict("streams.assignor.name", reason));
        }
        if new.get("errors.deadletterqueue.topic.name").is_some_and(|name| name.trim().starts_with("__")) {
            let reason =
                "errors.deadletterqueue.topic.name must not start with __, which marks internal topics";
            return Err(OptionError::conflict("errors.deadletterqueue.topic.name", reason));
        }
        Ok(())
    }

    /// Whether `new` may become a client-metrics subscription.
    pub fn check_client_metrics(&self, new: &Overrides) -> Result<(), OptionError> {
        check_names(Table::ClientMetrics, new, "client metrics configuration")?;
        let interval = new.get(PUSH_INTERVAL).zip(Table::ClientMetrics.find(PUSH_INTERVAL));
        let interval = interval.and_then(|(raw, def)| validate(def, raw).ok()?.as_i64());
        match interval {
            Some(interval) if !PUSH_INTERVALS.contains(&interval) => {
                let reason = format!(
                    "Invalid value {interval} for {PUSH_INTERVAL}, interval must be between {} and {} (1 hour)",
                    PUSH_INTERVALS.start(),
                    PUSH_INTERVALS.end()
                );
                Err(OptionError::conflict(PUSH_INTERVAL, reason))
            }
            _ => Ok(()),
        }
    }

    /// Brokers bound what a group may choose, by options with `min` and `max` in their names.
    fn check_group_bounds(&self, new: &Overrides, name: &str) -> Result<(), OptionError> {
        let bound = |side| self.effective.value(&bound_of_group(name, side)?).as_i64();
        let value = self.group_value(new, name).as_i64();
        let (min, max) = (bound("min"), bound("max"));
        let fits = value
            .is_none_or(|value| min.is_none_or(|min| value >= min) && max.is_none_or(|max| value <= max));
        let reason = match (min, max) {
            _ if fits => return Ok(()),
            (Some(min), Some(max)) => format!("{name} must be in the range {min} to {max} inclusive."),
            (Some(min), None) => format!("{name} must be greater than or equal to {min}"),
            (None, max) => format!("{name} must be less than or equal to {}", max.unwrap_or_default()),
        };
        Err(OptionError::conflict(name, reason))
    }

    /// Kafka lets pools of threads change to half or double at a time.
    fn check_pools(&self, after: &Resolved) -> Result<(), OptionError> {
        for name in POOLS {
            let (old, new) = (self.effective.number(name), after.number(name));
            let reason = if new == old {
                continue;
            } else if new < 1 {
                "value should be at least 1".to_owned()
            } else if new < old / 2 {
                format!("value should be at least half the current value {old}")
            } else if new > old * 2 {
                format!("value should not be greater than double the current value {old}")
            } else {
                continue;
            };
            let reason = format!("Dynamic thread count update validation failed for {name}={new}, {reason}");
            return Err(OptionError::conflict(name, reason));
        }
        Ok(())
    }
}

/// The broker option that bounds a group's option on a `side`, `min` or `max`, if there is one of that name.
pub fn bound_of_group(name: &str, side: &str) -> Option<String> {
    let (kind, rest) = name.split_once('.')?;
    let rest = match rest {
        "num.standby.replicas" => "standby.replicas",
        "num.warmup.replicas" => "warmup.replicas",
        rest => rest,
    };
    Some(format!("group.{kind}.{side}.{rest}"))
}

/// How often clients are asked to push their metrics, in milliseconds.
pub const PUSH_INTERVAL: &str = "interval.ms";
/// How often they may be.
pub const PUSH_INTERVALS: RangeInclusive<i64> = 100..=3_600_000;

const POOLS: &[&str] = &[
    "background.threads",
    "log.cleaner.threads",
    "num.io.threads",
    "num.network.threads",
    "num.recovery.threads.per.data.dir",
    "num.replica.fetchers",
    "remote.log.manager.copier.thread.pool.size",
    "remote.log.manager.expiration.thread.pool.size",
    "remote.log.manager.follower.thread.pool.size",
    "remote.log.reader.threads",
];

/// The broker's names for what [`check_remote`] asks.
const BROKER_REMOTE: &[(&str, &str)] = &[
    ("retention.ms", "log.retention.ms"),
    ("retention.bytes", "log.retention.bytes"),
    ("local.retention.ms", "log.local.retention.ms"),
    ("local.retention.bytes", "log.local.retention.bytes"),
    ("remote.copy.lag.ms", "log.remote.copy.lag.ms"),
    ("remote.copy.lag.bytes", "log.remote.copy.lag.bytes"),
];

/// Certificates and their passwords belong to one listener each.
const PER_LISTENER: &[&str] = &[
    "ssl.key.password",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.type",
    "ssl.truststore.certificates",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.type",
];

/// Options of a listener that may also be set for the listeners of all brokers.
const CLUSTER_WIDE_PER_LISTENER: &[&str] =
    &["max.connections", "max.connection.creation.rate", "num.network.threads"];

/// Whether one broker option may be set while running.
fn check_one(name: &str, raw: &str, per_broker: bool) -> Result<(), OptionError> {
    let of_listener = synonym::listener_prefix(name).map(|(_, base)| base);
    let reason = match Table::Broker.find(name).map(OptionDef::changes) {
        Some(Dynamic::ReadOnly) => Some(format!("Cannot update these configs dynamically: [{name}]")),
        _ if PER_LISTENER.contains(&name) => Some(format!(
            "These security configs can be dynamically updated only per-listener using the listener prefix: [{name}]"
        )),
        Some(Dynamic::PerBroker) if !per_broker => Some(at_broker_only(name)),
        None if !per_broker && of_listener.is_some_and(|base| !CLUSTER_WIDE_PER_LISTENER.contains(&base)) => {
            Some(at_broker_only(name))
        }
        _ => None,
    };
    match (reason, find_broker(name)) {
        (Some(reason), _) => Err(OptionError::conflict(name, reason)),
        (None, Some(def)) => {
            validate(def, raw).map(drop).map_err(|error| OptionError { name: name.to_owned(), ..error })
        }
        (None, None) => Ok(()),
    }
}

fn at_broker_only(name: &str) -> String {
    format!("Cannot update these configs at default cluster level, broker id must be specified: [{name}]")
}

/// Whether every name is one of `table` and every value fits.
/// All names are looked at before any value is.
fn check_names(table: Table, new: &Overrides, what: &str) -> Result<(), OptionError> {
    let unknown = |name: &String| OptionError::conflict(name, format!("Unknown {what}: {name}"));
    let defs = new.iter().map(|(name, raw)| Ok((table.find(name).ok_or_else(|| unknown(name))?, raw)));
    for (def, raw) in defs.collect::<Result<Vec<_>, OptionError>>()? {
        validate(def, raw)?;
    }
    Ok(())
}

/// What stays local is part of what stays at all, and what waits to be copied is part of what stays local.
fn check_remote(value: &dyn Fn(&str) -> Value) -> Result<(), OptionError> {
    for unit in ["ms", "bytes"] {
        let (whole_name, local_name, lag_name) = (
            format!("retention.{unit}"),
            format!("local.retention.{unit}"),
            format!("remote.copy.lag.{unit}"),
        );
        let number = |name: &str| value(name).as_i64();
        let whole = number(&whole_name).unwrap_or(-1);
        let local = number(&local_name).unwrap_or(-2);
        if whole >= 0 && local != -2 && (local == -1 || local > whole) {
            let reason = format!("{local_name} ({local}) must not be more than {whole_name} ({whole})");
            return Err(OptionError::conflict(&local_name, reason));
        }
        let kept = if local == -2 { whole } else { local };
        let lag = number(&lag_name).unwrap_or_default();
        if lag > 0 && kept >= 0 && lag > kept {
            let reason = format!("{lag_name} ({lag}) must not be more than {local_name}, which is {kept}");
            return Err(OptionError::conflict(&lag_name, reason));
        }
    }
    Ok(())
}

/// What the brokers' settings make of a topic option.
fn topic_default(effective: &Resolved, def: &OptionDef) -> Value {
    let Some(twin) = synonym::twins_of_topic(def.name) else { return super::default_value(def) };
    let found = twin.broker.iter().find_map(|(broker, unit)| match effective.value(broker) {
        Value::Null => None,
        value => Some((value, *unit)),
    });
    let value = match found {
        Some((value, synonym::Unit::Same)) => value,
        Some((value, unit)) => Value::Long(unit.convert(value.as_i64().unwrap_or_default())),
        None => return super::default_value(def),
    };
    // Any negative retention time means for ever.
    if def.name == "retention.ms" { Value::Long(value.as_i64().unwrap_or(-1).max(-1)) } else { value }
}

/// The default that counts for a broker option on this node.
pub(super) fn broker_default(fixed: &Resolved, name: &str) -> Value {
    Table::Broker.find(name).map_or(Value::Null, |def| deviation::default_of(def, || fixed.is_lone()))
}
