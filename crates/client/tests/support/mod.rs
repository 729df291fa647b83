//! A network within the test, with a server that says only what is needed, so that everything happens on one thread.

use std::future::ready;
use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use client::World;
use host::net::{Connect, Connecting};
use host::{RealClock, RealEntropy};
use kernel::{Offset, Timestamp, Uuid};
use parking_lot::Mutex;
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

pub const TOPIC: &str = "t";
const TOPIC_ID: Uuid = Uuid::METADATA_TOPIC;
pub const PARTITIONS: i32 = 4;
pub const RECORDS: i64 = 10_000;
/// In each batch that the server has.
pub const RECORDS_PER_BATCH: i64 = 500;

const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;
const INIT_PRODUCER_ID: i16 = 22;

/// Which versions the server knows.
const SERVED: [(i16, i16); 5] =
    [(PRODUCE, 13), (FETCH, 13), (METADATA, 12), (API_VERSIONS, 5), (INIT_PRODUCER_ID, 4)];

/// What the server has, and what it was asked.
#[derive(Debug)]
pub struct Server {
    /// What each partition has.
    log: Bytes,
    /// How many batches of a partition one answer has.
    batches_max: usize,
    /// For how many partitions each fetch asked.
    pub fetches: Mutex<Vec<usize>>,
}

impl Server {
    pub fn new(batches_max: usize) -> Arc<Server> {
        Arc::new(Server { log: log(), batches_max, fetches: Mutex::default() })
    }

    /// A world in which it is all that there is.
    pub fn world(self: &Arc<Self>) -> World {
        World {
            net: Arc::new(Network(Arc::clone(self))),
            clock: Arc::new(RealClock::new()),
            entropy: Arc::new(RealEntropy),
        }
    }
}

#[derive(Debug)]
struct Network(Arc<Server>);

impl Connect for Network {
    fn connect<'a>(&'a self, _: &'a str, _: u16) -> Connecting<'a> {
        let (near, far) = tokio::io::duplex(1 << 20);
        host::task::spawn(serve(far, Arc::clone(&self.0)));
        let (read, write) = tokio::io::split(near);
        let halves: io::Result<(host::net::ReadHalf, host::net::WriteHalf)> =
            Ok((Box::new(read), Box::new(write)));
        Box::pin(ready(halves))
    }
}

async fn serve(mut stream: DuplexStream, server: Arc<Server>) {
    let mut received = BytesMut::with_capacity(4 << 20);
    while stream.read_buf(&mut received).await.is_ok_and(|count| count > 0) {
        while let Some(request) = frame::split(&mut received, usize::MAX).unwrap() {
            let mut answer = Vec::new();
            allocation_counter::opt_out(|| answer = answer_to(&request, &server));
            for segment in answer {
                let Segment::Bytes(bytes) = segment else { panic!("nothing lies in a file") };
                stream.write_all(&bytes).await.unwrap();
            }
        }
    }
}

fn answer_to(request: &[u8], server: &Server) -> Vec<Segment> {
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
        FETCH => read(&FetchRequest::decode(body, version).unwrap(), server).encode(out, version),
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

/// What is left from the offsets that were asked for, as far as one answer goes.
fn read(request: &FetchRequest, server: &Server) -> FetchResponse {
    server.fetches.lock().push(request.topics[0].partitions.len());
    let partition = |index: i32, offset: i64| {
        let batches = || BatchView::iter(&server.log).map(Result::unwrap);
        let passed = batches().take_while(|batch| batch.last_offset().0 < offset);
        let skip = passed.map(|batch| batch.batch_len()).sum::<usize>();
        let wanted = batches().skip_while(|batch| batch.last_offset().0 < offset).take(server.batches_max);
        let len = wanted.map(|batch| batch.batch_len()).sum::<usize>();
        let records = Records::Bytes(server.log.slice(skip..skip + len));
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
