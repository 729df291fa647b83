//! One partition of the offsets topic, and the groups it keeps.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kernel::{ErrorCode, Instant, Now, Offset};

use crate::config::GroupConfig;
use crate::effects::{AppendId, Effects, Token};
use crate::group::{ClassicGroup, ForeignGroup, Group};
use crate::limits;
use crate::offsets::OffsetStore;
use crate::record::{Change, StoredGroup};
use crate::reply::{JoinReply, LeaveReply, LeftMember, Reply, SyncReply};
use crate::request::{HeartbeatRequest, JoinRequest, LeaveRequest, SyncRequest};
use crate::timers::{Timer, Timers};
use crate::turn::{PendingAppend, PendingAppends, Then, Turn, append_error};

/// The groups of one partition of the offsets topic.
///
/// It begins with what [`GroupShard::replay`] is told from the log, serves after [`GroupShard::loaded`], and ends with
/// [`GroupShard::unload`]. In between every call may ask for appends; they are made in the order of their ids, and the outcome of
/// each is reported to [`GroupShard::on_appended`].
#[derive(Debug)]
pub struct GroupShard {
    config: GroupConfig,
    pub(crate) groups: BTreeMap<Arc<str>, Group>,
    pub(crate) offsets: OffsetStore,
    timers: Timers,
    appends: PendingAppends,
}

/// The parts of a shard, to be changed side by side.
pub(crate) struct Parts<'a> {
    pub groups: &'a mut BTreeMap<Arc<str>, Group>,
    pub offsets: &'a mut OffsetStore,
    pub turn: Turn<'a>,
}

impl GroupShard {
    pub fn new(config: GroupConfig) -> Self {
        Self {
            config,
            groups: BTreeMap::new(),
            offsets: OffsetStore::default(),
            timers: Timers::default(),
            appends: PendingAppends::default(),
        }
    }

    /// Takes over other options. What is under way goes on with the old ones.
    pub fn reconfigure(&mut self, config: GroupConfig) {
        self.config = config;
    }

    pub fn config(&self) -> &GroupConfig {
        &self.config
    }

    /// The log has been replayed: from now on members are expected to be heard of.
    pub fn loaded(&mut self, now: Now) -> Effects {
        let Parts { groups, mut turn, .. } = self.parts(now);
        turn.schedule(Timer::ExpireOffsets, turn.config.offsets_retention_check_interval);
        for group in groups.values_mut() {
            match group {
                Group::Classic(group) => group.loaded(&mut turn),
                Group::Foreign(group) => group.loaded(&mut turn),
            }
        }
        turn.out
    }

    /// Another node coordinates these groups now. Everybody who waits here is sent there; nothing is left.
    pub fn unload(&mut self, now: Now) -> Effects {
        let Parts { groups, mut turn, .. } = self.parts(now);
        for (token, reply) in turn.appends.abandon() {
            turn.reply(token, reply.failed(ErrorCode::NotCoordinator));
        }
        for group in groups.values_mut() {
            if let Group::Classic(group) = group {
                group.unload(&mut turn);
            }
        }
        let effects = turn.out;
        self.groups = BTreeMap::new();
        self.offsets = OffsetStore::default();
        self.timers = Timers::default();
        effects
    }

    /// A member wants to be part of the next generation. The answer may take until the rebalance is complete.
    pub fn on_join(&mut self, now: Now, request: &JoinRequest<'_>, token: Token) -> Effects {
        let Parts { groups, mut turn, .. } = self.parts(now);
        if let Err(error) = check_join(&turn, request) {
            let reply = JoinReply::error(error, request.member_id);
            turn.reply(token, Reply::Join(reply));
            return turn.out;
        }
        match groups.get_mut(request.group_id) {
            Some(Group::Classic(group)) => group.join(&mut turn, request, token),
            Some(Group::Foreign(group)) if !group.can_become_classic() => {
                let reply = JoinReply::error(ErrorCode::InconsistentGroupProtocol, "");
                turn.reply(token, Reply::Join(reply));
            }
            _ => create_group(groups, &mut turn, request, token),
        }
        turn.out
    }

    /// A member asks for its assignment; the leader brings everybody's.
    pub fn on_sync(&mut self, now: Now, request: &SyncRequest<'_>, token: Token) -> Effects {
        let Parts { groups, mut turn, .. } = self.parts(now);
        match groups.get_mut(request.group_id) {
            Some(Group::Classic(group)) => group.sync(&mut turn, request, token),
            _ if request.group_id.is_empty() => {
                turn.reply(token, Reply::Sync(SyncReply::error(ErrorCode::InvalidGroupId)));
            }
            _ => turn.reply(token, Reply::Sync(SyncReply::error(ErrorCode::UnknownMemberId))),
        }
        turn.out
    }

    /// A member is alive. The answer is known at once.
    pub fn on_heartbeat(&mut self, now: Now, request: &HeartbeatRequest<'_>) -> ErrorCode {
        let Parts { groups, mut turn, .. } = self.parts(now);
        match groups.get(request.group_id) {
            Some(Group::Classic(group)) => group.heartbeat(&mut turn, request),
            _ if request.group_id.is_empty() => ErrorCode::InvalidGroupId,
            _ => ErrorCode::UnknownMemberId,
        }
    }

    /// Members leave, or are made to.
    pub fn on_leave(&mut self, now: Now, request: &LeaveRequest<'_>, token: Token) -> Effects {
        let Parts { groups, mut turn, .. } = self.parts(now);
        match groups.get_mut(request.group_id) {
            Some(Group::Classic(group)) => group.leave(&mut turn, request, token),
            _ if request.group_id.is_empty() => {
                let reply = LeaveReply { error: ErrorCode::InvalidGroupId, members: Vec::new() };
                turn.reply(token, Reply::Leave(reply));
            }
            _ => {
                let members = request
                    .members
                    .iter()
                    .map(|leaving| LeftMember::new(leaving, ErrorCode::UnknownMemberId));
                let reply = LeaveReply { error: ErrorCode::None, members: members.collect() };
                turn.reply(token, Reply::Leave(reply));
            }
        }
        turn.out
    }

    /// When [`GroupShard::on_timer`] has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.next_deadline()
    }

    /// Lets everything happen whose time has come.
    pub fn on_timer(&mut self, now: Now) -> Effects {
        let mut effects = Effects::default();
        // A timer may set another that is due at once; it may wait for the next call, so that this one ends.
        for _ in 0..self.timers.len() {
            let Parts { groups, mut turn, .. } = self.parts(now);
            let Some(timer) = turn.timers.pop_due(now.mono) else {
                break;
            };
            let group = match &timer {
                Timer::Session { group, .. }
                | Timer::Join { group }
                | Timer::Sync { group }
                | Timer::ForeignSessions { group } => groups.get_mut(group),
                Timer::ExpireOffsets => None,
            };
            match (timer, group) {
                (Timer::Session { member, .. }, Some(Group::Classic(group))) => {
                    group.session_is_over(&mut turn, &member);
                }
                (Timer::Join { .. }, Some(Group::Classic(group))) => group.join_timer_fired(&mut turn),
                (Timer::Sync { .. }, Some(Group::Classic(group))) => group.sync_timer_fired(&mut turn),
                (Timer::ForeignSessions { .. }, Some(Group::Foreign(group))) => {
                    group.sessions_are_over(&mut turn);
                }
                (Timer::ExpireOffsets, _) => {
                    turn.schedule(Timer::ExpireOffsets, turn.config.offsets_retention_check_interval);
                    effects.extend(self.expire_offsets(now));
                    continue;
                }
                // The group is gone, or another one now.
                _ => {}
            }
            effects.extend(turn.out);
        }
        effects
    }

    /// The outcome of an append: where its first record is in the log, once it is committed, or why it is not there. Outcomes may
    /// be reported in any order, but every one must be: what was appended later waits for it.
    pub fn on_appended(&mut self, now: Now, id: AppendId, outcome: Result<Offset, ErrorCode>) -> Effects {
        self.appends.note(id, outcome);
        let mut effects = Effects::default();
        while let Some((PendingAppend { then, answer, .. }, outcome)) = self.appends.take_settled() {
            effects.extend(self.settle(now, then, outcome));
            if let Some((token, reply)) = answer {
                let reply = match outcome {
                    Ok(_) => reply,
                    Err(error) => reply.failed(append_error(error)),
                };
                effects.replies.push((token, reply));
            }
        }
        effects
    }

    pub(crate) fn parts(&mut self, now: Now) -> Parts<'_> {
        let Self { config, groups, offsets, timers, appends } = self;
        Parts { groups, offsets, turn: Turn { now, config, timers, appends, out: Effects::default() } }
    }

    /// The changes on their way into the log.
    pub(crate) fn pending_changes(&self) -> impl Iterator<Item = &Change> {
        self.appends.changes()
    }
}

/// What does not depend on the group.
fn check_join(turn: &Turn<'_>, request: &JoinRequest<'_>) -> Result<(), ErrorCode> {
    if request.group_id.is_empty() || request.group_id.len() > limits::RECORD_STRING_BYTES_MAX {
        return Err(ErrorCode::InvalidGroupId);
    }
    let session = u64::try_from(request.session_timeout_ms).map(Duration::from_millis);
    let allowed = turn.config.session_timeout_min..=turn.config.session_timeout_max;
    if !session.is_ok_and(|session| allowed.contains(&session)) {
        return Err(ErrorCode::InvalidSessionTimeout);
    }
    let bytes: usize = request.protocols.iter().map(|offer| offer.name.len() + offer.metadata.len()).sum();
    let names = request.protocols.iter().map(|offer| offer.name);
    let mut texts = names
        .chain([request.protocol_type, request.member_id, request.client_id, request.client_host])
        .chain(request.instance_id);
    if request.protocols.len() > limits::MEMBER_PROTOCOLS_MAX
        || bytes > limits::MEMBER_PROTOCOL_BYTES_MAX
        || texts.any(|text| text.len() > limits::RECORD_STRING_BYTES_MAX)
    {
        return Err(ErrorCode::InvalidRequest);
    }
    Ok(())
}

/// The first member of a group brings it into being, perhaps in the place of an empty one of another type.
fn create_group(
    groups: &mut BTreeMap<Arc<str>, Group>,
    turn: &mut Turn<'_>,
    request: &JoinRequest<'_>,
    token: Token,
) {
    let id: Arc<str> = Arc::from(request.group_id);
    let mut group = ClassicGroup::new(Arc::clone(&id), Some(turn.now.wall));
    let refusal = if !request.member_id.is_empty() {
        // Whoever has an id had it from a group that is gone.
        Some(ErrorCode::UnknownMemberId)
    } else if !group.supports(request) {
        Some(ErrorCode::InconsistentGroupProtocol)
    } else if groups.len() >= limits::SHARD_GROUPS_MAX {
        Some(ErrorCode::CoordinatorNotAvailable)
    } else {
        None
    };
    if let Some(error) = refusal {
        return turn.reply(token, Reply::Join(JoinReply::error(error, request.member_id)));
    }
    let instead_of = match groups.remove(&id) {
        Some(Group::Foreign(group)) => Some(group),
        _ => None,
    };
    let mut changes: Vec<Change> = instead_of.iter().flat_map(ForeignGroup::tombstones).collect();
    let stored = StoredGroup { state_timestamp: Some(turn.now.wall), ..StoredGroup::default() };
    changes.push(Change::GroupStored { group: Arc::clone(&id), stored });
    turn.append(changes, Then::Created { group: Arc::clone(&id), instead_of });
    group.join(turn, request, token);
    groups.insert(id, Group::classic(group));
}
