//! A metadata log and a snapshot that Apache Kafka 4.4.0 wrote: a node was formatted with a SCRAM user and started, a
//! few topics, configurations, a quota and an access control entry were made, and it was stopped.

use std::sync::Arc;

use kernel::{ErrorCode, NodeId, Timestamp, Uuid};
use metadata::controller::features::SERVED;
use metadata::controller::{Registration, register_broker};
use metadata::image::{ConfigResource, ConfigResourceType, Image, QuotaEntity};
use metadata::log::{SnapshotId, decode_batch, encode_snapshot};
use metadata::{Delta, MetadataRecord};
use wire::batch::BatchView;
use wire::compress::Limits;

const LOG: &[u8] = include_bytes!("../testdata/kafka-4.4.log");
const SNAPSHOT: &[u8] = include_bytes!("../testdata/kafka-4.4.checkpoint");

/// Replays the snapshot of the format command and then the log, as a node does that starts.
fn replayed() -> Image {
    let mut delta = Delta::from_snapshot(&Arc::default());
    for file in [SNAPSHOT, LOG] {
        for batch in BatchView::iter(file) {
            let batch = decode_batch(&batch.expect("whole")).expect("readable");
            delta.replay_batch(&batch);
            delta.advance(batch.provenance);
        }
    }
    assert!(!delta.in_transaction());
    assert_eq!(delta.notes().iter().collect::<Vec<_>>(), Vec::<&str>::new());
    delta.apply()
}

#[test]
fn the_log_of_kafka_is_replayed() {
    let image = replayed();
    let levels: Vec<(&str, i16)> = image.features.iter().collect();
    let expected = [
        ("metadata.version", 33),
        ("eligible.leader.replicas.version", 1),
        ("group.version", 1),
        ("share.version", 2),
        ("streams.version", 1),
        ("transaction.version", 2),
    ];
    assert_eq!(levels, expected);

    let names: Vec<&str> = image.topics.iter().map(|topic| topic.name.as_ref()).collect();
    assert_eq!(names, ["plain"], "the other topic was deleted");
    let topic = image.topics.get("plain").expect("it was created");
    assert_eq!(topic.partitions.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3]);
    let partition = topic.partition(3).expect("it was added");
    let broker = image.broker(NodeId(1)).expect("it registered");
    assert_eq!(
        (&partition.replicas[..], partition.directory(NodeId(1))),
        (&[NodeId(1)][..], Some(broker.log_dirs[0]))
    );
    assert_eq!((broker.rack.as_deref(), broker.endpoints[0].port), (Some("r1"), 29192));
    assert!(image.controllers.get(NodeId(1)).is_some());
    let voters = image.quorum.voters().expect("the format command named them").voters;
    assert_eq!((image.quorum.version(), voters.len(), voters[0].voter_id), (1, 1, 1));
    assert_eq!(voters[0].voter_directory_id, broker.log_dirs[0]);

    let value = |kind, name: &str, key| image.configs.value(&ConfigResource::new(kind, name), key);
    assert_eq!(value(ConfigResourceType::Topic, "plain", "retention.ms"), Some("1000"));
    assert_eq!(value(ConfigResourceType::Broker, "1", "log.cleaner.threads"), Some("2"));
    assert_eq!(value(ConfigResourceType::Broker, "", "min.insync.replicas"), Some("1"));
    let bob = QuotaEntity::new([("user".to_owned(), Some("bob".to_owned()))]);
    assert_eq!(image.quotas.get(&bob).and_then(|limits| limits.get("producer_byte_rate")), Some(&1024.0));
    let acls: Vec<&str> = image.acls.iter().map(|(_, acl)| acl.principal.as_str()).collect();
    assert_eq!(acls, ["User:bob"]);
    assert_eq!(image.scram.get(1, "alice").map(|credential| credential.iterations), Some(4096));
    assert_eq!(image.producer_ids.next().0, 1000, "the console producer took a block");
}

#[test]
fn what_kafka_led_is_led_again_after_it_was_stopped() {
    let image = replayed();
    let topic = image.topics.get("plain").expect("it was created");
    let stopped = topic.partition(0).expect("it was created");
    let one = vec![NodeId(1)];
    // Kafka fenced itself when it stopped; its replicas are eligible leaders (KIP-966), and nobody leads.
    assert_eq!((stopped.leader, &stopped.isr, &stopped.elr), (None, &vec![], &one));

    let broker = image.broker(NodeId(1)).expect("it registered");
    let registration = Registration {
        id: broker.id,
        incarnation: Uuid::METADATA_TOPIC,
        endpoints: broker.endpoints.clone(),
        features: broker.features.clone(),
        rack: None,
        log_dirs: broker.log_dirs.clone(),
        fenced: false,
        former_alive: false,
        alone: false,
    };
    let decision = register_broker(&image, 1000, &registration).expect("its features are those of before");
    let mut delta = Delta::new(&Arc::new(image.clone()));
    decision.records.iter().for_each(|record| delta.replay(record));
    let local = delta.local_changes(NodeId(1));
    assert_eq!((local.led.len(), local.followed.len(), local.removed.len()), (4, 0, 0));
    let partition = &local.led[0].partition;
    assert_eq!((partition.leader, &partition.isr, &partition.elr), (Some(NodeId(1)), &one, &vec![]));
    assert_eq!(partition.leader_epoch.0, stopped.leader_epoch.0 + 1);

    let ours = SERVED.iter().map(|feature| (feature.name.to_owned(), (feature.min, feature.max)));
    let without = Registration { features: ours.collect(), ..registration };
    let refused = register_broker(&image, 1000, &without).unwrap_err();
    assert_eq!(refused.code, ErrorCode::UnsupportedVersion, "features that we do not serve are in use");
    let alone = Registration { alone: true, ..without };
    let decision = register_broker(&image, 1000, &alone).expect("nobody else acts on them");
    let mut delta = Delta::new(&Arc::new(image.clone()));
    decision.records.iter().for_each(|record| delta.replay(record));
    assert_eq!(delta.apply().features, image.features, "they stay finalized");
}

#[test]
fn every_record_is_written_byte_for_byte_as_kafka_wrote_it() {
    let level = replayed().features.record_level();
    let mut kinds = std::collections::BTreeSet::new();
    for file in [SNAPSHOT, LOG] {
        for batch in BatchView::iter(file) {
            let batch = batch.expect("whole");
            if batch.is_control() {
                continue;
            }
            for record in &batch.records(Limits::trusting(1 << 20)).expect("uncompressed") {
                let value = record.expect("whole").value.expect("every record has one");
                let decoded = MetadataRecord::decode(value).expect("it is known");
                assert_eq!(decoded.encode(level).expect("it can be written"), value, "{decoded:?}");
                kinds.insert(decoded.name());
            }
        }
    }
    assert!(kinds.len() >= 12, "{kinds:?}");
}

#[test]
fn our_snapshot_of_the_same_facts_gives_the_same_image() {
    let image = replayed();
    let file = encode_snapshot(&image, Timestamp(0)).expect("it can be written").concat();
    let mut delta = Delta::from_snapshot(&Arc::default());
    for batch in BatchView::iter(&file) {
        let batch = decode_batch(&batch.expect("whole")).expect("readable");
        delta.replay_batch(&batch);
    }
    delta.advance(image.provenance);
    assert_eq!(delta.apply(), image);
    assert_eq!(SnapshotId::of(&image).end_offset, image.provenance.offset + 1);
}
