//! AlterClientQuotas.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Decision, RECORDS_PER_DECISION_MAX, Refusal};
use crate::image::{Image, QuotaEntity, quota_record};
use crate::record::MetadataRecord;

/// Entities whose limits are to change, each for itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterClientQuotas {
    pub entries: Vec<QuotaChange>,
    /// Say what would happen, and do nothing.
    pub validate_only: bool,
}

/// One entity whose limits are to change.
#[derive(Debug, Clone, PartialEq)]
pub struct QuotaChange {
    /// Types of entities with a name each, or the default for all names.
    pub entity: Vec<(String, Option<String>)>,
    /// Limits by name; nothing to take one away.
    pub limits: Vec<(String, Option<f64>)>,
}

/// What became of one entity, in the order of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaReply {
    pub entity: Vec<(String, Option<String>)>,
    pub result: Result<(), Refusal>,
}

/// What a limit is counted in.
#[derive(Clone, Copy)]
enum Unit {
    Whole(f64),
    Fraction,
}

/// The limits of users and client ids.
const USER_LIMITS: &[(&str, Unit)] = &[
    ("producer_byte_rate", Unit::Whole(i64::MAX as f64)),
    ("consumer_byte_rate", Unit::Whole(i64::MAX as f64)),
    ("request_percentage", Unit::Fraction),
    ("controller_mutation_rate", Unit::Fraction),
];
/// The limits of addresses.
const IP_LIMITS: &[(&str, Unit)] = &[("connection_creation_rate", Unit::Whole(i32::MAX as f64))];

/// Changes client quotas.
pub fn alter_client_quotas(image: &Image, command: &AlterClientQuotas) -> Decision<Vec<QuotaReply>> {
    let mut seen = BTreeSet::new();
    let mut records: Vec<MetadataRecord> = Vec::new();
    let mut replies = Vec::new();
    for entry in &command.entries {
        let result = change(image, entry).and_then(|(entity, mut new_records)| {
            if !seen.insert(entity) {
                return Err(Refusal::invalid_request("The entity is named more than once."));
            }
            if records.len() + new_records.len() > RECORDS_PER_DECISION_MAX {
                return Err(Refusal::too_large());
            }
            records.append(&mut new_records);
            Ok(())
        });
        replies.push(QuotaReply { entity: entry.entity.clone(), result });
    }
    if command.validate_only {
        records.clear();
    }
    Decision::atomic(records, replies)
}

fn change(image: &Image, entry: &QuotaChange) -> Result<(QuotaEntity, Vec<MetadataRecord>), Refusal> {
    let allowed = check_entity(&entry.entity)?;
    let entity = QuotaEntity::new(entry.entity.iter().cloned());
    let current = image.quotas.get(&entity);
    let mut limits: BTreeMap<&str, Option<f64>> = BTreeMap::new();
    for (key, value) in &entry.limits {
        let unit = allowed.iter().find(|(name, _)| name == key).map(|(_, unit)| *unit);
        let unit = unit.ok_or_else(|| Refusal::invalid_request(format!("Invalid quota key {key}.")))?;
        if let Some(value) = value {
            check_value(key, *value, unit)?;
        }
        if limits.insert(key, *value).is_some() {
            return Err(Refusal::invalid_request(format!("The quota {key} is named more than once.")));
        }
    }
    let held = |key: &str| current.and_then(|limits| limits.get(key)).copied();
    let records = limits
        .iter()
        .filter(|(key, value)| held(key) != **value)
        .map(|(key, value)| quota_record(&entity, key, *value).into())
        .collect();
    Ok((entity, records))
}

fn check_entity(parts: &[(String, Option<String>)]) -> Result<&'static [(&'static str, Unit)], Refusal> {
    let invalid = |message: String| Err(Refusal::invalid_request(message));
    if parts.is_empty() {
        return invalid("The quota names no entity.".to_owned());
    }
    let mut kinds = BTreeSet::new();
    for (kind, name) in parts {
        if !matches!(kind.as_str(), "user" | "client-id" | "ip") {
            return invalid(format!("Invalid quota entity type {kind}."));
        }
        if !kinds.insert(kind.as_str()) {
            return invalid(format!("The entity type {kind} is named more than once."));
        }
        if name.as_deref() == Some("") {
            return invalid(format!("The name of the {kind} is empty."));
        }
        if let Some(name) = name.as_deref().filter(|name| kind == "ip" && name.parse::<IpAddr>().is_err()) {
            return invalid(format!("{name} is not an IP address."));
        }
    }
    if !kinds.contains("ip") {
        return Ok(USER_LIMITS);
    }
    if kinds.len() > 1 {
        return invalid("An ip cannot be combined with another entity type.".to_owned());
    }
    Ok(IP_LIMITS)
}

fn check_value(key: &str, value: f64, unit: Unit) -> Result<(), Refusal> {
    let invalid = |reason: &str| Err(Refusal::invalid_request(format!("The quota {key} {reason}.")));
    match unit {
        _ if !value.is_finite() || value <= 0.0 => invalid("must be greater than 0"),
        Unit::Whole(max) if value > max => invalid("is too large"),
        Unit::Whole(_) if value.fract() != 0.0 => invalid("must be a whole number"),
        _ => Ok(()),
    }
}
