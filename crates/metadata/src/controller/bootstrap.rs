//! The first records of a cluster.

use super::configs::{MIN_IN_SYNC_REPLICAS, config_record};
use super::features::{SupportedFeature, level_record};
use crate::image::{ConfigResource, ELR_FEATURE, KRAFT_VERSION};
use crate::record::MetadataRecord;
use crate::version::MetadataVersion;

/// The features that a fresh cluster finalizes: the metadata version of Kafka 4.4, and nothing that is not served yet.
pub const BOOTSTRAP_FEATURES: &[(&str, i16)] = &[(MetadataVersion::FEATURE, MetadataVersion::LATEST.0)];

/// The records of a fresh cluster, to be appended as one batch.
///
/// `metadata.version` comes first, whatever its place in `features`: it decides how what follows is read. A level of 0
/// needs no record.
pub fn bootstrap(features: &[(&str, i16)], min_in_sync_replicas: i32) -> Vec<MetadataRecord> {
    let first = |feature: &&(&str, i16)| feature.0 == MetadataVersion::FEATURE;
    let ordered = features.iter().filter(first).chain(features.iter().filter(|feature| !first(feature)));
    let mut records: Vec<MetadataRecord> =
        ordered.filter(|(_, level)| *level != 0).map(|(name, level)| level_record(name, *level)).collect();
    if features.iter().any(|(name, level)| *name == ELR_FEATURE && *level > 0) {
        let cluster = ConfigResource::all_brokers();
        records.push(config_record(&cluster, MIN_IN_SYNC_REPLICAS, Some(&min_in_sync_replicas.to_string())));
    }
    records
}

/// The records of a fresh cluster whose directory was formatted before: what the operator chose, but for features that are
/// not served, and for that of the quorum, which its own records say.
pub fn bootstrap_formatted(
    formatted: Vec<MetadataRecord>,
    served: &[SupportedFeature],
) -> Vec<MetadataRecord> {
    let feature = |record: &MetadataRecord| match record {
        MetadataRecord::FeatureLevel(record) => Some(record.name.clone()),
        _ => None,
    };
    let kept = |name: &str| name != KRAFT_VERSION && served.iter().any(|one| one.name == name);
    let (version, rest): (Vec<_>, Vec<_>) = formatted
        .into_iter()
        .filter(|record| feature(record).is_none_or(|name| kept(&name)))
        .partition(|record| feature(record).is_some_and(|name| name == MetadataVersion::FEATURE));
    let mut records = match version.is_empty() {
        true => bootstrap(BOOTSTRAP_FEATURES, 1),
        false => version,
    };
    records.extend(rest);
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formatted_cluster_begins_as_formatted_but_for_features_that_are_not_served() {
        let served = [
            SupportedFeature { name: MetadataVersion::FEATURE, min: 7, max: 33 },
            SupportedFeature { name: KRAFT_VERSION, min: 0, max: 1 },
        ];
        let other = config_record(&ConfigResource::all_brokers(), "min.insync.replicas", Some("1"));
        let formatted = vec![
            other.clone(),
            level_record("group.version", 1),
            level_record(KRAFT_VERSION, 1),
            level_record(MetadataVersion::FEATURE, 21),
        ];
        let expected = [level_record(MetadataVersion::FEATURE, 21), other.clone()];
        assert_eq!(bootstrap_formatted(formatted, &served), expected);
        let latest = level_record(MetadataVersion::FEATURE, MetadataVersion::LATEST.0);
        assert_eq!(bootstrap_formatted(vec![other.clone()], &served), [latest, other]);
    }
}
