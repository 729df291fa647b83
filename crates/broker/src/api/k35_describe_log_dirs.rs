//! DescribeLogDirs (key 35), versions 1 to 5.
//!
//! 2 flexible · 3 an error for the whole reply · 4 the size of the file system (KIP-827) · 5 cordoned directories
//! (KIP-1066)

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kernel::{ErrorCode, Uuid};
use wire::messages::describe_log_dirs_request::DescribeLogDirsRequestView;
use wire::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
};

use crate::dirs::{Dir, whole};
use crate::node::Node;
use crate::request::{Handled, Request};

/// The partitions asked for; nothing for all.
type Asked<'a> = Option<BTreeSet<(&'a str, i32)>>;

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let view = DescribeLogDirsRequestView::decode(request.body(), request.version)?;
    let asked: Asked<'_> = view.topics.map(|topics| {
        topics
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(move |index| (topic.topic, index)))
            .collect()
    });
    let cordoned = node.cordoned_directories(&node.image());
    let mut results: Vec<_> = node.dirs.iter().map(|dir| describe(&node, dir, &asked, &cordoned)).collect();
    results.extend(node.dirs.lost().iter().map(|lost| offline(whole(&lost.path))));
    request.reply(&DescribeLogDirsResponse { results, ..DescribeLogDirsResponse::default() })
}

fn offline(log_dir: String) -> DescribeLogDirsResult {
    let error_code = ErrorCode::KafkaStorageError.code();
    DescribeLogDirsResult { error_code, log_dir, ..DescribeLogDirsResult::default() }
}

fn describe(node: &Node, dir: &Dir, asked: &Asked<'_>, cordoned: &[Uuid]) -> DescribeLogDirsResult {
    let path = dir.path();
    let log_dir = dir.shown();
    let space = match node.disk.space(path) {
        Ok(space) if dir.is_online() => space,
        _ => return offline(log_dir),
    };
    let mut topics: BTreeMap<Arc<str>, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for partition in node.hosted.partitions() {
        let wanted = asked.as_ref().is_none_or(|asked| asked.contains(&(&*partition.topic, partition.index)));
        if !wanted || partition.home().id != dir.id {
            continue;
        }
        topics.entry(Arc::clone(&partition.topic)).or_default().push(DescribeLogDirsPartition {
            partition_index: partition.index,
            partition_size: i64::try_from(partition.glance().size).unwrap_or(i64::MAX),
            offset_lag: 0,
            is_future_key: false,
        });
    }
    for one in node.moves.all().iter().filter(|one| one.to == dir.id) {
        let partition = &one.partition;
        let wanted = asked.as_ref().is_none_or(|asked| asked.contains(&(&*partition.topic, partition.index)));
        // It may have arrived a moment ago.
        if wanted && partition.home().id != dir.id {
            topics.entry(Arc::clone(&partition.topic)).or_default().push(DescribeLogDirsPartition {
                partition_index: partition.index,
                partition_size: i64::try_from(one.size()).unwrap_or(i64::MAX),
                offset_lag: i64::try_from(one.lag()).unwrap_or(i64::MAX),
                is_future_key: true,
            });
        }
    }
    let topics = topics
        .into_iter()
        .map(|(name, partitions)| DescribeLogDirsTopic { name: name.to_string(), partitions });
    DescribeLogDirsResult {
        error_code: 0,
        topics: topics.collect(),
        total_bytes: i64::try_from(space.total).unwrap_or(i64::MAX),
        usable_bytes: i64::try_from(space.usable).unwrap_or(i64::MAX),
        is_cordoned: cordoned.contains(&dir.id),
        log_dir,
    }
}
