//! What a node knows of its logs when it starts again.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "../support/mod.rs"]
mod support;

use kernel::Timestamp;
use support::{Client, TestNode};
use wire::Records;
use wire::batch::{BatchBuilder, BatchView};
use wire::compress::Limits;
use wire::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use wire::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use wire::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};

const EARLIEST: i64 = -2;
const LATEST: i64 = -1;

/// Appends records to partition 0 of `t`, in one batch.
fn produce(client: &mut Client, records: usize) {
    let mut batch = BatchBuilder::new();
    for _ in 0..records {
        batch.append(Timestamp(1_700_000_000_000), None, Some(b"value"));
    }
    let records = Records::Bytes(batch.build().expect("a batch"));
    let partition_data = vec![PartitionProduceData { index: 0, records }];
    let topic = TopicProduceData { name: "t".to_owned(), partition_data, ..TopicProduceData::default() };
    let request =
        ProduceRequest { acks: -1, timeout_ms: 10_000, topic_data: vec![topic], ..ProduceRequest::default() };
    let answer = client.call(9, &request);
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
}

fn delete_before(client: &mut Client, offset: i64) {
    let partitions = vec![DeleteRecordsPartition { partition_index: 0, offset }];
    let topics = vec![DeleteRecordsTopic { name: "t".to_owned(), partitions }];
    let answer = client.call(2, &DeleteRecordsRequest { topics, timeout_ms: 10_000 });
    assert_eq!(answer.topics[0].partitions[0].error_code, 0);
}

fn offset(client: &mut Client, timestamp: i64) -> i64 {
    let partition = ListOffsetsPartition { partition_index: 0, current_leader_epoch: -1, timestamp };
    let topics = vec![ListOffsetsTopic { name: "t".to_owned(), partitions: vec![partition] }];
    let request = ListOffsetsRequest { replica_id: -1, topics, ..ListOffsetsRequest::default() };
    client.call(7, &request).topics[0].partitions[0].offset
}

/// The offsets of the records that a reader is given from `from` on.
fn read_offsets(client: &mut Client, from: i64) -> Vec<i64> {
    let partition = FetchPartition {
        fetch_offset: from,
        partition_max_bytes: 1 << 20,
        current_leader_epoch: -1,
        ..FetchPartition::default()
    };
    let topics = vec![FetchTopic { topic: "t".into(), partitions: vec![partition], ..FetchTopic::default() }];
    let request = FetchRequest { max_bytes: 1 << 20, topics, ..FetchRequest::default() };
    let told = client.call(12, &request).responses.remove(0).partitions.remove(0);
    assert_eq!(told.error_code, 0);
    let Records::Bytes(bytes) = told.records else { panic!("records") };
    let mut offsets = Vec::new();
    for batch in BatchView::iter(&bytes) {
        for record in &batch.unwrap().records(Limits::trusting(1 << 20)).unwrap() {
            offsets.push(record.unwrap().offset.get());
        }
    }
    offsets.retain(|offset| *offset >= from);
    offsets
}

#[test]
fn deleted_records_stay_deleted_after_a_stop() {
    let mut node = TestNode::start("restart-deleted-records");
    let mut client = node.client();
    client.topics(&["t"]);
    produce(&mut client, 30);
    delete_before(&mut client, 20);
    for _ in 0..2 {
        node.stop();
        node.restart();
        let mut client = node.client();
        assert_eq!((offset(&mut client, EARLIEST), offset(&mut client, LATEST)), (20, 30));
    }
}

/// The small text files of a node, none of which has a checksum in Kafka's format.
const TEXTS: [&str; 9] = [
    "meta.properties",
    "recovery-point-offset-checkpoint",
    "log-start-offset-checkpoint",
    "replication-offset-checkpoint",
    "cleaner-offset-checkpoint",
    ".kafka_cleanshutdown",
    "riverrun.resting",
    "t-0/leader-epoch-checkpoint",
    "t-0/partition.metadata",
];

/// Everything that a client could see go wrong.
#[expect(clippy::disallowed_methods, reason = "looks at the files of a node")]
fn expect_all(node: &TestNode, cluster: &str, what: &str) {
    let mut client = node.client();
    assert_eq!(&*node.node().cluster_id, cluster, "{what}");
    let found = (offset(&mut client, EARLIEST), offset(&mut client, LATEST));
    assert_eq!(found, (20, 30), "{what}");
    assert_eq!(read_offsets(&mut client, 20), (20..30).collect::<Vec<_>>(), "{what}");
    let names = std::fs::read_dir(node.dir()).expect("a directory");
    let stray =
        names.filter_map(Result::ok).any(|name| name.file_name().to_string_lossy().ends_with("stray"));
    assert!(!stray, "{what}: a folder was set aside");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "damages the files of a node that does not run")]
fn no_flipped_bit_in_a_small_file_loses_a_record_or_brings_one_back() {
    let mut node = TestNode::start("restart-flips");
    let mut client = node.client();
    client.topics(&["t"]);
    produce(&mut client, 30);
    delete_before(&mut client, 20);
    let cluster = node.node().cluster_id.to_string();
    for (number, name) in TEXTS.iter().cycle().take(6 * TEXTS.len()).enumerate() {
        let round = number / TEXTS.len();
        // What a node remembers at a clean stop spares it a look at other files.
        match round % 3 {
            0 => node.stop(),
            1 => {
                node.stop();
                let _ = std::fs::remove_file(node.dir().join("riverrun.resting"));
            }
            _ => node.kill(),
        }
        let path = node.dir().join(name);
        let Ok(mut content) = std::fs::read(&path) else {
            node.restart();
            continue;
        };
        let bits = content.len() * 8;
        let bit = (round * 131 + number * 977) % bits;
        content[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, &content).expect("is written");
        node.restart();
        expect_all(&node, &cluster, &format!("{name} bit {bit}, round {round}"));
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "damages the files of a node that does not run")]
fn a_small_file_that_is_all_wrong_loses_no_record() {
    let mut node = TestNode::start("restart-garbage");
    let mut client = node.client();
    client.topics(&["t"]);
    produce(&mut client, 30);
    // Whose a directory or a folder is stands nowhere else: there a node refuses to go on.
    let owners = ["meta.properties", "t-0/partition.metadata"];
    let rebuilt = TEXTS.iter().filter(|name| !owners.contains(name));
    for (number, name) in rebuilt.cycle().take(12).enumerate() {
        if number % 2 == 0 {
            node.stop()
        } else {
            node.kill()
        }
        let path = node.dir().join(name);
        if let Ok(content) = std::fs::read(&path) {
            let wrong: Vec<u8> = content.iter().map(|byte| byte ^ 1).collect();
            std::fs::write(&path, wrong).expect("is written");
        }
        node.restart();
        let mut client = node.client();
        assert_eq!((offset(&mut client, EARLIEST), offset(&mut client, LATEST)), (0, 30), "{name}");
        assert_eq!(read_offsets(&mut client, 0), (0..30).collect::<Vec<_>>(), "{name}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "damages the files of a node that does not run")]
fn after_a_kill_logs_are_verified_and_a_torn_end_is_cut_off() {
    let mut node = TestNode::start("restart-torn");
    let mut client = node.client();
    client.topics(&["t"]);
    produce(&mut client, 10);
    node.kill();
    let segment = node.dir().join("t-0/00000000000000000000.log");
    let whole = std::fs::read(&segment).expect("a segment");
    // A second batch whose length arrived, but not its last bytes: only its checksum tells.
    let mut torn = whole.clone();
    torn.extend_from_slice(&10_i64.to_be_bytes());
    torn.extend_from_slice(&whole[8..whole.len() - 3]);
    torn.extend_from_slice(&[0; 3]);
    std::fs::write(&segment, &torn).expect("the segment can be written");
    node.restart();
    assert_eq!(std::fs::read(&segment).expect("a segment"), whole);
    let mut client = node.client();
    assert_eq!(offset(&mut client, LATEST), 10);
    produce(&mut client, 5);
    assert_eq!(offset(&mut client, LATEST), 15);
}
