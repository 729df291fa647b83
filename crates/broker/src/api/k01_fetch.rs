//! Fetch (key 1), versions 4 to 18.
//!
//! 5 log start offset · 7 sessions (KIP-227) · 9 leader epochs (KIP-320) · 11 rack (KIP-392) · 12 flexible, divergence
//! (KIP-595) · 13 topic ids (KIP-516) · 15 replica state · 16 leader hints (KIP-951) · 17 directory ids · 18 the
//! high watermark in the request (KIP-1166)

use std::sync::Arc;
use std::time::Duration;

use kernel::planted::{self, Bug};
use kernel::{ErrorCode, IsolationLevel, Offset};
use storage::{Log, ReadError, StorageError};
use tokio::time::{Instant, timeout_at};
use wire::messages::fetch_request::FetchRequestView;
use wire::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch,
    NodeEndpoint, PartitionData,
};
use wire::{Records, SpanRef};

use crate::cold;
use crate::conn::FileSpan;
use crate::fetch_session::{FetchContext, FetchKey, News, SessionRequest, TopicKey, Wanted};
use crate::node::Node;
use crate::parked::Waiter;
use crate::partition::Partition;
use crate::request::{Handled, Refusal, Request};

const SESSIONS_FROM: i16 = 7;
const TOPIC_IDS_FROM: i16 = 13;
const REPLICA_STATE_FROM: i16 = 15;
const LEADER_HINTS_FROM: i16 = 16;
/// The last version whose clients may not know KAFKA_STORAGE_ERROR.
const NO_STORAGE_ERROR_UPTO: i16 = 5;

/// The most partitions that one fetch may name. Each takes a few hundred bytes until it is answered.
const PARTITIONS_MAX: usize = 200_000;

/// What a fetch asks for as a whole.
struct Fetch {
    version: i16,
    max_wait: Duration,
    min_bytes: u64,
    max_bytes: usize,
    read_committed: bool,
    /// The node that replicates with this request, if it is not a consumer's.
    follower: bool,
}

/// What was found for one partition.
struct Found {
    key: FetchKey,
    data: PartitionData,
    span: Option<FileSpan>,
    /// The span is not in memory, and was not looked at.
    cold: bool,
}

impl Found {
    fn error(&self) -> ErrorCode {
        ErrorCode::from_code(self.data.error_code).unwrap_or(ErrorCode::UnknownServerError)
    }

    fn news(&self) -> News {
        News {
            error: self.error(),
            has_records: self.span.is_some(),
            high_watermark: self.data.high_watermark,
            log_start_offset: self.data.log_start_offset,
            diverging: self.data.diverging_epoch.epoch >= 0,
        }
    }
}

/// One attempt to answer.
#[derive(Default)]
struct Attempt {
    found: Vec<Found>,
    /// How much of what the answer may have is used up.
    spent: u64,
    /// Bytes that count for `min_bytes`: also those that did not fit.
    available: u64,
    /// Something must be told at once: an error or a divergence.
    urgent: bool,
}

impl Attempt {
    fn is_enough(&self, fetch: &Fetch) -> bool {
        self.urgent || self.available >= fetch.min_bytes || self.found.is_empty()
    }
}

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let (fetch, session) = {
        let asked = FetchRequestView::decode(request.body(), request.version)?;
        let partitions: usize = asked.topics.iter().map(|topic| topic.partitions.len()).sum();
        if partitions > PARTITIONS_MAX {
            return Err(Refusal::Unacceptable(format!("it names {partitions} partitions")));
        }
        let Some(level) = IsolationLevel::from_number(asked.isolation_level) else {
            return request.reply(&without_level(&asked, request.version));
        };
        (read_fetch(&node, &asked, level, request.version), read_session(&asked, request.version))
    };
    let context = match node.fetch_sessions.begin(node.now().mono, session) {
        Ok(context) => context,
        Err(code) => return request.reply(&FetchResponse { error_code: code.code(), ..Default::default() }),
    };
    let attempt = poll(&node, &fetch, &context).await;
    answer(&node, &request, &fetch, &context, attempt)
}

fn read_fetch(node: &Node, asked: &FetchRequestView<'_>, level: IsolationLevel, version: i16) -> Fetch {
    let at_most = node.config().fetch.max_bytes;
    let max_bytes = usize::try_from(asked.max_bytes).unwrap_or(0).min(at_most);
    let replica =
        if version >= REPLICA_STATE_FROM { asked.replica_state.replica_id } else { asked.replica_id };
    Fetch {
        version,
        max_wait: Duration::from_millis(u64::try_from(asked.max_wait_ms).unwrap_or(0)),
        // More than may be given cannot be waited for.
        min_bytes: u64::try_from(asked.min_bytes).unwrap_or(0).min(max_bytes as u64),
        max_bytes,
        read_committed: level == IsolationLevel::ReadCommitted,
        follower: replica >= 0,
    }
}

/// The answer where the isolation level does not exist, so that it is not taken for another. Up to the versions that name
/// topics by ids, every partition is told, as Kafka does.
fn without_level(asked: &FetchRequestView<'_>, version: i16) -> FetchResponse {
    let error_code = ErrorCode::InvalidRequest.code();
    let partition = |partition_index: i32| PartitionData {
        error_code,
        aborted_transactions: Some(Vec::new()),
        ..empty(partition_index)
    };
    let named = asked.topics.iter().filter(|_| version < TOPIC_IDS_FROM);
    let responses = named.map(|topic| FetchableTopicResponse {
        topic: topic.topic.to_owned(),
        partitions: topic.partitions.iter().map(|wanted| partition(wanted.partition)).collect(),
        ..FetchableTopicResponse::default()
    });
    let responses = responses.collect();
    FetchResponse { error_code, session_id: asked.session_id, responses, ..FetchResponse::default() }
}

/// What is said of a partition of which nothing is known.
fn empty(partition_index: i32) -> PartitionData {
    PartitionData {
        partition_index,
        high_watermark: -1,
        last_stable_offset: -1,
        log_start_offset: -1,
        aborted_transactions: None,
        // Some clients take null records for a broken reply.
        records: Records::Bytes(bytes::Bytes::new()),
        ..PartitionData::default()
    }
}

fn read_session(asked: &FetchRequestView<'_>, version: i16) -> SessionRequest {
    let by_id = version >= TOPIC_IDS_FROM;
    let topic = |name: &str, id| if by_id { TopicKey::Id(id) } else { TopicKey::Name(name.into()) };
    let partitions = asked.topics.iter().flat_map(|t| {
        let topic = topic(t.topic, t.topic_id);
        t.partitions.iter().map(move |p| {
            let wanted = Wanted {
                fetch_offset: p.fetch_offset,
                max_bytes: p.partition_max_bytes,
                current_leader_epoch: p.current_leader_epoch,
                last_fetched_epoch: p.last_fetched_epoch,
            };
            (FetchKey { topic: topic.clone(), partition: p.partition }, wanted)
        })
    });
    let forgotten = asked.forgotten_topics_data.iter().flat_map(|t| {
        let topic = topic(t.topic, t.topic_id);
        t.partitions.iter().map(move |partition| FetchKey { topic: topic.clone(), partition })
    });
    SessionRequest {
        session_id: asked.session_id,
        epoch: if version < SESSIONS_FROM { -1 } else { asked.session_epoch },
        by_id,
        partitions: partitions.collect(),
        forgotten: forgotten.collect(),
    }
}

/// Reads until there is enough, something urgent, or no time left.
async fn poll(node: &Arc<Node>, fetch: &Fetch, context: &FetchContext) -> Attempt {
    let attempt = read_warm(node, fetch, context).await;
    if attempt.is_enough(fetch) || fetch.max_wait.is_zero() {
        return attempt;
    }
    // What was found keeps files open: it is looked for again once it is time to answer.
    drop(attempt);
    let deadline = Instant::now() + fetch.max_wait;
    let waiter = Waiter::new();
    // Registered first and read again after, so that no append in between is missed.
    for (key, _) in context.partitions() {
        if let Ok(partition) = node.find(key.topic.named(), key.partition) {
            partition.waiters().add(&waiter);
        }
    }
    loop {
        let attempt = read_warm(node, fetch, context).await;
        if attempt.is_enough(fetch) || Instant::now() >= deadline {
            return attempt;
        }
        drop(attempt);
        // Nothing follows from who was first: either way it is read again.
        let _ = timeout_at(deadline, waiter.moved()).await;
    }
}

/// Reads. What would have to wait for a disk is brought into memory first, while others are served.
async fn read_warm(node: &Node, fetch: &Fetch, context: &FetchContext) -> Attempt {
    let attempt = read_all(node, fetch, context, Cold::Leave);
    let cold: Vec<_> =
        attempt.found.iter().filter(|found| found.cold).filter_map(|found| found.span.clone()).collect();
    if cold.is_empty() {
        return attempt;
    }
    drop(attempt);
    cold::warm(&*node.disk, cold).await;
    // Once only: what the system has forgotten again by now would be forgotten the next time, too.
    read_all(node, fetch, context, Cold::Read)
}

/// What is done with records that are not in memory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cold {
    Leave,
    Read,
}

fn read_all(node: &Node, fetch: &Fetch, context: &FetchContext, cold: Cold) -> Attempt {
    let mut attempt = Attempt::default();
    for (key, wanted) in context.partitions() {
        let left = (fetch.max_bytes as u64).saturating_sub(attempt.spent);
        let bounds = Bounds { left, first: attempt.spent == 0, cold };
        let (found, counts) = read_one(node, fetch, key, wanted, bounds);
        attempt.spent = attempt.spent.saturating_add(counts.spent);
        attempt.available = attempt.available.saturating_add(counts.available);
        attempt.urgent |= found.data.error_code != 0 || found.data.diverging_epoch.epoch >= 0;
        attempt.found.push(found);
    }
    attempt
}

/// What of the answer is left for a partition.
#[derive(Clone, Copy)]
struct Bounds {
    left: u64,
    /// Nothing was found yet: one batch is given however large it is.
    first: bool,
    cold: Cold,
}

fn read_one(node: &Node, fetch: &Fetch, key: &FetchKey, wanted: &Wanted, bounds: Bounds) -> (Found, Counts) {
    let nothing = || empty(key.partition);
    let found = node.find(key.topic.named(), key.partition);
    // What is not here at all has an empty list of aborted transactions, as Kafka answers it.
    let absent = found.is_err().then(Vec::new);
    let mut data = nothing();
    let read = found.and_then(|partition| {
        if fetch.follower {
            // No other node has a replica.
            let knows_epoch = wanted.current_leader_epoch >= 0;
            let code = ErrorCode::NotLeaderOrFollower;
            return Err(if knows_epoch { ErrorCode::UnknownLeaderEpoch } else { code });
        }
        read_partition(&partition, fetch, wanted, bounds, &mut data)
    });
    match read {
        Ok(Read { span, cold, counts }) => (Found { key: key.clone(), data, span, cold }, counts),
        Err(code) => {
            let old = fetch.version <= NO_STORAGE_ERROR_UPTO && code == ErrorCode::KafkaStorageError;
            let code = if old { ErrorCode::NotLeaderOrFollower } else { code };
            let data = PartitionData { error_code: code.code(), aborted_transactions: absent, ..nothing() };
            (Found { key: key.clone(), data, span: None, cold: false }, Counts::default())
        }
    }
}

/// Where the records are.
#[derive(Default)]
struct Read {
    span: Option<FileSpan>,
    cold: bool,
    counts: Counts,
}

/// What a partition counts for in the answer, in bytes.
#[derive(Default)]
struct Counts {
    /// For `min_bytes`.
    available: u64,
    /// Of what the answer may have.
    spent: u64,
}

fn read_partition(
    partition: &Partition,
    fetch: &Fetch,
    wanted: &Wanted,
    bounds: Bounds,
    data: &mut PartitionData,
) -> Result<Read, ErrorCode> {
    // Here any number below zero means that the client believes in none.
    partition.check_epoch(wanted.current_leader_epoch.max(-1))?;
    if let Some(end) = nothing_new(partition, wanted) {
        let start = partition.glance().start;
        (data.high_watermark, data.last_stable_offset, data.log_start_offset) =
            (end.get(), end.get(), start.get());
        data.aborted_transactions = fetch.read_committed.then(Vec::new);
        return Ok(Read::default());
    }
    let mut log = partition.serving()?;
    // Read under the log's lock: what is before it is in the log.
    let high_watermark = partition.high_watermark();
    let stable = log.last_stable_offset(high_watermark);
    data.high_watermark = high_watermark.get();
    data.last_stable_offset = stable.get();
    data.log_start_offset = log.start_offset().get();
    if let Some(diverging) = divergence(partition, &log, wanted)? {
        data.diverging_epoch = diverging;
        return Ok(Read::default());
    }
    data.aborted_transactions = fetch.read_committed.then(Vec::new);
    let upper = match fetch.read_committed {
        true => stable,
        false if planted::on(Bug::ServePastHighWatermark) => log.end_offset(),
        false => high_watermark,
    };
    let most = u64::try_from(wanted.max_bytes).unwrap_or(0);
    let max_bytes = u32::try_from(bounds.left.min(most)).unwrap_or(u32::MAX);
    let from = Offset(wanted.fetch_offset);
    let read = match log.read(from, max_bytes, upper, bounds.first) {
        Ok(read) => read,
        Err(error) => {
            drop(log);
            return Err(read_error(partition, &error));
        }
    };
    if read.is_empty() && read.available > 0 && max_bytes > 0 {
        // Kafka's answer where the first batch is larger than what is left: not even an empty list.
        data.aborted_transactions = None;
    } else if fetch.read_committed && !read.is_empty() {
        match aborted(&mut log, from, read.upper) {
            Ok(aborted) => data.aborted_transactions = Some(aborted),
            Err(error) => {
                drop(log);
                return Err(read_error(partition, &error.into()));
            }
        }
    }
    // A client that asked for much does not wait because a segment ends here, or a batch did not fit.
    let available = match read.available {
        u64::MAX => u64::MAX,
        bytes => bytes.min(most).max(u64::from(read.len())),
    };
    let counts = Counts { available, spent: read.spent };
    drop(log);
    let cold = bounds.cold == Cold::Leave && read.span.as_ref().is_some_and(is_cold);
    let span = match cold {
        true => read.span,
        false => read.span.map(|span| verified(partition, span)).transpose()?,
    };
    Ok(Read { span: span.map(|span| file_span(partition, span)), cold, counts })
}

/// Transactions between two offsets whose records are not for readers of committed ones.
fn aborted(log: &mut Log, from: Offset, upper: Offset) -> Result<Vec<AbortedTransaction>, StorageError> {
    let aborted = log.aborted_txns(from, upper)?;
    let listed = aborted.iter().map(|txn| AbortedTransaction {
        producer_id: txn.producer_id.0,
        first_offset: txn.first_offset.get(),
    });
    Ok(listed.collect())
}

fn file_span(partition: &Partition, span: storage::Span) -> FileSpan {
    let (position, len) = (span.position, span.len as usize);
    FileSpan { file: span.file, position, len, home: partition.home() }
}

/// The end of a log that rests, if the client has read up to there: it need not be woken for each poll.
fn nothing_new(partition: &Partition, wanted: &Wanted) -> Option<Offset> {
    let known = partition.glance();
    let epoch = wanted.last_fetched_epoch;
    let latest = [Some(partition.leader_epoch()), known.latest_epoch];
    let agrees = epoch < 0 || latest.contains(&Some(kernel::LeaderEpoch(epoch)));
    let at_end = known.end.get() == wanted.fetch_offset && partition.high_watermark() == known.end;
    (known.quiet && at_end && agrees && !partition.is_ended()).then_some(known.end)
}

/// Whether who reads it has to wait for the disk.
fn is_cold(span: &storage::Span) -> bool {
    !span.recent && !span.file.is_warm(span.position, span.len as usize)
}

/// What may be served of a span. What this process has not written is compared with its checksums once, without the lock of
/// the log; from then on it is sent without a look.
fn verified(partition: &Partition, mut span: storage::Span) -> Result<storage::Span, ErrorCode> {
    if span.unchecked.is_none() {
        let home = partition.home();
        if !home.is_online() {
            // What a disk that has failed does not give is better said than begun.
            let unreadable = |source| StorageError::unreadable(&home.path, source).into();
            span.probe().map_err(|source| read_error(partition, &unreadable(source)))?;
        }
        return Ok(span);
    }
    let told = |damage: &StorageError| {
        tracing::error!(partition = %partition.name(), %damage,
            "a batch is not served: restore the file from a copy, let consumers seek past the batch, or delete the records \
             up to it; what is before and after it can be read");
    };
    match span.verify() {
        Ok(damage) => damage.iter().for_each(told),
        Err(damage) => {
            told(&damage);
            partition.home().blame(&damage);
            return Err(damage.code());
        }
    }
    partition.log().verified(&span);
    Ok(span)
}

/// Whether the client's last fetched epoch ends earlier here than the client has read (KIP-595).
fn divergence(
    partition: &Partition,
    log: &Log,
    wanted: &Wanted,
) -> Result<Option<EpochEndOffset>, ErrorCode> {
    if wanted.last_fetched_epoch < 0 {
        return Ok(None);
    }
    let Some(end) = partition.epoch_end(log, kernel::LeaderEpoch(wanted.last_fetched_epoch)) else {
        return Err(ErrorCode::OffsetOutOfRange);
    };
    if wanted.fetch_offset < log.start_offset().get() {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    let diverges = end.epoch.0 < wanted.last_fetched_epoch || end.end.get() < wanted.fetch_offset;
    Ok(diverges.then(|| EpochEndOffset { epoch: end.epoch.0, end_offset: end.end.get() }))
}

/// The log must not be locked: whoever waits for its directory is told, and may ask it.
fn read_error(partition: &Partition, error: &ReadError) -> ErrorCode {
    match error {
        ReadError::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        ReadError::Storage(failure) => {
            tracing::error!(error = %failure, "a read failed");
            partition.home().blame(failure);
            failure.code()
        }
    }
}

fn answer(
    node: &Node,
    request: &Request,
    fetch: &Fetch,
    context: &FetchContext,
    attempt: Attempt,
) -> Handled {
    let now = node.now().mono;
    let news: Vec<_> = attempt.found.iter().map(|found| (found.key.clone(), found.news())).collect();
    let (session_id, told) = match node.fetch_sessions.finish(now, context, &news, node.random_id()) {
        Ok(told) => told,
        Err(code) => return request.reply(&FetchResponse { error_code: code.code(), ..Default::default() }),
    };
    let mut spans = Vec::new();
    let mut response = FetchResponse { session_id, ..FetchResponse::default() };
    for (mut found, _) in attempt.found.into_iter().zip(told).filter(|(_, told)| *told) {
        if let Some(span) = found.span.take() {
            let index = u32::try_from(spans.len()).unwrap_or(u32::MAX);
            found.data.records =
                Records::Span(SpanRef { index, len: u32::try_from(span.len).unwrap_or(u32::MAX) });
            spans.push(span);
        }
        if fetch.version >= LEADER_HINTS_FROM {
            hint(node, request, &mut found, &mut response.node_endpoints);
        }
        push(&mut response.responses, found);
    }
    request.reply_with_spans(&response, &spans)
}

/// Says who leads, to a client that was wrong about it.
fn hint(node: &Node, request: &Request, found: &mut Found, endpoints: &mut Vec<NodeEndpoint>) {
    if !matches!(found.error(), ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch) {
        return;
    }
    let hint = node.leader_hint(&request.peer, found.key.topic.named(), found.key.partition);
    found.data.current_leader =
        LeaderIdAndEpoch { leader_id: hint.leader_id, leader_epoch: hint.leader_epoch };
    let told = endpoints.iter().any(|endpoint| endpoint.node_id == hint.leader_id);
    if let Some(endpoint) = hint.endpoint.filter(|_| !told) {
        let (node_id, host, port, rack) = (hint.leader_id, endpoint.host, endpoint.port, endpoint.rack);
        endpoints.push(NodeEndpoint { node_id, host, port, rack });
    }
}

/// Partitions of one topic that follow each other go into one entry.
fn push(topics: &mut Vec<FetchableTopicResponse>, found: Found) {
    let (topic, topic_id) = match &found.key.topic {
        TopicKey::Id(id) => (String::new(), *id),
        TopicKey::Name(name) => (name.to_string(), kernel::Uuid::ZERO),
    };
    match topics.last_mut() {
        Some(last) if last.topic == topic && last.topic_id == topic_id => last.partitions.push(found.data),
        _ => topics.push(FetchableTopicResponse { topic, topic_id, partitions: vec![found.data] }),
    }
}
