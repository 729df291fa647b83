//! Membership in a group by the classic protocol: join, share out, beat, commit, leave.
//!
//! Members are eager: all give up what they have before they join again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kernel::{ErrorCode, LeaderEpoch, Offset, TopicPartition};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;
use wire::Request;
use wire::messages::heartbeat_request::HeartbeatRequest;
use wire::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use wire::messages::join_group_response::JoinGroupResponse;
use wire::messages::leave_group_request::{LeaveGroupRequest, MemberIdentity};
use wire::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use wire::messages::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};

use super::assign::{Wish, assign};
use super::protocol;
use crate::cluster::{ConsumerId, Lane, Wanted};
use crate::config::{Assignor, millis};
use crate::conn::Connection;
use crate::retry::Retry;
use crate::{BrokerError, Client, ConsumerConfig, Error};

/// The last versions in which topics of a commit go by name.
const OFFSET_COMMIT_NAMES_UP_TO: i16 = 9;
/// The versions from which fields exist.
const JOIN_INSTANCE_FROM: i16 = 5;
const JOIN_REASON_FROM: i16 = 8;
const SYNC_INSTANCE_FROM: i16 = 3;
const SYNC_PROTOCOL_FROM: i16 = 5;
const HEARTBEAT_INSTANCE_FROM: i16 = 3;
const LEAVE_MEMBERS_FROM: i16 = 3;
const LEAVE_REASON_FROM: i16 = 5;
const COMMIT_EPOCH_FROM: i16 = 6;
const COMMIT_INSTANCE_FROM: i16 = 7;

/// The generation of who is no member.
const NO_GENERATION: i32 = -1;

/// How much longer than the group's own wait a join may take to be answered.
const JOIN_GRACE: Duration = Duration::from_secs(5);

/// One consumer's place in its group.
#[derive(Debug)]
pub(super) struct Group {
    client: Client,
    config: Arc<ConsumerConfig>,
    consumer: ConsumerId,
    pub id: String,
    state: Mutex<State>,
    /// Wakes the consumer when its standing has changed.
    pub changed: Notify,
}

#[derive(Debug)]
struct State {
    member_id: String,
    generation: i32,
    standing: Standing,
    polled_at: Instant,
    failure: Option<Error>,
}

/// Where the consumer stands with its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It should join, for the first time or again.
    Out,
    Joining,
    In,
}

/// What a consumer has become a member of.
#[derive(Debug)]
pub(super) struct Joined {
    pub partitions: Vec<TopicPartition>,
    /// For the leader: how many partitions each topic had when it shared them out.
    pub counts: Option<BTreeMap<String, i32>>,
}

/// As whom positions are committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// Who got the partitions from the group, and may have lost them to another member.
    Member,
    /// Who has chosen its partitions itself.
    Anybody,
}

/// What is to be committed.
pub(super) type Positions = Vec<(TopicPartition, Offset, Option<LeaderEpoch>)>;

impl Group {
    pub fn new(client: Client, config: Arc<ConsumerConfig>, consumer: ConsumerId, id: String) -> Group {
        let state = State {
            member_id: String::new(),
            generation: NO_GENERATION,
            standing: Standing::Out,
            polled_at: Instant::now(),
            failure: None,
        };
        Group { client, config, consumer, id, state: Mutex::new(state), changed: Notify::new() }
    }

    pub fn standing(&self) -> Standing {
        self.state.lock().standing
    }

    /// Says that the consumer is alive and asks for records.
    pub fn polled(&self) {
        self.state.lock().polled_at = Instant::now();
    }

    pub fn joining(&self) {
        self.state.lock().standing = Standing::Joining;
    }

    /// Makes the consumer join again at its next poll.
    pub fn rejoin(&self) {
        let mut state = self.state.lock();
        if state.standing == Standing::In {
            state.standing = Standing::Out;
        }
        drop(state);
        self.changed.notify_one();
    }

    /// The group does not know this member any more.
    fn expelled(&self) {
        let mut state = self.state.lock();
        state.member_id.clear();
        state.generation = NO_GENERATION;
        drop(state);
        self.rejoin();
    }

    pub fn generation(&self) -> Option<i32> {
        Some(self.member().1).filter(|generation| *generation != NO_GENERATION)
    }

    fn member(&self) -> (String, i32) {
        let state = self.state.lock();
        (state.member_id.clone(), state.generation)
    }

    /// Joins, and takes part in sharing out, until there is an assignment. Waits as long as the group does.
    pub async fn join(&self, topics: &[String]) -> Result<Joined, Error> {
        let mut retry = self.retry();
        loop {
            let joined = match self.join_once(topics).await {
                Ok(answer) => self.sync(answer, topics).await,
                Err(error) => Err(error),
            };
            let error = match joined {
                Ok(joined) => {
                    self.state.lock().standing = Standing::In;
                    return Ok(joined);
                }
                Err(error) => error,
            };
            match error.code() {
                // The answer brought the id to join with.
                Some(ErrorCode::MemberIdRequired) => {}
                Some(ErrorCode::RebalanceInProgress) => tokio::task::yield_now().await,
                Some(ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration) => self.expelled(),
                _ => {
                    if let Err(error) = retry.after(error).await {
                        self.state.lock().standing = Standing::Out;
                        return Err(error);
                    }
                }
            }
        }
    }

    fn retry(&self) -> Retry {
        Retry::within(&self.client, self.client.config().default_api_timeout)
    }

    async fn connection(&self) -> Result<Arc<Connection>, Error> {
        self.client.coordinator(&self.id, Lane::Member(self.consumer)).await
    }

    async fn join_once(&self, topics: &[String]) -> Result<JoinGroupResponse, Error> {
        let connection = self.connection().await?;
        let version = connection.version::<JoinGroupRequest>()?;
        let (member_id, _) = self.member();
        let subscription = protocol::write_subscription(topics);
        let offer = |assignor: &Assignor| JoinGroupRequestProtocol {
            name: assignor.name().to_owned(),
            metadata: subscription.clone(),
        };
        let request = JoinGroupRequest {
            group_id: self.id.clone(),
            session_timeout_ms: millis(self.config.session_timeout),
            rebalance_timeout_ms: millis(self.config.max_poll_interval),
            member_id,
            group_instance_id: self.instance(version, JOIN_INSTANCE_FROM),
            protocol_type: protocol::CONSUMER.to_owned(),
            protocols: self.config.assignors.iter().map(offer).collect(),
            reason: (version >= JOIN_REASON_FROM).then(String::new),
        };
        let time = self.config.max_poll_interval + JOIN_GRACE;
        let answer = connection.ask_in(&request, version, time).await?;
        let checked = BrokerError::check(answer.error_code);
        if checked.is_ok() || answer.error_code == ErrorCode::MemberIdRequired.code() {
            let mut state = self.state.lock();
            state.member_id.clone_from(&answer.member_id);
            state.generation = answer.generation_id;
        }
        checked.map_err(|error| error.group(&self.id))?;
        Ok(answer)
    }

    fn instance(&self, version: i16, from: i16) -> Option<String> {
        self.config.group_instance_id.clone().filter(|_| version >= from)
    }

    /// Hands in the shares if this is the leader, and gets its own.
    async fn sync(&self, joined: JoinGroupResponse, topics: &[String]) -> Result<Joined, Error> {
        let connection = self.connection().await?;
        let version = connection.version::<SyncGroupRequest>()?;
        let leads = joined.leader == joined.member_id && !joined.skip_assignment;
        let (shares, counts) =
            if leads { self.share_out(&joined, topics).await? } else { Default::default() };
        let share = |(member_id, partitions): (String, Vec<TopicPartition>)| SyncGroupRequestAssignment {
            member_id,
            assignment: protocol::write_assignment(&partitions),
        };
        let request = SyncGroupRequest {
            group_id: self.id.clone(),
            generation_id: joined.generation_id,
            member_id: joined.member_id,
            group_instance_id: self.instance(version, SYNC_INSTANCE_FROM),
            protocol_type: (version >= SYNC_PROTOCOL_FROM).then(|| protocol::CONSUMER.to_owned()),
            protocol_name: joined.protocol_name.filter(|_| version >= SYNC_PROTOCOL_FROM),
            assignments: shares.into_iter().map(share).collect(),
        };
        // Followers wait for the leader.
        let time = self.config.max_poll_interval + JOIN_GRACE;
        let answer = connection.ask_in(&request, version, time).await?;
        BrokerError::check(answer.error_code).map_err(|error| error.group(&self.id))?;
        let partitions = protocol::read_assignment(&answer.assignment).map_err(|reason| {
            let reason = format!("the assignment cannot be read: {reason}");
            Error::Protocol { address: connection.address().to_owned(), reason }
        })?;
        Ok(Joined { partitions, counts: leads.then_some(counts) })
    }

    async fn share_out(&self, joined: &JoinGroupResponse, own: &[String]) -> Result<(Shares, Counts), Error> {
        let wishes: Vec<Wish> = joined
            .members
            .iter()
            .map(|member| Wish {
                member: member.member_id.clone(),
                instance: member.group_instance_id.clone(),
                // A member whose wishes cannot be read gets nothing; the others go on.
                topics: protocol::read_subscription(&member.metadata).unwrap_or_default(),
            })
            .collect();
        let mut names: Vec<String> = wishes.iter().flat_map(|wish| wish.topics.clone()).collect();
        names.extend_from_slice(own);
        names.sort();
        names.dedup();
        let metadata = self.client.refresh(Wanted::Topics { names: &names, create: false }).await?;
        let count = |name: String| {
            let count = metadata.topic(&name).map_or(0, |topic| topic.partitions.len());
            (name, i32::try_from(count).unwrap_or(i32::MAX))
        };
        let counts: Counts = names.into_iter().map(count).collect();
        let chosen = joined.protocol_name.as_deref().unwrap_or_default();
        let assignor = self.config.assignors.iter().find(|assignor| assignor.name() == chosen);
        let unknown = || BrokerError::new(ErrorCode::InconsistentGroupProtocol.code()).group(&self.id);
        Ok((assign(*assignor.ok_or_else(unknown)?, &wishes, &counts), counts))
    }

    /// Tells the group that the member is there, until it joins again or is not a member any more. A rebalance does not
    /// end it: whoever is still busy with records must not be taken for dead.
    pub async fn beat(self: Arc<Self>) {
        let mut connection = None;
        loop {
            tokio::time::sleep(self.config.heartbeat_interval).await;
            if self.standing() == Standing::Joining || self.member().0.is_empty() {
                return;
            }
            if self.state.lock().polled_at.elapsed() > self.config.max_poll_interval {
                tracing::warn!(
                    group = self.id,
                    "max.poll.interval.ms passed without a poll; leaving the group"
                );
                let _ = self.leave().await;
                return self.expelled();
            }
            let Err(error) = self.beat_once(&mut connection).await else {
                continue;
            };
            match error.code() {
                Some(ErrorCode::RebalanceInProgress) => self.rejoin(),
                Some(ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration) => return self.expelled(),
                Some(ErrorCode::FencedInstanceId) => return self.fenced(error),
                // Found again with the next beat.
                _ => {
                    tracing::debug!(%error, group = self.id, "a heartbeat failed");
                    connection = None;
                }
            }
        }
    }

    /// Somebody else has taken this member's static name: going on would only take it back.
    fn fenced(&self, error: Error) {
        self.state.lock().failure = Some(error);
        self.changed.notify_one();
    }

    /// What ended the membership for good.
    pub fn failure(&self) -> Option<Error> {
        self.state.lock().failure.clone()
    }

    async fn beat_once(&self, known: &mut Option<Arc<Connection>>) -> Result<(), Error> {
        let connection = match known.take().filter(|connection| connection.is_open()) {
            Some(connection) => connection,
            None => self.connection().await?,
        };
        let version = connection.version::<HeartbeatRequest>()?;
        let (member_id, generation_id) = self.member();
        let request = HeartbeatRequest {
            group_id: self.id.clone(),
            generation_id,
            member_id,
            group_instance_id: self.instance(version, HEARTBEAT_INSTANCE_FROM),
        };
        // A session must not be lost because one answer is awaited for longer than it lasts.
        let time = connection.request_timeout().min(self.config.session_timeout);
        let answer = connection.ask_in(&request, version, time).await?;
        // Whatever the answer says, the connection is good.
        *known = Some(connection);
        BrokerError::check(answer.error_code).map_err(|error| error.group(&self.id).into())
    }

    /// Commits positions, as the member that this is, or, for who only keeps offsets here, as nobody in particular.
    pub async fn commit(&self, positions: &Positions, by: By) -> Result<(), Error> {
        if positions.is_empty() {
            return Ok(());
        }
        let mut retry = self.retry();
        loop {
            if by == By::Member && self.member().0.is_empty() {
                // Without a member's name a group that is empty by now would take it, over what others have committed.
                return Err(BrokerError::new(ErrorCode::UnknownMemberId.code()).group(&self.id).into());
            }
            let error = match self.commit_once(positions).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            match error.code() {
                Some(ErrorCode::RebalanceInProgress) => {
                    self.rejoin();
                    return Err(error);
                }
                Some(ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration) => {
                    self.expelled();
                    return Err(error);
                }
                _ => retry.after(error).await?,
            }
        }
    }

    async fn commit_once(&self, positions: &Positions) -> Result<(), Error> {
        let connection = self.connection().await?;
        let version = connection.version_up_to::<OffsetCommitRequest>(OFFSET_COMMIT_NAMES_UP_TO)?;
        let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
        for (name, offset, epoch) in positions {
            let epoch = epoch.filter(|_| version >= COMMIT_EPOCH_FROM).unwrap_or(LeaderEpoch::NONE);
            topics.entry(&name.topic).or_default().push(OffsetCommitRequestPartition {
                partition_index: name.partition,
                committed_offset: offset.0,
                committed_leader_epoch: epoch.0,
                committed_metadata: Some(String::new()),
            });
        }
        let (member_id, generation_id_or_member_epoch) = self.member();
        let topic = |(name, partitions): (&str, _)| OffsetCommitRequestTopic {
            name: name.to_owned(),
            partitions,
            ..Default::default()
        };
        let request = OffsetCommitRequest {
            group_id: self.id.clone(),
            generation_id_or_member_epoch,
            member_id,
            group_instance_id: self.instance(version, COMMIT_INSTANCE_FROM),
            topics: topics.into_iter().map(topic).collect(),
            ..Default::default()
        };
        let answer = connection.ask_in(&request, version, connection.request_timeout()).await?;
        for topic in answer.topics {
            for partition in topic.partitions {
                BrokerError::check(partition.error_code)
                    .map_err(|error| error.partition(&topic.name, partition.partition_index))?;
            }
        }
        Ok(())
    }

    /// Leaves the group, so that the others need not wait for the session to end. A static member stays: it will be back.
    pub async fn leave(&self) -> Result<(), Error> {
        let (member_id, _) = self.member();
        if member_id.is_empty() || self.config.group_instance_id.is_some() {
            return Ok(());
        }
        self.state.lock().standing = Standing::Out;
        let connection = self.connection().await?;
        let version = connection.version::<LeaveGroupRequest>()?;
        let mut request = LeaveGroupRequest { group_id: self.id.clone(), ..Default::default() };
        if version >= LEAVE_MEMBERS_FROM {
            let reason = (version >= LEAVE_REASON_FROM).then(|| "the consumer is being closed".to_owned());
            request.members = vec![MemberIdentity { member_id, group_instance_id: None, reason }];
        } else {
            request.member_id = member_id;
        }
        let answer = ask(&connection, &request, version).await?;
        BrokerError::check(answer.error_code).map_err(|error| error.group(&self.id).into())
    }
}

type Shares = BTreeMap<String, Vec<TopicPartition>>;
type Counts = BTreeMap<String, i32>;

async fn ask<R: Request>(connection: &Connection, request: &R, version: i16) -> Result<R::Response, Error> {
    connection.ask_in(request, version, connection.request_timeout()).await
}
