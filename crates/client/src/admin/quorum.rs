//! Who leads: the quorum of controllers, elections of leaders, partitions on the move.

use std::collections::BTreeMap;

use kernel::{ErrorCode, NodeId, Offset, Timestamp, TopicPartition, Uuid};
use wire::messages::describe_quorum_request::{DescribeQuorumRequest, PartitionData, TopicData};
use wire::messages::describe_quorum_response::ReplicaState;
use wire::messages::elect_leaders_request::{ElectLeadersRequest, TopicPartitions};
use wire::messages::list_partition_reassignments_request::ListPartitionReassignmentsRequest;

use super::Admin;
use crate::config::millis;
use crate::{BrokerError, Error};

/// The controllers that agree on the cluster's metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum {
    /// The controller that decides.
    pub leader: NodeId,
    /// Grows with each election.
    pub leader_epoch: i32,
    /// Up to where the metadata log is committed.
    pub high_watermark: Offset,
    /// Controllers that vote, the leader among them.
    pub voters: Vec<QuorumReplica>,
    /// Brokers, and controllers that do not vote.
    pub observers: Vec<QuorumReplica>,
}

/// A copy of the metadata log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumReplica {
    /// Of the node.
    pub id: NodeId,
    /// Zero where the cluster is too old to tell.
    pub directory: Uuid,
    /// After the last record that it has.
    pub log_end_offset: Offset,
    /// When it last asked for records; nothing for the leader of an old cluster.
    pub last_fetch: Option<Timestamp>,
    /// When it last had all that there was.
    pub last_caught_up: Option<Timestamp>,
}

/// How leaders are elected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Election {
    /// The first of the replicas, if it is in sync.
    Preferred,
    /// Any that is alive, in sync or not, where there is no other: acknowledged records may be lost.
    Unclean,
}

/// Where a partition moves to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reassignment {
    /// Those that have it while it moves.
    pub replicas: Vec<NodeId>,
    /// Those that get it.
    pub adding: Vec<NodeId>,
    /// Those that lose it.
    pub removing: Vec<NodeId>,
}

/// The version from which an election can be unclean.
const UNCLEAN_FROM: i16 = 1;

const METADATA_TOPIC: &str = "__cluster_metadata";

impl Admin {
    /// Describes the quorum of controllers, as its leader sees it.
    ///
    /// # Errors
    /// [`Error::Unsupported`] before Kafka 3.3, and where ZooKeeper keeps the metadata. `CLUSTER_AUTHORIZATION_FAILED` without
    /// `Describe` of the cluster.
    pub async fn describe_quorum(&self) -> Result<Quorum, Error> {
        let partition = PartitionData { partition_index: 0 };
        let topic = TopicData { topic_name: METADATA_TOPIC.to_owned(), partitions: vec![partition] };
        let answer = self.client.read_any(&DescribeQuorumRequest { topics: vec![topic] }).await?;
        BrokerError::check(answer.error_code).map_err(|error| error.message(answer.error_message))?;
        let partition =
            answer.topics.into_iter().next().and_then(|topic| topic.partitions.into_iter().next());
        let nothing = || BrokerError::new(ErrorCode::UnknownServerError.code());
        let partition = partition.ok_or_else(nothing)?;
        BrokerError::check(partition.error_code).map_err(|error| error.message(partition.error_message))?;
        Ok(Quorum {
            leader: NodeId(partition.leader_id),
            leader_epoch: partition.leader_epoch,
            high_watermark: Offset(partition.high_watermark),
            voters: partition.current_voters.into_iter().map(replica).collect(),
            observers: partition.observers.into_iter().map(replica).collect(),
        })
    }

    /// Elects leaders of these partitions, or of all. Returns what became of each; of all partitions, of those that were not
    /// left as they were. It may take a moment until every broker knows.
    ///
    /// # Errors
    /// A partition's own are `ELECTION_NOT_NEEDED` where the leader is the one that it should be (or, for an unclean election,
    /// there is one), `PREFERRED_LEADER_NOT_AVAILABLE` where the preferred one is not in sync or not alive,
    /// `ELIGIBLE_LEADERS_NOT_AVAILABLE` where no replica is alive, and `UNKNOWN_TOPIC_OR_PARTITION`. [`Error::Unsupported`] for
    /// unclean elections before Kafka 2.4; `CLUSTER_AUTHORIZATION_FAILED` without `Alter` of the cluster.
    pub async fn elect_leaders(
        &self,
        election: Election,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<BTreeMap<TopicPartition, Result<(), BrokerError>>, Error> {
        let topics = partitions.map(|partitions| {
            let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
            for name in partitions {
                topics.entry(&name.topic).or_default().push(name.partition);
            }
            let topic =
                |(topic, partitions): (&str, _)| TopicPartitions { topic: topic.to_owned(), partitions };
            topics.into_iter().map(topic).collect()
        });
        let request = ElectLeadersRequest {
            election_type: i8::from(election == Election::Unclean),
            topic_partitions: topics,
            timeout_ms: millis(self.client.config().request_timeout),
        };
        let connection = self.client.any().await?;
        let version = connection.version::<ElectLeadersRequest>()?;
        if version < UNCLEAN_FROM && election == Election::Unclean {
            let address = connection.address().to_owned();
            return Err(Error::Unsupported { address, api: "ElectLeaders of unclean leaders" });
        }
        let answer = connection.ask_in(&request, version, connection.request_timeout()).await?;
        BrokerError::check(answer.error_code)?;
        let mut elected = BTreeMap::new();
        for topic in answer.replica_election_results {
            for result in topic.partition_result {
                let outcome = BrokerError::check(result.error_code).map_err(|error| {
                    error.partition(&topic.topic, result.partition_id).message(result.error_message)
                });
                elected.insert(TopicPartition::new(topic.topic.as_str(), result.partition_id), outcome);
            }
        }
        Ok(elected)
    }

    /// Partitions that are being moved to other brokers; those that are not are left out.
    ///
    /// # Errors
    /// [`Error::Unsupported`] before Kafka 2.4; `CLUSTER_AUTHORIZATION_FAILED` without `Describe` of the cluster.
    pub async fn list_reassignments(&self) -> Result<BTreeMap<TopicPartition, Reassignment>, Error> {
        let request = ListPartitionReassignmentsRequest {
            timeout_ms: millis(self.client.config().request_timeout),
            topics: None,
        };
        let answer = self.client.ask_any(&request).await?;
        BrokerError::check(answer.error_code).map_err(|error| error.message(answer.error_message))?;
        let ids = |ids: Vec<i32>| ids.into_iter().map(NodeId).collect();
        let mut moving = BTreeMap::new();
        for topic in answer.topics {
            for partition in topic.partitions {
                let reassignment = Reassignment {
                    replicas: ids(partition.replicas),
                    adding: ids(partition.adding_replicas),
                    removing: ids(partition.removing_replicas),
                };
                moving.insert(
                    TopicPartition::new(topic.name.as_str(), partition.partition_index),
                    reassignment,
                );
            }
        }
        Ok(moving)
    }
}

fn replica(state: ReplicaState) -> QuorumReplica {
    let time = |millis: i64| (millis >= 0).then_some(Timestamp(millis));
    QuorumReplica {
        id: NodeId(state.replica_id),
        directory: state.replica_directory_id,
        log_end_offset: Offset(state.log_end_offset),
        last_fetch: time(state.last_fetch_timestamp),
        last_caught_up: time(state.last_caught_up_timestamp),
    }
}
