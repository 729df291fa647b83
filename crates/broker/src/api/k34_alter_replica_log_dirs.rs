//! AlterReplicaLogDirs (key 34), versions 1 to 2.
//!
//! 2 flexible

use std::collections::BTreeMap;
use std::sync::Arc;

use kernel::{ErrorCode, TopicPartition, Uuid};
use wire::messages::alter_replica_log_dirs_request::AlterReplicaLogDirsRequestView;
use wire::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult, AlterReplicaLogDirsResponse,
};

use crate::dirs::{Dir, whole};
use crate::hosted::Named;
use crate::node::Node;
use crate::request::{Handled, Request};

pub async fn handle(node: Arc<Node>, request: Request) -> Handled {
    let asked = AlterReplicaLogDirsRequestView::decode(request.body(), request.version)?;
    // The last directory counts that a partition is named with.
    let mut wanted: BTreeMap<&str, BTreeMap<i32, &str>> = BTreeMap::new();
    for dir in asked.dirs {
        for topic in dir.topics {
            if topic.partitions.is_empty() {
                continue;
            }
            let partitions = wanted.entry(topic.name).or_default();
            partitions.extend(topic.partitions.iter().map(|index| (index, dir.path)));
        }
    }
    let cordoned = node.cordoned_directories(&node.image());
    let results = wanted.into_iter().map(|(topic, partitions)| {
        let partitions = partitions.into_iter().map(|(index, path)| {
            let altered = alter(&node, topic, index, path, &cordoned);
            let error_code = altered.err().unwrap_or_default().code();
            AlterReplicaLogDirPartitionResult { partition_index: index, error_code }
        });
        AlterReplicaLogDirTopicResult { topic_name: topic.to_owned(), partitions: partitions.collect() }
    });
    let results = results.collect();
    request.reply(&AlterReplicaLogDirsResponse { results, ..AlterReplicaLogDirsResponse::default() })
}

fn alter(node: &Node, topic: &str, index: i32, path: &str, cordoned: &[Uuid]) -> Result<(), ErrorCode> {
    let name = TopicPartition::new(topic, index);
    if !storage::future_folder_fits(&name) {
        return Err(ErrorCode::InvalidTopicException);
    }
    let dir = find_dir(node, path)?;
    if cordoned.contains(&dir.id) {
        return Err(ErrorCode::InvalidReplicaAssignment);
    }
    let partition = match node.find(Named::Name(topic), index) {
        Ok(partition) => partition,
        Err(ErrorCode::KafkaStorageError) => return Err(ErrorCode::KafkaStorageError),
        Err(code) => {
            // Where it goes once it is there.
            node.dirs.prefer(name, dir.id);
            let elsewhere = code == ErrorCode::NotLeaderOrFollower;
            return Err(if elsewhere { ErrorCode::ReplicaNotAvailable } else { code });
        }
    };
    if node.moves.of(partition.key()).is_some_and(|one| one.to != dir.id) {
        node.moves.cancel(partition.key());
        // What is about to end has ended when the log can be looked at.
        partition.glance();
    }
    if partition.home().id == dir.id {
        return Ok(());
    }
    // With a directory that is offline there may be another copy.
    if !partition.home().is_online() || node.dirs.offline_count() > 0 {
        return Err(ErrorCode::KafkaStorageError);
    }
    node.moves.begin(&partition, dir.id);
    Ok(())
}

fn find_dir<'a>(node: &'a Node, path: &str) -> Result<&'a Dir, ErrorCode> {
    match node.dirs.iter().find(|dir| dir.shown() == path) {
        Some(dir) if dir.is_online() => Ok(dir),
        Some(_) => Err(ErrorCode::KafkaStorageError),
        None if node.dirs.lost().iter().any(|lost| whole(&lost.path) == path) => {
            Err(ErrorCode::KafkaStorageError)
        }
        None => Err(ErrorCode::LogDirNotFound),
    }
}
