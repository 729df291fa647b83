//! The finalized features: what the cluster has agreed to use.

use std::collections::BTreeMap;

use super::Unknown;
use crate::record::{FeatureLevelRecord, MetadataRecord};
use crate::version::MetadataVersion;

/// Which level of each feature is finalized. A feature that is not listed is at level 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Features {
    metadata_version: Option<MetadataVersion>,
    /// A level of `metadata.version` that this release does not know: what follows it cannot be trusted to be understood.
    unknown_version: Option<i16>,
    /// All features but `metadata.version`; a level is never 0.
    levels: BTreeMap<String, i16>,
}

/// The consensus protocol's own feature: its level is in control records, not in those of features (KAFKA-18979).
pub const KRAFT_VERSION: &str = "kraft.version";
/// The feature under which eligible leader replicas are kept (KIP-966).
pub const ELR_FEATURE: &str = "eligible.leader.replicas.version";

impl Features {
    /// The finalized `metadata.version`; nothing before the first record of a log is replayed.
    pub fn metadata_version(&self) -> Option<MetadataVersion> {
        self.metadata_version
    }

    /// The finalized level of `metadata.version` if it is one that this release does not know.
    pub fn unknown_version(&self) -> Option<i16> {
        self.unknown_version
    }

    /// In which versions records are written: those of `metadata.version`, or the latest while none is finalized.
    pub fn record_level(&self) -> MetadataVersion {
        self.metadata_version.unwrap_or(MetadataVersion::LATEST)
    }

    /// The finalized level of a feature; 0 if it is off or unknown.
    pub fn level(&self, name: &str) -> i16 {
        if name == MetadataVersion::FEATURE {
            return self.metadata_version.map_or(0, |version| version.0);
        }
        self.levels.get(name).copied().unwrap_or(0)
    }

    /// Every finalized feature, `metadata.version` first, the others by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, i16)> {
        let first = self.metadata_version.map(|version| (MetadataVersion::FEATURE, version.0));
        first.into_iter().chain(self.levels.iter().map(|(name, level)| (name.as_str(), *level)))
    }

    /// Whether eligible leader replicas are kept.
    pub fn elr_enabled(&self) -> bool {
        self.level(ELR_FEATURE) >= 1
    }

    pub(crate) fn replay(&mut self, record: &FeatureLevelRecord) -> Result<(), Unknown> {
        match record.name.as_str() {
            KRAFT_VERSION => {}
            MetadataVersion::FEATURE => {
                let version = MetadataVersion::from_level(record.feature_level);
                self.unknown_version = version.is_none().then_some(record.feature_level);
                self.metadata_version =
                    Some(version.ok_or_else(|| Unknown::new("metadata.version", record.feature_level))?);
            }
            name if record.feature_level <= 0 => {
                self.levels.remove(name);
            }
            name => {
                self.levels.insert(name.to_owned(), record.feature_level);
            }
        }
        Ok(())
    }

    /// `metadata.version` comes first, because it decides how what follows is to be read.
    pub(crate) fn records(&self) -> impl Iterator<Item = MetadataRecord> + '_ {
        self.iter()
            .map(|(name, level)| FeatureLevelRecord { name: name.to_owned(), feature_level: level }.into())
    }
}
