//! Groups: describe, delete; the offsets that they have committed.

use std::collections::BTreeMap;
use std::sync::Arc;

use kernel::{ErrorCode, TopicPartition, Uuid};
use wire::messages::consumer_group_describe_request::ConsumerGroupDescribeRequest;
use wire::messages::consumer_group_describe_response::{ConsumerGroupDescribeResponse, Member};
use wire::messages::delete_groups_request::DeleteGroupsRequest;
use wire::messages::delete_groups_response::DeleteGroupsResponse;
use wire::messages::describe_groups_request::DescribeGroupsRequest;
use wire::messages::describe_groups_response::{
    DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use wire::messages::offset_commit_request::OffsetCommitRequest;
use wire::messages::offset_commit_response::{OffsetCommitResponse, OffsetCommitResponseTopic};
use wire::messages::offset_delete_request::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use wire::messages::offset_delete_response::OffsetDeleteResponse;

use super::{Admin, CommittedOffset, GroupListing};
use crate::cluster::Lane;
use crate::consumer::{commit, protocol};
use crate::{BrokerError, Error};

/// The types of groups that are described here, as they are listed.
const CLASSIC_TYPE: &str = "classic";
const CONSUMER_TYPE: &str = "consumer";

/// A group with its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its name.
    pub group: String,
    /// `classic` or `consumer`: the protocol by which its members join (KIP-848).
    pub group_type: String,
    /// `Stable`, `Empty`, `PreparingRebalance`, `CompletingRebalance` and so on.
    pub state: String,
    /// `consumer` for groups of consumers; empty for one that only keeps offsets.
    pub protocol_type: String,
    /// The assignor that the members agreed on.
    pub assignor: String,
    /// The address of the broker that coordinates it.
    pub coordinator: String,
    /// None if it is empty.
    pub members: Vec<GroupMember>,
}

/// A member of a group, and what it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMember {
    /// Drawn by the broker when the member joined.
    pub id: String,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<String>,
    /// `client.id` of its client.
    pub client_id: String,
    /// The address that it connects from.
    pub host: String,
    /// Nothing if the member is no consumer, or has no assignment yet.
    pub assignment: Vec<TopicPartition>,
}

/// The state of a group that is not there.
const DEAD: &str = "Dead";

/// The state of a group without members.
const EMPTY: &str = "Empty";

impl Admin {
    /// Describes a group of consumers, whichever protocol it goes by.
    ///
    /// # Errors
    /// `GROUP_ID_NOT_FOUND` for one that is not there, or is a group of another kind than consumers have;
    /// `GROUP_AUTHORIZATION_FAILED` without `Describe` of the group.
    pub async fn describe_group(&self, group: &str) -> Result<GroupDescription, Error> {
        let not_found = match self.describe_classic_group(group).await {
            Err(error) if error.code() == Some(ErrorCode::GroupIdNotFound) => error,
            described => return described,
        };
        // That is also what a broker says of a group that goes by another protocol than the classic one.
        match self.describe_consumer_group(group).await {
            Err(unsupported @ Error::Unsupported { .. }) => {
                let listed = self.list_groups().await?.into_iter().find(|one| one.group == group);
                match listed.filter(|one| one.group_type == CONSUMER_TYPE) {
                    None => Err(not_found),
                    Some(listed) if listed.state == EMPTY => Ok(self.describe_listed(listed).await),
                    Some(_) => Err(unsupported),
                }
            }
            Err(error) if error.code() == Some(ErrorCode::GroupIdNotFound) => Err(not_found),
            described => described,
        }
    }

    /// Describes a group without members by what lists tell of it: a coordinator that does not serve its protocol may have it
    /// of the release before.
    async fn describe_listed(&self, listed: GroupListing) -> GroupDescription {
        GroupDescription {
            coordinator: self.address_of_coordinator(&listed.group).await,
            group: listed.group,
            group_type: listed.group_type,
            state: listed.state,
            protocol_type: listed.protocol_type,
            assignor: String::new(),
            members: Vec::new(),
        }
    }

    /// Describes a group of the protocol of KIP-848.
    async fn describe_consumer_group(&self, group: &str) -> Result<GroupDescription, Error> {
        let time = self.client.config().default_api_timeout;
        let request = |_| ConsumerGroupDescribeRequest {
            group_ids: vec![group.to_owned()],
            include_authorized_operations: false,
        };
        let check = |answer: ConsumerGroupDescribeResponse| {
            let unknown = || BrokerError::new(ErrorCode::GroupIdNotFound.code());
            let described = answer.groups.into_iter().next().ok_or_else(unknown)?;
            BrokerError::check(described.error_code)
                .map_err(|error| error.message(described.error_message.clone()))?;
            Ok(described)
        };
        let described = self.client.ask_coordinator(group, time, request, i16::MAX, check).await?;
        Ok(GroupDescription {
            group: described.group_id,
            group_type: CONSUMER_TYPE.to_owned(),
            state: described.group_state,
            protocol_type: protocol::CONSUMER.to_owned(),
            assignor: described.assignor_name,
            coordinator: self.address_of_coordinator(group).await,
            members: described.members.into_iter().map(member).collect(),
        })
    }

    async fn describe_classic_group(&self, group: &str) -> Result<GroupDescription, Error> {
        let time = self.client.config().default_api_timeout;
        let request = |_| DescribeGroupsRequest {
            groups: vec![group.to_owned()],
            include_authorized_operations: false,
        };
        let check = |answer: DescribeGroupsResponse| {
            let unknown = || BrokerError::new(ErrorCode::GroupIdNotFound.code());
            let described = answer.groups.into_iter().next().ok_or_else(unknown)?;
            BrokerError::check(described.error_code)
                .map_err(|error| error.message(described.error_message.clone()))?;
            if described.group_state == DEAD { Err(unknown()) } else { Ok(described) }
        };
        let described = self.client.ask_coordinator(group, time, request, i16::MAX, check).await?;
        Ok(description(described, self.address_of_coordinator(group).await))
    }

    /// Of the one that has just answered; empty if it is gone since.
    async fn address_of_coordinator(&self, group: &str) -> String {
        let coordinator = self.client.coordinator(group, Lane::General).await;
        coordinator.map(|connection| connection.address().to_owned()).unwrap_or_default()
    }

    /// Deletes a group with all offsets that it has committed. It is tried again: if nothing is known of an earlier attempt, a
    /// group that is not there any more was deleted by that.
    ///
    /// # Errors
    /// `NON_EMPTY_GROUP` while it has members, who have to leave first ([`Admin::remove_members`] has them do so);
    /// `GROUP_ID_NOT_FOUND`; `GROUP_AUTHORIZATION_FAILED` without `Delete` of the group.
    pub async fn delete_group(&self, group: &str) -> Result<(), Error> {
        let request = |_| DeleteGroupsRequest { groups_names: vec![group.to_owned()] };
        let check = |answer: DeleteGroupsResponse, may_be_deleted: bool| {
            let not_there = || BrokerError::new(ErrorCode::GroupIdNotFound.code());
            let result = answer.results.into_iter().next().ok_or_else(not_there)?;
            if result.error_code == ErrorCode::GroupIdNotFound.code() && may_be_deleted {
                return Ok(());
            }
            BrokerError::check(result.error_code).map_err(|error| error.message(result.error_message))
        };
        self.client.change_at_coordinator(group, request, i16::MAX, check).await
    }

    /// Sets where a group goes on, as if it had committed these offsets. A group that is not there is made. It is tried again,
    /// which changes nothing that an earlier attempt did.
    ///
    /// # Errors
    /// `UNKNOWN_MEMBER_ID` while the group has members, who would not notice: stop them first. That of the first partition that
    /// has one, while others may be committed: `UNKNOWN_TOPIC_OR_PARTITION`, once the time is up, as it may be on its way to
    /// the coordinator; `OFFSET_METADATA_TOO_LARGE`. `GROUP_AUTHORIZATION_FAILED` without `Read` of the group, and
    /// `TOPIC_AUTHORIZATION_FAILED` without `Read` of a topic.
    pub async fn alter_offsets(
        &self,
        group: &str,
        offsets: &BTreeMap<TopicPartition, CommittedOffset>,
    ) -> Result<(), Error> {
        if offsets.is_empty() {
            return Ok(());
        }
        let request = |version| OffsetCommitRequest {
            group_id: group.to_owned(),
            generation_id_or_member_epoch: -1,
            topics: commit::topics(
                offsets.iter().map(|(name, committed)| (name, committed, Uuid::ZERO)),
                version,
            ),
            ..Default::default()
        };
        let check = |answer: OffsetCommitResponse, _| {
            let partitions = |topic: OffsetCommitResponseTopic| {
                let name = topic.name;
                topic.partitions.into_iter().map(move |p| (name.clone(), p.partition_index, p.error_code))
            };
            answer.topics.into_iter().flat_map(partitions).try_for_each(|(topic, partition, code)| {
                BrokerError::check(code).map_err(|error| error.partition(topic, partition))
            })
        };
        self.client.change_at_coordinator(group, request, commit::NAMES_UP_TO, check).await
    }

    /// Forgets what a group has committed for partitions. It is tried again, which changes nothing that an earlier attempt did.
    ///
    /// # Errors
    /// `GROUP_SUBSCRIBED_TO_TOPIC` where members read the topic: they have to leave first. `GROUP_ID_NOT_FOUND`,
    /// `UNKNOWN_TOPIC_OR_PARTITION` once the time is up. `GROUP_AUTHORIZATION_FAILED` without `Delete` of the group, and
    /// `TOPIC_AUTHORIZATION_FAILED` without `Read` of a topic.
    pub async fn delete_offsets(&self, group: &str, partitions: &[TopicPartition]) -> Result<(), Error> {
        let mut topics: BTreeMap<&str, Vec<OffsetDeleteRequestPartition>> = BTreeMap::new();
        for name in partitions {
            let partition = OffsetDeleteRequestPartition { partition_index: name.partition };
            topics.entry(&name.topic).or_default().push(partition);
        }
        let request = |_| OffsetDeleteRequest {
            group_id: group.to_owned(),
            topics: topics
                .iter()
                .map(|(name, partitions)| OffsetDeleteRequestTopic {
                    name: (*name).to_owned(),
                    partitions: partitions.clone(),
                })
                .collect(),
        };
        let check = |answer: OffsetDeleteResponse, _| {
            BrokerError::check(answer.error_code)?;
            for topic in answer.topics {
                for partition in topic.partitions {
                    BrokerError::check(partition.error_code)
                        .map_err(|error| error.partition(&topic.name, partition.partition_index))?;
                }
            }
            Ok(())
        };
        self.client.change_at_coordinator(group, request, i16::MAX, check).await
    }
}

fn description(group: DescribedGroup, coordinator: String) -> GroupDescription {
    GroupDescription {
        group_type: CLASSIC_TYPE.to_owned(),
        group: group.group_id,
        state: group.group_state,
        assignor: group.protocol_data,
        coordinator,
        members: group
            .members
            .into_iter()
            .map(|member| describe_member(member, &group.protocol_type))
            .collect(),
        protocol_type: group.protocol_type,
    }
}

/// A member of a group of the protocol of KIP-848, with what it has now.
fn member(member: Member) -> GroupMember {
    let partitions = member.assignment.topic_partitions.into_iter();
    let names = partitions.flat_map(|topic| {
        let name: Arc<str> = topic.topic_name.into();
        topic
            .partitions
            .into_iter()
            .map(move |partition| TopicPartition { topic: Arc::clone(&name), partition })
    });
    GroupMember {
        id: member.member_id,
        instance_id: member.instance_id,
        client_id: member.client_id,
        host: member.client_host,
        assignment: names.collect(),
    }
}

fn describe_member(member: DescribedGroupMember, protocol_type: &str) -> GroupMember {
    let is_consumer = protocol_type == protocol::CONSUMER && !member.member_assignment.is_empty();
    let assignment =
        if is_consumer { protocol::read_assignment(&member.member_assignment).ok() } else { None };
    GroupMember {
        id: member.member_id,
        instance_id: member.group_instance_id,
        client_id: member.client_id,
        host: member.client_host,
        assignment: assignment.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use parking_lot::Mutex;

    use crate::ClientConfig;
    use crate::scripted::{Cluster, Reply, TOPIC, metadata};
    use wire::api_table::ApiKey;
    use wire::messages::consumer_group_describe_response::{Assignment, DescribedGroup, TopicPartitions};
    use wire::messages::delete_groups_response::DeletableGroupResult;
    use wire::messages::find_coordinator_request::FindCoordinatorRequest;
    use wire::messages::find_coordinator_response::{Coordinator, FindCoordinatorResponse};
    use wire::messages::list_groups_request::ListGroupsRequest;
    use wire::messages::list_groups_response::{ListGroupsResponse, ListedGroup};
    use wire::messages::metadata_request::MetadataRequest;

    const GROUP: &str = "g";

    /// A cluster that knows one group, of the newer protocol.
    fn cluster() -> Cluster {
        cluster_of([])
    }

    fn cluster_of(versions: impl IntoIterator<Item = (ApiKey, i16)>) -> Cluster {
        Cluster::of_versions(versions, |asked| {
            if asked.is::<ListGroupsRequest>() {
                let listed = |(name, state): (&str, &str)| ListedGroup {
                    group_id: name.to_owned(),
                    group_state: state.to_owned(),
                    group_type: CONSUMER_TYPE.to_owned(),
                    ..Default::default()
                };
                let groups = [(GROUP, EMPTY), ("busy", "Stable")].map(listed).to_vec();
                return asked.answer(&ListGroupsResponse { groups, ..Default::default() });
            }
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
                return asked.answer(&FindCoordinatorResponse {
                    coordinators: vec![coordinator],
                    ..Default::default()
                });
            }
            let not_found = ErrorCode::GroupIdNotFound.code();
            if asked.is::<DescribeGroupsRequest>() {
                let group = wire::messages::describe_groups_response::DescribedGroup {
                    error_code: not_found,
                    group_state: DEAD.to_owned(),
                    ..Default::default()
                };
                return asked.answer(&DescribeGroupsResponse { groups: vec![group], ..Default::default() });
            }
            let name = asked.read::<ConsumerGroupDescribeRequest>().group_ids.swap_remove(0);
            let partitions =
                TopicPartitions { topic_name: TOPIC.to_owned(), partitions: vec![0], ..Default::default() };
            let member = Member {
                member_id: "m".to_owned(),
                assignment: Assignment { topic_partitions: vec![partitions] },
                ..Default::default()
            };
            let group = DescribedGroup {
                error_code: if name == GROUP { 0 } else { not_found },
                group_id: name,
                group_state: "Stable".to_owned(),
                assignor_name: "uniform".to_owned(),
                members: vec![member],
                ..Default::default()
            };
            asked.answer(&ConsumerGroupDescribeResponse { groups: vec![group], ..Default::default() })
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_of_the_newer_protocol_is_described_as_well() {
        let admin = Admin::new(&cluster().client().await);
        let group = admin.describe_group(GROUP).await.expect("it is there");
        assert_eq!((group.state.as_str(), group.assignor.as_str()), ("Stable", "uniform"));
        assert_eq!(group.members[0].assignment, [TopicPartition::new(TOPIC, 0)]);
        let error = admin.describe_group("another").await.expect_err("it is not there");
        assert_eq!(error.code(), Some(ErrorCode::GroupIdNotFound));
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_of_a_protocol_that_is_not_served_is_described_where_it_is_empty() {
        let cluster = cluster_of([(ApiKey::ConsumerGroupDescribe, -1)]);
        let admin = Admin::new(&cluster.client().await);
        let group = admin.describe_group(GROUP).await.expect("it is listed");
        assert_eq!(
            (group.state.as_str(), group.group_type.as_str(), group.members.len()),
            (EMPTY, CONSUMER_TYPE, 0)
        );
        assert!(matches!(admin.describe_group("busy").await, Err(Error::Unsupported { .. })));
        let error = admin.describe_group("another").await.expect_err("it is not listed");
        assert_eq!(error.code(), Some(ErrorCode::GroupIdNotFound));
    }

    /// Answers FindCoordinator, and deletions with what comes next; where nothing does, the connection ends.
    fn deleting(outcomes: Vec<Option<ErrorCode>>) -> Cluster {
        deleting_while(outcomes, |_| true)
    }

    /// The same, where somebody coordinates the group as long as `is_there` says so of how often that was asked.
    fn deleting_while(
        outcomes: Vec<Option<ErrorCode>>,
        is_there: impl Fn(usize) -> bool + Send + Sync + 'static,
    ) -> Cluster {
        let outcomes = Mutex::new(outcomes.into_iter());
        let asked_for = Mutex::new(0);
        Cluster::new(move |asked| {
            if asked.is::<MetadataRequest>() {
                return asked.answer(&metadata(1, 1));
            }
            if asked.is::<FindCoordinatorRequest>() {
                *asked_for.lock() += 1;
                let error_code = match is_there(*asked_for.lock()) {
                    true => 0,
                    false => ErrorCode::CoordinatorNotAvailable.code(),
                };
                let coordinator = Coordinator { node_id: 1, error_code, ..Default::default() };
                let answer =
                    FindCoordinatorResponse { coordinators: vec![coordinator], ..Default::default() };
                return asked.answer(&answer);
            }
            match outcomes.lock().next().expect("it is asked no more") {
                Some(code) => {
                    let result = DeletableGroupResult { error_code: code.code(), ..Default::default() };
                    asked.answer(&DeleteGroupsResponse { results: vec![result], ..Default::default() })
                }
                None => Reply::Silence,
            }
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_that_an_unseen_attempt_deleted_is_deleted() {
        let not_found = Some(ErrorCode::GroupIdNotFound);
        let cases = [
            (vec![None, not_found], Ok(())),
            (vec![None, Some(ErrorCode::NotCoordinator), not_found], Ok(())),
            // A coordinator that waits in vain for its replicas has written it all the same.
            (vec![Some(ErrorCode::CoordinatorNotAvailable), not_found], Ok(())),
            (vec![Some(ErrorCode::RequestTimedOut), not_found], Ok(())),
            (vec![not_found], Err(not_found)),
            (vec![Some(ErrorCode::NotCoordinator), not_found], Err(not_found)),
            (vec![None, Some(ErrorCode::NonEmptyGroup)], Err(Some(ErrorCode::NonEmptyGroup))),
        ];
        for (outcomes, expected) in cases {
            let admin = Admin::new(&deleting(outcomes.clone()).client().await);
            let deleted = admin.delete_group(GROUP).await.map_err(|error| error.code());
            assert_eq!(deleted, expected, "{outcomes:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_deletion_that_may_have_been_done_when_the_time_is_up_is_told_as_late() {
        let config =
            || ClientConfig { default_api_timeout: Duration::from_secs(12), ..ClientConfig::new("node:1") };
        let unavailable = Some(ErrorCode::CoordinatorNotAvailable);
        // The first attempt is sent, or none is, and nobody coordinates the group from then on.
        for (begins_with, may_be_done) in [(vec![unavailable], true), (vec![], false)] {
            let cluster = deleting_while(begins_with, move |asked| asked <= usize::from(may_be_done));
            let admin = Admin::new(&cluster.client_with(config()).await);
            let error = admin.delete_group(GROUP).await.expect_err("it was not answered");
            assert_eq!(matches!(error, Error::Timeout { .. }), may_be_done, "{error}");
            assert_eq!(error.code().is_some(), !may_be_done, "{error}");
        }
    }
}
