//! `metadata.version`: which records and fields a cluster has agreed to write.

use std::fmt;

/// The finalized level of the feature `metadata.version`.
///
/// It decides in which version a record is written, so that the oldest node of the cluster can still read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetadataVersion(pub i16);

impl MetadataVersion {
    /// The name of the feature.
    pub const FEATURE: &str = "metadata.version";
    /// The oldest level that a Kafka 4 node can read: 3.3-IV3.
    pub const OLDEST: MetadataVersion = MetadataVersion(7);
    /// The level of Kafka 4.4: 4.4-IV2.
    pub const LATEST: MetadataVersion = MetadataVersion(33);

    /// The level for a number, if it is one that this crate can read and write.
    pub fn from_level(level: i16) -> Option<Self> {
        let version = Self(level);
        (Self::OLDEST..=Self::LATEST).contains(&version).then_some(version)
    }

    /// Whether a replica's log directory is recorded (KIP-858).
    pub fn directories(self) -> bool {
        self.0 >= 17
    }

    /// Whether eligible leader replicas may be recorded (KIP-966).
    pub fn elr(self) -> bool {
        self.0 >= 23
    }

    /// Whether a broker may report cordoned log directories (KIP-1066).
    pub fn cordoned_directories(self) -> bool {
        self.0 >= 30
    }

    /// Whether controllers register themselves (KIP-919).
    pub fn controller_registration(self) -> bool {
        self.0 >= 15
    }

    /// Whether SCRAM credentials may be recorded.
    pub fn scram(self) -> bool {
        self.0 >= 11
    }

    /// Whether delegation tokens may be recorded.
    pub fn delegation_tokens(self) -> bool {
        self.0 >= 14
    }

    /// Whether going down to `target` would lose something that records at this level may say.
    pub fn loses_going_down_to(self, target: MetadataVersion) -> bool {
        METADATA_CHANGED_AT.iter().any(|level| target.0 < *level && *level <= self.0)
    }

    /// The version in which `RegisterBrokerRecord` is written.
    pub fn register_broker_version(self) -> i16 {
        match self.0 {
            30.. => 4,
            17.. => 3,
            8.. => 2,
            _ => 1,
        }
    }

    /// The version in which `PartitionRecord` and `PartitionChangeRecord` are written.
    pub fn partition_version(self) -> i16 {
        match self.0 {
            23.. => 2,
            17.. => 1,
            _ => 0,
        }
    }
}

impl fmt::Display for MetadataVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The levels that brought a new record or field, and so cannot be left downwards without loss.
const METADATA_CHANGED_AT: &[i16] = &[7, 8, 11, 13, 14, 15, 17, 23, 30, 32, 33];

#[cfg(test)]
mod tests {
    use super::MetadataVersion;

    #[test]
    fn a_downgrade_loses_metadata_only_where_a_level_in_between_brought_some() {
        assert!(!MetadataVersion(31).loses_going_down_to(MetadataVersion(30)));
        assert!(MetadataVersion(32).loses_going_down_to(MetadataVersion(31)));
        assert!(!MetadataVersion(29).loses_going_down_to(MetadataVersion(23)));
        assert!(MetadataVersion::LATEST.loses_going_down_to(MetadataVersion::OLDEST));
        assert!(!MetadataVersion(20).loses_going_down_to(MetadataVersion(20)));
    }

    #[test]
    fn only_levels_from_3_3_to_4_4_are_known() {
        assert_eq!(MetadataVersion::from_level(6), None);
        assert_eq!(MetadataVersion::from_level(7), Some(MetadataVersion::OLDEST));
        assert_eq!(MetadataVersion::from_level(33), Some(MetadataVersion::LATEST));
        assert_eq!(MetadataVersion::from_level(34), None);
    }
}
