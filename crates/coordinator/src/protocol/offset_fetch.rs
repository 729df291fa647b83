//! OffsetFetch.

use kernel::{ErrorCode, Uuid};
use wire::messages::offset_fetch_request::{OffsetFetchRequestGroupView, OffsetFetchRequestView};
use wire::messages::offset_fetch_response::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};

use crate::reply::{FetchedPartition, FetchedTopic, OffsetFetchReply};
use crate::request::{FetchTopic, OffsetFetchRequest};

/// From this version on, a response can say that a group as a whole could not be served.
const GROUP_ERROR_FROM: i16 = 2;
/// From this version on, a request asks about several groups.
const SEVERAL_GROUPS_FROM: i16 = 8;

impl<'a> OffsetFetchRequest<'a> {
    /// One question for each group of the request. Topics are named as the client names them: from version 10 on, the caller
    /// puts the names to the ids.
    pub fn all_from_view(version: i16, view: &OffsetFetchRequestView<'a>) -> Vec<Self> {
        if version >= SEVERAL_GROUPS_FROM {
            return view.groups.iter().map(|group| Self::from_group(&group, view.require_stable)).collect();
        }
        let topics = view.topics.map(|topics| {
            let topics = topics.iter().map(|topic| FetchTopic {
                name: topic.name,
                topic_id: Uuid::ZERO,
                partitions: topic.partition_indexes.iter().collect(),
            });
            topics.collect()
        });
        let require_stable = view.require_stable;
        vec![Self { group_id: view.group_id, member_id: None, member_epoch: -1, topics, require_stable }]
    }

    fn from_group(group: &OffsetFetchRequestGroupView<'a>, require_stable: bool) -> Self {
        let topics = group.topics.map(|topics| {
            let topics = topics.iter().map(|topic| FetchTopic {
                name: topic.name,
                topic_id: topic.topic_id,
                partitions: topic.partition_indexes.iter().collect(),
            });
            topics.collect()
        });
        Self {
            group_id: group.group_id,
            member_id: group.member_id,
            member_epoch: group.member_epoch,
            topics,
            require_stable,
        }
    }

    /// The answer where the group cannot be served. Version 1 can say so of partitions only.
    pub fn failed(&self, version: i16, error: ErrorCode) -> OffsetFetchReply {
        if version >= GROUP_ERROR_FROM {
            return OffsetFetchReply { error, topics: Vec::new() };
        }
        let topics = self.topics.iter().flatten().map(|topic| topic.failed(error));
        OffsetFetchReply { error: ErrorCode::None, topics: topics.collect() }
    }
}

impl FetchTopic<'_> {
    /// The answer where the topic cannot be served.
    pub fn failed(&self, error: ErrorCode) -> FetchedTopic {
        let partitions = self.partitions.iter().map(|partition| FetchedPartition {
            partition: *partition,
            error,
            offset: -1,
            leader_epoch: -1,
            metadata: "".into(),
        });
        FetchedTopic { name: self.name.into(), topic_id: self.topic_id, partitions: partitions.collect() }
    }
}

/// The response to a request about these groups, in their order. Before version 8 there is exactly one.
pub fn offset_fetch_response(version: i16, groups: Vec<(String, OffsetFetchReply)>) -> OffsetFetchResponse {
    let mut response = OffsetFetchResponse::default();
    if version >= SEVERAL_GROUPS_FROM {
        response.groups = groups.into_iter().map(|(group_id, reply)| group(group_id, reply)).collect();
    } else if let Some((_, reply)) = groups.into_iter().next() {
        response.error_code = reply.error.code();
        let topics = reply.topics.into_iter().map(|topic| OffsetFetchResponseTopic {
            name: topic.name.to_string(),
            partitions: topic.partitions.into_iter().map(only_partition).collect(),
        });
        response.topics = topics.collect();
    }
    response
}

fn group(group_id: String, reply: OffsetFetchReply) -> OffsetFetchResponseGroup {
    let topics = reply.topics.into_iter().map(|topic| OffsetFetchResponseTopics {
        name: topic.name.to_string(),
        topic_id: topic.topic_id,
        partitions: topic.partitions.into_iter().map(partition).collect(),
    });
    OffsetFetchResponseGroup { group_id, topics: topics.collect(), error_code: reply.error.code() }
}

fn partition(fetched: FetchedPartition) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index: fetched.partition,
        committed_offset: fetched.offset,
        committed_leader_epoch: fetched.leader_epoch,
        metadata: Some(fetched.metadata.to_string()),
        error_code: fetched.error.code(),
    }
}

fn only_partition(fetched: FetchedPartition) -> OffsetFetchResponsePartition {
    OffsetFetchResponsePartition {
        partition_index: fetched.partition,
        committed_offset: fetched.offset,
        committed_leader_epoch: fetched.leader_epoch,
        metadata: Some(fetched.metadata.to_string()),
        error_code: fetched.error.code(),
    }
}

#[cfg(test)]
mod tests {
    use wire::messages::offset_fetch_request::{
        OffsetFetchRequest as Message, OffsetFetchRequestGroup, OffsetFetchRequestTopic,
        OffsetFetchRequestTopics,
    };

    use super::*;

    fn questions(version: i16, message: &Message) -> Vec<String> {
        let mut out = wire::Writer::new();
        message.encode(&mut out, version).expect("it is small");
        let bytes = out.into_bytes().expect("it has no spans");
        let view = OffsetFetchRequestView::decode(&bytes, version).expect("it is whole");
        let questions = OffsetFetchRequest::all_from_view(version, &view).into_iter();
        let shown = questions.map(|question| {
            let topics = question.topics.map(|topics| {
                topics.iter().map(|topic| format!("{}{:?}", topic.name, topic.partitions)).collect::<Vec<_>>()
            });
            format!("{} {topics:?}", question.group_id)
        });
        shown.collect()
    }

    #[test]
    fn a_request_about_one_group_and_one_about_several_come_to_the_same() {
        let topic = OffsetFetchRequestTopic { name: "t".into(), partition_indexes: vec![1, 2] };
        let old = Message { group_id: "g".into(), topics: Some(vec![topic]), ..Default::default() };
        assert_eq!(questions(1, &old), [r#"g Some(["t[1, 2]"])"#]);
        let all = Message { group_id: "g".into(), topics: None, ..Default::default() };
        assert_eq!(questions(2, &all), ["g None"]);
        let topic =
            OffsetFetchRequestTopics { name: "t".into(), partition_indexes: vec![1], ..Default::default() };
        let group =
            |id: &str, topics| OffsetFetchRequestGroup { group_id: id.into(), topics, ..Default::default() };
        let groups = vec![group("g", Some(vec![topic])), group("h", None)];
        let new = Message { groups, ..Default::default() };
        assert_eq!(questions(9, &new), [r#"g Some(["t[1]"])"#, "h None"]);
    }

    #[test]
    fn a_group_that_cannot_be_served_is_an_error_in_the_way_the_version_can_say() {
        let topics = Some(vec![FetchTopic { name: "t", topic_id: Uuid::ZERO, partitions: vec![4] }]);
        let request = OffsetFetchRequest {
            group_id: "g",
            member_id: None,
            member_epoch: -1,
            topics,
            require_stable: false,
        };
        let response = |version| {
            let reply = request.failed(version, ErrorCode::NotCoordinator);
            offset_fetch_response(version, vec![("g".into(), reply)])
        };
        assert_eq!(response(1).topics[0].partitions[0].error_code, ErrorCode::NotCoordinator.code());
        assert_eq!((response(2).error_code, response(2).topics.len()), (ErrorCode::NotCoordinator.code(), 0));
        assert_eq!(response(8).groups[0].error_code, ErrorCode::NotCoordinator.code());
        for version in 1..=10 {
            let mut out = wire::Writer::new();
            assert_eq!(response(version).encode(&mut out, version), Ok(()), "version {version}");
        }
    }
}
