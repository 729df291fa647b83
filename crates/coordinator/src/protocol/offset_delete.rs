//! OffsetDelete.

use wire::messages::offset_delete_request::{OffsetDeleteRequestTopicView, OffsetDeleteRequestView};
use wire::messages::offset_delete_response::{
    OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};

use crate::reply::OffsetDeleteReply;
use crate::request::OffsetDeleteRequest;

impl<'a> OffsetDeleteRequest<'a> {
    /// The request with those of its topics that exist and that the client may use.
    pub fn from_view(
        view: &OffsetDeleteRequestView<'a>,
        allowed: impl Fn(&OffsetDeleteRequestTopicView<'a>, i32) -> bool,
    ) -> Self {
        let topics = view.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|one| one.partition_index);
            (topic.name, partitions.filter(|partition| allowed(&topic, *partition)).collect())
        });
        let topics = topics.filter(|(_, partitions): &(&str, Vec<i32>)| !partitions.is_empty());
        Self { group_id: view.group_id, topics: topics.collect() }
    }
}

impl OffsetDeleteReply {
    pub fn into_response(self) -> OffsetDeleteResponse {
        let topics = self.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.into_iter().map(|(partition_index, error)| {
                OffsetDeleteResponsePartition { partition_index, error_code: error.code() }
            });
            OffsetDeleteResponseTopic { name: topic.name.to_string(), partitions: partitions.collect() }
        });
        OffsetDeleteResponse { error_code: self.error.code(), throttle_time_ms: 0, topics: topics.collect() }
    }
}
