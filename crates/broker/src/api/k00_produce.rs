//! Produce (key 0), versions 3 to 13.
//!
//! 5 log start offset · 7 zstd · 8 errors of single records · 9 flexible · 10 leader hints (KIP-951) · 12 partitions are
//! added to a transaction implicitly (KIP-890) · 13 topic ids (KIP-516)

use std::sync::Arc;

use kernel::{ErrorCode, Offset, ProducerId};
use storage::{AppendError, Origin};
use wire::batch::validate::{ProduceReject, ProduceRules, validate_produce};
use wire::messages::produce_request::{ProduceRequestView, TopicProduceDataView};
use wire::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};

use crate::hosted::HostedTopic;
use crate::node::Node;
use crate::partition::Partition;
use crate::request::{Handled, Reply, Request};

/// The first version that knows zstd.
const ZSTD_FROM: i16 = 7;

/// Where the acknowledgement of one partition has to wait.
struct Unsettled {
    topic: usize,
    partition: usize,
    log: Arc<Partition>,
    end: Offset,
}

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let produce = ProduceRequestView::decode(request.body(), request.version)?;
    let mut unsettled = Vec::new();
    let mut response = ProduceResponse::default();
    for data in produce.topic_data {
        let topic = response.responses.len();
        let answered = append_topic(&node, &request, produce.acks, &data, &mut |partition, log, end| {
            unsettled.push(Unsettled { topic, partition, log, end });
        });
        response.responses.push(answered);
    }
    for waiting in unsettled {
        let Err(code) = waiting.log.durable(waiting.end).await else { continue };
        let partition = response.responses.get_mut(waiting.topic);
        if let Some(answer) = partition.and_then(|topic| topic.partition_responses.get_mut(waiting.partition))
        {
            *answer = refused(answer.index, code);
        }
    }
    if produce.acks == 0 {
        return if response.responses.iter().flat_map(|t| &t.partition_responses).all(|p| p.error_code == 0) {
            Ok(Reply::Silent)
        } else {
            // Without a reply, an end of the connection is the only way to tell the client that its view is stale.
            Err(crate::request::Refusal::Unacceptable("a produce request with acks=0 failed".into()))
        };
    }
    request.reply(&response)
}

fn append_topic(
    node: &Arc<Node>,
    request: &Request,
    acks: i16,
    data: &TopicProduceDataView<'_>,
    wait: &mut dyn FnMut(usize, Arc<Partition>, Offset),
) -> TopicProduceResponse {
    let by_id = request.version >= 13;
    let topic = if by_id { node.hosted.by_id(data.topic_id) } else { node.hosted.by_name(data.name) };
    let unknown = if by_id { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition };
    let mut answer = TopicProduceResponse {
        name: data.name.to_owned(),
        topic_id: data.topic_id,
        partition_responses: Vec::with_capacity(data.partition_data.len().min(1024)),
    };
    for part in data.partition_data {
        let appended = match &topic {
            None => Err(Failure::from(unknown)),
            Some(topic) => append(node, request, acks, topic, part.index, part.records),
        };
        let answered = match appended {
            Ok((partition, answered, end)) => {
                if let Some(end) = end {
                    wait(answer.partition_responses.len(), partition, end);
                }
                answered
            }
            Err(failure) => failure.answer(part.index),
        };
        answer.partition_responses.push(answered);
    }
    answer
}

type Settled = (Arc<Partition>, PartitionProduceResponse, Option<Offset>);

fn append(
    node: &Arc<Node>,
    request: &Request,
    acks: i16,
    topic: &HostedTopic,
    index: i32,
    records: Option<&[u8]>,
) -> Result<Settled, Failure> {
    if !(-1..=1).contains(&acks) {
        return Err(ErrorCode::InvalidRequiredAcks.into());
    }
    if node.is_internal(&topic.name) && request.client_id() != ADMIN_CLIENT {
        return Err(ErrorCode::InvalidTopicException.into());
    }
    let partition = topic.partition(index).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let now = node.now();
    let rules = partition.rules();
    let rules = ProduceRules { zstd_allowed: request.version >= ZSTD_FROM, ..*rules };
    let records = request.bytes_of(records.unwrap_or_default());
    let batch = validate_produce(&records, &rules, now.wall)?;
    let header = *batch.header();
    if header.is_transactional() {
        // No transaction can be open: InitProducerId refuses transactional ids.
        return Err(ErrorCode::InvalidTxnState.into());
    }
    let appended = partition.append(now, batch, Origin::Client)?;
    let info = appended.info;
    let answer = PartitionProduceResponse {
        index,
        base_offset: info.base_offset.get(),
        log_append_time_ms: info.log_append_time.millis(),
        log_start_offset: info.log_start.get(),
        ..PartitionProduceResponse::default()
    };
    debug_assert!(header.producer_id() == ProducerId::NONE || header.base_sequence() >= 0, "validated");
    Ok((partition, answer, appended.wait_for))
}

/// The client id with which Kafka's own tools may write to internal topics.
const ADMIN_CLIENT: &str = "__admin_client";

/// Why a partition's records were not appended.
struct Failure {
    code: ErrorCode,
    record_errors: Vec<BatchIndexAndErrorMessage>,
    message: Option<String>,
}

impl Failure {
    fn answer(self, index: i32) -> PartitionProduceResponse {
        PartitionProduceResponse {
            record_errors: self.record_errors,
            error_message: self.message,
            ..refused(index, self.code)
        }
    }
}

fn refused(index: i32, code: ErrorCode) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index,
        error_code: code.code(),
        base_offset: -1,
        log_append_time_ms: -1,
        log_start_offset: -1,
        ..PartitionProduceResponse::default()
    }
}

impl From<ErrorCode> for Failure {
    fn from(code: ErrorCode) -> Self {
        Self { code, record_errors: Vec::new(), message: None }
    }
}

impl From<ProduceReject> for Failure {
    fn from(reject: ProduceReject) -> Self {
        let record_errors = reject.record_errors.iter().map(|error| BatchIndexAndErrorMessage {
            batch_index: error.batch_index,
            batch_index_error_message: Some(error.message()),
        });
        Self { code: reject.code, record_errors: record_errors.collect(), message: Some(reject.message) }
    }
}

impl From<AppendError> for Failure {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Rejected { code, message } => {
                Self { code, record_errors: Vec::new(), message: Some(message) }
            }
            AppendError::Storage(error) => {
                tracing::error!(%error, "an append failed");
                error.code().into()
            }
        }
    }
}
