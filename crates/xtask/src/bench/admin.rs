//! What a benchmark asks of a broker besides its load: topics and producer ids. Each call has a connection of its own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kernel::{ErrorCode, Uuid};
use wire::header::ResponseHeader;
use wire::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use wire::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use wire::messages::init_producer_id_request::InitProducerIdRequest;
use wire::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use wire::{Message, Request};

use super::frames;

pub const CLIENT: Option<&str> = Some("bench");

const METADATA_VERSION: i16 = 13;
const CREATE_TOPICS_VERSION: i16 = 7;
const DELETE_TOPICS_VERSION: i16 = 6;
const INIT_PRODUCER_ID_VERSION: i16 = 5;

const REPLY_DEADLINE: Duration = Duration::from_secs(60);
const TOPIC_DEADLINE: Duration = Duration::from_secs(120);
const RETRY_PAUSE: Duration = Duration::from_millis(2);

/// Creates a topic and waits until all its partitions have a leader. `flushed` asks for a sync before each
/// acknowledgement.
pub fn create_topic(
    address: SocketAddr,
    name: &str,
    partitions: i32,
    config: Option<(&str, &str)>,
) -> Result<Uuid, String> {
    let config = config
        .map(|(name, value)| CreatableTopicConfig { name: name.to_owned(), value: Some(value.to_owned()) });
    let request = CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name: name.to_owned(),
            num_partitions: partitions,
            replication_factor: 1,
            configs: config.into_iter().collect(),
            ..CreatableTopic::default()
        }],
        timeout_ms: 60_000,
        ..CreateTopicsRequest::default()
    };
    let end = Instant::now() + TOPIC_DEADLINE;
    // A broker that was just started may not listen yet.
    let reply = loop {
        match call(address, &request, CREATE_TOPICS_VERSION) {
            Err(_) if Instant::now() < end => std::thread::sleep(RETRY_PAUSE),
            reply => break reply?,
        }
    };
    let refused = |code: i16| code != 0 && code != ErrorCode::TopicAlreadyExists.code();
    match reply.topics.iter().find(|one| refused(one.error_code)) {
        Some(refused) => Err(format!("the topic {name} is not created: {}", self::name(refused.error_code))),
        None => ready_topic(address, name),
    }
}

/// Waits until all partitions of a topic have a leader; has it created by asking for it if need be.
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
        let outcome = exchange(address, frame).and_then(|reply| frames::accepted(&reply));
        if outcome.is_ok() || Instant::now() > end {
            return outcome;
        }
        std::thread::sleep(RETRY_PAUSE);
    }
}

/// A producer id and its epoch, for an idempotent producer.
pub fn producer(address: SocketAddr) -> Result<(i64, i16), String> {
    let request = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: 60_000,
        producer_id: -1,
        producer_epoch: -1,
        ..InitProducerIdRequest::default()
    };
    let end = Instant::now() + TOPIC_DEADLINE;
    loop {
        let reply = call(address, &request, INIT_PRODUCER_ID_VERSION)?;
        match reply.error_code {
            0 => return Ok((reply.producer_id, reply.producer_epoch)),
            // Kafka fetches its first block of ids when somebody asks.
            code if Instant::now() > end => return Err(format!("no producer id: {}", name(code))),
            _ => std::thread::sleep(RETRY_PAUSE),
        }
    }
}

pub fn delete_topic(address: SocketAddr, name: &str) -> Result<(), String> {
    let request = DeleteTopicsRequest {
        topics: vec![DeleteTopicState { name: Some(name.to_owned()), ..Default::default() }],
        timeout_ms: 60_000,
        ..DeleteTopicsRequest::default()
    };
    let reply = call(address, &request, DELETE_TOPICS_VERSION)?;
    match reply.responses.iter().find(|one| one.error_code != 0) {
        Some(refused) => Err(format!("the topic {name} is not deleted: {}", self::name(refused.error_code))),
        None => Ok(()),
    }
}

pub fn name(code: i16) -> String {
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
pub fn exchange(address: SocketAddr, frame: &[u8]) -> Result<Vec<u8>, String> {
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
