//! Offsets: where partitions begin and end, and what groups have committed.

use std::collections::BTreeMap;

use kernel::{LeaderEpoch, NodeId, Offset, Timestamp, TopicPartition};
use wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use wire::messages::list_offsets_response::ListOffsetsResponse;
use wire::messages::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use wire::messages::offset_fetch_response::OffsetFetchResponse;

use super::Admin;
use super::leaders::{Answered, Each, all, ask_leaders};
use crate::cluster::Lane;
use crate::config::{IsolationLevel, millis};
use crate::{BrokerError, Client, Error};

/// Which offset of a partition is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetSpec {
    /// Of the first record that is kept.
    Earliest,
    /// Of the record that will be written next.
    Latest,
    /// Of the first record at this time or later; there may be none.
    AtOrAfter(Timestamp),
    /// Of the record with the highest timestamp; there may be none. Needs Kafka 3.0.
    MaxTimestamp,
    /// Of the first record on the leader's own disk: that of [`OffsetSpec::Earliest`] where nothing lies in tiered storage.
    /// Needs Kafka 3.0.
    EarliestLocal,
    /// Of the last record in tiered storage; there may be none. Needs Kafka 3.9.
    LatestTiered,
    /// Of the first record that is still to be copied into tiered storage; there may be none. Needs Kafka 4.2.
    EarliestPendingUpload,
}

impl OffsetSpec {
    fn sentinel(self) -> i64 {
        match self {
            OffsetSpec::Latest => -1,
            OffsetSpec::Earliest => -2,
            OffsetSpec::MaxTimestamp => -3,
            OffsetSpec::EarliestLocal => -4,
            OffsetSpec::LatestTiered => -5,
            OffsetSpec::EarliestPendingUpload => -6,
            OffsetSpec::AtOrAfter(timestamp) => timestamp.0.max(0),
        }
    }

    /// The version from which it can be asked for; to older ones it is a time like any other.
    fn version(self) -> i16 {
        match self {
            OffsetSpec::Earliest | OffsetSpec::Latest | OffsetSpec::AtOrAfter(_) => 0,
            OffsetSpec::MaxTimestamp => 7,
            OffsetSpec::EarliestLocal => 8,
            OffsetSpec::LatestTiered => 9,
            OffsetSpec::EarliestPendingUpload => 11,
        }
    }
}

/// What a partition's leader said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedOffset {
    /// Nothing if no record fits.
    pub offset: Option<Offset>,
    /// Of the record at the offset, where a time was asked for.
    pub timestamp: Option<Timestamp>,
    /// In whose reign the record was written, if that is known.
    pub leader_epoch: Option<LeaderEpoch>,
}

/// What a group has committed for a partition, or is to commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The next record that the group will read.
    pub offset: Offset,
    /// In whose reign the record before it was written, if that is known.
    pub leader_epoch: Option<LeaderEpoch>,
    /// Words of whoever committed; up to `offset.metadata.max.bytes` of the broker, 4096 by default.
    pub metadata: String,
}

impl From<Offset> for CommittedOffset {
    fn from(offset: Offset) -> Self {
        Self { offset, leader_epoch: None, metadata: String::new() }
    }
}

impl Admin {
    /// Offsets of partitions, from their leaders.
    ///
    /// # Errors
    /// That of the first partition that has one, if only after `default.api.timeout.ms` where trying again might have
    /// mended it: [`Admin::list_offsets_each`] tells of each partition, and which errors there are.
    pub async fn list_offsets(
        &self,
        wanted: &[(TopicPartition, OffsetSpec)],
        isolation: IsolationLevel,
    ) -> Result<BTreeMap<TopicPartition, ListedOffset>, Error> {
        all(self.list_offsets_each(wanted, isolation).await)
    }

    /// As [`Admin::list_offsets`], with what became of each partition: no partition waits for another one's leader.
    ///
    /// # Errors
    /// A partition's own are `UNKNOWN_TOPIC_OR_PARTITION` and `LEADER_NOT_AVAILABLE`, once the time is up,
    /// `KAFKA_STORAGE_ERROR` where the leader cannot use its log and nobody takes over within two seconds, and
    /// `TOPIC_AUTHORIZATION_FAILED` without `Describe` of the topic; [`Error::Unsupported`] where the leader is too old for the
    /// kind of offset.
    pub async fn list_offsets_each(
        &self,
        wanted: &[(TopicPartition, OffsetSpec)],
        isolation: IsolationLevel,
    ) -> Each<ListedOffset> {
        let wanted = wanted.iter().cloned().collect();
        let ask = |client, leader, partitions| list_offsets(client, leader, partitions, isolation);
        ask_leaders(&self.client, wanted, ask).await
    }

    /// What a group has committed: for `partitions`, or for all it has.
    ///
    /// # Errors
    /// That of the group, or of the first partition that has one: `GROUP_AUTHORIZATION_FAILED` without `Describe` of the group,
    /// and for `partitions` `TOPIC_AUTHORIZATION_FAILED` without `Describe` of a topic. A group that is not there has committed
    /// nothing, which is no error.
    pub async fn committed_offsets(
        &self,
        group: &str,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<BTreeMap<TopicPartition, CommittedOffset>, Error> {
        let time = self.client.config().default_api_timeout;
        let topics = partitions.map(by_topic);
        let request = |version| offset_fetch(group, topics.as_ref(), version);
        let check = |answer| {
            let each = read_committed_offsets(answer)?.into_iter();
            each.map(|(name, result)| Ok((name, result?))).collect::<Result<BTreeMap<_, _>, _>>()
        };
        let asked = self.client.ask_coordinator(group, time, request, OFFSET_FETCH_NAMES_UP_TO, check);
        let committed = asked.await?.into_iter();
        Ok(committed.filter_map(|(name, committed)| Some((name, committed?))).collect())
    }
}

/// Asks a leader, once.
pub(crate) async fn list_offsets(
    client: Client,
    leader: NodeId,
    partitions: Vec<(TopicPartition, OffsetSpec)>,
    isolation: IsolationLevel,
) -> Result<Answered<ListedOffset>, Error> {
    let connection = client.broker(leader, Lane::General).await?;
    let version = connection.version::<ListOffsetsRequest>()?;
    if partitions.iter().any(|(_, spec)| spec.version() > version) {
        let address = connection.address().to_owned();
        return Err(Error::Unsupported { address, api: "ListOffsets of such an offset" });
    }
    let request = request(&partitions, isolation, &client);
    Ok(read(&connection.ask_in(&request, version, connection.request_timeout()).await?))
}

fn request(
    partitions: &[(TopicPartition, OffsetSpec)],
    isolation: IsolationLevel,
    client: &Client,
) -> ListOffsetsRequest {
    let metadata = client.metadata();
    let mut topics: Vec<ListOffsetsTopic> = Vec::new();
    for (name, spec) in partitions {
        let known = metadata.partition(&name.topic, name.partition);
        let partition = ListOffsetsPartition {
            partition_index: name.partition,
            // One who was deposed, or does not know yet that it leads, is not believed.
            current_leader_epoch: known.map_or(LeaderEpoch::NONE, |known| known.leader_epoch).0,
            timestamp: spec.sentinel(),
        };
        match topics.iter_mut().find(|topic| *topic.name == *name.topic) {
            Some(topic) => topic.partitions.push(partition),
            None => {
                topics.push(ListOffsetsTopic { name: name.topic.to_string(), partitions: vec![partition] })
            }
        }
    }
    ListOffsetsRequest {
        replica_id: -1,
        isolation_level: isolation.number(),
        topics,
        timeout_ms: millis(client.config().request_timeout),
    }
}

fn read(answer: &ListOffsetsResponse) -> Answered<ListedOffset> {
    let mut answered = BTreeMap::new();
    for topic in &answer.topics {
        for partition in &topic.partitions {
            let listed = ListedOffset {
                offset: (partition.offset >= 0).then_some(Offset(partition.offset)),
                timestamp: (partition.timestamp >= 0).then_some(Timestamp(partition.timestamp)),
                leader_epoch: (partition.leader_epoch >= 0).then_some(LeaderEpoch(partition.leader_epoch)),
            };
            let result = BrokerError::check(partition.error_code)
                .map(|()| listed)
                .map_err(|error| error.partition(&topic.name, partition.partition_index));
            answered.insert(TopicPartition::new(topic.name.as_str(), partition.partition_index), result);
        }
    }
    answered
}

/// The last version in which topics go by name.
const OFFSET_FETCH_NAMES_UP_TO: i16 = 9;
/// The version from which several groups may be asked for.
const OFFSET_FETCH_GROUPS_FROM: i16 = 8;
/// The version from which null stands for all topics.
const OFFSET_FETCH_ALL_FROM: i16 = 2;

/// What the coordinator of a group says of partitions; nothing of one for which nothing is committed.
pub(crate) type Committed = Answered<Option<CommittedOffset>>;

/// Asks for what a group has committed, once, and says of each partition what is known.
pub(crate) async fn committed_each(
    client: &Client,
    group: &str,
    partitions: &[TopicPartition],
) -> Result<Committed, Error> {
    let asked = async {
        let connection = client.coordinator(group, Lane::General).await?;
        let version = connection.version_up_to::<OffsetFetchRequest>(OFFSET_FETCH_NAMES_UP_TO)?;
        let request = offset_fetch(group, Some(&by_topic(partitions)), version);
        let answer = connection.ask_in(&request, version, connection.request_timeout()).await?;
        Ok::<_, Error>(read_committed_offsets(answer).map_err(|error| error.group(group))?)
    };
    let asked = asked.await.inspect_err(|error| _ = client.coordinators().heed(group, error))?;
    // Old versions say of each partition what is wrong with the group.
    for error in asked.values().filter_map(|committed| committed.as_ref().err()) {
        client.coordinators().heed(group, &error.clone().into());
    }
    Ok(asked)
}

fn by_topic(partitions: &[TopicPartition]) -> BTreeMap<&str, Vec<i32>> {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for name in partitions {
        topics.entry(&name.topic).or_default().push(name.partition);
    }
    topics
}

fn offset_fetch(group: &str, topics: Option<&BTreeMap<&str, Vec<i32>>>, version: i16) -> OffsetFetchRequest {
    let mut request = OffsetFetchRequest::default();
    if version >= OFFSET_FETCH_GROUPS_FROM {
        let topics = topics.map(|topics| {
            let topic = |(name, partitions): (&&str, &Vec<i32>)| OffsetFetchRequestTopics {
                name: (*name).to_owned(),
                partition_indexes: partitions.clone(),
                ..Default::default()
            };
            topics.iter().map(topic).collect()
        });
        request.groups =
            vec![OffsetFetchRequestGroup { group_id: group.to_owned(), topics, ..Default::default() }];
        return request;
    }
    request.group_id = group.to_owned();
    let topics = topics.map(|topics| {
        let topic = |(name, partitions): (&&str, &Vec<i32>)| OffsetFetchRequestTopic {
            name: (*name).to_owned(),
            partition_indexes: partitions.clone(),
        };
        topics.iter().map(topic).collect()
    });
    request.topics = if version >= OFFSET_FETCH_ALL_FROM { topics } else { topics.or(Some(Vec::new())) };
    request
}

fn read_committed_offsets(answer: OffsetFetchResponse) -> Result<Committed, BrokerError> {
    BrokerError::check(answer.error_code)?;
    let mut offsets = BTreeMap::new();
    let mut put = |topic: &str, partition, code, offset, epoch: i32, metadata: Option<String>| {
        let committed = || CommittedOffset {
            offset: Offset(offset),
            leader_epoch: (epoch >= 0).then_some(LeaderEpoch(epoch)),
            metadata: metadata.unwrap_or_default(),
        };
        let result = BrokerError::check(code)
            .map(|()| (offset >= 0).then(committed))
            .map_err(|error| error.partition(topic, partition));
        offsets.insert(TopicPartition::new(topic, partition), result);
    };
    for topic in answer.topics {
        for p in topic.partitions {
            let epoch = p.committed_leader_epoch;
            put(&topic.name, p.partition_index, p.error_code, p.committed_offset, epoch, p.metadata);
        }
    }
    for group in answer.groups {
        BrokerError::check(group.error_code)?;
        for topic in group.topics {
            for p in topic.partitions {
                let epoch = p.committed_leader_epoch;
                put(&topic.name, p.partition_index, p.error_code, p.committed_offset, epoch, p.metadata);
            }
        }
    }
    Ok(offsets)
}
