//! The requests of a benchmark: topics, and frames of records that are encoded once.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use kernel::{ErrorCode, Timestamp, Uuid};
use wire::batch::BatchBuilder;
use wire::header::ResponseHeader;
use wire::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use wire::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use wire::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use wire::messages::produce_response::ProduceResponseView;
use wire::{Message, Records, Request};

/// What today's clients speak: topics by their id.
const PRODUCE_VERSION: i16 = 13;
const METADATA_VERSION: i16 = 13;
const DELETE_TOPICS_VERSION: i16 = 6;

const CLIENT: Option<&str> = Some("bench");
const REPLY_DEADLINE: Duration = Duration::from_secs(10);
const TOPIC_DEADLINE: Duration = Duration::from_secs(30);
const RETRY_PAUSE: Duration = Duration::from_millis(2);

/// A produce request of one batch for one partition.
pub fn produce(topic: Uuid, partition: i32, records: &Bytes) -> Result<Bytes, String> {
    let request = ProduceRequest {
        transactional_id: None,
        acks: 1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            topic_id: topic,
            partition_data: vec![PartitionProduceData {
                index: partition,
                records: Records::Bytes(records.clone()),
            }],
            ..TopicProduceData::default()
        }],
    };
    wire::frame::encode_request(&request, PRODUCE_VERSION, 1, CLIENT).map_err(|error| error.to_string())
}

/// A batch of `count` records with values of `value_bytes`, which no codec could make much smaller.
pub fn batch(count: usize, value_bytes: usize) -> Result<Bytes, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let now = Timestamp(i64::try_from(now).unwrap_or(0));
    let mut builder = BatchBuilder::new();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..count {
        let value: Vec<u8> = (0..value_bytes)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 32) as u8
            })
            .collect();
        builder.append(now, None, Some(&value));
    }
    builder.build().map_err(|error| error.to_string())
}

/// Whether a produce was accepted for every partition.
pub fn accepted(reply: &[u8]) -> Result<(), String> {
    let (_, body) = ResponseHeader::decode(reply, ProduceRequest::API_KEY, PRODUCE_VERSION)
        .map_err(|error| error.to_string())?;
    let reply = ProduceResponseView::decode(reply.get(body..).unwrap_or_default(), PRODUCE_VERSION)
        .map_err(|error| error.to_string())?;
    let mut partitions = 0;
    for partition in reply.responses.iter().flat_map(|topic| topic.partition_responses) {
        partitions += 1;
        if partition.error_code != 0 {
            return Err(format!("a produce was refused: {}", name(partition.error_code)));
        }
    }
    if partitions == 0 { Err("a produce was answered for no partition".to_owned()) } else { Ok(()) }
}

/// Has a topic created by asking for it, and waits until all its partitions have a leader.
pub fn ready_topic(address: SocketAddr, name: &str) -> Result<Uuid, String> {
    let request = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic { name: Some(name.to_owned()), ..Default::default() }]),
        ..MetadataRequest::default()
    };
    let end = Instant::now() + TOPIC_DEADLINE;
    let mut last = String::new();
    while Instant::now() < end {
        match call(address, &request, METADATA_VERSION) {
            Ok(reply) => {
                let topic = reply.topics.first().ok_or("the broker says nothing of the topic")?;
                let led = |code: i16, leader: i32| code == 0 && leader >= 0;
                if topic.error_code == 0
                    && !topic.partitions.is_empty()
                    && topic.partitions.iter().all(|one| led(one.error_code, one.leader_id))
                {
                    return Ok(topic.topic_id);
                }
                last = self::name(topic.error_code);
            }
            Err(error) => last = error,
        }
        std::thread::sleep(RETRY_PAUSE);
    }
    Err(format!("the topic {name} is not ready after {TOPIC_DEADLINE:?}: {last}"))
}

/// Produces once, and again until it is accepted.
pub fn first_produce(address: SocketAddr, frame: &Bytes) -> Result<(), String> {
    let end = Instant::now() + TOPIC_DEADLINE;
    loop {
        let outcome = exchange(address, frame).and_then(|reply| accepted(&reply));
        if outcome.is_ok() || Instant::now() > end {
            return outcome;
        }
        std::thread::sleep(RETRY_PAUSE);
    }
}

pub fn delete_topic(address: SocketAddr, name: &str) -> Result<(), String> {
    let request = DeleteTopicsRequest {
        topics: vec![DeleteTopicState { name: Some(name.to_owned()), ..Default::default() }],
        timeout_ms: 30_000,
        ..DeleteTopicsRequest::default()
    };
    let reply = call(address, &request, DELETE_TOPICS_VERSION)?;
    match reply.responses.iter().find(|one| one.error_code != 0) {
        Some(refused) => Err(format!("the topic {name} is not deleted: {}", self::name(refused.error_code))),
        None => Ok(()),
    }
}

fn name(code: i16) -> String {
    format!("{:?}", ErrorCode::from_code(code))
}

fn call<R: Request>(address: SocketAddr, request: &R, version: i16) -> Result<R::Response, String> {
    let frame =
        wire::frame::encode_request(request, version, 1, CLIENT).map_err(|error| error.to_string())?;
    let reply = exchange(address, &frame)?;
    let (_, body) = ResponseHeader::decode(&reply, R::API_KEY, version).map_err(|error| error.to_string())?;
    R::Response::decode(reply.get(body..).unwrap_or_default(), version).map_err(|error| error.to_string())
}

/// Sends a frame on a connection of its own and returns the reply without its length.
fn exchange(address: SocketAddr, frame: &[u8]) -> Result<Vec<u8>, String> {
    let talk = || {
        let mut stream = TcpStream::connect_timeout(&address, REPLY_DEADLINE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_DEADLINE))?;
        stream.set_write_timeout(Some(REPLY_DEADLINE))?;
        stream.write_all(frame)?;
        let mut prefix = [0; 4];
        stream.read_exact(&mut prefix)?;
        let len = usize::try_from(i32::from_be_bytes(prefix)).unwrap_or(0).min(64 << 20);
        let mut reply = vec![0; len];
        stream.read_exact(&mut reply)?;
        Ok(reply)
    };
    talk().map_err(|error: std::io::Error| format!("{address}: {error}"))
}
