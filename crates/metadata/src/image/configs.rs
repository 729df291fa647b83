//! The dynamic configuration of topics, brokers, groups and client metrics.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::Unknown;
use crate::record::{ConfigRecord, MetadataRecord};

/// What a configuration belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i8)]
pub enum ConfigResourceType {
    Topic = 2,
    Broker = 4,
    BrokerLogger = 8,
    ClientMetrics = 16,
    Group = 32,
}

impl ConfigResourceType {
    /// The type for Kafka's number.
    pub fn from_number(number: i8) -> Option<Self> {
        Some(match number {
            2 => Self::Topic,
            4 => Self::Broker,
            8 => Self::BrokerLogger,
            16 => Self::ClientMetrics,
            32 => Self::Group,
            _ => return None,
        })
    }

    /// Kafka's number.
    pub fn number(self) -> i8 {
        self as i8
    }
}

/// One topic, broker, group or subscription whose configuration is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigResource {
    pub kind: ConfigResourceType,
    /// The empty name of a broker stands for all brokers of the cluster.
    pub name: String,
}

impl ConfigResource {
    pub fn new(kind: ConfigResourceType, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }

    pub fn topic(name: impl Into<String>) -> Self {
        Self::new(ConfigResourceType::Topic, name)
    }

    /// The defaults for all brokers.
    pub fn all_brokers() -> Self {
        Self::new(ConfigResourceType::Broker, "")
    }
}

/// The values that are set on one resource.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ConfigValues(BTreeMap<String, String>);

impl ConfigValues {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All values, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The values as a map.
    pub fn as_map(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

impl fmt::Debug for ConfigValues {
    /// Prints names only: a value may be a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The dynamic configuration of everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Configs {
    by_resource: BTreeMap<ConfigResource, Arc<ConfigValues>>,
}

impl Configs {
    /// The values set on a resource; nothing if none is.
    pub fn get(&self, resource: &ConfigResource) -> Option<&Arc<ConfigValues>> {
        self.by_resource.get(resource)
    }

    /// One value set on a resource.
    pub fn value(&self, resource: &ConfigResource, name: &str) -> Option<&str> {
        self.by_resource.get(resource)?.get(name)
    }

    /// Every resource on which something is set.
    pub fn iter(&self) -> impl Iterator<Item = (&ConfigResource, &Arc<ConfigValues>)> {
        self.by_resource.iter()
    }

    pub(crate) fn replay(&mut self, record: &ConfigRecord) -> Result<ConfigResource, Unknown> {
        let kind = ConfigResourceType::from_number(record.resource_type)
            .ok_or_else(|| Unknown::new("resource type", record.resource_type))?;
        let resource = ConfigResource::new(kind, record.resource_name.clone());
        match &record.value {
            Some(value) => {
                let values = Arc::make_mut(self.by_resource.entry(resource.clone()).or_default());
                values.0.insert(record.name.clone(), value.clone());
            }
            None => {
                if let Some(values) = self.by_resource.get_mut(&resource) {
                    Arc::make_mut(values).0.remove(&record.name);
                    if values.is_empty() {
                        self.by_resource.remove(&resource);
                    }
                }
            }
        }
        Ok(resource)
    }

    pub(crate) fn forget(&mut self, resource: &ConfigResource) -> bool {
        self.by_resource.remove(resource).is_some()
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = MetadataRecord> + '_ {
        self.by_resource.iter().flat_map(|(resource, values)| {
            values.iter().map(|(name, value)| {
                ConfigRecord {
                    resource_type: resource.kind.number(),
                    resource_name: resource.name.clone(),
                    name: name.to_owned(),
                    value: Some(value.to_owned()),
                }
                .into()
            })
        })
    }
}
