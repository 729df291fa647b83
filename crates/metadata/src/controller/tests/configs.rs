//! Changing configurations.

use kernel::ErrorCode;

use super::code;
use crate::MetadataRecord;
use crate::controller::testing::*;
use crate::controller::*;
use crate::image::{ConfigResource, ConfigResourceType, ELR_FEATURE, Image};
use crate::record::{ClearElrRecord, FeatureLevelRecord};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

fn change(name: &str, op: ConfigOp, value: Option<&str>) -> ConfigChange {
    ConfigChange { name: name.to_owned(), op, value: value.map(str::to_owned) }
}

fn set(name: &str, value: &str) -> ConfigChange {
    change(name, ConfigOp::Set, Some(value))
}

fn resource(kind: i8, name: &str, changes: Vec<ConfigChange>) -> ResourceConfigs {
    ResourceConfigs { kind, name: name.to_owned(), changes }
}

fn alter(image: &Image, resources: Vec<ResourceConfigs>) -> Decision<Vec<ConfigReply>> {
    incremental_alter_configs(image, &Rules, &AlterConfigs { resources, validate_only: false })
}

fn cluster_with_topic() -> Image {
    with_topic(&cluster([broker(1)]), "t", &[&[1]])
}

/// What `cleanup.policy` becomes, step by step.
fn policy_after(ops: &[(ConfigOp, &str)]) -> Option<String> {
    let mut image = cluster_with_topic();
    for (op, value) in ops {
        let changes = vec![change("cleanup.policy", *op, Some(value))];
        let decision = alter(&image, vec![resource(TOPIC, "t", changes)]);
        assert_eq!(decision.reply[0].result, Ok(()));
        image = apply(&image, &decision.records);
    }
    image.configs.value(&ConfigResource::topic("t"), "cleanup.policy").map(str::to_owned)
}

#[test]
fn a_list_is_appended_to_and_subtracted_from_its_default() {
    use ConfigOp::{Append, Delete, Set, Subtract};
    let cases: [(&[(ConfigOp, &str)], Option<&str>); 6] = [
        (&[(Append, "compact")], Some("delete,compact")),
        (&[(Append, "delete")], Some("delete")),
        (&[(Set, "compact"), (Append, "delete,compact")], Some("compact,delete")),
        (&[(Set, "compact,delete"), (Subtract, "compact,none")], Some("delete")),
        (&[(Subtract, "delete")], Some("")),
        (&[(Set, "compact"), (Delete, "")], None),
    ];
    for (ops, expected) in cases {
        assert_eq!(policy_after(ops).as_deref(), expected, "{ops:?}");
    }
}

#[test]
fn a_value_that_stays_the_same_is_recorded_for_brokers_only() {
    let image = cluster_with_topic();
    let twice = |kind, name: &str| {
        let command = vec![resource(kind, name, vec![set("k", "v")])];
        let image = apply(&image, &alter(&image, command.clone()).records);
        alter(&image, command).records.len()
    };
    assert_eq!(twice(TOPIC, "t"), 0);
    assert_eq!(twice(BROKER, "1"), 1);
    assert_eq!(twice(BROKER, ""), 1);
    let absent = alter(&image, vec![resource(TOPIC, "t", vec![change("k", ConfigOp::Delete, None)])]);
    assert_eq!((absent.records.len(), code(&absent.reply[0].result)), (0, ErrorCode::None));
}

#[test]
fn what_is_wrong_with_a_resource_is_said_of_it_alone() {
    let image = cluster_with_topic();
    let cases = [
        (resource(TOPIC, "t", vec![set("k", "v")]), ErrorCode::None),
        (resource(TOPIC, "none", vec![set("k", "v")]), ErrorCode::UnknownTopicOrPartition),
        (resource(TOPIC, "", vec![]), ErrorCode::InvalidRequest),
        (resource(TOPIC, "not legal", vec![]), ErrorCode::InvalidTopicException),
        (resource(BROKER, "1", vec![set("k", "v")]), ErrorCode::None),
        (resource(BROKER, "", vec![set("k", "v")]), ErrorCode::None),
        (resource(BROKER, "7", vec![]), ErrorCode::BrokerIdNotRegistered),
        (resource(BROKER, "x", vec![]), ErrorCode::InvalidRequest),
        (resource(BROKER, "-1", vec![]), ErrorCode::InvalidRequest),
        (resource(32, "group", vec![set("k", "v")]), ErrorCode::None),
        (resource(32, "", vec![]), ErrorCode::InvalidRequest),
        (resource(16, "metrics", vec![set("k", "v")]), ErrorCode::None),
        (resource(16, "", vec![]), ErrorCode::InvalidRequest),
        (resource(8, "1", vec![]), ErrorCode::InvalidRequest),
        (resource(3, "x", vec![]), ErrorCode::InvalidRequest),
    ];
    let decision = alter(&image, cases.iter().map(|case| case.0.clone()).collect());
    for ((resource, expected), reply) in cases.iter().zip(&decision.reply) {
        assert_eq!(code(&reply.result), *expected, "{resource:?}");
    }
    assert_eq!(decision.records.len(), 5);
}

#[test]
fn what_is_wrong_with_a_change_refuses_the_resource() {
    let image = cluster_with_topic();
    let cases = [
        (vec![set("a", "1"), set("a", "2")], ErrorCode::InvalidRequest),
        (vec![set("a", "1"), change("b", ConfigOp::Set, None)], ErrorCode::InvalidRequest),
        (vec![change("cleanup.policy", ConfigOp::Append, None)], ErrorCode::InvalidRequest),
        (vec![change("a", ConfigOp::Append, Some("1"))], ErrorCode::InvalidConfig),
        (vec![change("a", ConfigOp::Unknown(9), Some("1"))], ErrorCode::InvalidRequest),
        (vec![set("a", "bad")], ErrorCode::InvalidConfig),
        (vec![set("a", &"x".repeat(32_768))], ErrorCode::InvalidConfig),
    ];
    for (changes, expected) in cases {
        let decision = alter(&image, vec![resource(TOPIC, "t", changes.clone())]);
        assert_eq!(code(&decision.reply[0].result), expected, "{changes:?}");
        assert_eq!(decision.records, []);
    }
}

#[test]
fn a_resource_named_twice_is_refused_both_times() {
    let image = cluster_with_topic();
    let topic = |value| resource(TOPIC, "t", vec![set("k", value)]);
    let decision = alter(&image, vec![topic("1"), topic("2"), resource(BROKER, "", vec![set("k", "v")])]);
    let codes: Vec<ErrorCode> = decision.reply.iter().map(|reply| code(&reply.result)).collect();
    assert_eq!(codes, [ErrorCode::InvalidRequest, ErrorCode::InvalidRequest, ErrorCode::None]);
}

#[test]
fn the_older_api_deletes_what_it_does_not_name() {
    let image = cluster_with_topic();
    let start = vec![set("keep", "1"), set("change", "1"), set("drop", "1")];
    let image = apply(&image, &alter(&image, vec![resource(TOPIC, "t", start)]).records);
    let command = AlterConfigs {
        resources: vec![resource(TOPIC, "t", vec![set("keep", "1"), set("change", "2")])],
        validate_only: false,
    };
    let decision = alter_configs(&image, &Rules, &command);
    let topic = ConfigResource::topic("t");
    let record = |name, value| configs::config_record(&topic, name, value);
    assert_eq!(decision.records, [record("change", Some("2")), record("drop", None)]);
    let checked = alter_configs(&image, &Rules, &AlterConfigs { validate_only: true, ..command });
    assert_eq!((checked.records.len(), code(&checked.reply[0].result)), (0, ErrorCode::None));
}

#[test]
fn with_eligible_leader_replicas_brokers_share_one_min_insync_replicas() {
    let feature = FeatureLevelRecord { name: ELR_FEATURE.to_owned(), feature_level: 1 };
    let image = apply(&cluster_with_topic(), &[feature.into()]);
    let outcome = |kind, name, change| {
        let decision = alter(&image, vec![resource(kind, name, vec![change])]);
        (code(&decision.reply[0].result), decision.records.last().cloned())
    };
    let min_isr = || set("min.insync.replicas", "2");
    assert_eq!(outcome(BROKER, "1", min_isr()).0, ErrorCode::InvalidConfig);
    let removal = change("min.insync.replicas", ConfigOp::Delete, None);
    assert_eq!(outcome(BROKER, "", removal).0, ErrorCode::InvalidConfig);
    let clear = |topic_name: &str| {
        let record = ClearElrRecord { topic_name: topic_name.to_owned() };
        (ErrorCode::None, Some(MetadataRecord::from(record)))
    };
    assert_eq!(outcome(BROKER, "", min_isr()), clear(""));
    assert_eq!(outcome(TOPIC, "t", min_isr()), clear("t"));
}

#[test]
fn directories_cannot_be_cordoned_before_the_cluster_can_say_which_are() {
    let old = FeatureLevelRecord { name: "metadata.version".to_owned(), feature_level: 29 };
    let image = cluster_with_topic();
    let outcome = |image: &Image| {
        let changes = vec![set("cordoned.log.dirs", "/a")];
        code(&alter(image, vec![resource(BROKER, "1", changes)]).reply[0].result)
    };
    assert_eq!(outcome(&image), ErrorCode::None);
    assert_eq!(outcome(&apply(&image, &[old.into()])), ErrorCode::InvalidConfig);
}

#[test]
fn every_type_of_resource_has_kafkas_number() {
    for (number, kind) in [(2, ConfigResourceType::Topic), (32, ConfigResourceType::Group)] {
        assert_eq!(ConfigResourceType::from_number(number), Some(kind));
        assert_eq!(kind.number(), number);
    }
    assert_eq!(ConfigResourceType::from_number(1), None);
}
