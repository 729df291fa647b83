//! How much memory a consumer takes for what it has not returned yet.
//!
//! Everything happens on one thread and is counted, but what the servers take.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[allow(dead_code)] // It is shared with the tests in the crate, which use more of it.
#[path = "support/mod.rs"]
mod support;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use client::{Consumer, ConsumerConfig, Offset, Start, TopicPartition};
use kernel::Timestamp;
use support::scripted::{Asked, Cluster, TOPIC, TOPIC_ID, metadata};
use wire::Records;
use wire::api_table::{ApiKey, lookup};
use wire::batch::BatchBuilder;
use wire::compress::{Codec, Compression};
use wire::messages::fetch_request::FetchRequest;
use wire::messages::fetch_response::{FetchResponse, FetchableTopicResponse, PartitionData};
use wire::messages::metadata_response::{MetadataResponseBroker, MetadataResponsePartition};

const NODES: i32 = 3;
/// Each node leads a third of them.
const PARTITIONS: i32 = 30;
const RECORDS_PER_BATCH: i64 = 8;
const BATCHES: i64 = 20;
const VALUE_BYTES: usize = 16 << 10;
const MIB: usize = 1 << 20;

/// All batches that a partition has, the first of which begins at offset 0.
fn log(codec: Codec) -> Vec<Bytes> {
    // Noise, of which a codec makes half.
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 28) as u8
    };
    let values: Vec<Vec<u8>> =
        (0..RECORDS_PER_BATCH).map(|_| (0..VALUE_BYTES).map(|_| noise()).collect()).collect();
    let batch = |number: i64| {
        let base = Offset(number * RECORDS_PER_BATCH);
        let mut batch = BatchBuilder::new().base_offset(base).compression(Compression::of(codec));
        for value in &values {
            batch.append(Timestamp(1), None, Some(value));
        }
        batch.build().unwrap()
    };
    (0..BATCHES).map(batch).collect()
}

/// Nodes that send as much as they are asked for, as brokers do: at least one batch, and all in the order of the question.
fn cluster(codec: Codec) -> Cluster {
    let batches = log(codec);
    let mut log = BytesMut::new();
    let starts: Vec<usize> = batches
        .iter()
        .map(|batch| {
            log.extend_from_slice(batch);
            log.len() - batch.len()
        })
        .collect();
    let log = log.freeze();
    let answer = move |asked: &Asked| match lookup(asked.key).map(|api| api.key) {
        Some(ApiKey::Metadata) => {
            let mut metadata = metadata(1, 0);
            let broker = |id| MetadataResponseBroker { node_id: id, port: id, ..metadata.brokers[0].clone() };
            let brokers = (1..=NODES).map(broker).collect();
            let partition = |partition_index| MetadataResponsePartition {
                partition_index,
                leader_id: 1 + partition_index % NODES,
                leader_epoch: 0,
                ..Default::default()
            };
            metadata.topics[0].partitions = (0..PARTITIONS).map(partition).collect();
            metadata.brokers = brokers;
            asked.answer(&metadata)
        }
        Some(ApiKey::Fetch) => {
            let request: FetchRequest = asked.read();
            let mut left = request.max_bytes as usize;
            let wanted = request.topics.iter().flat_map(|topic| &topic.partitions);
            let partitions: Vec<_> = wanted
                .map(|wanted| {
                    let first = (wanted.fetch_offset / RECORDS_PER_BATCH) as usize;
                    let start = starts.get(first).copied().unwrap_or(log.len());
                    let most = left.min(wanted.partition_max_bytes as usize);
                    let least = starts.get(first + 1).copied().unwrap_or(log.len());
                    let is_first = left == request.max_bytes as usize;
                    let end = (start + most).min(log.len()).max(if is_first { least } else { start });
                    left = left.saturating_sub(end - start);
                    let records = Records::Bytes(log.slice(start..end));
                    PartitionData { partition_index: wanted.partition, records, ..Default::default() }
                })
                .collect();
            let is_empty = left == request.max_bytes as usize;
            let topic = FetchableTopicResponse { topic_id: TOPIC_ID, partitions, ..Default::default() };
            let answer = FetchResponse { responses: vec![topic], ..Default::default() };
            if is_empty { asked.answer_late(&answer) } else { asked.answer(&answer) }
        }
        key => panic!("nobody should ask for {key:?}"),
    };
    Cluster::within(|answer| allocation_counter::opt_out(answer), [], answer)
}

/// The most bytes that were taken while all was read, a few records at a time.
fn most_bytes(codec: Codec, config: ConsumerConfig) -> usize {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let cluster = cluster(codec);
    let all =
        (0..PARTITIONS).map(|partition| (TopicPartition::new(TOPIC, partition), Start::Offset(Offset(0))));
    let counted = allocation_counter::measure(|| {
        runtime.block_on(async {
            let mut consumer = Consumer::new(&cluster.client().await, config).unwrap();
            consumer.assign(all).unwrap();
            let mut left = i64::from(PARTITIONS) * BATCHES * RECORDS_PER_BATCH;
            while left > 0 {
                left -= consumer.poll_up_to(50, Duration::from_secs(10)).await.unwrap().len() as i64;
                // All answers on their way arrive meanwhile.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
    });
    usize::try_from(counted.bytes_max).unwrap()
}

#[test]
fn what_is_fetched_of_all_brokers_together_stays_within_the_bound() {
    for codec in [Codec::None, Codec::Zstd] {
        let most = |mib: usize| {
            let config = ConsumerConfig { queued_max_messages_kbytes: mib << 10, ..Default::default() };
            most_bytes(codec, config)
        };
        assert!(most(1024) > 24 * MIB, "{codec}: there is more to fetch than the bounds allow");
        for mib in [4, 12] {
            // Beside it there are buffers of connections, and what the last poll has returned.
            let most = most(mib);
            assert!(most < (mib + 1) * MIB, "{codec}: {most} bytes, where {mib} MiB are allowed");
        }
    }
}
