//! Produce (key 0), versions 3 to 13.
//!
//! 5 log start offset · 7 zstd · 8 errors of single records · 9 flexible · 10 leader hints (KIP-951) · 12 partitions are
//! added to a transaction implicitly (KIP-890) · 13 topic ids (KIP-516)

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use kernel::{ErrorCode, Timestamp};
use storage::{AppendError, Origin, StorageError};
use tokio::runtime::{Handle, RuntimeFlavor};
use wire::ArrayView;
use wire::batch::validate::{ProduceReject, ProduceRules, Validated, validate_produce};
use wire::batch::{BatchView, HEADER_LEN};
use wire::messages::produce_request::{ProduceRequestView, TopicProduceDataView};
use wire::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, ProduceResponse,
    TopicProduceResponse,
};

use crate::hosted::Named;
use crate::journal::InJournal;
use crate::node::Node;
use crate::partition::{Appended, Partition, WaitFor};
use crate::request::{Handled, Refusal, Reply, Request};
use crate::slot;

/// The first version that knows zstd.
const ZSTD_FROM: i16 = 7;
const LEADER_HINTS_FROM: i16 = 10;
const TOPIC_IDS_FROM: i16 = 13;

/// From so many partitions on it is worth to wake their logs together.
const MANY: usize = 16;

/// A compressed batch of this size is worth the change of a thread.
const LARGE: usize = 128 << 10;

pub async fn handle(node: Arc<Node>, mut request: Request) -> Handled {
    let produce = ProduceRequestView::decode(request.body(), request.version)?;
    let acks = produce.acks;
    // Before anything is appended: that has to be settled, and the client may hang up any time.
    if request.body().len() >= MANY * HEADER_LEN {
        slot::wake_all(&if_many(&node, &request, produce.topic_data)).await;
    }
    let mut unsettled = Unsettled::default();
    let mut response = ProduceResponse::default();
    response.responses.reserve_exact(produce.topic_data.len().min(1024));
    for data in produce.topic_data {
        let topic = response.responses.len();
        let answered = append_topic(&node, &request, acks, &data, &mut |partition, log, wait| {
            unsettled.add(topic, partition, &log, wait);
        });
        response.responses.push(answered);
    }
    request.forget_body();
    if acks == 0 {
        unsettled.begin();
        return unanswered(&response);
    }
    unsettled.settle(&node, &request, &mut response).await;
    if request.version >= LEADER_HINTS_FROM {
        hint(&node, &request, &mut response);
    }
    request.reply(&response)
}

/// The partitions of a request, if it has many.
fn if_many(
    node: &Node,
    request: &Request,
    topics: ArrayView<'_, TopicProduceDataView<'_>>,
) -> Vec<Arc<Partition>> {
    let many = topics.iter().map(|topic| topic.partition_data.len()).sum::<usize>() >= MANY;
    let named = topics.iter().filter(|_| many).flat_map(|topic| {
        let name = name_of(request, &topic);
        topic.partition_data.iter().filter_map(move |part| node.find(name, part.index).ok())
    });
    named.collect()
}

fn name_of<'a>(request: &Request, topic: &TopicProduceDataView<'a>) -> Named<'a> {
    if request.version >= TOPIC_IDS_FROM { Named::Id(topic.topic_id) } else { Named::Name(topic.name) }
}

/// What the acknowledgements of a request wait for.
#[derive(Default)]
struct Unsettled {
    /// The last block of a journal that has something of this request. A second journal is another log directory's.
    block: Option<InJournal>,
    other_blocks: Vec<InJournal>,
    synced: Vec<Synced>,
}

/// A sync that one partition's acknowledgement waits for.
struct Synced {
    topic: usize,
    partition: usize,
    settled: Pin<Box<dyn Future<Output = Result<(), ErrorCode>> + Send>>,
}

impl Unsettled {
    fn add(&mut self, topic: usize, partition: usize, log: &Arc<Partition>, wait: WaitFor) {
        let Some(block) = wait.block else {
            // Begun for all of them before the first is waited for: the client may hang up any time.
            let settled = Box::pin(log.durable(wait.end));
            return self.synced.push(Synced { topic, partition, settled });
        };
        let mut known = self.block.iter_mut().chain(&mut self.other_blocks);
        if known.any(|known| known.extend(&block)) {
            return;
        }
        match self.block {
            None => self.block = Some(block),
            Some(_) => self.other_blocks.push(block),
        }
    }

    /// Sees to it that what nobody waits for becomes durable as well.
    fn begin(&self) {
        for block in self.block.iter().chain(&self.other_blocks) {
            block.begin();
        }
    }

    /// Waits for all of it, and puts the outcome into the answers.
    async fn settle(mut self, node: &Node, request: &Request, response: &mut ProduceResponse) {
        // All are begun before the first is waited for, as above.
        let mut failed = None;
        poll_fn(|context| {
            let mut goes_on = |block: &mut InJournal| match block.poll(context) {
                Poll::Pending => true,
                Poll::Ready(outcome) => {
                    failed = failed.or(outcome.err());
                    false
                }
            };
            self.block.take_if(|block| !goes_on(block));
            self.other_blocks.retain_mut(|block| goes_on(block));
            if self.block.is_none() && self.other_blocks.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        if let Some(code) = failed {
            refuse_what_is_not_durable(node, request, response, code);
        }
        for waiting in self.synced {
            let Err(code) = waiting.settled.await else { continue };
            let topic = response.responses.get_mut(waiting.topic);
            if let Some(answer) = topic.and_then(|topic| topic.partition_responses.get_mut(waiting.partition))
            {
                *answer = refused(answer.index, code);
            }
        }
    }
}

/// Takes back what was answered for partitions whose journal failed.
fn refuse_what_is_not_durable(
    node: &Node,
    request: &Request,
    response: &mut ProduceResponse,
    code: ErrorCode,
) {
    let by_id = request.version >= TOPIC_IDS_FROM;
    for topic in &mut response.responses {
        let named = if by_id { Named::Id(topic.topic_id) } else { Named::Name(&topic.name) };
        for answer in topic.partition_responses.iter_mut().filter(|answer| answer.error_code == 0) {
            // What is not there any more cannot be said to be safe either.
            let unconcerned = node.find(named, answer.index).is_ok_and(|partition| {
                // Durable is always the end of a batch.
                partition.durable_to().get() > answer.base_offset || partition.log_config().write_caching
            });
            if !unconcerned {
                *answer = refused(answer.index, code);
            }
        }
    }
}

fn unanswered(response: &ProduceResponse) -> Handled {
    let mut answers = response.responses.iter().flat_map(|topic| &topic.partition_responses);
    match answers.find(|answer| answer.error_code != 0) {
        None => Ok(Reply::Silent),
        // Without a reply, an end of the connection is the only way to tell the client that its view is stale.
        Some(failed) => {
            let code = ErrorCode::from_code(failed.error_code).unwrap_or(ErrorCode::UnknownServerError);
            Err(Refusal::Unacceptable(format!("it wants no answer (acks=0) and failed with {code}")))
        }
    }
}

fn append_topic(
    node: &Arc<Node>,
    request: &Request,
    acks: i16,
    data: &TopicProduceDataView<'_>,
    wait: &mut dyn FnMut(usize, Arc<Partition>, WaitFor),
) -> TopicProduceResponse {
    let topic = name_of(request, data);
    let mut answer = TopicProduceResponse {
        name: data.name.to_owned(),
        topic_id: data.topic_id,
        partition_responses: Vec::with_capacity(data.partition_data.len().min(1024)),
    };
    for part in data.partition_data {
        let found = node.find(topic, part.index);
        let appended = found.map_err(Failure::from).and_then(|partition| {
            let appended = append(node, request, acks, &partition, part.records)?;
            Ok((partition, appended))
        });
        let answered = match appended {
            Ok((partition, Appended { info, wait_for })) => {
                if let Some(wait_for) = wait_for {
                    wait(answer.partition_responses.len(), partition, wait_for);
                }
                PartitionProduceResponse {
                    index: part.index,
                    base_offset: info.base_offset.get(),
                    log_append_time_ms: info.log_append_time.millis(),
                    log_start_offset: info.log_start.get(),
                    ..PartitionProduceResponse::default()
                }
            }
            Err(failure) => failure.answer(part.index),
        };
        answer.partition_responses.push(answered);
    }
    answer
}

fn append(
    node: &Arc<Node>,
    request: &Request,
    acks: i16,
    partition: &Arc<Partition>,
    records: Option<&[u8]>,
) -> Result<Appended, Failure> {
    if !(-1..=1).contains(&acks) {
        return Err(ErrorCode::InvalidRequiredAcks.into());
    }
    if node.is_internal(&partition.topic) && request.client_id() != ADMIN_CLIENT {
        return Err(ErrorCode::InvalidTopicException.into());
    }
    let now = node.now();
    let rules = partition.rules();
    let rules = ProduceRules { zstd_allowed: request.version >= ZSTD_FROM, ..*rules };
    let records = request.bytes_of(records.unwrap_or_default());
    let failed = |failure: Failure| failure.with_log_start(partition);
    let batch = judge(node, &records, &rules, now.wall).map_err(|reject| match reject.of_form {
        true => reject.into(),
        false => failed(reject.into()),
    })?;
    if batch.header().is_transactional() {
        // No transaction can be open: InitProducerId refuses transactional ids.
        return Err(failed(ErrorCode::InvalidTxnState.into()));
    }
    partition.append(now, batch, Origin::Client).map_err(|error| failed(Failure::of_append(error, partition)))
}

/// Judges what was sent. Room is found for what is likely to come out of it, and only for the few batches that become larger
/// for all that may.
fn judge(
    node: &Node,
    records: &Bytes,
    rules: &ProduceRules,
    now: Timestamp,
) -> Result<Validated, ProduceReject> {
    if !BatchView::parse(records).is_ok_and(|(batch, _)| batch.is_compressed()) {
        return validate_produce(records, rules, now);
    }
    let likely = ProduceRules { limits: rules.limits.likely(records.len()), ..*rules };
    match judge_compressed(node, records, &likely, now, records.len() < LARGE) {
        Err(reject) if reject.code == ErrorCode::MessageTooLarge && likely.limits != rules.limits => {
            judge_compressed(node, records, rules, now, false)
        }
        judged => judged,
    }
}

/// A large compressed batch can become a thousand times as large, and others must not wait for that: they go on in another
/// thread meanwhile, unless it `is_quick`. So they do where what is decompressed elsewhere leaves no room.
fn judge_compressed(
    node: &Node,
    records: &Bytes,
    rules: &ProduceRules,
    now: Timestamp,
    is_quick: bool,
) -> Result<Validated, ProduceReject> {
    let (room, needed) = (&node.memory.decompression, rules.limits.bytes_max);
    let validate = || validate_produce(records, rules, now);
    let at_once = room.try_take(needed);
    if Handle::current().runtime_flavor() != RuntimeFlavor::MultiThread {
        // Nobody else is at it in the only thread there is.
        return validate();
    }
    match at_once {
        Some(_room) if is_quick => validate(),
        Some(_room) => tokio::task::block_in_place(validate),
        None => tokio::task::block_in_place(|| {
            let _room = room.take(needed);
            validate()
        }),
    }
}

/// Says who leads, to a client that was wrong about it.
fn hint(node: &Node, request: &Request, response: &mut ProduceResponse) {
    let by_id = request.version >= TOPIC_IDS_FROM;
    for topic in &mut response.responses {
        let named = if by_id { Named::Id(topic.topic_id) } else { Named::Name(&topic.name) };
        let not_leader = ErrorCode::NotLeaderOrFollower.code();
        for answer in topic.partition_responses.iter_mut().filter(|answer| answer.error_code == not_leader) {
            let hint = node.leader_hint(&request.peer, named, answer.index);
            answer.current_leader =
                LeaderIdAndEpoch { leader_id: hint.leader_id, leader_epoch: hint.leader_epoch };
            let told = response.node_endpoints.iter().any(|endpoint| endpoint.node_id == hint.leader_id);
            if let Some(endpoint) = hint.endpoint.filter(|_| !told) {
                response.node_endpoints.push(NodeEndpoint {
                    node_id: hint.leader_id,
                    host: endpoint.host,
                    port: endpoint.port,
                    rack: endpoint.rack,
                });
            }
        }
    }
}

/// The client id with which Kafka's own tools may write to internal topics.
const ADMIN_CLIENT: &str = "__admin_client";

/// Why a partition's records were not appended.
struct Failure {
    code: ErrorCode,
    record_errors: Vec<BatchIndexAndErrorMessage>,
    /// Given only where single records are at fault, as Kafka does.
    message: Option<String>,
    /// -1 unless the records themselves are at fault.
    log_start: i64,
}

impl Failure {
    fn answer(self, index: i32) -> PartitionProduceResponse {
        PartitionProduceResponse {
            record_errors: self.record_errors,
            error_message: self.message,
            log_start_offset: self.log_start,
            ..refused(index, self.code)
        }
    }

    /// A producer that is out of step may learn from the log's start that what it knows of was deleted.
    fn with_log_start(self, partition: &Partition) -> Self {
        let plain = matches!(
            self.code,
            ErrorCode::UnknownTopicOrPartition
                | ErrorCode::UnknownTopicId
                | ErrorCode::NotLeaderOrFollower
                | ErrorCode::MessageTooLarge
                | ErrorCode::RecordListTooLarge
                | ErrorCode::CorruptMessage
                | ErrorCode::KafkaStorageError
        );
        let log_start = if plain { -1 } else { partition.glance().start.get() };
        Self { log_start, ..self }
    }

    fn of_append(error: AppendError, partition: &Partition) -> Self {
        match &error {
            AppendError::Rejected { code, message } => {
                tracing::debug!(partition = %partition.name(), %code, %message, "records are refused");
            }
            // It was said when it went offline.
            AppendError::Storage(StorageError::Offline { .. }) => {}
            AppendError::Storage(problem) => {
                tracing::error!(partition = %partition.name(), %problem, "an append failed");
            }
        }
        error.code().into()
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
        Self { code, record_errors: Vec::new(), message: None, log_start: -1 }
    }
}

impl From<ProduceReject> for Failure {
    fn from(reject: ProduceReject) -> Self {
        tracing::debug!(%reject, "records are refused");
        let record_errors = reject.record_errors.iter().map(|error| BatchIndexAndErrorMessage {
            batch_index: error.batch_index,
            batch_index_error_message: Some(error.message()),
        });
        let record_errors: Vec<_> = record_errors.collect();
        let message = (!record_errors.is_empty()).then_some(reject.message);
        Self { record_errors, message, ..reject.code.into() }
    }
}
