//! Membership in a group by the classic protocol: join, share out, beat, leave.
//!
//! What becomes of partitions meanwhile is the consumer's business: an eager one has given up all of them before it joins,
//! a cooperative one says what it keeps.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kernel::{ErrorCode, TopicPartition};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use wire::Request;
use wire::messages::heartbeat_request::HeartbeatRequest;
use wire::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use wire::messages::join_group_response::{JoinGroupResponse, JoinGroupResponseMember};
use wire::messages::leave_group_request::{LeaveGroupRequest, MemberIdentity};
use wire::messages::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};

use super::assign::{Wish, assign};
use super::commit::Commits;
use super::protocol::{self, Subscription};
use crate::backoff::Backoff;
use crate::cluster::{ConsumerId, Lane, Wanted};
use crate::config::{Assignor, millis};
use crate::conn::Connection;
use crate::{BrokerError, Client, ConsumerConfig, Error};

/// The versions from which fields exist.
const JOIN_INSTANCE_FROM: i16 = 5;
const JOIN_REASON_FROM: i16 = 8;
const SYNC_INSTANCE_FROM: i16 = 3;
const SYNC_PROTOCOL_FROM: i16 = 5;
const HEARTBEAT_INSTANCE_FROM: i16 = 3;
const LEAVE_MEMBERS_FROM: i16 = 3;
const LEAVE_REASON_FROM: i16 = 5;

/// The generation of who is no member.
pub(super) const NO_GENERATION: i32 = -1;

/// How much longer than the group's own wait a join may take to be answered.
const JOIN_GRACE: Duration = Duration::from_secs(5);

/// One consumer's place in its group.
#[derive(Debug)]
pub(super) struct Group {
    pub client: Client,
    pub config: Arc<ConsumerConfig>,
    consumer: ConsumerId,
    pub id: String,
    state: Mutex<State>,
    /// Wakes the consumer when its standing has changed.
    pub changed: Notify,
    /// Commits end in the order in which they were begun.
    pub commits: Commits,
    beating: Mutex<Option<AbortHandle>>,
}

/// Who a consumer is to its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    /// Empty for who is no member.
    pub id: String,
    pub generation: i32,
}

impl Member {
    /// Who is no member.
    fn nobody() -> Member {
        Member { id: String::new(), generation: NO_GENERATION }
    }
}

#[derive(Debug)]
struct State {
    member: Member,
    standing: Standing,
    polled_at: Instant,
    failure: Option<Error>,
    /// What the coordinator last refused that it may take later.
    hindrance: Option<Error>,
    /// Grows whenever the consumer leaves, so that a join that ends after that changes nothing.
    era: u64,
}

/// Where the consumer stands with its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It should join, for the first time or again.
    Out,
    /// It commits before it joins. The group still knows it, and hears of it.
    Preparing,
    Joining,
    In,
}

/// What a consumer has become a member of.
#[derive(Debug)]
pub(super) struct Joined {
    pub partitions: Vec<TopicPartition>,
    pub generation: i32,
    /// For the leader: how many partitions each topic had when it shared them out.
    pub counts: Option<BTreeMap<String, i32>>,
}

impl Group {
    pub fn new(client: Client, config: Arc<ConsumerConfig>, consumer: ConsumerId, id: String) -> Group {
        let state = State {
            member: Member::nobody(),
            standing: Standing::Out,
            polled_at: Instant::now(),
            failure: None,
            hindrance: None,
            era: 0,
        };
        Group {
            client,
            config,
            consumer,
            id,
            state: Mutex::new(state),
            changed: Notify::new(),
            commits: Commits::default(),
            beating: Mutex::default(),
        }
    }

    pub fn standing(&self) -> Standing {
        self.state.lock().standing
    }

    /// Says that the consumer is alive and asks for records.
    pub fn polled(&self) {
        self.state.lock().polled_at = Instant::now();
    }

    /// Begins to prepare for joining. Returns the era in which that is.
    pub fn preparing(&self) -> u64 {
        let mut state = self.state.lock();
        state.standing = Standing::Preparing;
        state.era
    }

    /// Takes a new standing, unless the consumer has left since.
    fn stand(&self, standing: Standing, era: u64) -> bool {
        let mut state = self.state.lock();
        if state.era == era {
            state.standing = standing;
        }
        state.era == era
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

    /// The group has gone on without this member. It keeps its id where the group may still know that.
    pub fn expelled(&self, knows_id: bool) {
        let mut state = self.state.lock();
        if !knows_id {
            state.member.id.clear();
        }
        state.member.generation = NO_GENERATION;
        drop(state);
        self.rejoin();
    }

    pub fn generation(&self) -> Option<i32> {
        Some(self.member().generation).filter(|generation| *generation != NO_GENERATION)
    }

    pub fn member(&self) -> Member {
        self.state.lock().member.clone()
    }

    /// Joins, and takes part in sharing out, until there is an assignment. Waits as long as the group does, and for as long as
    /// its coordinator is away. Nothing if the group does not know this member any more, so that it has lost what it had and
    /// must begin again.
    pub async fn join(self: &Arc<Self>, own: &Subscription, era: u64) -> Result<Option<Joined>, Error> {
        let mut backoff = Backoff::default();
        self.stand(Standing::Joining, era);
        loop {
            let joined = match self.join_once(own, era).await {
                Ok(answer) => {
                    backoff.reset();
                    self.hindered(None, era);
                    self.sync(answer, own).await
                }
                Err(error) => Err(error),
            };
            let error = match joined {
                Ok(joined) if self.stand(Standing::In, era) => {
                    self.begin_to_beat(era);
                    return Ok(Some(joined));
                }
                Ok(_) => return Ok(None),
                Err(error) => error,
            };
            self.client.coordinators().heed(&self.id, &error);
            match error.code() {
                // The answer brought the id to join with.
                Some(ErrorCode::MemberIdRequired) => {}
                Some(ErrorCode::RebalanceInProgress) => tokio::task::yield_now().await,
                Some(code @ (ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration)) => {
                    if self.stand(Standing::Out, era) {
                        self.expelled(code == ErrorCode::IllegalGeneration);
                    }
                    return Ok(None);
                }
                _ if error.retriable() => {
                    tracing::debug!(%error, group = self.id, "joining again");
                    self.hindered(Some(error), era);
                    tokio::time::sleep(backoff.next(&self.client)).await;
                }
                code => {
                    if self.stand(Standing::Out, era) && code == Some(ErrorCode::FencedInstanceId) {
                        self.fenced(error.clone());
                    }
                    return Err(error);
                }
            }
        }
    }

    /// Takes note of what it waits for, or that it does not any more.
    fn hindered(&self, by: Option<Error>, era: u64) {
        let mut state = self.state.lock();
        if state.era == era {
            state.hindrance = by;
        }
    }

    pub fn hindrance(&self) -> Option<Error> {
        self.state.lock().hindrance.clone()
    }

    async fn connection(&self) -> Result<Arc<Connection>, Error> {
        self.client.coordinator(&self.id, Lane::Member(self.consumer)).await
    }

    async fn join_once(&self, own: &Subscription, era: u64) -> Result<JoinGroupResponse, Error> {
        let connection = self.connection().await?;
        let version = connection.version::<JoinGroupRequest>()?;
        let offer = |assignor: &Assignor| JoinGroupRequestProtocol {
            name: assignor.name().to_owned(),
            metadata: own.write(*assignor == Assignor::CooperativeSticky),
        };
        let request = JoinGroupRequest {
            group_id: self.id.clone(),
            session_timeout_ms: millis(self.config.session_timeout),
            rebalance_timeout_ms: millis(self.config.max_poll_interval),
            member_id: self.member().id,
            group_instance_id: self.instance(version, JOIN_INSTANCE_FROM),
            protocol_type: protocol::CONSUMER.to_owned(),
            protocols: self.config.assignors.iter().map(offer).collect(),
            reason: (version >= JOIN_REASON_FROM).then(String::new),
        };
        let time = self.config.max_poll_interval + JOIN_GRACE;
        let answer = connection.ask_in(&request, version, time).await?;
        let checked = BrokerError::check(answer.error_code);
        if checked.is_ok() || answer.error_code == ErrorCode::MemberIdRequired.code() {
            let (id, generation) = (answer.member_id.clone(), answer.generation_id);
            let mut state = self.state.lock();
            if state.era == era {
                state.member = Member { id, generation };
            }
        }
        checked.map_err(|error| error.group(&self.id))?;
        Ok(answer)
    }

    pub fn instance(&self, version: i16, from: i16) -> Option<String> {
        self.config.group_instance_id.clone().filter(|_| version >= from)
    }

    /// Hands in the shares if this is the leader, and gets its own.
    async fn sync(&self, joined: JoinGroupResponse, own: &Subscription) -> Result<Joined, Error> {
        let connection = self.connection().await?;
        let version = connection.version::<SyncGroupRequest>()?;
        let leads = joined.leader == joined.member_id && !joined.skip_assignment;
        let (shares, counts) =
            if leads { self.share_out(&joined, &own.topics).await? } else { Default::default() };
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
        Ok(Joined { partitions, generation: joined.generation_id, counts: leads.then_some(counts) })
    }

    async fn share_out(&self, joined: &JoinGroupResponse, own: &[String]) -> Result<(Shares, Counts), Error> {
        let wish = |member: &JoinGroupResponseMember| {
            // A member whose wishes cannot be read gets nothing; the others go on.
            let nothing =
                |_| Subscription { topics: Vec::new(), owned: Vec::new(), generation: NO_GENERATION };
            let wanted = Subscription::read(&member.metadata).unwrap_or_else(nothing);
            Wish {
                member: member.member_id.clone(),
                instance: member.group_instance_id.clone(),
                topics: wanted.topics,
                owned: wanted.owned,
                generation: wanted.generation,
            }
        };
        let wishes: Vec<Wish> = joined.members.iter().map(wish).collect();
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

    fn begin_to_beat(self: &Arc<Self>, era: u64) {
        let mut beating = self.beating.lock();
        // Whoever ends the era stops the heart after that, and not before.
        if self.state.lock().era == era
            && let Some(before) = beating.replace(host::task::spawn(Arc::clone(self).beat()).abort_handle())
        {
            before.abort();
        }
    }

    /// Stops being a member, as far as the group need not be told. Returns whom to tell it of.
    pub fn part(&self) -> Member {
        let mut state = self.state.lock();
        state.era += 1;
        (state.standing, state.failure, state.hindrance) = (Standing::Out, None, None);
        let member = std::mem::replace(&mut state.member, Member::nobody());
        drop(state);
        if let Some(beating) = self.beating.lock().take() {
            beating.abort();
        }
        member
    }

    /// Tells the group that the member is there, until it joins again or is not a member any more. A rebalance does not
    /// end it: whoever is still busy with records must not be taken for dead.
    async fn beat(self: Arc<Self>) {
        let mut backoff = Backoff::default();
        let mut wait = self.config.heartbeat_interval;
        loop {
            tokio::time::sleep(wait).await;
            wait = self.config.heartbeat_interval;
            if self.standing() == Standing::Joining || self.generation().is_none() {
                return;
            }
            if self.state.lock().polled_at.elapsed() > self.config.max_poll_interval {
                tracing::warn!(
                    group = self.id,
                    "max.poll.interval.ms passed without a poll; leaving the group"
                );
                let member = self.member();
                let _ = self.leave(&member).await;
                if !self.has_joined_since(&member) {
                    self.expelled(false);
                }
                return;
            }
            let member = self.member();
            let Err(error) = self.beat_once(&member).await else {
                backoff.reset();
                continue;
            };
            self.client.coordinators().heed(&self.id, &error);
            match error.code() {
                Some(ErrorCode::RebalanceInProgress) => backoff.reset(),
                // Whoever coordinates the group from now on hears of the member before its session is over.
                _ => wait = wait.min(backoff.next(&self.client)),
            }
            if !self.beat_failed(&member, error) {
                return;
            }
        }
    }

    /// Takes in why a beat of a member failed. Returns whether that member goes on.
    fn beat_failed(&self, member: &Member, error: Error) -> bool {
        if self.has_joined_since(member) {
            // Who has joined since has a heart of its own.
            return false;
        }
        match error.code() {
            Some(ErrorCode::RebalanceInProgress) => self.rejoin(),
            Some(code @ (ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration)) => {
                self.expelled(code == ErrorCode::IllegalGeneration);
                return false;
            }
            Some(ErrorCode::FencedInstanceId) => {
                self.fenced(error);
                return false;
            }
            _ => tracing::debug!(%error, group = self.id, "a heartbeat failed"),
        }
        true
    }

    /// Whether what is said of this member is not of the present one, which joins or has joined after it.
    pub fn has_joined_since(&self, member: &Member) -> bool {
        let state = self.state.lock();
        let is_another = state.member != *member && !state.member.id.is_empty();
        state.standing == Standing::Joining || is_another
    }

    /// Somebody else has taken this member's static name: going on would only take it back.
    pub fn fenced(&self, error: Error) {
        self.state.lock().failure = Some(error);
        self.expelled(false);
    }

    /// What ended the membership for good, until the consumer leaves.
    pub fn failure(&self) -> Option<Error> {
        self.state.lock().failure.clone()
    }

    async fn beat_once(&self, member: &Member) -> Result<(), Error> {
        let connection = self.connection().await?;
        let version = connection.version::<HeartbeatRequest>()?;
        let request = HeartbeatRequest {
            group_id: self.id.clone(),
            generation_id: member.generation,
            member_id: member.id.clone(),
            group_instance_id: self.instance(version, HEARTBEAT_INSTANCE_FROM),
        };
        // A session must not be lost because one answer is awaited for longer than it lasts.
        let time = connection.request_timeout().min(self.config.session_timeout);
        let answer = connection.ask_in(&request, version, time).await?;
        BrokerError::check(answer.error_code).map_err(|error| error.group(&self.id).into())
    }

    /// Tells the group that a member leaves, so that the others need not wait for the session to end. A static member stays: it
    /// will be back.
    pub async fn leave(&self, member: &Member) -> Result<(), Error> {
        if member.id.is_empty() || self.config.group_instance_id.is_some() {
            return Ok(());
        }
        match self.leave_once(member).await {
            Err(error) if self.client.coordinators().heed(&self.id, &error) => self.leave_once(member).await,
            left => left,
        }
    }

    async fn leave_once(&self, member: &Member) -> Result<(), Error> {
        let member_id = member.id.clone();
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
        Ok(BrokerError::check(answer.error_code).map_err(|error| error.group(&self.id))?)
    }
}

type Shares = BTreeMap<String, Vec<TopicPartition>>;
type Counts = BTreeMap<String, i32>;

async fn ask<R: Request>(connection: &Connection, request: &R, version: i16) -> Result<R::Response, Error> {
    connection.ask_in(request, version, connection.request_timeout()).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::Cluster;

    #[tokio::test(start_paused = true)]
    async fn what_is_said_of_a_member_ends_no_membership_that_began_after_it() {
        let cluster = Cluster::new(|asked| asked.answer(&crate::scripted::metadata(1, 1)));
        let client = cluster.client().await;
        let group = Group::new(client.clone(), Arc::default(), client.new_consumer(), "g".to_owned());
        let member = |id: &str, generation| Member { id: id.to_owned(), generation };
        let refused = |code: ErrorCode| Error::from(BrokerError::new(code.code()));
        *group.state.lock() = State {
            member: member("a", 7),
            standing: Standing::In,
            polled_at: Instant::now(),
            failure: None,
            hindrance: None,
            era: 0,
        };
        // The beat was sent while the member was joining, and answered once it had.
        for former in [member("a", NO_GENERATION), member("", NO_GENERATION), member("a", 6)] {
            for code in
                [ErrorCode::IllegalGeneration, ErrorCode::UnknownMemberId, ErrorCode::RebalanceInProgress]
            {
                assert!(!group.beat_failed(&former, refused(code)), "{code:?} to {former:?}");
                assert_eq!((group.member(), group.standing()), (member("a", 7), Standing::In), "{code:?}");
            }
        }
        assert!(group.beat_failed(&member("a", 7), refused(ErrorCode::RebalanceInProgress)));
        assert_eq!((group.generation(), group.standing()), (Some(7), Standing::Out), "it joins again");
        assert!(!group.beat_failed(&member("a", 7), refused(ErrorCode::IllegalGeneration)));
        assert_eq!((group.member(), group.generation()), (member("a", NO_GENERATION), None));
    }
}
