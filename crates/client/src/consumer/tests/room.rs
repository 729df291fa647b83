//! A consumer that may hold little: brokers and partitions take turns, and nobody waits for what is paused.

use std::collections::BTreeMap;
use std::time::Duration;

use kernel::{LeaderEpoch, Offset, Timestamp, TopicPartition};
use wire::batch::BatchBuilder;
use wire::compress::{Codec, Compression};
use wire::messages::fetch_request::{FetchPartition, FetchRequest};
use wire::messages::fetch_response::{FetchResponse, FetchableTopicResponse, PartitionData};
use wire::messages::metadata_request::MetadataRequest;
use wire::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition,
};

use super::super::Consumer;
use crate::scripted::{Asked, Cluster, Reply, TOPIC, TOPIC_ID, fetched, metadata};
use crate::{ConsumerConfig, Error, Start};

/// How many bytes the value of a record has, of which there is one in each batch.
const VALUE_BYTES: usize = 300 << 10;

const LONG: Duration = Duration::from_secs(10);

/// A topic whose partitions have so many records each, led by the nodes in turn.
#[derive(Debug, Clone, Copy)]
struct Topic {
    nodes: i32,
    partitions: i32,
    records: i64,
}

impl Topic {
    fn cluster(self) -> Cluster {
        Cluster::new(move |asked| match asked.is::<MetadataRequest>() {
            true => asked.answer(&self.metadata()),
            false => self.fetched(asked),
        })
    }

    fn metadata(self) -> MetadataResponse {
        let mut answer = metadata(1, 1);
        let broker = |id| MetadataResponseBroker { node_id: id, port: id, ..answer.brokers[0].clone() };
        answer.brokers = (1..=self.nodes).map(broker).collect();
        let one = answer.topics[0].partitions[0].clone();
        let partition = |index| MetadataResponsePartition {
            partition_index: index,
            leader_id: 1 + index % self.nodes,
            ..one.clone()
        };
        answer.topics[0].partitions = (0..self.partitions).map(partition).collect();
        answer
    }

    /// As brokers answer: in the order of the question, as much as may be sent, but one batch at least.
    fn fetched(self, asked: &Asked) -> Reply {
        let request: FetchRequest = asked.read();
        let mut left = request.max_bytes as usize;
        let mut first = true;
        let mut read = |wanted: FetchPartition| {
            let mut bytes = Vec::new();
            let most = left.min(wanted.partition_max_bytes as usize);
            for offset in wanted.fetch_offset..self.records {
                let batch = batch(offset);
                if bytes.len() + batch.len() > most && !std::mem::take(&mut first) {
                    break;
                }
                first = false;
                bytes.extend_from_slice(&batch);
            }
            left = left.saturating_sub(bytes.len());
            PartitionData {
                partition_index: wanted.partition,
                high_watermark: self.records,
                records: bytes::Bytes::from(bytes).into(),
                ..Default::default()
            }
        };
        let wanted = request.topics.into_iter().flat_map(|topic| topic.partitions);
        let partitions: Vec<PartitionData> = wanted.map(&mut read).collect();
        let topic = FetchableTopicResponse { topic_id: TOPIC_ID, partitions, ..Default::default() };
        let answer = FetchResponse { responses: vec![topic], ..Default::default() };
        if first { asked.answer_late(&answer) } else { asked.answer(&answer) }
    }
}

fn batch(offset: i64) -> bytes::Bytes {
    let mut builder = BatchBuilder::new().base_offset(Offset(offset)).leader_epoch(LeaderEpoch(1));
    builder.append(Timestamp(1), None, Some(&[7; VALUE_BYTES]));
    builder.build().expect("it is small")
}

fn name(partition: i32) -> TopicPartition {
    TopicPartition::new(TOPIC, partition)
}

/// A consumer of so many partitions that may hold little.
async fn consumer(cluster: &Cluster, partitions: i32, config: ConsumerConfig) -> Consumer {
    let mut consumer = Consumer::new(&cluster.client().await, config).expect("the settings work");
    let all = (0..partitions).map(|partition| (name(partition), Start::Offset(Offset(0))));
    consumer.assign(all).expect("it has not subscribed");
    consumer
}

/// Three batches, or one large answer, and not more.
fn small() -> ConsumerConfig {
    ConsumerConfig { queued_max_messages_kbytes: 1 << 10, ..ConsumerConfig::default() }
}

/// What so many polls of one record each gave, by partition.
async fn poll(consumer: &mut Consumer, polls: usize) -> BTreeMap<i32, Vec<i64>> {
    let mut polled: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    for _ in 0..polls {
        for record in consumer.poll_up_to(1, LONG).await.expect("nothing is wrong") {
            polled.entry(record.partition).or_default().push(record.offset.0);
        }
    }
    polled
}

#[tokio::test(start_paused = true)]
async fn brokers_take_turns_where_there_is_room_for_one_at_a_time() {
    let topic = Topic { nodes: 3, partitions: 3, records: 1_000 };
    let mut consumer = consumer(&topic.cluster(), 3, small()).await;
    let polled = poll(&mut consumer, 300).await;
    let counts: Vec<usize> = polled.values().map(Vec::len).collect();
    assert!(counts.len() == 3 && counts.iter().all(|count| (90..=110).contains(count)), "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn partitions_of_one_broker_take_turns_where_an_answer_does_not_hold_all() {
    let topic = Topic { nodes: 1, partitions: 12, records: 1_000 };
    let mut consumer = consumer(&topic.cluster(), 12, small()).await;
    let polled = poll(&mut consumer, 360).await;
    let counts: Vec<usize> = polled.values().map(Vec::len).collect();
    assert!(counts.len() == 12 && counts.iter().all(|count| (20..=40).contains(count)), "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn records_of_paused_partitions_give_way_and_are_fetched_again() {
    let topic = Topic { nodes: 2, partitions: 4, records: 30 };
    let mut consumer = consumer(&topic.cluster(), 4, small()).await;
    // Of each partition that has records here by then some are returned, and the others wait.
    let mut polled = poll(&mut consumer, 4).await;
    let paused: Vec<i32> = polled.keys().copied().collect();
    let names: Vec<TopicPartition> = paused.iter().copied().map(name).collect();
    assert!((1..4).contains(&paused.len()), "{paused:?}");
    consumer.pause(&names);
    let others = poll(&mut consumer, 30 * (4 - paused.len())).await;
    assert!(others.iter().all(|(of, offsets)| !paused.contains(of) && offsets.len() == 30), "{others:?}");
    assert_eq!(others.len() + paused.len(), 4, "all of the others are read to their ends");
    consumer.resume(&names);
    for (partition, offsets) in poll(&mut consumer, 30 * paused.len() - 4).await {
        polled.entry(partition).or_default().extend(offsets);
    }
    let whole: Vec<i64> = (0..30).collect();
    assert!(polled.values().all(|offsets| *offsets == whole), "{polled:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_held_of_paused_partitions_for_others_to_wait_for() {
    let topic = Topic { nodes: 2, partitions: 2, records: 30 };
    let mut consumer = consumer(&topic.cluster(), 2, small()).await;
    let first = poll(&mut consumer, 1).await;
    let partition = *first.keys().next().expect("there are records");
    // Pausing what is here, and going on with what was paused, over and over.
    consumer.pause(&[name(partition)]);
    let mut counts = BTreeMap::from([(partition, 1)]);
    for turn in 0..40 {
        let reading = if turn % 2 == 0 { 1 - partition } else { partition };
        let records = consumer.poll_up_to(1, LONG).await.expect("nothing is wrong");
        assert_eq!(records.iter().map(|record| record.partition).collect::<Vec<_>>(), [reading]);
        *counts.entry(reading).or_default() += 1;
        consumer.pause(&[name(reading)]);
        consumer.resume(&[name(1 - reading)]);
    }
    assert_eq!(counts, BTreeMap::from([(partition, 21), (1 - partition, 20)]));
}

#[tokio::test(start_paused = true)]
async fn a_batch_larger_than_the_bound_comes_alone() {
    let topic = Topic { nodes: 3, partitions: 3, records: 40 };
    let cluster = topic.cluster();
    let config = ConsumerConfig { queued_max_messages_kbytes: 100, ..ConsumerConfig::default() };
    let mut consumer = consumer(&cluster, 3, config).await;
    let polled = poll(&mut consumer, 120).await;
    let whole: Vec<i64> = (0..40).collect();
    assert!(polled.len() == 3 && polled.values().all(|offsets| *offsets == whole), "{polled:?}");
    let asked = cluster.heard::<FetchRequest>();
    assert!(
        asked.iter().all(|(_, fetch)| fetch.max_bytes <= 100 << 10),
        "it asks for no more than it may hold"
    );
}

#[tokio::test(start_paused = true)]
async fn what_expands_to_more_than_any_batch_is_an_error() {
    const MIB: usize = 1 << 20;
    // Frames of zstd in a row: 64 KiB that stand for 2 GiB.
    let mut frame = Vec::new();
    wire::compress::compress(Compression::of(Codec::Zstd), &vec![0; MIB], &mut frame).expect("it is small");
    let mut builder =
        BatchBuilder::new().leader_epoch(LeaderEpoch(1)).compression(Compression::of(Codec::Zstd));
    builder.append(Timestamp(1), None, Some(b"v"));
    let written = builder.build().expect("it is small");
    const HEADER_BYTES: usize = 61;
    let mut bomb = written[..HEADER_BYTES].to_vec();
    (0..2048).for_each(|_| bomb.extend_from_slice(&frame));
    let len = i32::try_from(bomb.len() - 12).expect("it is small");
    bomb[8..12].copy_from_slice(&len.to_be_bytes());
    let bomb = bytes::Bytes::from(bomb);
    let cluster = Cluster::new(move |asked| match asked.is::<MetadataRequest>() {
        true => asked.answer(&metadata(1, 1)),
        false => asked.answer(&fetched(PartitionData { records: bomb.clone().into(), ..Default::default() })),
    });
    let config = ConsumerConfig { check_crcs: false, ..small() };
    let mut consumer = consumer(&cluster, 1, config).await;
    let error = consumer.poll(LONG).await.expect_err("it is too much");
    assert!(
        matches!(&error, Error::Records { offset: 0, reason, .. } if reason.contains("bytes")),
        "{error}"
    );
}
