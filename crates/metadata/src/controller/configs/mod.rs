//! IncrementalAlterConfigs and its predecessor AlterConfigs.

mod incremental;
mod legacy;
mod node_options;

use std::collections::{BTreeMap, BTreeSet};

use kernel::limits::MAX_CONFIG_VALUE_BYTES;
use kernel::option::Overrides;
use kernel::{ErrorCode, NodeId};

pub use incremental::incremental_alter_configs;
pub use legacy::alter_configs;

use super::topic_name::check_topic_name;
use super::{Decision, RECORDS_PER_DECISION_MAX, Refusal};
use crate::image::{ConfigResource, ConfigResourceType, ConfigValues, Image};
use crate::record::{ClearElrRecord, ConfigRecord, MetadataRecord};

/// What the controller has to know about the configuration's names and values. The options' own table answers.
pub trait ConfigRules {
    /// Whether a value is a list, to which something can be appended.
    fn is_list(&self, kind: ConfigResourceType, name: &str) -> bool;

    /// The value that holds while none is set: what an append to nothing starts from.
    fn default_value(&self, kind: ConfigResourceType, name: &str) -> Option<String>;

    /// Whether a resource that has `old` set may have `new`: all that it would have, not only what changes.
    fn validate(&self, resource: &ConfigResource, old: &Overrides, new: &Overrides) -> Result<(), Refusal>;
}

/// Resources whose configuration is to change, each for itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlterConfigs {
    pub resources: Vec<ResourceConfigs>,
    /// Say what would happen, and do nothing.
    pub validate_only: bool,
}

/// One resource whose configuration is to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceConfigs {
    /// Kafka's number of the type, as the request has it.
    pub kind: i8,
    pub name: String,
    pub changes: Vec<ConfigChange>,
}

/// One value to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigChange {
    pub name: String,
    /// What to do; the older API always sets.
    pub op: ConfigOp,
    pub value: Option<String>,
}

/// What to do with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigOp {
    Set,
    Delete,
    Append,
    Subtract,
    /// A number that Kafka gives no meaning.
    Unknown(i8),
}

impl ConfigOp {
    /// The operation for the request's number.
    pub fn from_number(number: i8) -> Self {
        match number {
            0 => Self::Set,
            1 => Self::Delete,
            2 => Self::Append,
            3 => Self::Subtract,
            other => Self::Unknown(other),
        }
    }
}

/// What became of one resource, in the order of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigReply {
    pub kind: i8,
    pub name: String,
    pub result: Result<(), Refusal>,
}

/// The value on which the eligible leader replicas depend.
pub(super) const MIN_IN_SYNC_REPLICAS: &str = "min.insync.replicas";
/// The value of which the cluster has to record what follows from it.
const CORDONED_LOG_DIRS: &str = "cordoned.log.dirs";

/// The records for one resource: those the request asks for, and those that follow from it.
struct Change {
    resource: ConfigResource,
    /// The new value of each name, or nothing where the value goes.
    values: BTreeMap<String, Option<String>>,
}

/// Decides for each resource by `change`, and puts the answers together.
fn alter(
    image: &Image,
    rules: &dyn ConfigRules,
    command: &AlterConfigs,
    change: &dyn Fn(&ResourceConfigs, &ConfigResource) -> Result<Change, Refusal>,
) -> Decision<Vec<ConfigReply>> {
    let mut counts: BTreeMap<(i8, &str), usize> = BTreeMap::new();
    for resource in &command.resources {
        *counts.entry((resource.kind, &resource.name)).or_default() += 1;
    }
    let mut records: Vec<MetadataRecord> = Vec::new();
    let mut replies = Vec::new();
    for asked in &command.resources {
        let once = counts.get(&(asked.kind, asked.name.as_str())) == Some(&1);
        let result = alter_one(image, rules, asked, once, change).and_then(|mut new_records| {
            if records.len() + new_records.len() > RECORDS_PER_DECISION_MAX {
                return Err(Refusal::too_large());
            }
            records.append(&mut new_records);
            Ok(())
        });
        replies.push(ConfigReply { kind: asked.kind, name: asked.name.clone(), result });
    }
    if command.validate_only {
        records.clear();
    }
    Decision::atomic(records, replies)
}

fn alter_one(
    image: &Image,
    rules: &dyn ConfigRules,
    asked: &ResourceConfigs,
    once: bool,
    change: &dyn Fn(&ResourceConfigs, &ConfigResource) -> Result<Change, Refusal>,
) -> Result<Vec<MetadataRecord>, Refusal> {
    if !once {
        return Err(Refusal::invalid_request("Each resource must appear at most once."));
    }
    let mut names = BTreeSet::new();
    if let Some(twice) = asked.changes.iter().find(|change| !names.insert(change.name.as_str())) {
        return Err(Refusal::invalid_request(format!("Duplicate config key {}.", twice.name)));
    }
    let nulls = asked.changes.iter().filter(|change| change.op != ConfigOp::Delete && change.value.is_none());
    let nulls: Vec<&str> = nulls.map(|change| change.name.as_str()).collect();
    if !nulls.is_empty() {
        return Err(Refusal::invalid_request(format!("Null value not supported for: {}", nulls.join(", "))));
    }
    let kind = ConfigResourceType::from_number(asked.kind)
        .filter(|kind| *kind != ConfigResourceType::BrokerLogger)
        .ok_or_else(|| Refusal::invalid_request(format!("Unknown resource type {}", asked.kind)))?;
    let resource = ConfigResource::new(kind, asked.name.clone());
    let change = change(asked, &resource)?;
    check_min_in_sync_replicas(image, &change)?;
    check_cordoned_log_dirs(image, &change)?;
    validate_change(image, rules, &change)?;
    check_exists(image, &resource)?;
    Ok(records(image, change))
}

fn validate_change(image: &Image, rules: &dyn ConfigRules, change: &Change) -> Result<(), Refusal> {
    check_resource_name(&change.resource)?;
    let old = image.configs.get(&change.resource).map(|set| set.as_map().clone()).unwrap_or_default();
    let mut new = old.clone();
    for (name, value) in &change.values {
        match value {
            Some(value) => new.insert(name.clone(), value.clone()),
            None => new.remove(name),
        };
    }
    validate_values(rules, &change.resource, &old, &new)
}

/// Whether a resource that has `old` set may have `new`.
pub(super) fn validate_values(
    rules: &dyn ConfigRules,
    resource: &ConfigResource,
    old: &Overrides,
    new: &Overrides,
) -> Result<(), Refusal> {
    if let Some((name, _)) = new.iter().find(|(_, value)| value.len() > MAX_CONFIG_VALUE_BYTES) {
        let message = format!("The value of {name} is longer than {MAX_CONFIG_VALUE_BYTES} bytes.");
        return Err(Refusal::invalid_config(message));
    }
    rules.validate(resource, old, new)
}

fn check_resource_name(resource: &ConfigResource) -> Result<(), Refusal> {
    let name = resource.name.as_str();
    match resource.kind {
        ConfigResourceType::Topic if name.is_empty() => {
            Err(Refusal::invalid_request("Default topic resources are not allowed."))
        }
        ConfigResourceType::Topic => check_topic_name(name),
        ConfigResourceType::Group if name.is_empty() => {
            Err(Refusal::invalid_request("Default group resources are not allowed."))
        }
        ConfigResourceType::ClientMetrics if name.is_empty() => {
            Err(Refusal::invalid_request("The name of a client metrics subscription must not be empty."))
        }
        ConfigResourceType::Broker if !name.is_empty() => match name.parse::<i32>() {
            Ok(id) if id >= 0 => Ok(()),
            _ => Err(Refusal::invalid_request(format!("'{name}' is not the id of a broker."))),
        },
        _ => Ok(()),
    }
}

fn check_exists(image: &Image, resource: &ConfigResource) -> Result<(), Refusal> {
    match resource.kind {
        ConfigResourceType::Topic if image.topics.get(&resource.name).is_none() => Err(Refusal::new(
            ErrorCode::UnknownTopicOrPartition,
            format!("The topic '{}' does not exist.", resource.name),
        )),
        ConfigResourceType::Broker if !resource.name.is_empty() => {
            let id = resource.name.parse().ok().map(NodeId);
            let known = |id| image.brokers.get(id).is_some() || image.controllers.get(id).is_some();
            if id.is_some_and(known) {
                return Ok(());
            }
            let message = format!("No node with id {} is registered.", resource.name);
            Err(Refusal::new(ErrorCode::BrokerIdNotRegistered, message))
        }
        _ => Ok(()),
    }
}

/// With eligible leader replicas the cluster has one `min.insync.replicas`, which topics alone may override (KIP-966).
fn check_min_in_sync_replicas(image: &Image, change: &Change) -> Result<(), Refusal> {
    let of_brokers = change.resource.kind == ConfigResourceType::Broker && image.features.elr_enabled();
    match change.values.get(MIN_IN_SYNC_REPLICAS).filter(|_| of_brokers) {
        Some(_) if !change.resource.name.is_empty() => Err(Refusal::invalid_config(format!(
            "{MIN_IN_SYNC_REPLICAS} cannot be set on one broker while eligible leader replicas are enabled."
        ))),
        Some(None) => Err(Refusal::invalid_config(format!(
            "The cluster's {MIN_IN_SYNC_REPLICAS} cannot be removed while eligible leader replicas are enabled."
        ))),
        _ => Ok(()),
    }
}

/// Which directories are closed to new replicas can be recorded from one level on (KIP-1066).
fn check_cordoned_log_dirs(image: &Image, change: &Change) -> Result<(), Refusal> {
    let of_brokers = change.resource.kind == ConfigResourceType::Broker;
    if of_brokers
        && change.values.contains_key(CORDONED_LOG_DIRS)
        && !image.features.record_level().cordoned_directories()
    {
        return Err(Refusal::invalid_config(format!(
            "{CORDONED_LOG_DIRS} cannot be changed before metadata.version is 4.3-IV0 (30) or later."
        )));
    }
    Ok(())
}

fn records(image: &Image, change: Change) -> Vec<MetadataRecord> {
    let resource = &change.resource;
    let current = image.configs.get(resource);
    let current = |name: &str| current.and_then(|values: &_| ConfigValues::get(values, name));
    // A broker loads a value again even where it stays the same: the file behind it may have changed.
    let always = resource.kind == ConfigResourceType::Broker;
    let mut records: Vec<MetadataRecord> = change
        .values
        .iter()
        .filter(|(name, value)| always || current(name) != value.as_deref())
        .map(|(name, value)| config_record(resource, name, value.as_deref()))
        .collect();
    let min_isr = |record: &MetadataRecord| matches!(record, MetadataRecord::Config(c) if c.name == MIN_IN_SYNC_REPLICAS);
    if image.features.elr_enabled() && records.iter().any(min_isr) {
        // Which replicas are eligible was decided under the former value.
        let topic_name = match resource.kind {
            ConfigResourceType::Topic => resource.name.clone(),
            _ => String::new(),
        };
        records.push(ClearElrRecord { topic_name }.into());
    }
    records
}

/// The record that sets a value, or takes it away.
pub(super) fn config_record(resource: &ConfigResource, name: &str, value: Option<&str>) -> MetadataRecord {
    ConfigRecord {
        resource_type: resource.kind.number(),
        resource_name: resource.name.clone(),
        name: name.to_owned(),
        value: value.map(str::to_owned),
    }
    .into()
}
