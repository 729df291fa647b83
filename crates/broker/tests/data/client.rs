//! Producing and fetching in a few words.

use bytes::Bytes;
use host::RealClock;
use kernel::port::Clock;
use kernel::{ErrorCode, ProducerEpoch, ProducerId, Timestamp, Uuid};
use wire::Records;
use wire::batch::{BatchBuilder, BatchView};
use wire::compress::Limits;
use wire::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use wire::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use wire::messages::delete_records_response::DeleteRecordsPartitionResult;
use wire::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use wire::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use wire::messages::fetch_response::{FetchResponse, PartitionData};
use wire::messages::init_producer_id_request::InitProducerIdRequest;
use wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use wire::messages::list_offsets_response::ListOffsetsPartitionResponse;
use wire::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use wire::messages::produce_response::PartitionProduceResponse;

use crate::support::Client;

/// The versions that name topics by name.
pub const PRODUCE: i16 = 12;
pub const FETCH: i16 = 12;

pub const LATEST: i64 = -1;
pub const EARLIEST: i64 = -2;

/// A batch with a record for each value, at times 1000, 1001 and so on.
pub fn batch(values: &[&str]) -> Bytes {
    with_values(BatchBuilder::new(), values)
}

/// A batch of an idempotent producer. Its records are of now, as a producer whose records are old is forgotten.
pub fn from_producer(id: i64, epoch: i16, sequence: i32, values: &[&str]) -> Bytes {
    let now = RealClock::new().now().wall;
    let mut builder = BatchBuilder::new().producer(ProducerId(id), ProducerEpoch(epoch), sequence);
    for value in values {
        builder.append(now, Some(b"k"), Some(value.as_bytes()));
    }
    builder.build().expect("it is small")
}

pub fn with_values(mut builder: BatchBuilder, values: &[&str]) -> Bytes {
    for (time, value) in (1000..).zip(values) {
        builder.append(Timestamp(time), Some(b"k"), Some(value.as_bytes()));
    }
    builder.build().expect("it is small")
}

pub fn create_request(topic: &str, configs: &[(&str, &str)]) -> CreateTopicsRequest {
    let configs = configs.iter().map(|(name, value)| CreatableTopicConfig {
        name: (*name).to_owned(),
        value: Some((*value).to_owned()),
    });
    let topic = CreatableTopic {
        name: topic.to_owned(),
        num_partitions: 1,
        replication_factor: 1,
        configs: configs.collect(),
        ..CreatableTopic::default()
    };
    CreateTopicsRequest { topics: vec![topic], timeout_ms: 5000, validate_only: false }
}

pub fn produce_request(topic: &str, acks: i16, records: impl Into<Bytes>) -> ProduceRequest {
    let partition_data = vec![PartitionProduceData { index: 0, records: Records::Bytes(records.into()) }];
    let topic_data = vec![TopicProduceData { name: topic.to_owned(), topic_id: Uuid::ZERO, partition_data }];
    ProduceRequest { transactional_id: None, acks, timeout_ms: 5000, topic_data }
}

pub fn fetch_request(topic: &str, offset: i64) -> FetchRequest {
    let partitions = vec![FetchPartition {
        fetch_offset: offset,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    }];
    FetchRequest {
        max_bytes: 1 << 20,
        min_bytes: 1,
        session_epoch: -1,
        topics: vec![FetchTopic { topic: topic.to_owned(), partitions, ..FetchTopic::default() }],
        ..FetchRequest::default()
    }
}

pub fn delete_records_request(topic: &str, offset: i64) -> DeleteRecordsRequest {
    let partitions = vec![DeleteRecordsPartition { partition_index: 0, offset }];
    let topics = vec![DeleteRecordsTopic { name: topic.to_owned(), partitions }];
    DeleteRecordsRequest { topics, timeout_ms: 5000 }
}

pub fn list_offsets_request(topic: &str, timestamp: i64) -> ListOffsetsRequest {
    let partitions = vec![ListOffsetsPartition { timestamp, ..ListOffsetsPartition::default() }];
    let topics = vec![ListOffsetsTopic { name: topic.to_owned(), partitions }];
    ListOffsetsRequest { replica_id: -1, topics, ..ListOffsetsRequest::default() }
}

/// The only partition of an answer.
pub fn only(mut response: FetchResponse) -> PartitionData {
    assert_eq!(code(response.error_code), ErrorCode::None);
    assert_eq!(response.responses.len(), 1, "{response:?}");
    let mut topic = response.responses.remove(0);
    assert_eq!(topic.partitions.len(), 1, "{topic:?}");
    topic.partitions.remove(0)
}

pub fn code(number: i16) -> ErrorCode {
    ErrorCode::from_code(number).expect("a code that Kafka knows")
}

/// Offsets and values of all records.
pub fn records(data: &PartitionData) -> Vec<(i64, String)> {
    let Records::Bytes(bytes) = &data.records else { panic!("records are never null: {data:?}") };
    let mut found = Vec::new();
    for batch in BatchView::iter(bytes) {
        let batch = batch.expect("a batch");
        batch.verify_crc().expect("it is whole");
        let records = batch.records(Limits::for_batches_of(1 << 20)).expect("it can be decompressed");
        for record in records.iter() {
            let record = record.expect("a record");
            let value = String::from_utf8_lossy(record.value.expect("a value")).into_owned();
            found.push((record.offset.get(), value));
        }
    }
    found
}

/// The values alone.
pub fn values(data: &PartitionData) -> Vec<String> {
    records(data).into_iter().map(|(_, value)| value).collect()
}

impl Client {
    pub fn create(&mut self, topic: &str, configs: &[(&str, &str)]) -> Uuid {
        let created = self.call(7, &create_request(topic, configs)).topics.remove(0);
        assert_eq!(created.error_code, 0, "{created:?}");
        created.topic_id
    }

    pub fn delete(&mut self, topic: &str) {
        let topics = vec![DeleteTopicState { name: Some(topic.to_owned()), topic_id: Uuid::ZERO }];
        let request = DeleteTopicsRequest { topics, timeout_ms: 5000, ..DeleteTopicsRequest::default() };
        assert_eq!(self.call(6, &request).responses[0].error_code, 0);
    }

    /// Appends to partition 0 and waits for the acknowledgement.
    pub fn produce(&mut self, topic: &str, records: impl Into<Bytes>) -> PartitionProduceResponse {
        self.produce_at(PRODUCE, topic, records)
    }

    pub fn produce_at(
        &mut self,
        version: i16,
        topic: &str,
        records: impl Into<Bytes>,
    ) -> PartitionProduceResponse {
        let mut answered = self.call(version, &produce_request(topic, -1, records));
        answered.responses.remove(0).partition_responses.remove(0)
    }

    /// The same, which must succeed. Returns the first offset.
    pub fn append(&mut self, topic: &str, records: impl Into<Bytes>) -> i64 {
        let answer = self.produce(topic, records);
        assert_eq!(code(answer.error_code), ErrorCode::None, "{answer:?}");
        answer.base_offset
    }

    /// What is there now from an offset on.
    pub fn fetch(&mut self, topic: &str, offset: i64) -> PartitionData {
        only(self.call(FETCH, &fetch_request(topic, offset)))
    }

    /// All values from the start of the log.
    pub fn all(&mut self, topic: &str) -> Vec<String> {
        let (mut all, mut next) = (Vec::new(), self.offset(topic, EARLIEST).offset);
        loop {
            let data = self.fetch(topic, next);
            assert_eq!(code(data.error_code), ErrorCode::None);
            let found = records(&data);
            let Some((last, _)) = found.last() else { return all };
            next = last + 1;
            all.extend(found.into_iter().map(|(_, value)| value));
        }
    }

    pub fn offset(&mut self, topic: &str, timestamp: i64) -> ListOffsetsPartitionResponse {
        self.offset_at(11, topic, timestamp)
    }

    pub fn offset_at(&mut self, version: i16, topic: &str, timestamp: i64) -> ListOffsetsPartitionResponse {
        self.call(version, &list_offsets_request(topic, timestamp)).topics.remove(0).partitions.remove(0)
    }

    pub fn delete_records(&mut self, topic: &str, offset: i64) -> DeleteRecordsPartitionResult {
        let mut done = self.call(2, &delete_records_request(topic, offset));
        done.topics.remove(0).partitions.remove(0)
    }

    pub fn producer_id(&mut self) -> i64 {
        let request = InitProducerIdRequest { transactional_id: None, ..InitProducerIdRequest::default() };
        let answer = self.call(5, &request);
        assert_eq!((answer.error_code, answer.producer_epoch), (0, 0));
        answer.producer_id
    }
}
