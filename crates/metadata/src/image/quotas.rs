//! Client quotas: limits for users, client ids and addresses.

use std::collections::BTreeMap;

use super::Unknown;
use crate::record::{ClientQuotaRecord, EntityData, MetadataRecord};

/// Whom a quota limits: parts such as `user` and `client-id` with a name each, or the default for all names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct QuotaEntity(BTreeMap<String, Option<String>>);

impl QuotaEntity {
    /// An entity from its parts; the order in which they come does not matter.
    pub fn new(parts: impl IntoIterator<Item = (String, Option<String>)>) -> Self {
        Self(parts.into_iter().collect())
    }

    /// The parts, in the order of their types.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(kind, name)| (kind.as_str(), name.as_deref()))
    }
}

/// All client quotas.
#[derive(Debug, Clone, Default)]
pub struct ClientQuotas {
    by_entity: BTreeMap<QuotaEntity, BTreeMap<String, f64>>,
}

impl PartialEq for ClientQuotas {
    /// Compares limits as they are written: a log may have one that is not a number, which would differ from itself.
    fn eq(&self, other: &Self) -> bool {
        self.limits().eq(other.limits())
    }
}

impl ClientQuotas {
    /// Every limit, as it is written. No entity is without one.
    fn limits(&self) -> impl Iterator<Item = (&QuotaEntity, &String, u64)> {
        self.by_entity.iter().flat_map(|(entity, limits)| {
            limits.iter().map(move |(key, limit)| (entity, key, limit.to_bits()))
        })
    }

    pub fn get(&self, entity: &QuotaEntity) -> Option<&BTreeMap<String, f64>> {
        self.by_entity.get(entity)
    }

    /// Every entity with its limits.
    pub fn iter(&self) -> impl Iterator<Item = (&QuotaEntity, &BTreeMap<String, f64>)> {
        self.by_entity.iter()
    }

    pub(crate) fn replay(&mut self, record: &ClientQuotaRecord) -> Result<(), Unknown> {
        let parts = record.entity.iter().map(|part| (part.entity_type.clone(), part.entity_name.clone()));
        let entity = QuotaEntity::new(parts);
        if !record.remove {
            self.by_entity.entry(entity).or_default().insert(record.key.clone(), record.value);
            return Ok(());
        }
        let limits = self.by_entity.get_mut(&entity).ok_or_else(|| Unknown::new("quota", &record.key))?;
        let removed = limits.remove(&record.key);
        if limits.is_empty() {
            self.by_entity.remove(&entity);
        }
        removed.map(drop).ok_or_else(|| Unknown::new("quota", &record.key))
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = MetadataRecord> + '_ {
        self.by_entity.iter().flat_map(|(entity, limits)| {
            limits.iter().map(|(key, value)| quota_record(entity, key, Some(*value)).into())
        })
    }
}

/// The record that sets a limit, or takes it away where there is no value.
pub(crate) fn quota_record(entity: &QuotaEntity, key: &str, value: Option<f64>) -> ClientQuotaRecord {
    let parts = entity.iter().map(|(kind, name)| EntityData {
        entity_type: kind.to_owned(),
        entity_name: name.map(str::to_owned),
    });
    ClientQuotaRecord {
        entity: parts.collect(),
        key: key.to_owned(),
        value: value.unwrap_or_default(),
        remove: value.is_none(),
    }
}
