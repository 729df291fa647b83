//! What a node knows of its logs when it starts again.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "../support/mod.rs"]
mod support;

use kernel::Timestamp;
use support::{Client, TestNode};
use wire::Records;
use wire::batch::BatchBuilder;
use wire::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
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
