//! DeleteRecords (key 21), versions 0 to 2.
//!
//! 2 flexible

use std::path::PathBuf;
use std::sync::Arc;

use kernel::port::Submission;
use kernel::{ErrorCode, Offset};
use storage::StorageError;
use tokio::sync::oneshot;
use wire::messages::delete_records_request::DeleteRecordsRequestView;
use wire::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult,
};

use crate::hosted::Named;
use crate::node::Node;
use crate::partition::Partition;
use crate::request::{Handled, Request};

/// Stands for everything that is committed.
const HIGH_WATERMARK: i64 = -1;

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = DeleteRecordsRequestView::decode(request.body(), request.version)?;
    let mut topics = Vec::new();
    let mut raised = Vec::new();
    for topic in asked.topics {
        let partitions = topic.partitions.iter().map(|wanted| {
            let deleted = delete(&node, topic.name, wanted.partition_index, wanted.offset);
            let low_watermark = deleted.as_ref().map_or(-1, |(_, start)| start.get());
            let error_code = deleted.as_ref().err().copied().unwrap_or_default().code();
            raised.extend(deleted.ok().map(|(partition, _)| partition));
            DeleteRecordsPartitionResult {
                partition_index: wanted.partition_index,
                low_watermark,
                error_code,
            }
        });
        let partitions = partitions.collect();
        topics.push(DeleteRecordsTopicResult { name: topic.name.to_owned(), partitions });
    }
    keep_starts(&node, &raised, &mut topics).await;
    request.reply(&DeleteRecordsResponse { topics, ..DeleteRecordsResponse::default() })
}

fn delete(node: &Node, topic: &str, index: i32, to: i64) -> Result<(Arc<Partition>, Offset), ErrorCode> {
    let partition = node.find(Named::Name(topic), index)?;
    if node.is_internal(topic) {
        return Err(ErrorCode::InvalidTopicException);
    }
    // What cannot be kept must not be raised.
    partition.home().journal.check().map_err(|error| error.code())?;
    let mut log = partition.serving()?;
    let high_watermark = partition.high_watermark();
    let cleanup = log.config().cleanup;
    if cleanup.compact && !cleanup.delete {
        return Err(ErrorCode::PolicyViolation);
    }
    let to = if to == HIGH_WATERMARK { high_watermark } else { Offset(to) };
    let start = log.delete_records(to, high_watermark).map_err(|error| error.code())?;
    drop(log);
    Ok((partition, start))
}

/// A raised start must outlive a crash before it is acknowledged.
async fn keep_starts(node: &Node, raised: &[Arc<Partition>], topics: &mut [DeleteRecordsTopicResult]) {
    if raised.is_empty() {
        return;
    }
    let keep = || node.dirs.keep_log_starts(&node.hosted.partitions(), raised);
    let mut kept = keep();
    if matches!(kept, Err(StorageError::Full { .. })) {
        make_room(node, raised).await;
        kept = keep();
    }
    if let Err(problem) = kept {
        tracing::error!(%problem, "the start of a log could not be kept");
        let done = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
        for result in done.filter(|result| result.error_code == 0) {
            result.error_code = ErrorCode::KafkaStorageError.code();
            result.low_watermark = -1;
        }
    }
}

/// Removes the segments before the starts of logs now, and not in time: it may be the only way to the room that is asked for.
async fn make_room(node: &Node, raised: &[Arc<Partition>]) {
    let mut removals = Vec::new();
    for path in raised.iter().flat_map(|partition| passed(node, partition)) {
        let (tell, told) = oneshot::channel();
        let shown = path.display().to_string();
        let done = move |result: std::io::Result<()>| {
            if let Err(error) = result {
                tracing::warn!(path = %shown, %error, "a file that is out of use remains");
            }
            // The request may have been given up meanwhile.
            let _ = tell.send(());
        };
        node.disk.submit(Submission::Remove(path), Box::new(done));
        removals.push(told);
    }
    for removed in removals {
        let _ = removed.await;
    }
    for partition in raised {
        let dir = partition.log().dir().to_owned();
        // Blocks are free once their removal is durable.
        if let Err(error) = host::task::long(|| node.disk.sync_dir(&dir)) {
            tracing::warn!(dir = %dir.display(), %error, "what was removed may come back");
        }
    }
}

/// The files of a log that retention no longer keeps.
fn passed(node: &Node, partition: &Partition) -> Vec<PathBuf> {
    let Ok(mut log) = partition.serving() else { return Vec::new() };
    let retained = log.apply_retention(node.now().wall, partition.high_watermark());
    if let Err(problem) = retained {
        tracing::error!(partition = %partition.name(), %problem, "retention failed");
    }
    log.take_doomed()
}
