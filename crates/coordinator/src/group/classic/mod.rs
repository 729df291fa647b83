//! A group of the classic protocol: its members elect one of them, who assigns the partitions.
//!
//! One file for each thing a client can ask ([`join`], [`sync`], [`heartbeat`], [`leave`]), one for what happens by itself
//! ([`expire`]), and [`rebalance`] for what they all lead to.

mod expire;
mod heartbeat;
mod join;
mod leave;
mod members;
mod rebalance;
mod static_member;
mod subscription;
mod sync;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kernel::planted::{self, Bug};
use kernel::{ErrorCode, Timestamp};

pub(crate) use static_member::ReplacedMember;

use self::members::{Member, Members, Protocol};
use self::subscription::CONSUMER_PROTOCOL_TYPE;
use crate::group::{OffsetExpiry, Subscription};
use crate::record::{Change, StoredGroup};
use crate::reply::{DescribedGroup, DescribedMember, JoinReply, Reply, SyncReply};
use crate::timers::Timer;
use crate::turn::Turn;

/// Where a group stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nobody is in it; it may keep offsets.
    Empty,
    /// Members are called to join again.
    Preparing(Preparing),
    /// All have joined; the leader is about to bring the assignment.
    Completing(Completing),
    /// Everybody has, or may ask for, an assignment.
    Stable(Stable),
    /// The group is being removed.
    Dead,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Preparing {
    /// The group was empty before. Then it does not complete as soon as all have joined: more may be about to start.
    pub first: bool,
    /// How long it still waits for more members to start.
    pub delay: Option<InitialDelay>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InitialDelay {
    /// The wait that is running now.
    pub current: Duration,
    /// What may be waited at most after the running wait.
    pub remaining: Duration,
    /// A member has joined during the running wait, so it is worth to wait for another.
    pub member_added: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Completing {
    /// Who has not asked for the assignment yet.
    pub pending_syncs: BTreeSet<Arc<str>>,
    /// The assignment is on its way into the log; another one from the leader has to wait for its fate.
    pub storing: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stable {
    /// Who has not asked for the assignment yet.
    pub pending_syncs: BTreeSet<Arc<str>>,
}

impl Phase {
    /// The name that Kafka gives the state.
    pub fn name(&self) -> &'static str {
        match self {
            Phase::Empty => "Empty",
            Phase::Preparing(_) => "PreparingRebalance",
            Phase::Completing(_) => "CompletingRebalance",
            Phase::Stable(_) => "Stable",
            Phase::Dead => "Dead",
        }
    }

    pub fn is_empty(&self) -> bool {
        matches!(self, Phase::Empty)
    }

    fn pending_syncs(&mut self) -> Option<&mut BTreeSet<Arc<str>>> {
        match self {
            Phase::Completing(Completing { pending_syncs, .. }) | Phase::Stable(Stable { pending_syncs }) => {
                Some(pending_syncs)
            }
            _ => None,
        }
    }
}

/// A group of the classic protocol.
#[derive(Debug)]
pub(crate) struct ClassicGroup {
    pub id: Arc<str>,
    pub phase: Phase,
    /// Since when; unknown for a group from an old record.
    pub phase_since: Option<Timestamp>,
    pub generation: i32,
    /// Absent in a group that has only ever stored offsets.
    pub protocol_type: Option<Arc<str>>,
    pub protocol: Option<Arc<str>>,
    pub leader: Option<Arc<str>>,
    pub members: Members,
    subscribed: Subscription,
}

impl ClassicGroup {
    /// A group that nobody has joined.
    pub fn new(id: Arc<str>, since: Option<Timestamp>) -> Self {
        Self {
            id,
            phase: Phase::Empty,
            phase_since: since,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: Members::default(),
            subscribed: None,
        }
    }

    /// The group as the log remembers it. Only generations that had an assignment are stored, so it is stable or empty.
    pub fn restore(id: Arc<str>, stored: StoredGroup) -> Self {
        let mut group = Self::new(id, stored.state_timestamp);
        group.generation = stored.generation;
        group.protocol_type = Some(stored.protocol_type).filter(|name| !name.is_empty());
        group.protocol = stored.protocol;
        group.leader = stored.leader;
        if !stored.members.is_empty() {
            group.phase = Phase::Stable(Stable::default());
        }
        for member in stored.members {
            let name = group.protocol.clone().unwrap_or_else(|| Arc::from(""));
            let protocols = vec![Protocol { name, metadata: member.subscription }];
            // Records of old have no rebalance timeout; the session timeout stood for it then.
            let rebalance_timeout_ms = match member.rebalance_timeout_ms {
                -1 => member.session_timeout_ms,
                timeout => timeout,
            };
            group.leader.get_or_insert_with(|| Arc::clone(&member.member_id));
            let mut restored = Member::new(member.member_id, member.instance_id, protocols);
            restored.client_id = member.client_id;
            restored.client_host = member.client_host;
            restored.rebalance_timeout_ms = rebalance_timeout_ms;
            restored.session_timeout_ms = member.session_timeout_ms;
            restored.assignment = member.assignment;
            group.members.add(restored);
        }
        // A record may name a leader that is not among its members.
        if group.leader.as_ref().is_some_and(|leader| !group.members.contains(leader)) {
            group.leader = group.members.iter().next().map(|member| Arc::clone(&member.id));
        }
        group.compute_subscription();
        group
    }

    pub fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    pub fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER_PROTOCOL_TYPE)
    }

    /// Whether the members still need offsets of the topic. Where the subscriptions cannot be read, any of a group of consumers.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        self.subscribed
            .as_ref()
            .map_or_else(|| self.uses_consumer_protocol(), |topics| topics.contains(topic))
    }

    pub fn offset_expiry(&self) -> Option<OffsetExpiry> {
        match (&self.protocol_type, &self.phase) {
            (_, Phase::Dead) => None,
            // Nobody has ever been a member: somebody keeps offsets here and assigns partitions by hand.
            (None, _) => Some(OffsetExpiry::SinceCommit),
            (Some(_), Phase::Empty) => {
                Some(self.phase_since.map_or(OffsetExpiry::SinceCommit, OffsetExpiry::Since))
            }
            (Some(_), Phase::Stable(_)) if self.uses_consumer_protocol() && self.subscribed.is_some() => {
                Some(OffsetExpiry::SinceCommit)
            }
            _ => None,
        }
    }

    pub fn check_delete(&self) -> Result<(), ErrorCode> {
        match self.phase {
            Phase::Empty => Ok(()),
            Phase::Dead => Err(ErrorCode::GroupIdNotFound),
            _ => Err(ErrorCode::NonEmptyGroup),
        }
    }

    pub fn check_offset_delete(&self) -> Result<(), ErrorCode> {
        match self.phase {
            Phase::Empty => Ok(()),
            Phase::Dead => Err(ErrorCode::GroupIdNotFound),
            // Of consumers it is known which topics they need.
            _ if self.uses_consumer_protocol() => Ok(()),
            _ => Err(ErrorCode::NonEmptyGroup),
        }
    }

    /// Whether the request comes from a member, and not from one whose instance id has been taken over.
    pub fn check_member(&self, member_id: &str, instance_id: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            match self.members.static_id(instance_id) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(current) if **current != *member_id => return Err(ErrorCode::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains(member_id) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }

    /// Whether a commit of a member, or of somebody who is none, is in order.
    pub fn check_offset_commit(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
        transactional: bool,
    ) -> Result<(), ErrorCode> {
        match self.phase {
            Phase::Dead => return Err(ErrorCode::CoordinatorNotAvailable),
            // From an operator's tool, or from a consumer that assigns partitions by hand.
            Phase::Empty if generation < 0 => return Ok(()),
            _ if planted::on(Bug::AcceptZombieCommit) => return Ok(()),
            _ => {}
        }
        if generation >= 0 || !member_id.is_empty() || instance_id.is_some() {
            self.check_member(member_id, instance_id)?;
            if generation != self.generation {
                return Err(ErrorCode::IllegalGeneration);
            }
        } else if !transactional && !self.phase.is_empty() {
            return Err(ErrorCode::UnknownMemberId);
        }
        if !transactional && matches!(self.phase, Phase::Completing(_)) {
            // The member knows the new generation, but not yet what it is to read in it.
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }

    pub fn describe(&self) -> DescribedGroup {
        let stable = matches!(self.phase, Phase::Stable(_));
        let protocol = self.protocol.clone().filter(|_| stable);
        let members = self.members.iter().map(|member| DescribedMember {
            member_id: Arc::clone(&member.id),
            instance_id: member.instance_id.clone(),
            client_id: Arc::clone(&member.client_id),
            client_host: Arc::clone(&member.client_host),
            metadata: if stable { member.metadata(protocol.as_deref()) } else { Bytes::new() },
            assignment: member.assignment.clone(),
        });
        DescribedGroup {
            error: ErrorCode::None,
            error_message: None,
            group_id: Arc::clone(&self.id),
            state: self.phase.name(),
            protocol_type: self.protocol_type.clone().unwrap_or_else(|| Arc::from("")),
            members: members.collect(),
            protocol: protocol.unwrap_or_else(|| Arc::from("")),
        }
    }

    /// The record that keeps the group with these assignments; who is not among them has an empty one.
    pub fn record(&self, assignments: &BTreeMap<Arc<str>, Bytes>) -> Change {
        let protocol = self.protocol.as_deref();
        let members = self.members.iter().map(|member| {
            let assignment = assignments.get(&member.id).cloned().unwrap_or_default();
            member.stored(protocol, assignment)
        });
        let stored = StoredGroup {
            protocol_type: self.protocol_type.clone().unwrap_or_else(|| Arc::from("")),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            state_timestamp: self.phase_since,
            members: members.collect(),
        };
        Change::GroupStored { group: Arc::clone(&self.id), stored }
    }

    /// Starts the clock of every member of a group that was read from the log.
    pub fn loaded(&mut self, turn: &mut Turn<'_>) {
        for id in self.members.ids() {
            self.expect_heartbeat(turn, &id);
        }
        if self.members.len() > turn.config.group_size_max && matches!(self.phase, Phase::Stable(_)) {
            self.prepare_rebalance(turn, "the group is larger than it may be");
        }
    }

    /// The coordinator of this group is elsewhere now: who waits is sent there.
    pub fn unload(&mut self, turn: &mut Turn<'_>) {
        for id in self.members.ids() {
            self.answer_join(turn, &id, |id| JoinReply::error(ErrorCode::NotCoordinator, id));
            self.answer_sync(turn, &id, SyncReply::error(ErrorCode::NotCoordinator));
        }
        self.set_phase(turn, Phase::Dead);
    }

    fn set_phase(&mut self, turn: &Turn<'_>, phase: Phase) {
        self.phase = phase;
        self.phase_since = Some(turn.now.wall);
    }

    fn compute_subscription(&mut self) {
        self.subscribed = subscription::subscription(
            &self.members,
            self.protocol_type.as_deref(),
            self.protocol.as_deref(),
        );
    }

    /// Gives a member its session timeout from now on.
    pub fn expect_heartbeat(&self, turn: &mut Turn<'_>, member_id: &str) {
        if let Some(member) = self.members.get(member_id) {
            turn.schedule(self.session_timer(&member.id), member.session_timeout());
        }
    }

    fn session_timer(&self, member: &Arc<str>) -> Timer {
        Timer::Session { group: Arc::clone(&self.id), member: Arc::clone(member) }
    }

    fn join_timer(&self) -> Timer {
        Timer::Join { group: Arc::clone(&self.id) }
    }

    fn sync_timer(&self) -> Timer {
        Timer::Sync { group: Arc::clone(&self.id) }
    }

    /// Answers the join that is parked at a member, if one is.
    fn answer_join(&mut self, turn: &mut Turn<'_>, id: &Arc<str>, reply: impl FnOnce(&str) -> JoinReply) {
        if let Some(token) = self.members.take_join(id) {
            turn.reply(token, Reply::Join(reply(id)));
        }
    }

    /// Answers the sync that is parked at a member, if one is. From then on heartbeats are expected again.
    fn answer_sync(&mut self, turn: &mut Turn<'_>, id: &Arc<str>, reply: SyncReply) {
        let parked = self.members.get_mut(id).and_then(|member| member.awaiting_sync.take());
        if let Some(token) = parked {
            turn.reply(token, Reply::Sync(reply));
            self.expect_heartbeat(turn, id);
        }
    }

    /// Takes a member out, or forgets an id that was handed out. Whoever still waits under that id is told that it is not known.
    fn remove_member(&mut self, turn: &mut Turn<'_>, id: &Arc<str>) {
        self.members.pending.remove(id);
        self.answer_join(turn, id, |_| JoinReply::error(ErrorCode::UnknownMemberId, ""));
        self.answer_sync(turn, id, SyncReply::error(ErrorCode::UnknownMemberId));
        turn.timers.cancel(&self.session_timer(id));
        self.members.remove(id);
        if self.is_leader(id) {
            self.leader = self.members.iter().next().map(|member| Arc::clone(&member.id));
        }
        self.has_synced(turn, id);
    }

    /// A member has asked for its assignment, or never will.
    fn has_synced(&mut self, turn: &mut Turn<'_>, id: &str) {
        let Some(pending) = self.phase.pending_syncs() else {
            return;
        };
        if pending.remove(id) && pending.is_empty() {
            turn.timers.cancel(&self.sync_timer());
        }
    }

    #[cfg(test)]
    pub fn check_invariants(&self) {
        self.members.check_invariants();
        assert_eq!(self.leader.is_some(), !self.members.is_empty(), "{self:#?}");
        assert!(self.leader.as_ref().is_none_or(|leader| self.members.contains(leader)), "{self:#?}");
        match &self.phase {
            Phase::Empty | Phase::Dead => assert!(self.members.is_empty(), "{self:#?}"),
            Phase::Preparing(_) => {}
            Phase::Completing(Completing { pending_syncs, .. }) | Phase::Stable(Stable { pending_syncs }) => {
                assert!(self.protocol.is_some() && !self.members.is_empty(), "{self:#?}");
                assert!(pending_syncs.iter().all(|id| self.members.contains(id)), "{self:#?}");
            }
        }
    }
}
