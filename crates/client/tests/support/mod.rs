//! A cluster within the test that says only what is needed, so that everything happens on one thread.

#[allow(dead_code)] // It is shared with the tests in the crate, which use more of it.
#[path = "../../src/scripted.rs"]
pub mod scripted;

use bytes::{Bytes, BytesMut};
use client::{Client, ClientConfig, Error, World};
use kernel::{Offset, Timestamp};
use wire::Records;
use wire::api_table::{ApiKey, lookup};
use wire::batch::{BatchBuilder, BatchView, RecordHeader};
use wire::messages::fetch_request::FetchRequest;
use wire::messages::fetch_response::{FetchResponse, FetchableTopicResponse, PartitionData};
use wire::messages::init_producer_id_response::InitProducerIdResponse;
use wire::messages::metadata_response::{MetadataResponse, MetadataResponsePartition};
use wire::messages::produce_request::ProduceRequest;
use wire::messages::produce_response::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse};

use scripted::{Asked, Cluster, TOPIC_ID};

pub const PARTITIONS: i32 = 4;
pub const RECORDS: i64 = 10_000;
/// In each batch that the cluster has.
pub const RECORDS_PER_BATCH: i64 = 500;

/// A cluster that takes all that is written, and has a log of its own in each partition. An answer to a fetch has at most
/// so many batches of a partition. What it does itself is not counted as memory that somebody asked for.
pub fn cluster(batches_max: usize) -> Cluster {
    let log = log();
    let answer = move |asked: &Asked| match lookup(asked.key).map(|api| api.key) {
        Some(ApiKey::InitProducerId) => {
            asked.answer(&InitProducerIdResponse { producer_id: 1, ..Default::default() })
        }
        Some(ApiKey::Metadata) => asked.answer(&metadata()),
        Some(ApiKey::Produce) => asked.answer(&written(&asked.read())),
        Some(ApiKey::Fetch) => asked.answer(&read(&asked.read(), &log, batches_max)),
        key => panic!("nobody should ask for {key:?}"),
    };
    Cluster::within(|answer| allocation_counter::opt_out(answer), [], answer)
}

fn metadata() -> MetadataResponse {
    let mut metadata = scripted::metadata(1, 0);
    let partition = |partition_index| MetadataResponsePartition {
        partition_index,
        leader_id: 1,
        leader_epoch: 0,
        ..Default::default()
    };
    metadata.topics[0].partitions = (0..PARTITIONS).map(partition).collect();
    metadata
}

fn written(request: &ProduceRequest) -> ProduceResponse {
    let partition = |index| PartitionProduceResponse { index, ..Default::default() };
    let topics = request.topic_data.iter().map(|topic| TopicProduceResponse {
        topic_id: topic.topic_id,
        partition_responses: topic.partition_data.iter().map(|data| partition(data.index)).collect(),
        ..Default::default()
    });
    ProduceResponse { responses: topics.collect(), ..Default::default() }
}

/// What is left from the offsets that were asked for, as far as one answer goes.
fn read(request: &FetchRequest, log: &Bytes, batches_max: usize) -> FetchResponse {
    let partition = |index: i32, offset: i64| {
        let batches = || BatchView::iter(log).map(Result::unwrap);
        let passed = batches().take_while(|batch| batch.last_offset().0 < offset);
        let skip = passed.map(|batch| batch.batch_len()).sum::<usize>();
        let wanted = batches().skip_while(|batch| batch.last_offset().0 < offset).take(batches_max);
        let len = wanted.map(|batch| batch.batch_len()).sum::<usize>();
        let records = Records::Bytes(log.slice(skip..skip + len));
        PartitionData { partition_index: index, records, ..Default::default() }
    };
    let asked = request.topics[0].partitions.iter();
    let partitions = asked.map(|asked| partition(asked.partition, asked.fetch_offset)).collect();
    let topic = FetchableTopicResponse { topic_id: TOPIC_ID, partitions, ..Default::default() };
    FetchResponse { responses: vec![topic], ..Default::default() }
}

fn log() -> Bytes {
    let mut log = BytesMut::new();
    for first in (0..RECORDS).step_by(RECORDS_PER_BATCH as usize) {
        let mut batch = BatchBuilder::new().base_offset(Offset(first));
        for _ in 0..RECORDS_PER_BATCH {
            let header = RecordHeader { key: b"name", value: Some(b"of a header") };
            batch.append_with_headers(Timestamp(1), Some(b"key"), Some(&[7; 100]), &[header]);
        }
        log.extend_from_slice(&batch.build().unwrap());
    }
    log.freeze()
}
