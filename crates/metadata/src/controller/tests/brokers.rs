//! Brokers that come and go, and what they are given.

use kernel::{ErrorCode, NodeId, ProducerId, Uuid};

use super::code;
use crate::MetadataRecord;
use crate::controller::testing::*;
use crate::controller::*;
use crate::image::{Broker, Image};
use crate::record::{PartitionChangeRecord, ProducerIdsRecord};

fn registration(broker: &Broker) -> Registration {
    Registration {
        id: broker.id,
        incarnation: broker.incarnation,
        endpoints: broker.endpoints.clone(),
        features: broker.features.clone(),
        rack: broker.rack.clone(),
        log_dirs: broker.log_dirs.clone(),
        fenced: true,
        former_alive: false,
        alone: false,
    }
}

/// The topic, partition, leader and in-sync replicas of a change.
fn partition_changes(records: &[MetadataRecord]) -> Vec<(i32, i32, Option<Vec<i32>>)> {
    let change = |record: &MetadataRecord| match record {
        MetadataRecord::PartitionChange(PartitionChangeRecord { partition_id, leader, isr, .. }) => {
            Some((*partition_id, *leader, isr.clone()))
        }
        _ => None,
    };
    records.iter().filter_map(change).collect()
}

#[test]
fn a_first_registration_is_one_record() {
    let image = cluster([]);
    let wanted = broker(1).fenced();
    let decision = register_broker(&image, 100, &registration(&wanted)).expect("it registers");
    assert_eq!(decision.reply, 100);
    let image = apply(&image, &decision.records);
    assert_eq!(**image.brokers.get(NodeId(1)).expect("it is registered"), wanted);
}

#[test]
fn the_same_process_keeps_its_epoch_and_state() {
    let image = cluster([broker(1)]);
    let mut moved = registration(&broker(1));
    moved.endpoints[0].port = 9999;
    moved.former_alive = true;
    let decision = register_broker(&image, 500, &moved).expect("it registers");
    assert_eq!(decision.reply, 100);
    let image = apply(&image, &decision.records);
    let registered = image.brokers.get(NodeId(1)).expect("it is registered");
    assert_eq!((registered.fenced, registered.endpoints[0].port), (false, 9999));
}

#[test]
fn another_process_gives_up_what_the_former_led() {
    let image = with_topic(&cluster([broker(1), broker(2)]), "t", &[&[1, 2], &[2, 1]]);
    let image = with_topic(&image, "u", &[&[1]]);
    let mut restarted = registration(&broker(1));
    restarted.incarnation = uuid(77);
    let decision = register_broker(&image, 500, &restarted).expect("it registers");
    let expected = [(0, 2, Some(vec![2])), (1, -2, Some(vec![2])), (0, -1, None)];
    assert_eq!(partition_changes(&decision.records), expected);
    assert!(matches!(decision.records.last(), Some(MetadataRecord::RegisterBroker(_))));

    let image = apply(&image, &decision.records);
    let unfenced = change_broker(&image, NodeId(1), 500, BrokerChange::Unfence).expect("it is registered");
    assert_eq!(partition_changes(&unfenced.records), [(0, 1, None)]);
    let image = apply(&image, &unfenced.records);
    let alone = image.topics.partition("u", 0).expect("it exists");
    assert_eq!((alone.leader, alone.leader_epoch.0, alone.partition_epoch), (Some(NodeId(1)), 2, 2));
}

#[test]
fn the_only_node_goes_on_leading_in_a_new_epoch() {
    let image = with_topic(&cluster([broker(1)]), "t", &[&[1]]);
    let mut restarted = registration(&broker(1));
    restarted.incarnation = uuid(77);
    restarted.fenced = false;
    let decision = register_broker(&image, 500, &restarted).expect("it registers");
    assert_eq!(partition_changes(&decision.records), [(0, 1, None)]);
    let image = apply(&image, &decision.records);
    let partition = image.topics.partition("t", 0).expect("it exists");
    assert_eq!((partition.leader, partition.leader_epoch.0), (Some(NodeId(1)), 1));
    assert!(image.brokers.is_active(NodeId(1)));
}

#[test]
fn a_registration_is_checked() {
    let image = cluster([broker(1), broker(2)]);
    let refused = |change: &dyn Fn(&mut Registration)| {
        let mut registration = registration(&broker(1));
        registration.incarnation = uuid(77);
        change(&mut registration);
        code(&register_broker(&image, 500, &registration))
    };
    assert_eq!(refused(&|_| ()), ErrorCode::None);
    assert_eq!(refused(&|r| r.former_alive = true), ErrorCode::DuplicateBrokerRegistration);
    assert_eq!(refused(&|r| r.log_dirs.clear()), ErrorCode::InvalidRegistration);
    assert_eq!(refused(&|r| r.log_dirs.push(Uuid::METADATA_TOPIC)), ErrorCode::InvalidRegistration);
    assert_eq!(refused(&|r| r.log_dirs.push(directory(1))), ErrorCode::InvalidRegistration);
    assert_eq!(refused(&|r| r.log_dirs.push(directory(2))), ErrorCode::InvalidRegistration);
    assert_eq!(refused(&|r| r.features.clear()), ErrorCode::InvalidRegistration);
    let old = |r: &mut Registration| {
        r.features.insert("metadata.version".to_owned(), (7, 30));
    };
    assert_eq!(refused(&old), ErrorCode::UnsupportedVersion);
    assert_eq!(refused(&|r| r.alone = true), ErrorCode::InvalidRegistration, "broker 2 is there");
}

#[test]
fn a_broker_that_leaves_hands_over_first() {
    let image = with_topic(&cluster([broker(1), broker(2)]), "t", &[&[1, 2]]);
    let decision = unregister_broker(&image, NodeId(1)).expect("it is registered");
    assert_eq!(partition_changes(&decision.records), [(0, 2, Some(vec![2]))]);
    assert_eq!(apply(&image, &decision.records).brokers.len(), 1);
    assert_eq!(code(&unregister_broker(&image, NodeId(9))), ErrorCode::BrokerIdNotRegistered);

    let leaving = |change| change_broker(&image, NodeId(1), 100, change).expect("it is registered").records;
    for change in [BrokerChange::Fence, BrokerChange::BeginControlledShutdown] {
        assert_eq!(partition_changes(&leaving(change)), [(0, 2, Some(vec![2]))]);
        assert!(!apply(&image, &leaving(change)).brokers.is_active(NodeId(1)));
    }
    assert_eq!(leaving(BrokerChange::Unfence), [], "it is not fenced");
    let stale = change_broker(&image, NodeId(1), 99, BrokerChange::Fence);
    assert_eq!(code(&stale), ErrorCode::StaleBrokerEpoch);
}

#[test]
fn blocks_of_producer_ids_follow_each_other() {
    let mut image: Image = cluster([broker(1)]);
    for first in [0, 1000, 2000] {
        let decision = allocate_producer_ids(&image, NodeId(1), 100).expect("ids are left");
        assert_eq!(decision.reply, ProducerIdBlock { first: ProducerId(first), len: 1000 });
        image = apply(&image, &decision.records);
    }
    let record = ProducerIdsRecord { broker_id: 1, broker_epoch: 100, next_producer_id: i64::MAX - 10 };
    let exhausted = apply(&image, &[record.into()]);
    assert_eq!(code(&allocate_producer_ids(&exhausted, NodeId(1), 100)), ErrorCode::UnknownServerError);
    assert_eq!(code(&allocate_producer_ids(&image, NodeId(1), 1)), ErrorCode::StaleBrokerEpoch);
    assert_eq!(code(&allocate_producer_ids(&image, NodeId(2), 1)), ErrorCode::BrokerIdNotRegistered);
}

#[test]
fn cordoned_directories_are_recorded_once_and_take_no_new_replica() {
    let image = cluster([broker(1)]);
    let cordon = |image: &Image, cordoned: &[Uuid]| {
        cordon_directories(image, NodeId(1), 100, cordoned).expect("it is registered").records
    };
    let none = cordon(&image, &[]);
    assert_eq!(none.len(), 1, "that there are none is something to know, too");
    let image = apply(&image, &none);
    assert_eq!(cordon(&image, &[]), []);
    let image = apply(&image, &cordon(&image, &[directory(1)]));
    assert!(!image.brokers.get(NodeId(1)).expect("it is registered").takes_new_replicas());
    assert_eq!(cordon(&image, &[directory(1), directory(1)]), []);
    let image = apply(&image, &cordon(&image, &[]));
    assert!(image.brokers.get(NodeId(1)).expect("it is registered").takes_new_replicas());
    let stale = cordon_directories(&image, NodeId(1), 99, &[]).expect_err("another process");
    assert_eq!(stale.code, ErrorCode::StaleBrokerEpoch);
}
