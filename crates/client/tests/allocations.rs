//! How often producers and consumers ask for memory: for each batch and each answer, never for each record.
//!
//! A network within the test, with a server that says only what is needed, so that everything happens on one thread and
//! can be counted. What the server takes is not.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::future::ready;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use client::{
    Client, ClientConfig, Consumer, ConsumerConfig, Delivery, Producer, ProducerConfig, ProducerRecord,
    Start, TopicPartition, World,
};
use host::net::{Connect, Connecting};
use host::{RealClock, RealEntropy};
use kernel::{Offset, Timestamp, Uuid};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use wire::batch::{BatchBuilder, BatchView, RecordHeader};
use wire::header::RequestHeaderView;
use wire::messages::api_versions_response::{ApiVersion, ApiVersionsResponse};
use wire::messages::fetch_request::FetchRequest;
use wire::messages::fetch_response::{FetchResponse, FetchableTopicResponse, PartitionData};
use wire::messages::init_producer_id_response::InitProducerIdResponse;
use wire::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use wire::messages::produce_request::ProduceRequest;
use wire::messages::produce_response::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse};
use wire::{Records, Segment, frame};

const TOPIC: &str = "t";
const TOPIC_ID: Uuid = Uuid::METADATA_TOPIC;
const PARTITIONS: i32 = 4;
const RECORDS: i64 = 10_000;
/// In each batch that the server has.
const RECORDS_PER_BATCH: i64 = 500;

const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;
const INIT_PRODUCER_ID: i16 = 22;

/// Which versions the server knows.
const SERVED: [(i16, i16); 5] =
    [(PRODUCE, 13), (FETCH, 13), (METADATA, 12), (API_VERSIONS, 5), (INIT_PRODUCER_ID, 4)];

#[derive(Debug)]
struct Network {
    /// What the one partition has that is read.
    log: Bytes,
}

impl Connect for Network {
    fn connect<'a>(&'a self, _: &'a str, _: u16) -> Connecting<'a> {
        let (near, far) = tokio::io::duplex(1 << 20);
        host::task::spawn(serve(far, self.log.clone()));
        let (read, write) = tokio::io::split(near);
        let halves: io::Result<(host::net::ReadHalf, host::net::WriteHalf)> =
            Ok((Box::new(read), Box::new(write)));
        Box::pin(ready(halves))
    }
}

async fn serve(mut stream: DuplexStream, log: Bytes) {
    let mut received = BytesMut::with_capacity(4 << 20);
    while stream.read_buf(&mut received).await.is_ok_and(|count| count > 0) {
        while let Some(request) = frame::split(&mut received, usize::MAX).unwrap() {
            let mut answer = Vec::new();
            allocation_counter::opt_out(|| answer = answer_to(&request, &log));
            for segment in answer {
                let Segment::Bytes(bytes) = segment else { panic!("nothing lies in a file") };
                stream.write_all(&bytes).await.unwrap();
            }
        }
    }
}

fn answer_to(request: &[u8], log: &Bytes) -> Vec<Segment> {
    let (header, body) = RequestHeaderView::decode(request).unwrap();
    let (key, version) = (header.request_api_key, header.request_api_version);
    let body = &request[body..];
    frame::encode_response(key, version, header.correlation_id, |out| match key {
        API_VERSIONS => versions().encode(out, version),
        METADATA => metadata().encode(out, version),
        INIT_PRODUCER_ID => {
            InitProducerIdResponse { producer_id: 1, ..Default::default() }.encode(out, version)
        }
        PRODUCE => written(&ProduceRequest::decode(body, version).unwrap()).encode(out, version),
        FETCH => read(&FetchRequest::decode(body, version).unwrap(), log).encode(out, version),
        key => panic!("nobody should ask for {key}"),
    })
    .unwrap()
}

fn versions() -> ApiVersionsResponse {
    let served = |(api_key, max_version)| ApiVersion { api_key, min_version: 0, max_version };
    ApiVersionsResponse { api_keys: SERVED.map(served).into(), ..Default::default() }
}

fn metadata() -> MetadataResponse {
    let broker =
        MetadataResponseBroker { node_id: 1, host: "here".to_owned(), port: 1, ..Default::default() };
    let partition = |partition_index| MetadataResponsePartition {
        partition_index,
        leader_id: 1,
        leader_epoch: 0,
        ..Default::default()
    };
    let topic = MetadataResponseTopic {
        name: Some(TOPIC.to_owned()),
        topic_id: TOPIC_ID,
        partitions: (0..PARTITIONS).map(partition).collect(),
        ..Default::default()
    };
    MetadataResponse { brokers: vec![broker], topics: vec![topic], ..Default::default() }
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

/// All that is left from the offset that was asked for.
fn read(request: &FetchRequest, log: &Bytes) -> FetchResponse {
    let offset = request.topics[0].partitions[0].fetch_offset;
    let batches = BatchView::iter(log).map(Result::unwrap);
    let passed = batches.take_while(|batch| batch.last_offset().0 < offset).map(|batch| batch.batch_len());
    let records = log.slice(passed.sum::<usize>()..);
    let data = PartitionData { records: Records::Bytes(records), ..Default::default() };
    let topic = FetchableTopicResponse { topic_id: TOPIC_ID, partitions: vec![data], ..Default::default() };
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

/// How often memory was asked for on the way, from when `prepare` is done.
fn count<T>(prepare: impl AsyncFnOnce(Client) -> T, work: impl AsyncFnOnce(T)) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let world = World {
        net: Arc::new(Network { log: log() }),
        clock: Arc::new(RealClock::new()),
        entropy: Arc::new(RealEntropy),
    };
    let prepared = runtime.block_on(async {
        prepare(Client::connect_in(world, ClientConfig::new("here:1")).await.unwrap()).await
    });
    allocation_counter::measure(|| runtime.block_on(work(prepared))).count_total
}

#[test]
fn a_producer_asks_for_memory_by_the_batch_and_not_by_the_record() {
    let value = Bytes::from_static(&[7; 100]);
    let keys: [Bytes; 64] = std::array::from_fn(|key| Bytes::copy_from_slice(&[key as u8; 8]));
    let topic: Arc<str> = TOPIC.into();
    let prepare = async |client: Client| {
        let config = ProducerConfig { batch_size: 64 << 10, ..ProducerConfig::default() };
        let producer = Producer::new(&client, config).unwrap();
        for partition in 0..PARTITIONS {
            let record = ProducerRecord::new(Arc::clone(&topic)).partition(partition).value(value.clone());
            producer.send(record).await.unwrap().await.unwrap();
        }
        producer
    };
    let mut deliveries: Vec<Delivery> = Vec::with_capacity(RECORDS as usize);
    let mut delivered = 0;
    let asked = count(prepare, async |producer: Producer| {
        for (_, key) in (0..RECORDS).zip(keys.iter().cycle()) {
            let record = ProducerRecord::new(Arc::clone(&topic)).key(key.clone()).value(value.clone());
            deliveries.push(producer.send(record).await.unwrap());
        }
        producer.flush().await;
        for delivery in deliveries.drain(..) {
            delivered += i64::from(delivery.await.is_ok());
        }
    });
    assert_eq!(delivered, RECORDS);
    assert!(asked < 1000, "{asked} times for {RECORDS} records, which are some twenty batches");
}

#[test]
fn a_consumer_asks_for_memory_by_the_poll_and_not_by_the_record() {
    let prepare = async |client: Client| Consumer::new(&client, ConsumerConfig::default()).unwrap();
    let (mut seen, mut bytes) = (0, 0);
    let asked = count(prepare, async |mut consumer: Consumer| {
        consumer.assign([(TopicPartition::new(TOPIC, 0), Start::Offset(Offset(0)))]);
        while seen < RECORDS {
            for record in consumer.poll(Duration::from_secs(10)).await.unwrap() {
                bytes += record.value.map_or(0, |value| value.len());
                bytes += record.headers.iter().filter_map(|(_, value)| value).map(<[u8]>::len).sum::<usize>();
                seen += 1;
            }
        }
    });
    assert_eq!((seen, bytes as i64), (RECORDS, RECORDS * (100 + "of a header".len() as i64)));
    assert!(asked < 1000, "{asked} times for {RECORDS} records, which are twenty polls");
}
