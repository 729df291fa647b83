//! Fetch (key 1), versions 4 to 18.
//!
//! 5 log start offset · 7 sessions (KIP-227) · 9 leader epochs (KIP-320) · 11 rack (KIP-392) · 12 flexible, divergence
//! (KIP-595) · 13 topic ids (KIP-516) · 15 replica state · 16 leader hints (KIP-951) · 17 directory ids · 18 the
//! high watermark in the request (KIP-1166)

use std::sync::Arc;
use std::time::Duration;

use kernel::{ErrorCode, Offset};
use storage::ReadError;
use tokio::time::{Instant, timeout_at};
use wire::messages::fetch_request::FetchRequestView;
use wire::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch,
    PartitionData,
};
use wire::{Records, SpanRef};

use crate::conn::FileSpan;
use crate::fetch_session::{FetchContext, FetchKey, News, SessionRequest, TopicKey, Wanted};
use crate::node::Node;
use crate::parked::Waiter;
use crate::partition::Partition;
use crate::request::{Handled, Request};

const READ_COMMITTED: i8 = 1;
const SESSIONS_FROM: i16 = 7;
const TOPIC_IDS_FROM: i16 = 13;

/// What a fetch asks for as a whole.
struct Fetch {
    max_wait: Duration,
    min_bytes: usize,
    max_bytes: usize,
    read_committed: bool,
}

/// What was found for one partition.
struct Found {
    key: FetchKey,
    data: PartitionData,
    span: Option<FileSpan>,
}

impl Found {
    fn news(&self) -> News {
        News {
            error: ErrorCode::from_code(self.data.error_code).unwrap_or(ErrorCode::UnknownServerError),
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
    bytes: usize,
    /// Something must be told at once: an error or a divergence.
    urgent: bool,
}

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let (fetch, session) = {
        let asked = FetchRequestView::decode(request.body(), request.version)?;
        (read_fetch(&node, &asked), read_session(&asked, request.version))
    };
    let context = match node.fetch_sessions.begin(node.now().mono, session) {
        Ok(context) => context,
        Err(code) => return request.reply(&FetchResponse { error_code: code.code(), ..Default::default() }),
    };
    let attempt = poll(&node, &fetch, &context).await;
    answer(&node, &request, &context, attempt)
}

fn read_fetch(node: &Node, asked: &FetchRequestView<'_>) -> Fetch {
    let at_most = node.config().fetch.max_bytes;
    Fetch {
        max_wait: Duration::from_millis(u64::try_from(asked.max_wait_ms).unwrap_or(0)),
        min_bytes: usize::try_from(asked.min_bytes).unwrap_or(0),
        max_bytes: usize::try_from(asked.max_bytes).unwrap_or(0).min(at_most),
        read_committed: asked.isolation_level == READ_COMMITTED,
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
    let deadline = Instant::now() + fetch.max_wait;
    let waiter = Waiter::new();
    let mut stopping = node.stopping();
    loop {
        let mut attempt = read_all(node, fetch, context);
        let done = attempt.urgent
            || attempt.bytes >= fetch.min_bytes
            || context.partitions().is_empty()
            || fetch.max_wait.is_zero();
        if done || Instant::now() >= deadline {
            return attempt;
        }
        // Registered first and read again after, so that no append in between is missed.
        watch(node, context, &waiter);
        attempt = read_all(node, fetch, context);
        if attempt.urgent || attempt.bytes >= fetch.min_bytes {
            return attempt;
        }
        tokio::select! {
            biased;
            () = stopping.wait() => return attempt,
            moved = timeout_at(deadline, waiter.moved()) => {
                if moved.is_err() {
                    return read_all(node, fetch, context);
                }
            }
        }
    }
}

fn watch(node: &Node, context: &FetchContext, waiter: &Arc<Waiter>) {
    for (key, _) in context.partitions() {
        if let Ok((_, partition)) = find(node, key) {
            partition.waiters().add(waiter);
        }
    }
}

fn read_all(node: &Node, fetch: &Fetch, context: &FetchContext) -> Attempt {
    let mut attempt = Attempt::default();
    for (key, wanted) in context.partitions() {
        let left = fetch.max_bytes.saturating_sub(attempt.bytes);
        let found = read_one(node, fetch, key, wanted, left, attempt.bytes == 0);
        attempt.bytes += found.span.as_ref().map_or(0, |span| span.len);
        attempt.urgent |= found.data.error_code != 0 || found.data.diverging_epoch.epoch >= 0;
        attempt.found.push(found);
    }
    attempt
}

fn find(node: &Node, key: &FetchKey) -> Result<(Arc<str>, Arc<Partition>), ErrorCode> {
    let (topic, unknown) = match &key.topic {
        TopicKey::Id(id) => (node.hosted.by_id(*id), ErrorCode::UnknownTopicId),
        TopicKey::Name(name) => (node.hosted.by_name(name), ErrorCode::UnknownTopicOrPartition),
    };
    let topic = topic.ok_or(unknown)?;
    let partition = topic.partition(key.partition).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    Ok((Arc::clone(&topic.name), partition))
}

fn read_one(node: &Node, fetch: &Fetch, key: &FetchKey, wanted: &Wanted, left: usize, first: bool) -> Found {
    let mut data = PartitionData {
        partition_index: key.partition,
        high_watermark: -1,
        last_stable_offset: -1,
        log_start_offset: -1,
        // Some clients take null records for a broken reply.
        records: Records::Bytes(bytes::Bytes::new()),
        ..PartitionData::default()
    };
    let span = match find(node, key) {
        Ok((_, partition)) => read_partition(&partition, fetch, wanted, left, first, &mut data),
        Err(code) => Err(code),
    };
    let span = match span {
        Ok(span) => span,
        Err(code) => {
            data.error_code = code.code();
            None
        }
    };
    Found { key: key.clone(), data, span }
}

fn read_partition(
    partition: &Partition,
    fetch: &Fetch,
    wanted: &Wanted,
    left: usize,
    first: bool,
    data: &mut PartitionData,
) -> Result<Option<FileSpan>, ErrorCode> {
    if let Err(code) = partition.check_epoch(wanted.current_leader_epoch) {
        data.current_leader =
            LeaderIdAndEpoch { leader_epoch: partition.leader_epoch().0, ..data.current_leader };
        return Err(code);
    }
    let high_watermark = partition.high_watermark();
    let mut log = partition.log();
    let stable = log.last_stable_offset(high_watermark);
    data.high_watermark = high_watermark.get();
    data.last_stable_offset = stable.get();
    data.log_start_offset = log.start_offset().get();
    data.aborted_transactions = fetch.read_committed.then(Vec::new);
    if let Some(diverging) = divergence(&log, wanted)? {
        data.diverging_epoch = diverging;
        return Ok(None);
    }
    let upper = if fetch.read_committed { stable } else { high_watermark };
    let max_bytes = left.min(usize::try_from(wanted.max_bytes).unwrap_or(0));
    let max_bytes = u32::try_from(max_bytes).unwrap_or(u32::MAX);
    let from = Offset(wanted.fetch_offset);
    let read = log.read(from, max_bytes, upper, first).map_err(|error| read_error(&error))?;
    if fetch.read_committed && !read.is_empty() {
        let aborted = log.aborted_txns(from, read.upper).map_err(|error| error.code())?;
        let listed = aborted.iter().map(|txn| AbortedTransaction {
            producer_id: txn.producer_id.0,
            first_offset: txn.first_offset.get(),
        });
        data.aborted_transactions = Some(listed.collect());
    }
    Ok(read.span.map(|span| FileSpan { file: span.file, position: span.position, len: span.len as usize }))
}

/// Whether the client's last fetched epoch ends earlier here than the client has read (KIP-595).
fn divergence(log: &storage::Log, wanted: &Wanted) -> Result<Option<EpochEndOffset>, ErrorCode> {
    if wanted.last_fetched_epoch < 0 {
        return Ok(None);
    }
    let Some(end) = log.epoch_end(kernel::LeaderEpoch(wanted.last_fetched_epoch)) else {
        return Err(ErrorCode::OffsetOutOfRange);
    };
    let diverges = end.epoch.0 < wanted.last_fetched_epoch || end.end.get() < wanted.fetch_offset;
    Ok(diverges.then(|| EpochEndOffset { epoch: end.epoch.0, end_offset: end.end.get() }))
}

fn read_error(error: &ReadError) -> ErrorCode {
    match error {
        ReadError::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        ReadError::Storage(failure) => {
            tracing::error!(error = %failure, "a read failed");
            failure.code()
        }
    }
}

fn answer(node: &Node, request: &Request, context: &FetchContext, attempt: Attempt) -> Handled {
    let now = node.now().mono;
    let news: Vec<_> = attempt.found.iter().map(|found| (found.key.clone(), found.news())).collect();
    let (session_id, told) = node.fetch_sessions.finish(now, context, &news, node.random_id());
    let mut spans = Vec::new();
    let mut response = FetchResponse { session_id, ..FetchResponse::default() };
    for (mut found, _) in attempt.found.into_iter().zip(told).filter(|(_, told)| *told) {
        if let Some(span) = found.span.take() {
            let index = u32::try_from(spans.len()).unwrap_or(u32::MAX);
            found.data.records =
                Records::Span(SpanRef { index, len: u32::try_from(span.len).unwrap_or(u32::MAX) });
            spans.push(span);
        }
        push(&mut response.responses, found);
    }
    request.reply_with_spans(&response, &spans)
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
