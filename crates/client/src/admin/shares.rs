//! Share groups (KIP-932): their members, and where they go on.

use std::collections::BTreeMap;

use kernel::{ErrorCode, Offset, TopicPartition};
use wire::messages::describe_share_group_offsets_request::{
    DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsRequestGroup,
};
use wire::messages::describe_share_group_offsets_response::{
    DescribeShareGroupOffsetsResponse, DescribeShareGroupOffsetsResponsePartition,
};
use wire::messages::share_group_describe_request::ShareGroupDescribeRequest;
use wire::messages::share_group_describe_response::{Member, ShareGroupDescribeResponse};

use super::Admin;
use crate::cluster::Lane;
use crate::{BrokerError, Error};

/// A share group with its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareGroupDescription {
    /// Its name.
    pub group: String,
    /// `Stable`, `Empty` and so on.
    pub state: String,
    /// Grows whenever its members, or what they want to read, change.
    pub epoch: i32,
    /// The assignor of the group, which its coordinator runs.
    pub assignor: String,
    /// The address of the broker that coordinates it.
    pub coordinator: String,
    /// None if it is empty.
    pub members: Vec<ShareGroupMember>,
}

/// A member of a share group, and what it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareGroupMember {
    /// Drawn by the member when it joined.
    pub id: String,
    /// `client.rack` of its client.
    pub rack: Option<String>,
    /// `client.id` of its client.
    pub client_id: String,
    /// The address that it connects from.
    pub host: String,
    /// The topics that it wants to read.
    pub subscribed: Vec<String>,
    /// Others may read of the same partitions.
    pub assignment: Vec<TopicPartition>,
}

/// Where a share group goes on in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareGroupOffset {
    /// The first offset that is not settled; nothing before the group has read there.
    pub start: Option<Offset>,
    /// How many records are to be read yet; nothing where the cluster does not tell, as before Kafka 4.2.
    pub lag: Option<i64>,
    /// Why nothing is told of this partition.
    pub error: Option<BrokerError>,
}

impl Admin {
    /// Describes a share group.
    ///
    /// # Errors
    /// `GROUP_ID_NOT_FOUND` for one that is not there or is no share group, and [`Error::Unsupported`] where the cluster has
    /// none, as before Kafka 4.1.
    pub async fn describe_share_group(&self, group: &str) -> Result<ShareGroupDescription, Error> {
        let time = self.client.config().default_api_timeout;
        let coordinator = self.client.coordinator(group, Lane::General).await.map(|c| c.address().to_owned());
        let request = |_| ShareGroupDescribeRequest {
            group_ids: vec![group.to_owned()],
            include_authorized_operations: false,
        };
        let check = |answer: ShareGroupDescribeResponse| {
            let unknown = || BrokerError::new(ErrorCode::GroupIdNotFound.code());
            let described = answer.groups.into_iter().next().ok_or_else(unknown)?;
            BrokerError::check(described.error_code)
                .map_err(|error| error.message(described.error_message.clone()))?;
            Ok(described)
        };
        let described = self.client.ask_coordinator(group, time, request, i16::MAX, check).await?;
        Ok(ShareGroupDescription {
            group: described.group_id,
            state: described.group_state,
            epoch: described.group_epoch,
            assignor: described.assignor_name,
            coordinator: coordinator.unwrap_or_default(),
            members: described.members.into_iter().map(member).collect(),
        })
    }

    /// Where a share group goes on, in all partitions that it has read of.
    ///
    /// # Errors
    /// As for [`Admin::describe_share_group`]. A partition's own stands in [`ShareGroupOffset::error`].
    pub async fn share_group_offsets(
        &self,
        group: &str,
    ) -> Result<BTreeMap<TopicPartition, ShareGroupOffset>, Error> {
        let time = self.client.config().default_api_timeout;
        let request = |_| DescribeShareGroupOffsetsRequest {
            groups: vec![DescribeShareGroupOffsetsRequestGroup { group_id: group.to_owned(), topics: None }],
        };
        let check = |answer: DescribeShareGroupOffsetsResponse| {
            let unknown = || BrokerError::new(ErrorCode::GroupIdNotFound.code());
            let told = answer.groups.into_iter().next().ok_or_else(unknown)?;
            BrokerError::check(told.error_code).map_err(|error| error.message(told.error_message.clone()))?;
            Ok(told)
        };
        let told = self.client.ask_coordinator(group, time, request, i16::MAX, check).await?;
        let mut offsets = BTreeMap::new();
        for topic in told.topics {
            for partition in topic.partitions {
                let name = TopicPartition::new(topic.topic_name.as_str(), partition.partition_index);
                offsets.insert(name, offset(partition));
            }
        }
        Ok(offsets)
    }
}

fn member(member: Member) -> ShareGroupMember {
    let assigned = member.assignment.topic_partitions.into_iter().flat_map(|topic| {
        let name: std::sync::Arc<str> = topic.topic_name.into();
        topic.partitions.into_iter().map(move |partition| TopicPartition::new(name.clone(), partition))
    });
    ShareGroupMember {
        id: member.member_id,
        rack: member.rack_id,
        client_id: member.client_id,
        host: member.client_host,
        subscribed: member.subscribed_topic_names,
        assignment: assigned.collect(),
    }
}

fn offset(told: DescribeShareGroupOffsetsResponsePartition) -> ShareGroupOffset {
    let error = BrokerError::check(told.error_code).err();
    ShareGroupOffset {
        start: (told.start_offset >= 0).then_some(Offset(told.start_offset)),
        lag: (told.lag >= 0).then_some(told.lag),
        error: error.map(|error| error.message(told.error_message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{Cluster, TOPIC, metadata};
    use wire::messages::describe_share_group_offsets_response::{
        DescribeShareGroupOffsetsResponseGroup, DescribeShareGroupOffsetsResponseTopic,
    };
    use wire::messages::find_coordinator_request::FindCoordinatorRequest;
    use wire::messages::find_coordinator_response::{Coordinator, FindCoordinatorResponse};
    use wire::messages::metadata_request::MetadataRequest;
    use wire::messages::share_group_describe_response::{Assignment, DescribedGroup, TopicPartitions};

    const GROUP: &str = "g";

    fn described(name: String) -> ShareGroupDescribeResponse {
        let partitions =
            TopicPartitions { topic_name: TOPIC.to_owned(), partitions: vec![0, 1], ..Default::default() };
        let member = Member {
            member_id: "m".to_owned(),
            assignment: Assignment { topic_partitions: vec![partitions] },
            ..Default::default()
        };
        let group = DescribedGroup {
            error_code: if name == GROUP { 0 } else { ErrorCode::GroupIdNotFound.code() },
            group_id: name,
            group_state: "Stable".to_owned(),
            assignor_name: "simple".to_owned(),
            members: vec![member],
            ..Default::default()
        };
        ShareGroupDescribeResponse { groups: vec![group], ..Default::default() }
    }

    fn offsets(group_id: String) -> DescribeShareGroupOffsetsResponse {
        let partition = |partition_index, start_offset, lag| DescribeShareGroupOffsetsResponsePartition {
            partition_index,
            start_offset,
            lag,
            ..Default::default()
        };
        let topic = DescribeShareGroupOffsetsResponseTopic {
            topic_name: TOPIC.to_owned(),
            partitions: vec![partition(0, 5, 2), partition(1, -1, -1)],
            ..Default::default()
        };
        let group =
            DescribeShareGroupOffsetsResponseGroup { group_id, topics: vec![topic], ..Default::default() };
        DescribeShareGroupOffsetsResponse { groups: vec![group], ..Default::default() }
    }

    fn cluster() -> Cluster {
        Cluster::new(|asked| {
            if asked.is::<MetadataRequest>() {
                return asked.answer(&metadata(1, 1));
            }
            if asked.is::<FindCoordinatorRequest>() {
                let coordinator = Coordinator {
                    key: asked.read::<FindCoordinatorRequest>().coordinator_keys.swap_remove(0),
                    node_id: 1,
                    host: "node".to_owned(),
                    port: 1,
                    ..Default::default()
                };
                let coordinators = vec![coordinator];
                return asked.answer(&FindCoordinatorResponse { coordinators, ..Default::default() });
            }
            if asked.is::<ShareGroupDescribeRequest>() {
                let name = asked.read::<ShareGroupDescribeRequest>().group_ids.swap_remove(0);
                return asked.answer(&described(name));
            }
            let group = asked.read::<DescribeShareGroupOffsetsRequest>().groups.swap_remove(0);
            assert_eq!(group.topics, None, "all of them are meant");
            asked.answer(&offsets(group.group_id))
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_group_is_described_with_what_it_has_still_to_read() {
        let admin = Admin::new(&cluster().client().await);
        let group = admin.describe_share_group(GROUP).await.expect("it is there");
        assert_eq!((group.state.as_str(), group.assignor.as_str()), ("Stable", "simple"));
        let both = [TopicPartition::new(TOPIC, 0), TopicPartition::new(TOPIC, 1)];
        assert_eq!(group.members[0].assignment, both);
        let offsets = admin.share_group_offsets(GROUP).await.expect("it is there");
        let told = both.map(|name| (offsets[&name].start, offsets[&name].lag));
        assert_eq!(told, [(Some(Offset(5)), Some(2)), (None, None)], "it has not read of the second one");
        let error = admin.describe_share_group("another").await.expect_err("it is not there");
        assert_eq!(error.code(), Some(ErrorCode::GroupIdNotFound));
    }
}
