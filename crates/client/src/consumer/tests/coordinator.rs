//! A group whose coordinator does as a test says: node 1 at first. It has two members at most. Node 1 leads all partitions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kernel::{ErrorCode, Uuid};
use parking_lot::Mutex;
use wire::Writer;
use wire::messages::fetch_request::FetchRequest;
use wire::messages::fetch_response::{FetchResponse, FetchableTopicResponse, PartitionData};
use wire::messages::find_coordinator_request::FindCoordinatorRequest;
use wire::messages::find_coordinator_response::{Coordinator, FindCoordinatorResponse};
use wire::messages::heartbeat_request::HeartbeatRequest;
use wire::messages::heartbeat_response::HeartbeatResponse;
use wire::messages::join_group_request::JoinGroupRequest;
use wire::messages::join_group_response::{JoinGroupResponse, JoinGroupResponseMember};
use wire::messages::leave_group_request::LeaveGroupRequest;
use wire::messages::leave_group_response::LeaveGroupResponse;
use wire::messages::list_offsets_request::ListOffsetsRequest;
use wire::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use wire::messages::metadata_request::MetadataRequest;
use wire::messages::metadata_response::{MetadataResponse, MetadataResponsePartition};
use wire::messages::offset_commit_request::OffsetCommitRequest;
use wire::messages::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use wire::messages::offset_fetch_request::OffsetFetchRequest;
use wire::messages::offset_fetch_response::{OffsetFetchResponse, OffsetFetchResponseGroup};
use wire::messages::sync_group_request::SyncGroupRequest;
use wire::messages::sync_group_response::SyncGroupResponse;
use wire::records::consumer_protocol_subscription::ConsumerProtocolSubscription;

use super::super::Consumer;
use crate::ConsumerConfig;
use crate::config::OffsetReset;
use crate::scripted::{Asked, Cluster, Reply, metadata, records};

/// The member that tests are about, which leads the group.
const MEMBER: &str = "m";

/// How many records a fetch brings.
const FETCHED: i64 = 3;

#[derive(Default)]
pub struct Script {
    pub generation: i32,
    /// How many partitions topics have.
    pub counts: BTreeMap<String, i32>,
    /// The topics were deleted and made anew.
    pub anew: bool,
    /// How many records each partition has.
    pub end: i64,
    /// What the other member reads.
    pub other: Option<String>,
    /// Nobody knows who coordinates the group.
    pub away: bool,
    /// Node 2 coordinates it.
    pub moved: bool,
    /// What is answered to heartbeats, and to commits.
    pub beats: Option<ErrorCode>,
    pub commits: Option<ErrorCode>,
    /// The answer to a commit takes a while.
    pub slow: bool,
    /// What was committed of partition 0, in turn.
    pub committed: Vec<i64>,
}

pub type Shared = Arc<Mutex<Script>>;

/// A cluster with one topic of so many partitions and records.
pub fn coordinator(topic: &str, partitions: i32, end: i64) -> (Shared, Cluster) {
    let counts = BTreeMap::from([(topic.to_owned(), partitions)]);
    let shared = Arc::new(Mutex::new(Script { generation: 1, counts, end, ..Script::default() }));
    let answering = Arc::clone(&shared);
    (shared, Cluster::new(move |asked| answering.lock().answer(asked)))
}

/// A consumer that reads from the beginning, as a member of the group once it subscribes.
pub async fn consumer(cluster: &Cluster, config: ConsumerConfig) -> Consumer {
    let config =
        ConsumerConfig { group_id: Some("g".to_owned()), auto_offset_reset: OffsetReset::Earliest, ..config };
    Consumer::new(&cluster.client().await, config).expect("the settings work")
}

fn id_of(topic: &str) -> Uuid {
    Uuid::from_bytes([topic.as_bytes()[0]; 16])
}

impl Script {
    fn id(&self, topic: &str) -> Uuid {
        let id = id_of(topic);
        if self.anew { Uuid::from_bytes(id.as_bytes().map(|byte| !byte)) } else { id }
    }

    fn answer(&mut self, asked: &Asked) -> Reply {
        if asked.is::<MetadataRequest>() {
            return asked.answer(&self.metadata(&asked.read()));
        }
        if asked.is::<FindCoordinatorRequest>() {
            let code = if self.away { ErrorCode::CoordinatorNotAvailable } else { ErrorCode::None };
            let node_id = 1 + i32::from(self.moved);
            let coordinator = Coordinator { node_id, error_code: code.code(), ..Default::default() };
            let answer = FindCoordinatorResponse { coordinators: vec![coordinator], ..Default::default() };
            return asked.answer(&answer);
        }
        if asked.is::<FetchRequest>() {
            return self.fetched(asked);
        }
        if asked.is::<ListOffsetsRequest>() {
            return asked.answer(&beginnings(&asked.read()));
        }
        if asked.is::<OffsetFetchRequest>() {
            let group = OffsetFetchResponseGroup { group_id: "g".to_owned(), ..Default::default() };
            let mut answer = OffsetFetchResponse { groups: vec![group], ..Default::default() };
            answer.groups[0].topics = nothing_committed(&asked.read());
            answer.groups[0].error_code = self.of_node(asked, None);
            return asked.answer(&answer);
        }
        self.answer_member(asked)
    }

    fn answer_member(&mut self, asked: &Asked) -> Reply {
        let code = |told: Option<ErrorCode>| self.of_node(asked, told);
        if asked.is::<JoinGroupRequest>() {
            let error_code = code(None);
            return match error_code {
                0 => asked.answer(&self.joined(&asked.read())),
                _ => asked.answer(&JoinGroupResponse { error_code, ..Default::default() }),
            };
        }
        if asked.is::<SyncGroupRequest>() {
            let request: SyncGroupRequest = asked.read();
            let own = request.assignments.into_iter().find(|share| share.member_id == MEMBER);
            let assignment = own.map(|share| share.assignment).unwrap_or_default();
            return asked.answer(&SyncGroupResponse { assignment, ..Default::default() });
        }
        if asked.is::<HeartbeatRequest>() {
            return asked.answer(&HeartbeatResponse { error_code: code(self.beats), ..Default::default() });
        }
        if asked.is::<LeaveGroupRequest>() {
            return asked.answer(&LeaveGroupResponse { error_code: code(None), ..Default::default() });
        }
        let request: OffsetCommitRequest = asked.read();
        let error_code = code(self.commits);
        let mut answer = OffsetCommitResponse::default();
        for topic in request.topics {
            let is_known =
                topic.topic_id.is_zero() || self.counts.keys().any(|name| self.id(name) == topic.topic_id);
            let error_code =
                if is_known || error_code != 0 { error_code } else { ErrorCode::UnknownTopicId.code() };
            let (name, topic_id) = (topic.name, topic.topic_id);
            let mut answered = OffsetCommitResponseTopic { name, topic_id, ..Default::default() };
            for partition in topic.partitions {
                if error_code == 0 && partition.partition_index == 0 {
                    self.committed.push(partition.committed_offset);
                }
                answered.partitions.push(OffsetCommitResponsePartition {
                    partition_index: partition.partition_index,
                    error_code,
                });
            }
            answer.topics.push(answered);
        }
        if self.slow { asked.answer_late(&answer) } else { asked.answer(&answer) }
    }

    /// What a node says that is asked as the coordinator.
    fn of_node(&self, asked: &Asked, told: Option<ErrorCode>) -> i16 {
        let is_coordinator = asked.node == 1 + i32::from(self.moved);
        if is_coordinator { told.unwrap_or(ErrorCode::None) } else { ErrorCode::NotCoordinator }.code()
    }

    fn metadata(&self, request: &MetadataRequest) -> MetadataResponse {
        let mut answer = metadata(1, 1);
        let one = answer.topics.remove(0);
        for wanted in request.topics.iter().flatten() {
            let name = wanted.name.clone().unwrap_or_default();
            let count = self.counts.get(&name).copied().unwrap_or(0);
            let partition = one.partitions[0].clone();
            let partitions = (0..count)
                .map(|index| MetadataResponsePartition { partition_index: index, ..partition.clone() });
            let mut topic = one.clone();
            topic.partitions = partitions.collect();
            (topic.topic_id, topic.name) = (self.id(&name), Some(name));
            if count == 0 {
                topic.error_code = ErrorCode::UnknownTopicOrPartition.code();
            }
            answer.topics.push(topic);
        }
        answer
    }

    fn joined(&mut self, request: &JoinGroupRequest) -> JoinGroupResponse {
        let member = |id: &str, metadata| JoinGroupResponseMember {
            member_id: id.to_owned(),
            metadata,
            ..Default::default()
        };
        let mut members = vec![member(MEMBER, request.protocols[0].metadata.clone())];
        members.extend(self.other.as_ref().map(|topic| member("other", wishes(topic))));
        self.generation += 1;
        JoinGroupResponse {
            generation_id: self.generation,
            protocol_name: Some("cooperative-sticky".to_owned()),
            protocol_type: Some("consumer".to_owned()),
            leader: MEMBER.to_owned(),
            member_id: MEMBER.to_owned(),
            members,
            ..Default::default()
        }
    }

    fn fetched(&self, asked: &Asked) -> Reply {
        let request: FetchRequest = asked.read();
        let mut late = true;
        let mut responses = Vec::new();
        for topic in request.topics {
            let mut partitions = Vec::new();
            for wanted in topic.partitions {
                let count = FETCHED.min(self.end - wanted.fetch_offset);
                late &= count <= 0;
                let data = if count > 0 {
                    records(wanted.fetch_offset, count, 1)
                } else {
                    PartitionData { high_watermark: self.end, ..PartitionData::default() }
                };
                partitions.push(PartitionData { partition_index: wanted.partition, ..data });
            }
            responses.push(FetchableTopicResponse {
                topic_id: topic.topic_id,
                partitions,
                ..Default::default()
            });
        }
        let answer = FetchResponse { responses, ..Default::default() };
        if late { asked.answer_late(&answer) } else { asked.answer(&answer) }
    }
}

/// What another member wants, in its own words.
fn wishes(topic: &str) -> bytes::Bytes {
    let wishes = ConsumerProtocolSubscription { topics: vec![topic.to_owned()], ..Default::default() };
    let mut out = Writer::new();
    out.raw(&0_i16.to_be_bytes());
    wishes.encode(&mut out, 0).expect("it is a subscription");
    out.into_bytes().expect("nothing lies in a file")
}

fn beginnings(request: &ListOffsetsRequest) -> ListOffsetsResponse {
    let of_topic = |topic: &wire::messages::list_offsets_request::ListOffsetsTopic| {
        let partition = |wanted: &wire::messages::list_offsets_request::ListOffsetsPartition| {
            ListOffsetsPartitionResponse {
                partition_index: wanted.partition_index,
                offset: 0,
                leader_epoch: 1,
                ..Default::default()
            }
        };
        let partitions = topic.partitions.iter().map(partition).collect();
        ListOffsetsTopicResponse { name: topic.name.clone(), partitions }
    };
    ListOffsetsResponse { topics: request.topics.iter().map(of_topic).collect(), ..Default::default() }
}

fn nothing_committed(
    request: &OffsetFetchRequest,
) -> Vec<wire::messages::offset_fetch_response::OffsetFetchResponseTopics> {
    use wire::messages::offset_fetch_response::{OffsetFetchResponsePartitions, OffsetFetchResponseTopics};

    let topics = request.groups.iter().flat_map(|group| group.topics.iter().flatten());
    let of_topic = |topic: &wire::messages::offset_fetch_request::OffsetFetchRequestTopics| {
        let partition = |index: &i32| OffsetFetchResponsePartitions {
            partition_index: *index,
            committed_offset: -1,
            committed_leader_epoch: -1,
            ..Default::default()
        };
        let partitions = topic.partition_indexes.iter().map(partition).collect();
        OffsetFetchResponseTopics { name: topic.name.clone(), partitions, ..Default::default() }
    };
    topics.map(of_topic).collect()
}

/// Polls for so long, a second at a time, and expects no error. Returns the offsets that came of partition 0.
pub async fn poll(consumer: &mut Consumer, time: Duration) -> Vec<i64> {
    let end = tokio::time::Instant::now() + time;
    let mut offsets = Vec::new();
    while tokio::time::Instant::now() < end {
        let records = consumer.poll(Duration::from_secs(1)).await.expect("nothing is wrong");
        offsets.extend(records.iter().filter(|record| record.partition == 0).map(|record| record.offset.0));
    }
    offsets
}
