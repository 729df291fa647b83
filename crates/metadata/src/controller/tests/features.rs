//! Changing features, and the first records of a cluster.

use kernel::{ErrorCode, NodeId};

use super::code;
use crate::MetadataRecord;
use crate::controller::testing::*;
use crate::controller::*;
use crate::image::{ConfigResource, ConfigResourceType, ELR_FEATURE, Image, KRAFT_VERSION, QuorumRecord};
use crate::record::FeatureLevelRecord;

const SUPPORTED: &[SupportedFeature] = &[
    SupportedFeature { name: "metadata.version", min: 7, max: 33 },
    SupportedFeature { name: ELR_FEATURE, min: 0, max: 1 },
    SupportedFeature { name: KRAFT_VERSION, min: 0, max: 1 },
    SupportedFeature { name: "new", min: 0, max: 2 },
];

fn update(image: &Image, updates: &[(&str, i16, UpgradeType)]) -> Decision<Result<(), Refusal>> {
    update_where(image, updates, true)
}

fn update_where(
    image: &Image,
    updates: &[(&str, i16, UpgradeType)],
    voters_known: bool,
) -> Decision<Result<(), Refusal>> {
    let updates = updates.iter().map(|(name, level, upgrade_type)| FeatureUpdate {
        name: (*name).to_owned(),
        level: *level,
        upgrade_type: *upgrade_type,
    });
    let command = UpdateFeatures {
        updates: updates.collect(),
        validate_only: false,
        controller: NodeId(7),
        supported: SUPPORTED,
        min_in_sync_replicas: 2,
        voters_known,
    };
    update_features(image, &command)
}

fn level(name: &str, feature_level: i16) -> MetadataRecord {
    FeatureLevelRecord { name: name.to_owned(), feature_level }.into()
}

/// A cluster whose broker serves what the controller does.
fn image() -> Image {
    let mut broker = broker(1);
    let others = [("new", (0, 2)), (ELR_FEATURE, (0, 1)), (KRAFT_VERSION, (0, 1))];
    broker.features.extend(others.map(|(name, range)| (name.to_owned(), range)));
    cluster([broker])
}

#[test]
fn a_level_goes_up_by_an_upgrade_and_down_by_a_downgrade() {
    use UpgradeType::{SafeDowngrade, Unknown, UnsafeDowngrade, Upgrade};
    let image = apply(&image(), &[level("new", 1)]);
    let cases = [
        ("new", 2, Upgrade, ErrorCode::None),
        ("new", 1, Upgrade, ErrorCode::None),
        ("new", 0, SafeDowngrade, ErrorCode::None),
        ("new", 0, UnsafeDowngrade, ErrorCode::None),
        ("new", 0, Upgrade, ErrorCode::InvalidUpdateVersion),
        ("new", 2, SafeDowngrade, ErrorCode::InvalidUpdateVersion),
        ("new", 2, Unknown, ErrorCode::InvalidUpdateVersion),
        ("new", 3, Upgrade, ErrorCode::InvalidUpdateVersion),
        ("new", -1, Upgrade, ErrorCode::InvalidUpdateVersion),
        ("never", 1, Upgrade, ErrorCode::InvalidUpdateVersion),
        ("never", 0, SafeDowngrade, ErrorCode::InvalidUpdateVersion),
        ("group.version", 0, SafeDowngrade, ErrorCode::None),
        ("group.version", 1, Upgrade, ErrorCode::InvalidUpdateVersion),
        ("metadata.version", 33, Upgrade, ErrorCode::None),
        ("metadata.version", 34, Upgrade, ErrorCode::InvalidUpdateVersion),
        ("metadata.version", 32, SafeDowngrade, ErrorCode::InvalidUpdateVersion),
        ("metadata.version", 32, UnsafeDowngrade, ErrorCode::InvalidUpdateVersion),
        ("metadata.version", 0, UnsafeDowngrade, ErrorCode::InvalidUpdateVersion),
    ];
    for (name, to, upgrade_type, expected) in cases {
        let decision = update(&image, &[(name, to, upgrade_type)]);
        assert_eq!(code(&decision.reply), expected, "{name} {to} {upgrade_type:?}");
        let records = if expected == ErrorCode::None { vec![level(name, to)] } else { vec![] };
        assert_eq!(decision.records, records);
    }
}

#[test]
fn a_metadata_version_goes_down_where_nothing_is_lost() {
    let image = apply(&image(), &[level("metadata.version", 31)]);
    let down = |to| update(&image, &[("metadata.version", to, UpgradeType::SafeDowngrade)]).reply;
    assert_eq!(down(30), Ok(()));
    assert_eq!(code(&down(29)), ErrorCode::InvalidUpdateVersion);
}

#[test]
fn the_quorums_feature_goes_up_without_a_record_of_the_controller_and_never_down() {
    use UpgradeType::{SafeDowngrade, UnsafeDowngrade, Upgrade};
    let low = image();
    let mut high = low.clone();
    high.quorum.replay(&QuorumRecord::Version(1));
    let refused = ErrorCode::InvalidUpdateVersion;
    let cases = [
        (&low, 0, Upgrade, true, ErrorCode::None),
        (&low, 0, SafeDowngrade, true, ErrorCode::None),
        (&low, 1, Upgrade, true, ErrorCode::None),
        (&low, 1, Upgrade, false, refused),
        (&low, 1, SafeDowngrade, true, refused),
        (&low, 2, Upgrade, true, refused),
        (&high, 1, Upgrade, false, ErrorCode::None),
        (&high, 1, SafeDowngrade, false, ErrorCode::None),
        (&high, 0, Upgrade, true, refused),
        (&high, 0, SafeDowngrade, true, refused),
        (&high, 0, UnsafeDowngrade, true, refused),
    ];
    for (image, to, upgrade_type, voters_known, expected) in cases {
        let decision = update_where(image, &[(KRAFT_VERSION, to, upgrade_type)], voters_known);
        let from = image.feature_level(KRAFT_VERSION);
        assert_eq!(code(&decision.reply), expected, "{from} to {to} {upgrade_type:?}");
        assert_eq!(decision.records, []);
    }
    let levels: Vec<_> = high.finalized_features().filter(|(name, _)| *name == KRAFT_VERSION).collect();
    assert_eq!((low.feature_level(KRAFT_VERSION), levels), (0, vec![(KRAFT_VERSION, 1)]));
}

#[test]
fn a_feature_that_is_not_served_can_be_turned_off() {
    let image = apply(&image(), &[level("group.version", 1)]);
    let decision = update(&image, &[("group.version", 0, UpgradeType::SafeDowngrade)]);
    assert_eq!(decision.reply, Ok(()));
    assert_eq!(apply(&image, &decision.records).features.level("group.version"), 0);
}

#[test]
fn one_refused_update_refuses_all() {
    let updates = [("new", 1, UpgradeType::Upgrade), ("never", 1, UpgradeType::Upgrade)];
    let decision = update(&image(), &updates);
    assert_eq!(decision.records, []);
    let message = decision.reply.unwrap_err().message;
    let wanted = "for feature never. Local controller 7 does not support this feature.";
    assert!(message.ends_with(wanted), "{message}");
}

#[test]
fn every_broker_must_serve_the_level() {
    let image = cluster([broker(1)]);
    let decision = update(&image, &[("new", 1, UpgradeType::Upgrade)]);
    let message = decision.reply.unwrap_err().message;
    assert!(message.contains("Broker 1 does not support this feature."), "{message}");
}

#[test]
fn eligible_leader_replicas_bring_one_min_insync_replicas_for_all() {
    let broker_config = ConfigResource::new(ConfigResourceType::Broker, "1");
    let set = configs::config_record(&broker_config, "min.insync.replicas", Some("3"));
    let image = apply(&image(), &[set]);
    let decision = update(&image, &[(ELR_FEATURE, 1, UpgradeType::Upgrade)]);
    let expected = [
        configs::config_record(&ConfigResource::all_brokers(), "min.insync.replicas", Some("2")),
        configs::config_record(&broker_config, "min.insync.replicas", None),
        level(ELR_FEATURE, 1),
    ];
    assert_eq!(decision.records, expected);

    let old = apply(&image, &[level("metadata.version", 22)]);
    let decision = update(&old, &[(ELR_FEATURE, 1, UpgradeType::Upgrade)]);
    assert_eq!(code(&decision.reply), ErrorCode::InvalidUpdateVersion);
}

#[test]
fn a_cluster_begins_with_its_metadata_version() {
    assert_eq!(bootstrap(BOOTSTRAP_FEATURES, 1), [level("metadata.version", 33)]);
    let all = [("group.version", 1), ("share.version", 0), (ELR_FEATURE, 1), ("metadata.version", 30)];
    let expected = [
        level("metadata.version", 30),
        level("group.version", 1),
        level(ELR_FEATURE, 1),
        configs::config_record(&ConfigResource::all_brokers(), "min.insync.replicas", Some("1")),
    ];
    assert_eq!(bootstrap(&all, 1), expected);
    let image = apply(&Image::default(), &bootstrap(&all, 1));
    let levels: Vec<(&str, i16)> = image.features.iter().collect();
    assert_eq!(levels, [("metadata.version", 30), (ELR_FEATURE, 1), ("group.version", 1)]);
}

#[test]
fn a_refused_downgrade_is_told_in_the_words_that_tools_show() {
    let image = apply(&image(), &[level("new", 1)]);
    let refusal = update(&image, &[("new", 0, UpgradeType::Upgrade)]).reply.expect_err("it is no downgrade");
    assert_eq!(
        refusal.message,
        "The update failed for all features since the following feature had an error: Invalid update version 0 for \
         feature new. Can't downgrade the version of this feature without setting the upgrade type to either safe or \
         unsafe downgrade."
    );
}
