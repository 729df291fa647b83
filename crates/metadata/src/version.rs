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

    /// The level for the name of a release, as Kafka's tools take it: `4.3-IV0` is one level, and `4.3` or `4.3.1` the last
    /// one of that release.
    pub fn from_release(name: &str) -> Option<Self> {
        let (release, iteration) = match name.split_once('-') {
            Some((release, iteration)) => (release, Some(iteration)),
            None => (name, None),
        };
        let release = match release.match_indices('.').nth(1) {
            Some((end, _)) => release.get(..end)?,
            None => release,
        };
        let matches = |known: &str| match (known.split_once('-'), iteration) {
            (Some((of, known)), Some(asked)) => of == release && known == asked,
            (Some((of, _)), None) => of == release,
            (None, _) => false,
        };
        let level = RELEASES.iter().rposition(|known| matches(known))?;
        Some(Self(Self::OLDEST.0 + i16::try_from(level).ok()?))
    }

    /// The name of the level, as Kafka's tools show it.
    pub fn release(self) -> Option<&'static str> {
        let level = usize::try_from(self.0.checked_sub(Self::OLDEST.0)?).ok()?;
        RELEASES.get(level).copied()
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

/// The names of the levels, from the oldest on.
const RELEASES: &[&str] = &[
    "3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1", "3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2", "3.7-IV0",
    "3.7-IV1", "3.7-IV2", "3.7-IV3", "3.7-IV4", "3.8-IV0", "3.9-IV0", "4.0-IV0", "4.0-IV1", "4.0-IV2",
    "4.0-IV3", "4.1-IV0", "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0", "4.4-IV0", "4.4-IV1", "4.4-IV2",
];

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
    fn a_release_names_its_last_level_and_an_iteration_its_own() {
        let level = |name| MetadataVersion::from_release(name).map(|version| version.0);
        assert_eq!((level("3.3-IV3"), level("3.3"), level("3.7-IV0")), (Some(7), Some(7), Some(15)));
        assert_eq!((level("3.7"), level("3.7.2"), level("4.4")), (Some(19), Some(19), Some(33)));
        for unknown in ["3.2", "4.4-IV3", "4.4-", "-IV0", "4", "", "4.4-IV2.1"] {
            assert_eq!(level(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn every_level_has_a_name_that_leads_back_to_it() {
        for level in MetadataVersion::OLDEST.0..=MetadataVersion::LATEST.0 {
            let version = MetadataVersion(level);
            assert_eq!(version.release().and_then(MetadataVersion::from_release), Some(version));
        }
        assert_eq!((MetadataVersion(6).release(), MetadataVersion(34).release()), (None, None));
    }

    #[test]
    fn only_levels_from_3_3_to_4_4_are_known() {
        assert_eq!(MetadataVersion::from_level(6), None);
        assert_eq!(MetadataVersion::from_level(7), Some(MetadataVersion::OLDEST));
        assert_eq!(MetadataVersion::from_level(33), Some(MetadataVersion::LATEST));
        assert_eq!(MetadataVersion::from_level(34), None);
    }
}
