//! A log directory that Apache Kafka 4.4.0 wrote is taken over as it is.
//!
//! `testdata/kafka-4.4` was formatted by Kafka with its defaults and written by its own broker and tools: the topic
//! `orders` has five batches of twenty records, one for each codec, and the group `readers` has committed all of them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::path::Path;

use support::{Client, TestNode};
use wire::Records;
use wire::batch::{BatchBuilder, BatchView};
use wire::compress::Limits;
use wire::messages::api_versions_request::ApiVersionsRequest;
use wire::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use wire::messages::offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestGroup};
use wire::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};

/// Copies the directory that Kafka left behind.
#[expect(clippy::disallowed_methods, reason = "the directory of a test")]
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("the fixture") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

fn adopted(name: &str, change: impl FnOnce(&Path)) -> TestNode {
    adopted_from("kafka-4.4", name, change)
}

#[expect(clippy::disallowed_methods, reason = "the directory of a test")]
fn adopted_from(fixture: &str, name: &str, change: impl FnOnce(&Path)) -> TestNode {
    let dir = TestNode::dir_of(name);
    let _ = std::fs::remove_dir_all(&dir);
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(fixture), &dir);
    change(&dir);
    TestNode::start_in(name, &[])
}

/// The values of a partition's records.
fn values(client: &mut Client, partition: i32) -> Vec<String> {
    let mut values = Vec::new();
    loop {
        let request = FetchRequest {
            max_bytes: 1 << 20,
            topics: vec![FetchTopic {
                topic: "orders".into(),
                partitions: vec![FetchPartition {
                    partition,
                    fetch_offset: i64::try_from(values.len()).unwrap(),
                    partition_max_bytes: 1 << 20,
                    ..FetchPartition::default()
                }],
                ..FetchTopic::default()
            }],
            ..FetchRequest::default()
        };
        let told = client.call(12, &request).responses.remove(0).partitions.remove(0);
        assert_eq!(told.error_code, 0);
        let Records::Bytes(bytes) = told.records else { panic!("records") };
        if bytes.is_empty() {
            return values;
        }
        for batch in BatchView::iter(&bytes) {
            for record in &batch.unwrap().records(Limits::trusting(1 << 20)).unwrap() {
                values.push(String::from_utf8(record.unwrap().value.unwrap().to_vec()).unwrap());
            }
        }
    }
}

fn expect_kafkas_data(node: &TestNode) {
    let mut client = node.client();
    let orders = client.topics(&["orders"]).topics.remove(0);
    assert_eq!(orders.topic_id.to_string(), "P5l3TKHXRaGHCb9YWnKPGw");
    assert_eq!(orders.partitions.iter().map(|partition| partition.leader_id).collect::<Vec<_>>(), [1, 1]);
    let mut all = [values(&mut client, 0), values(&mut client, 1)].concat();
    all.retain(|value| value != "more");
    let wanted = ["none", "gzip", "snappy", "lz4", "zstd"];
    let mut wanted: Vec<String> =
        wanted.iter().flat_map(|codec| (1..=20).map(move |number| format!("{codec}-{number}"))).collect();
    all.sort();
    wanted.sort();
    assert_eq!(all, wanted);
    let groups =
        vec![OffsetFetchRequestGroup { group_id: "readers".into(), topics: None, ..Default::default() }];
    let offsets = client.call(8, &OffsetFetchRequest { groups, ..OffsetFetchRequest::default() });
    let group = &offsets.groups[0];
    let mut committed: Vec<_> =
        group.topics[0].partitions.iter().map(|one| (one.partition_index, one.committed_offset)).collect();
    committed.sort_unstable();
    assert_eq!((group.error_code, committed), (0, vec![(0, 80), (1, 20)]));
}

#[test]
fn the_records_offsets_and_options_of_kafka_are_served_and_more_are_added() {
    let mut node = adopted("adopt", |_| ());
    expect_kafkas_data(&node);
    assert_eq!(&*node.node().cluster_id, "Adopt3dClu5terAAAAAAAA");
    let partition = node.node().hosted.partition("orders", 1).unwrap();
    assert_eq!((partition.log().config().retention_ms, partition.rules().max_message_bytes), (-1, 500_000));
    let mut batch = BatchBuilder::new();
    batch.append(kernel::Timestamp(1), None, Some(b"more"));
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 10_000,
        topic_data: vec![TopicProduceData {
            name: "orders".into(),
            partition_data: vec![PartitionProduceData {
                index: 1,
                records: Records::Bytes(batch.build().unwrap()),
            }],
            ..TopicProduceData::default()
        }],
        ..ProduceRequest::default()
    };
    let told = node.client().call(9, &request);
    let told = &told.responses[0].partition_responses[0];
    assert_eq!((told.error_code, told.base_offset), (0, 20));
    node.kill();
    node.restart();
    expect_kafkas_data(&node);
    assert_eq!(values(&mut node.client(), 1).last().unwrap(), "more");
}

#[test]
fn features_that_are_not_served_stay_finalized_and_are_not_told() {
    let node = adopted("adopt-features", |_| ());
    let request = ApiVersionsRequest {
        client_software_name: "test".into(),
        client_software_version: "1".into(),
        ..ApiVersionsRequest::default()
    };
    let told = node.client().call(4, &request);
    let names = |names: &mut dyn Iterator<Item = &String>| names.cloned().collect::<Vec<_>>();
    let served = ["metadata.version", "kraft.version"];
    assert_eq!(names(&mut told.finalized_features.iter().map(|one| &one.name)), served);
    assert_eq!(names(&mut told.supported_features.iter().map(|one| &one.name)), served);
    let image = node.node().image();
    assert_eq!((image.features.level("transaction.version"), image.features.level("group.version")), (2, 1));
    assert!(image.features.elr_enabled());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the directory of a test")]
fn a_directory_that_kafka_was_killed_over_is_recovered() {
    let node = adopted("adopt-killed", |dir| {
        std::fs::remove_file(dir.join(".kafka_cleanshutdown")).expect("it was there");
        for name in ["recovery-point-offset-checkpoint", "replication-offset-checkpoint"] {
            std::fs::remove_file(dir.join(name)).expect("it was there");
        }
    });
    expect_kafkas_data(&node);
}

/// `testdata/kafka-formatted` is what Kafka's format step leaves for node 1 with `--release-version 3.9-IV0` and
/// `--feature group.version=1`.
#[test]
fn a_directory_that_kafka_formatted_begins_with_the_cluster_and_the_release_that_were_chosen() {
    let mut node = adopted_from("kafka-formatted", "kafka-formatted", |_| {});
    assert_eq!(&*node.node().cluster_id, "P5l3TKHXRaGHCb9YWnKPGw");
    let levels = |node: &TestNode| -> Vec<(String, i16)> {
        node.node().image().features.iter().map(|(name, level)| (name.to_owned(), level)).collect()
    };
    assert_eq!(levels(&node), [("metadata.version".to_owned(), 21)]);
    assert_eq!(node.client().topics(&["t"]).topics[0].error_code, 0);
    node.stop();
    node.restart();
    assert_eq!(levels(&node), [("metadata.version".to_owned(), 21)]);
}
