//! UpdateFeatures, and which features this release serves.

use std::collections::BTreeMap;

use kernel::{ErrorCode, NodeId};

use super::configs::{MIN_IN_SYNC_REPLICAS, config_record};
use super::{Decision, Refusal};
use crate::image::{ConfigResource, ConfigResourceType, ELR_FEATURE, Image, KRAFT_VERSION, Quorum};
use crate::record::{FeatureLevelRecord, MetadataRecord};
use crate::version::MetadataVersion;

/// A feature and the levels of it that a node can serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SupportedFeature {
    pub name: &'static str,
    pub min: i16,
    pub max: i16,
}

/// The features that this release serves.
pub const SERVED: &[SupportedFeature] = &[
    SupportedFeature {
        name: MetadataVersion::FEATURE,
        min: MetadataVersion::OLDEST.0,
        max: MetadataVersion::LATEST.0,
    },
    SupportedFeature { name: KRAFT_VERSION, min: 0, max: Quorum::VOTERS_IN_LOG },
];

/// The features of Kafka 4.4 that are not served at any level but 0. Tools turn all of them off when they go back to an older
/// release.
pub const NOT_SERVED: &[&str] =
    &["group.version", "transaction.version", "share.version", "streams.version", ELR_FEATURE];

/// What a level of a feature needs from another one: feature, level, other feature, its level.
const NEEDS: &[(&str, i16, &str, i16)] = &[(ELR_FEATURE, 1, MetadataVersion::FEATURE, 23)];

/// Features whose levels are to change, all or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateFeatures<'a> {
    pub updates: Vec<FeatureUpdate>,
    /// Say what would happen, and do nothing.
    pub validate_only: bool,
    /// The controller that decides.
    pub controller: NodeId,
    /// What this node serves: [`SERVED`].
    pub supported: &'a [SupportedFeature],
    /// The `min.insync.replicas` of this node's configuration, which becomes the cluster's when eligible leader
    /// replicas are switched on.
    pub min_in_sync_replicas: i32,
    /// Whether this node can say in the log who the voters are, as it has to once `kraft.version` is raised.
    pub voters_known: bool,
}

impl UpdateFeatures<'_> {
    /// Whether the log has to name the voters once this is decided. Control records say so, which no decision has.
    pub fn names_voters(&self) -> bool {
        self.updates
            .iter()
            .any(|update| update.name == KRAFT_VERSION && update.level >= Quorum::VOTERS_IN_LOG)
    }
}

/// One feature whose level is to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureUpdate {
    pub name: String,
    /// The new level; 0 switches the feature off.
    pub level: i16,
    pub upgrade_type: UpgradeType,
}

/// In which direction the caller means to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpgradeType {
    Upgrade,
    /// Down, unless metadata would be lost.
    SafeDowngrade,
    /// Down, even if metadata is lost.
    UnsafeDowngrade,
    Unknown,
}

impl UpgradeType {
    /// The type for the number in a request of version 1 or later.
    pub fn from_number(number: i8) -> Self {
        match number {
            1 => Self::Upgrade,
            2 => Self::SafeDowngrade,
            3 => Self::UnsafeDowngrade,
            _ => Self::Unknown,
        }
    }
}

/// Changes the finalized levels of features. One update that is refused refuses all.
pub fn update_features(image: &Image, command: &UpdateFeatures<'_>) -> Decision<Result<(), Refusal>> {
    match changed_levels(image, command) {
        Err(refusal) => Decision::reply(Err(Refusal::new(
            refusal.code,
            // Tools show this sentence, and scripts know it.
            format!(
                "The update failed for all features since the following feature had an error: {}",
                refusal.message
            ),
        ))),
        Ok(_) if command.validate_only => Decision::reply(Ok(())),
        Ok(records) => Decision::atomic(records, Ok(())),
    }
}

fn changed_levels(image: &Image, command: &UpdateFeatures<'_>) -> Result<Vec<MetadataRecord>, Refusal> {
    let mut proposed: BTreeMap<&str, i16> = image.finalized_features().collect();
    for update in &command.updates {
        proposed.insert(&update.name, update.level);
    }
    let mut records = Vec::new();
    for update in &command.updates {
        check(image, command, update, &proposed)
            .map_err(|reason| invalid_version(&update.name, update.level, &reason))?;
        if update.name == ELR_FEATURE && update.level > 0 {
            records.append(&mut elr_records(image, command.min_in_sync_replicas));
        }
        if update.name != KRAFT_VERSION {
            records.push(level_record(&update.name, update.level));
        }
    }
    Ok(records)
}

fn check(
    image: &Image,
    command: &UpdateFeatures<'_>,
    update: &FeatureUpdate,
    proposed: &BTreeMap<&str, i16>,
) -> Result<(), String> {
    let FeatureUpdate { name, level, upgrade_type } = update;
    if *upgrade_type == UpgradeType::Unknown {
        return Err("The upgrade type is unknown.".to_owned());
    }
    if *level < 0 {
        return Err("A feature level cannot be less than 0.".to_owned());
    }
    let own = command.supported.iter().find(|feature| feature.name == name);
    if own.is_none() && *level == 0 && !NOT_SERVED.contains(&name.as_str()) {
        // Nothing to turn off; a misspelt name must not look like success.
        return Err(format!("There is no feature {name}."));
    }
    let local = format!("Local controller {}", command.controller.0);
    check_range(&local, *level, own.map(|feature| (feature.min, feature.max)))?;
    for broker in image.brokers.iter() {
        check_range(&format!("Broker {}", broker.id.0), *level, broker.features.get(name).copied())?;
    }
    for controller in image.controllers.iter() {
        let range = controller.features.get(name).copied();
        check_range(&format!("Controller {}", controller.id.0), *level, range)?;
    }
    let current = image.feature_level(name);
    if *level < current && *upgrade_type == UpgradeType::Upgrade {
        return Err(
            "Can't downgrade the version of this feature without setting the upgrade type to either safe or \
                    unsafe downgrade."
                .to_owned(),
        );
    }
    if *level > current && *upgrade_type != UpgradeType::Upgrade {
        return Err("Can't downgrade to a newer version.".to_owned());
    }
    if name == MetadataVersion::FEATURE {
        return check_metadata_version(image, *level);
    }
    if name == KRAFT_VERSION {
        return check_kraft_version(current, *level, command.voters_known);
    }
    for (feature, from, other, needed) in NEEDS {
        let held = proposed.get(other).copied().unwrap_or(0);
        if feature == name && level >= from && held < *needed {
            return Err(format!("It needs {other} at level {needed} or higher."));
        }
    }
    Ok(())
}

fn check_range(who: &str, level: i16, range: Option<(i16, i16)>) -> Result<(), String> {
    let (min, max) = range.unwrap_or((0, 0));
    if (min..=max).contains(&level) {
        Ok(())
    } else if max == 0 {
        Err(format!("{who} does not support this feature."))
    } else {
        Err(format!("{who} only supports versions {min}-{max}"))
    }
}

/// A downgrade that loses metadata is refused even where the caller would accept the loss, as in Kafka.
fn check_metadata_version(image: &Image, level: i16) -> Result<(), String> {
    let (oldest, latest) = (MetadataVersion::OLDEST, MetadataVersion::LATEST);
    let target = MetadataVersion::from_level(level)
        .ok_or_else(|| format!("Valid versions are from {oldest} to {latest}."))?;
    match image.features.metadata_version() {
        Some(current) if target < current && current.loses_going_down_to(target) => {
            Err(format!("The downgrade from {current} might lose metadata."))
        }
        _ => Ok(()),
    }
}

/// Nothing leads back from voters that the log names to voters that the configuration names.
fn check_kraft_version(current: i16, level: i16, voters_known: bool) -> Result<(), String> {
    if level < current {
        return Err("Can't downgrade the version of this feature.".to_owned());
    }
    if level > current && !voters_known {
        return Err(
            "The log cannot name the voters: no controller listener says where they are reached.".to_owned()
        );
    }
    Ok(())
}

fn invalid_version(name: &str, level: i16, reason: &str) -> Refusal {
    Refusal::new(
        ErrorCode::InvalidUpdateVersion,
        format!("Invalid update version {level} for feature {name}. {reason}"),
    )
}

/// With eligible leader replicas there is one `min.insync.replicas` for the cluster, and none for single brokers.
fn elr_records(image: &Image, min_in_sync_replicas: i32) -> Vec<MetadataRecord> {
    let cluster = ConfigResource::all_brokers();
    let mut records = Vec::new();
    if image.configs.value(&cluster, MIN_IN_SYNC_REPLICAS).is_none() {
        records.push(config_record(&cluster, MIN_IN_SYNC_REPLICAS, Some(&min_in_sync_replicas.to_string())));
    }
    for (resource, values) in image.configs.iter() {
        let one_broker = resource.kind == ConfigResourceType::Broker && !resource.name.is_empty();
        if one_broker && values.get(MIN_IN_SYNC_REPLICAS).is_some() {
            records.push(config_record(resource, MIN_IN_SYNC_REPLICAS, None));
        }
    }
    records
}

pub(super) fn level_record(name: &str, level: i16) -> MetadataRecord {
    FeatureLevelRecord { name: name.to_owned(), feature_level: level }.into()
}
