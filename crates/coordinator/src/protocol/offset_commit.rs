//! OffsetCommit and TxnOffsetCommit.

use kernel::Uuid;
use wire::messages::offset_commit_request::{OffsetCommitRequestTopicView, OffsetCommitRequestView};
use wire::messages::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use wire::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestTopicView, TxnOffsetCommitRequestView,
};
use wire::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};

use crate::reply::OffsetCommitReply;
use crate::request::{CommitPartition, CommitTopic, OffsetCommitRequest, TxnOffsetCommitRequest};

impl<'a> OffsetCommitRequest<'a> {
    /// `topics` are those of the request that exist and that the client may use.
    pub fn from_view(version: i16, view: &OffsetCommitRequestView<'a>, topics: Vec<CommitTopic<'a>>) -> Self {
        Self {
            version,
            group_id: view.group_id,
            generation: view.generation_id_or_member_epoch,
            member_id: view.member_id,
            instance_id: view.group_instance_id,
            retention_time_ms: view.retention_time_ms,
            topics,
        }
    }
}

impl<'a> TxnOffsetCommitRequest<'a> {
    /// `topics` are those of the request that exist and that the client may use.
    pub fn from_view(
        version: i16,
        view: &TxnOffsetCommitRequestView<'a>,
        topics: Vec<CommitTopic<'a>>,
    ) -> Self {
        Self {
            version,
            group_id: view.group_id,
            producer_id: view.producer_id,
            producer_epoch: view.producer_epoch,
            generation: view.generation_id_or_member_epoch,
            member_id: view.member_id,
            instance_id: view.group_instance_id,
            topics,
        }
    }
}

impl<'a> CommitTopic<'a> {
    /// The topic under the name and the id it has in the cluster, with those partitions that `exists` knows.
    pub fn from_view(
        view: &OffsetCommitRequestTopicView<'a>,
        name: &'a str,
        topic_id: Uuid,
        exists: impl Fn(i32) -> bool,
    ) -> Self {
        let partitions = view.partitions.iter().filter(|one| exists(one.partition_index));
        let partitions = partitions.map(|one| CommitPartition {
            partition: one.partition_index,
            offset: one.committed_offset,
            leader_epoch: one.committed_leader_epoch,
            metadata: one.committed_metadata,
        });
        Self { name, topic_id, partitions: partitions.collect() }
    }

    /// The same of a transactional commit.
    pub fn from_txn_view(
        view: &TxnOffsetCommitRequestTopicView<'a>,
        name: &'a str,
        topic_id: Uuid,
        exists: impl Fn(i32) -> bool,
    ) -> Self {
        let partitions = view.partitions.iter().filter(|one| exists(one.partition_index));
        let partitions = partitions.map(|one| CommitPartition {
            partition: one.partition_index,
            offset: one.committed_offset,
            leader_epoch: one.committed_leader_epoch,
            metadata: one.committed_metadata,
        });
        Self { name, topic_id, partitions: partitions.collect() }
    }
}

impl OffsetCommitReply {
    pub fn into_response(self) -> OffsetCommitResponse {
        let topics = self.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.into_iter().map(|(partition_index, error)| {
                OffsetCommitResponsePartition { partition_index, error_code: error.code() }
            });
            OffsetCommitResponseTopic {
                name: topic.name.to_string(),
                topic_id: topic.topic_id,
                partitions: partitions.collect(),
            }
        });
        OffsetCommitResponse { throttle_time_ms: 0, topics: topics.collect() }
    }

    pub fn into_txn_response(self) -> TxnOffsetCommitResponse {
        let topics = self.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.into_iter().map(|(partition_index, error)| {
                TxnOffsetCommitResponsePartition { partition_index, error_code: error.code() }
            });
            TxnOffsetCommitResponseTopic {
                name: topic.name.to_string(),
                topic_id: topic.topic_id,
                partitions: partitions.collect(),
            }
        });
        TxnOffsetCommitResponse { throttle_time_ms: 0, topics: topics.collect() }
    }
}

#[cfg(test)]
mod tests {
    use wire::messages::offset_commit_request::{
        OffsetCommitRequest as Message, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    };

    use super::*;

    #[test]
    fn a_commit_keeps_what_exists_under_the_name_and_id_it_has_in_the_cluster() {
        let partition = |partition_index| OffsetCommitRequestPartition {
            partition_index,
            committed_offset: 7,
            committed_leader_epoch: 3,
            committed_metadata: None,
        };
        let id = Uuid::from_bytes([1; 16]);
        let topic = OffsetCommitRequestTopic {
            topic_id: id,
            partitions: vec![partition(0), partition(9)],
            ..Default::default()
        };
        let message = Message { group_id: "g".into(), topics: vec![topic], ..Default::default() };
        let mut out = wire::Writer::new();
        message.encode(&mut out, 10).expect("it is small");
        let bytes = out.into_bytes().expect("it has no spans");
        let view = OffsetCommitRequestView::decode(&bytes, 10).expect("it is whole");
        let topic = view.topics.iter().next().expect("there is one");
        let topic = CommitTopic::from_view(&topic, "t", topic.topic_id, |partition| partition < 3);
        assert_eq!((topic.name, topic.topic_id), ("t", id));
        let partitions: Vec<_> =
            topic.partitions.iter().map(|one| (one.partition, one.offset, one.leader_epoch)).collect();
        assert_eq!(partitions, [(0, 7, 3)]);
        let request = OffsetCommitRequest::from_view(10, &view, vec![topic]);
        assert_eq!((request.group_id, request.generation, request.retention_time_ms), ("g", -1, -1));
    }
}
