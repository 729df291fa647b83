//! JoinGroup: versions 0 to 9.
//!
//! 1 brings the rebalance timeout, 4 makes a dynamic member come back with the id it is given, 5 brings static members, 8 a
//! reason, and 9 lets a leader that is a static member leave the assignment as it is.

use std::sync::Arc;

use kernel::ErrorCode;

use super::members::{Member, Protocol};
use super::{ClassicGroup, Phase};
use crate::config::GroupConfig;
use crate::effects::Token;
use crate::limits;
use crate::reply::{JoinReply, Reply};
use crate::request::JoinRequest;
use crate::turn::Turn;

/// From this version on, a dynamic member joins with an id that it was given before.
const MEMBER_ID_REQUIRED_FROM: i16 = 4;

impl ClassicGroup {
    pub fn join(&mut self, turn: &mut Turn<'_>, request: &JoinRequest<'_>, token: Token) {
        if matches!(self.phase, Phase::Dead) {
            return refuse(turn, token, ErrorCode::CoordinatorNotAvailable, request.member_id);
        }
        if !self.accepts(turn.config, request) {
            self.remove_member(turn, &Arc::from(request.member_id));
            return refuse(turn, token, ErrorCode::GroupMaxSizeReached, "");
        }
        if !self.supports(request) {
            return refuse(turn, token, ErrorCode::InconsistentGroupProtocol, request.member_id);
        }
        if request.member_id.is_empty() {
            self.join_as_new(turn, request, token);
        } else if self.members.pending.contains(request.member_id) {
            if request.instance_id.is_some() {
                // An id is handed out in advance to dynamic members only.
                return refuse(turn, token, ErrorCode::UnknownMemberId, request.member_id);
            }
            self.add_member(turn, request, Arc::from(request.member_id), token);
        } else {
            match self.check_member(request.member_id, request.instance_id) {
                Ok(()) => self.join_again(turn, request, token),
                Err(error) => refuse(turn, token, error, request.member_id),
            }
        }
    }

    /// Whether there is room. While a rebalance is prepared those who have joined count, so that the last to come stay out if the
    /// group has to shrink.
    fn accepts(&self, config: &GroupConfig, request: &JoinRequest<'_>) -> bool {
        let max = config.group_size_max.min(limits::GROUP_MEMBERS_MAX);
        let member = self.members.get(request.member_id);
        let new_bytes: usize =
            request.protocols.iter().map(|offer| offer.name.len() + offer.metadata.len()).sum();
        let old_bytes = member.map_or(0, Member::protocol_bytes);
        if self.members.protocol_bytes() - old_bytes + new_bytes > limits::GROUP_PROTOCOL_BYTES_MAX {
            return false;
        }
        match self.phase {
            Phase::Empty | Phase::Dead => true,
            Phase::Preparing(_) => {
                member.is_some_and(Member::is_awaiting_join) || self.members.awaiting_join() < max
            }
            Phase::Completing(_) | Phase::Stable(_) => member.is_some() || self.members.len() < max,
        }
    }

    /// Whether the member fits to the others: the same type, and a protocol that all offer.
    pub fn supports(&self, request: &JoinRequest<'_>) -> bool {
        if self.phase.is_empty() {
            return !request.protocol_type.is_empty() && !request.protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(request.protocol_type)
            && request.protocols.iter().any(|offer| self.members.all_offer(offer.name))
    }

    fn join_as_new(&mut self, turn: &mut Turn<'_>, request: &JoinRequest<'_>, token: Token) {
        let id = new_member_id(request);
        if let Some(instance_id) = request.instance_id {
            match self.members.static_id(instance_id).cloned() {
                Some(current) => self.replace_static_member(turn, request, &current, id, token),
                None => self.add_member(turn, request, id, token),
            }
        } else if request.version >= MEMBER_ID_REQUIRED_FROM {
            if self.members.pending.len() >= limits::GROUP_PENDING_JOINS_MAX {
                return refuse(turn, token, ErrorCode::CoordinatorNotAvailable, "");
            }
            // A client that repeats its first request, because the answer was lost, would be counted twice. So it is
            // counted only when it comes back with its id.
            turn.schedule(self.session_timer(&id), super::members::millis(request.session_timeout_ms));
            refuse(turn, token, ErrorCode::MemberIdRequired, &id);
            self.members.pending.insert(id);
        } else {
            self.add_member(turn, request, id, token);
        }
    }

    fn add_member(&mut self, turn: &mut Turn<'_>, request: &JoinRequest<'_>, id: Arc<str>, token: Token) {
        let instance_id = request.instance_id.map(Arc::from);
        let mut member = Member::new(Arc::clone(&id), instance_id, Protocol::all_of(&request.protocols));
        member.client_id = Arc::from(request.client_id);
        member.client_host = Arc::from(request.client_host);
        member.rebalance_timeout_ms = rebalance_timeout_ms(request);
        member.session_timeout_ms = request.session_timeout_ms;
        member.is_new = true;
        if let Phase::Preparing(preparing) = &mut self.phase
            && let Some(delay) = &mut preparing.delay
        {
            delay.member_added = true;
        }
        if self.members.is_empty() {
            self.protocol_type = Some(Arc::from(request.protocol_type));
        }
        self.leader.get_or_insert_with(|| Arc::clone(&id));
        self.members.add(member);
        self.park_join(turn, &id, token);
        // A new member does not know its id, so it cannot send heartbeats, and while it waits a lost connection shows
        // nowhere. It is given up when it would have repeated its request long ago.
        turn.schedule(self.session_timer(&id), turn.config.new_member_join_timeout);
        self.rebalance(turn, &because("a member joins", request));
    }

    /// A member that is known joins: in the next generation, or it has missed the answer about the current one.
    fn join_again(&mut self, turn: &mut Turn<'_>, request: &JoinRequest<'_>, token: Token) {
        let id: Arc<str> = Arc::from(request.member_id);
        let unchanged = self.members.get(&id).is_some_and(|member| member.offers(&request.protocols));
        match self.phase {
            Phase::Preparing(_) => {}
            Phase::Completing(_) if unchanged => {
                let reply = self.joined(&id);
                return turn.reply(token, Reply::Join(reply));
            }
            // A leader that joins again wants a rebalance, for reasons of its own: a topic may have more partitions.
            Phase::Stable(_) if unchanged && !self.is_leader(&id) => {
                let reply = self.joined(&id);
                return turn.reply(token, Reply::Join(reply));
            }
            Phase::Completing(_) | Phase::Stable(_) => {}
            Phase::Empty | Phase::Dead => return refuse(turn, token, ErrorCode::UnknownMemberId, &id),
        }
        self.update_member(request, &id);
        self.park_join(turn, &id, token);
        self.rebalance(turn, &because("a member joins again", request));
    }

    pub(super) fn update_member(&mut self, request: &JoinRequest<'_>, id: &Arc<str>) {
        let protocols = Protocol::all_of(&request.protocols);
        self.members.update(id, protocols, rebalance_timeout_ms(request), request.session_timeout_ms);
    }

    /// Lets a join wait at its member. One that waited there is from a connection its member has given up.
    pub(super) fn park_join(&mut self, turn: &mut Turn<'_>, id: &Arc<str>, token: Token) {
        if let Some(earlier) = self.members.park_join(id, token) {
            refuse(turn, earlier, ErrorCode::RebalanceInProgress, id);
        }
    }
}

pub(super) fn refuse(turn: &mut Turn<'_>, token: Token, error: ErrorCode, member_id: &str) {
    turn.reply(token, Reply::Join(JoinReply::error(error, member_id)));
}

pub(super) fn because(what: &str, request: &JoinRequest<'_>) -> String {
    match request.reason {
        Some(reason) if !reason.is_empty() => format!("{what}: {reason}"),
        _ => what.to_owned(),
    }
}

/// In version 0 the session timeout stands for the rebalance timeout as well.
fn rebalance_timeout_ms(request: &JoinRequest<'_>) -> i32 {
    if request.version == 0 { request.session_timeout_ms } else { request.rebalance_timeout_ms }
}

/// The client's id, or the instance's, and something that nobody else has.
fn new_member_id(request: &JoinRequest<'_>) -> Arc<str> {
    let name = request.instance_id.unwrap_or(request.client_id);
    let end = name.floor_char_boundary(limits::MEMBER_ID_PREFIX_BYTES_MAX);
    let uuid = uuid_text(request.entropy);
    Arc::from(format!("{}-{uuid}", name.get(..end).unwrap_or_default()))
}

/// A version 4 UUID in its usual spelling.
fn uuid_text(mut bytes: [u8; 16]) -> String {
    let [.., version, _, variant, _, _, _, _, _, _, _] = &mut bytes;
    *version = (*version & 0x0f) | 0x40;
    *variant = (*variant & 0x3f) | 0x80;
    let digits = format!("{:032x}", u128::from_be_bytes(bytes));
    let mut text = String::with_capacity(36);
    for (position, digit) in digits.chars().enumerate() {
        if matches!(position, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(digit);
    }
    text
}
