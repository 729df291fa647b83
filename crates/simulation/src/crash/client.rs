//! A client that asks one thing after the other, so that it is known exactly what was sent and what was acknowledged.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use host::net::{Connect, ReadHalf, WriteHalf};
use kernel::{ErrorCode, Uuid};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};
use wire::header::ResponseHeader;
use wire::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use wire::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use wire::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use wire::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use wire::messages::fetch_response::PartitionData;
use wire::messages::find_coordinator_request::FindCoordinatorRequest;
use wire::messages::init_producer_id_request::InitProducerIdRequest;
use wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use wire::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use wire::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use wire::messages::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use wire::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use wire::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use wire::messages::produce_response::PartitionProduceResponse;
use wire::{Message, Records, Request};

/// An answer that takes longer, in simulated time, does not come.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// How often a coordinator is asked for that loads.
const TRIES: usize = 200;

/// The group whose offsets are committed.
const GROUP: &str = "kitchen";

/// What was wrong with an answer, or that there was none.
pub type Answer<T> = Result<T, String>;

pub struct Client {
    read: ReadHalf,
    write: WriteHalf,
    next: i32,
}

/// A request whose answer was not read yet.
#[must_use]
pub struct Sent {
    correlation_id: i32,
}

impl Client {
    pub async fn connect(net: &dyn Connect, host: &str, port: u16) -> Answer<Self> {
        let (read, write) = net.connect(host, port).await.map_err(|error| error.to_string())?;
        Ok(Self { read, write, next: 1 })
    }

    pub async fn send<R: Request>(&mut self, version: i16, request: &R) -> Answer<Sent> {
        let correlation_id = self.next;
        self.next += 1;
        let frame = wire::frame::encode_request(request, version, correlation_id, Some("crash"))
            .map_err(|error| error.to_string())?;
        self.write.write_all(&frame).await.map_err(|error| error.to_string())?;
        Ok(Sent { correlation_id })
    }

    pub async fn receive<R: Request>(&mut self, version: i16, sent: Sent) -> Answer<R::Response> {
        let frame = async {
            let len = self.read.read_i32().await?;
            let mut frame = vec![0; usize::try_from(len).unwrap_or(0)];
            self.read.read_exact(&mut frame).await?;
            Ok::<_, std::io::Error>(frame)
        };
        let frame = timeout(ANSWER_MAX, frame).await.map_err(|_| format!("{} is not answered", R::NAME))?;
        let frame = frame.map_err(|error| format!("{}: {error}", R::NAME))?;
        let (header, body) =
            ResponseHeader::decode(&frame, R::API_KEY, version).map_err(|error| error.to_string())?;
        if header.correlation_id != sent.correlation_id {
            return Err(format!("{}: an answer to something else", R::NAME));
        }
        R::Response::decode(frame.get(body..).unwrap_or_default(), version).map_err(|error| error.to_string())
    }

    async fn call<R: Request>(&mut self, version: i16, request: &R) -> Answer<R::Response> {
        let sent = self.send(version, request).await?;
        self.receive::<R>(version, sent).await
    }

    pub async fn create(&mut self, topic: &str, configs: &[(&str, String)]) -> Answer<()> {
        let configs = configs.iter().map(|(name, value)| CreatableTopicConfig {
            name: (*name).to_owned(),
            value: Some(value.clone()),
        });
        let topic = CreatableTopic {
            name: topic.to_owned(),
            num_partitions: 1,
            replication_factor: 1,
            configs: configs.collect(),
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 5000, validate_only: false };
        let answer = self.call(7, &request).await?;
        checked(only(answer.topics)?.error_code)
    }

    pub async fn delete(&mut self, topic: &str) -> Answer<()> {
        let topics = vec![DeleteTopicState { name: Some(topic.to_owned()), topic_id: Uuid::ZERO }];
        let request = DeleteTopicsRequest { topics, timeout_ms: 5000, ..DeleteTopicsRequest::default() };
        checked(only(self.call(6, &request).await?.responses)?.error_code)
    }

    pub async fn producer_id(&mut self) -> Answer<i64> {
        let request = InitProducerIdRequest { transactional_id: None, ..InitProducerIdRequest::default() };
        let answer = self.call(4, &request).await?;
        checked(answer.error_code).map(|()| answer.producer_id)
    }

    pub async fn send_batch(&mut self, topic: &str, batch: &Bytes) -> Answer<Sent> {
        let partition_data = vec![PartitionProduceData { index: 0, records: Records::Bytes(batch.clone()) }];
        let topic_data =
            vec![TopicProduceData { name: topic.to_owned(), topic_id: Uuid::ZERO, partition_data }];
        self.send(12, &ProduceRequest { transactional_id: None, acks: -1, timeout_ms: 5000, topic_data })
            .await
    }

    /// The first offset of a batch that was acknowledged.
    pub async fn acknowledged(&mut self, sent: Sent) -> Answer<i64> {
        let answer = self.receive::<ProduceRequest>(12, sent).await?;
        let answer: PartitionProduceResponse = only(only(answer.responses)?.partition_responses)?;
        checked(answer.error_code).map(|()| answer.base_offset)
    }

    pub async fn delete_records(&mut self, topic: &str, offset: i64) -> Answer<()> {
        let partitions = vec![DeleteRecordsPartition { partition_index: 0, offset }];
        let topics = vec![DeleteRecordsTopic { name: topic.to_owned(), partitions }];
        let answer = self.call(2, &DeleteRecordsRequest { topics, timeout_ms: 5000 }).await?;
        checked(only(only(answer.topics)?.partitions)?.error_code)
    }

    /// The offset at a time; -1 is the end, -2 the start.
    pub async fn offset(&mut self, topic: &str, timestamp: i64) -> Answer<i64> {
        let partitions = vec![ListOffsetsPartition { timestamp, ..ListOffsetsPartition::default() }];
        let topics = vec![ListOffsetsTopic { name: topic.to_owned(), partitions }];
        let request = ListOffsetsRequest { replica_id: -1, topics, ..ListOffsetsRequest::default() };
        let answer = only(only(self.call(7, &request).await?.topics)?.partitions)?;
        checked(answer.error_code).map(|()| answer.offset)
    }

    /// Where a leader epoch ends.
    pub async fn epoch_end(&mut self, topic: &str, leader_epoch: i32) -> Answer<i64> {
        let partitions =
            vec![OffsetForLeaderPartition { partition: 0, current_leader_epoch: -1, leader_epoch }];
        let topics = vec![OffsetForLeaderTopic { topic: topic.to_owned(), partitions }];
        let answer = self.call(4, &OffsetForLeaderEpochRequest { replica_id: -1, topics }).await?;
        let answer = only(only(answer.topics)?.partitions)?;
        checked(answer.error_code).map(|()| answer.end_offset)
    }

    pub async fn fetch(&mut self, topic: &str, offset: i64) -> Answer<PartitionData> {
        let partitions = vec![FetchPartition {
            fetch_offset: offset,
            partition_max_bytes: 4 << 20,
            ..FetchPartition::default()
        }];
        let request = FetchRequest {
            max_bytes: 4 << 20,
            min_bytes: 0,
            session_epoch: -1,
            topics: vec![FetchTopic { topic: topic.to_owned(), partitions, ..FetchTopic::default() }],
            ..FetchRequest::default()
        };
        let answer = self.call(12, &request).await?;
        checked(answer.error_code)?;
        only(only(answer.responses)?.partitions)
    }

    /// The leader epoch of a topic's partition; nothing if there is no such topic.
    pub async fn leader_epoch(&mut self, topic: &str) -> Answer<Option<i32>> {
        let request = MetadataRequest {
            topics: Some(vec![MetadataRequestTopic {
                name: Some(topic.to_owned()),
                ..MetadataRequestTopic::default()
            }]),
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        let topic = only(self.call(12, &request).await?.topics)?;
        if topic.error_code == ErrorCode::UnknownTopicOrPartition.code() {
            return Ok(None);
        }
        checked(topic.error_code)?;
        let partition = only(topic.partitions)?;
        checked(partition.error_code).map(|()| Some(partition.leader_epoch))
    }

    /// Waits until the node coordinates the group.
    pub async fn coordinator(&mut self) -> Answer<()> {
        let request = FindCoordinatorRequest {
            coordinator_keys: vec![GROUP.to_owned()],
            ..FindCoordinatorRequest::default()
        };
        let mut last = Ok(());
        for _ in 0..TRIES {
            last = checked(only(self.call(4, &request).await?.coordinators)?.error_code);
            if last.is_ok() {
                return last;
            }
            sleep(Duration::from_millis(10)).await;
        }
        last
    }

    pub async fn commit(&mut self, topic: &str, offset: i64) -> Answer<()> {
        let partitions = vec![OffsetCommitRequestPartition {
            committed_offset: offset,
            committed_leader_epoch: -1,
            committed_metadata: Some(String::new()),
            ..OffsetCommitRequestPartition::default()
        }];
        let request = OffsetCommitRequest {
            group_id: GROUP.to_owned(),
            generation_id_or_member_epoch: -1,
            topics: vec![OffsetCommitRequestTopic {
                name: topic.to_owned(),
                partitions,
                ..OffsetCommitRequestTopic::default()
            }],
            ..OffsetCommitRequest::default()
        };
        checked(only(only(self.call(8, &request).await?.topics)?.partitions)?.error_code)
    }

    /// What the group has committed; -1 if that is nothing.
    pub async fn committed(&mut self, topic: &str) -> Answer<i64> {
        let group = OffsetFetchRequestGroup {
            group_id: GROUP.to_owned(),
            topics: Some(vec![OffsetFetchRequestTopics {
                name: topic.to_owned(),
                partition_indexes: vec![0],
                ..OffsetFetchRequestTopics::default()
            }]),
            ..OffsetFetchRequestGroup::default()
        };
        let request = OffsetFetchRequest { groups: vec![group], ..OffsetFetchRequest::default() };
        let mut last = Ok(-1);
        for _ in 0..TRIES {
            let group = only(self.call(8, &request).await?.groups)?;
            last = match checked(group.error_code) {
                Ok(()) => {
                    let answer = only(only(group.topics)?.partitions)?;
                    return checked(answer.error_code).map(|()| answer.committed_offset);
                }
                Err(error) => Err(error),
            };
            sleep(Duration::from_millis(10)).await;
        }
        last
    }
}

fn checked(code: i16) -> Answer<()> {
    match ErrorCode::from_code(code) {
        Some(ErrorCode::None) => Ok(()),
        Some(code) => Err(code.to_string()),
        None => Err(format!("error code {code}")),
    }
}

fn only<T>(mut all: Vec<T>) -> Answer<T> {
    match all.len() {
        1 => all.pop().ok_or_else(|| "nothing".to_owned()),
        count => Err(format!("{count} answers, one was expected")),
    }
}

/// A network that many share.
pub type Net = Arc<dyn Connect>;
