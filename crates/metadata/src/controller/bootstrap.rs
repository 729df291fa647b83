//! The first records of a cluster.

use super::configs::{MIN_IN_SYNC_REPLICAS, config_record};
use super::features::level_record;
use crate::image::{ConfigResource, ELR_FEATURE};
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
