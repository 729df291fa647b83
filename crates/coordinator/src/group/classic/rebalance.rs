//! From one generation to the next: call the members, wait for them, and make a generation of those who came.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use kernel::ErrorCode;

use super::{ClassicGroup, Completing, InitialDelay, Phase, Preparing};
use crate::effects::Event;
use crate::reply::{JoinReply, JoinedMember, SyncReply};
use crate::turn::{Then, Turn};

impl ClassicGroup {
    /// Something has changed that concerns everybody.
    pub(super) fn rebalance(&mut self, turn: &mut Turn<'_>, reason: &str) {
        match self.phase {
            Phase::Empty | Phase::Completing(_) | Phase::Stable(_) => self.prepare_rebalance(turn, reason),
            Phase::Preparing(_) => self.complete_join_if_all_are_here(turn),
            Phase::Dead => {}
        }
    }

    /// Calls all members to join again.
    pub(super) fn prepare_rebalance(&mut self, turn: &mut Turn<'_>, reason: &str) {
        if matches!(self.phase, Phase::Completing(_)) {
            self.refuse_assignment(turn, ErrorCode::RebalanceInProgress);
        }
        turn.timers.cancel(&self.sync_timer());
        let first = self.phase.is_empty();
        let reason = reason.to_owned();
        turn.event(Event::Rebalancing { group: Arc::clone(&self.id), generation: self.generation, reason });
        if first {
            // More members are likely to start about now: to wait for them saves a rebalance for each.
            let current = turn.config.initial_rebalance_delay;
            let remaining = self.members.rebalance_timeout().saturating_sub(current);
            turn.schedule(self.join_timer(), current);
            let delay = Some(InitialDelay { current, remaining, member_added: false });
            self.set_phase(turn, Phase::Preparing(Preparing { first, delay }));
            return;
        }
        self.set_phase(turn, Phase::Preparing(Preparing::default()));
        if self.members.have_all_joined() {
            self.complete_join(turn);
        } else {
            turn.schedule(self.join_timer(), self.members.rebalance_timeout());
        }
    }

    /// Goes on if nobody is missing, except in a first rebalance, which takes its time.
    pub(super) fn complete_join_if_all_are_here(&mut self, turn: &mut Turn<'_>) {
        let Phase::Preparing(preparing) = &self.phase else {
            return;
        };
        if !preparing.first && self.members.have_all_joined() {
            self.complete_join(turn);
        }
    }

    /// The time to join is up.
    pub fn join_timer_fired(&mut self, turn: &mut Turn<'_>) {
        let Phase::Preparing(preparing) = &mut self.phase else {
            return;
        };
        if let Some(delay) = &mut preparing.delay
            && delay.member_added
            && !delay.remaining.is_zero()
        {
            let next = turn.config.initial_rebalance_delay.min(delay.remaining);
            delay.remaining = delay.remaining.saturating_sub(delay.current);
            delay.current = next;
            delay.member_added = false;
            turn.schedule(self.join_timer(), next);
            return;
        }
        self.complete_join(turn);
    }

    /// Makes the next generation of those who have joined, and of the static members, who may be restarting.
    pub(super) fn complete_join(&mut self, turn: &mut Turn<'_>) {
        turn.timers.cancel(&self.join_timer());
        let missing = self.members.iter().filter(|member| !member.is_awaiting_join() && !member.is_static());
        let missing: Vec<Arc<str>> = missing.map(|member| Arc::clone(&member.id)).collect();
        for id in &missing {
            self.remove_member(turn, id);
        }
        if !self.members.is_empty() && !self.elect_leader() {
            // Only static members are left, and none has come. They go when their sessions end.
            if let Phase::Preparing(preparing) = &mut self.phase {
                preparing.delay = None;
            }
            turn.schedule(self.join_timer(), self.members.rebalance_timeout());
            return;
        }
        self.generation = self.generation.wrapping_add(1);
        if self.members.is_empty() {
            self.become_empty(turn);
        } else {
            self.begin_generation(turn);
        }
    }

    /// Keeps the leader if it has joined; otherwise somebody who has. False if nobody has.
    fn elect_leader(&mut self) -> bool {
        let leader = self.leader.as_deref().and_then(|leader| self.members.get(leader));
        if leader.is_some_and(|leader| leader.is_awaiting_join()) {
            return true;
        }
        let joined = self.members.iter().find(|member| member.is_awaiting_join());
        let joined = joined.map(|member| Arc::clone(&member.id));
        let elected = joined.is_some();
        self.leader = joined.or_else(|| self.leader.take());
        elected
    }

    fn become_empty(&mut self, turn: &mut Turn<'_>) {
        self.protocol = None;
        self.compute_subscription();
        self.set_phase(turn, Phase::Empty);
        turn.event(Event::Emptied { group: Arc::clone(&self.id), generation: self.generation });
        let record = self.record(&BTreeMap::new());
        turn.append(vec![record], Then::Emptied { group: Arc::clone(&self.id) });
    }

    fn begin_generation(&mut self, turn: &mut Turn<'_>) {
        self.protocol = self.members.vote(self.leader.as_deref());
        self.compute_subscription();
        let ids = self.members.ids();
        let pending_syncs = ids.iter().cloned().collect();
        self.set_phase(turn, Phase::Completing(Completing { pending_syncs, storing: false }));
        let (generation, members) = (self.generation, ids.len());
        turn.event(Event::Completed { group: Arc::clone(&self.id), generation, members });
        for id in &ids {
            let reply = self.joined(id);
            self.answer_join(turn, id, |_| reply);
            self.expect_heartbeat(turn, id);
            if let Some(member) = self.members.get_mut(id) {
                member.is_new = false;
            }
        }
        turn.schedule(self.sync_timer(), self.members.rebalance_timeout());
    }

    /// What a member of the current generation is told about it.
    pub(super) fn joined(&self, id: &Arc<str>) -> JoinReply {
        JoinReply {
            error: ErrorCode::None,
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_else(|| Arc::from("")),
            skip_assignment: false,
            member_id: Arc::clone(id),
            members: if self.is_leader(id) { self.joined_members() } else { Vec::new() },
        }
    }

    fn joined_members(&self) -> Vec<JoinedMember> {
        let protocol = self.protocol.as_deref();
        let members = self.members.iter().map(|member| JoinedMember {
            member_id: Arc::clone(&member.id),
            instance_id: member.instance_id.clone(),
            metadata: member.metadata(protocol),
        });
        members.collect()
    }

    /// Nobody gets an assignment in this generation.
    pub(super) fn refuse_assignment(&mut self, turn: &mut Turn<'_>, error: ErrorCode) {
        for member in self.members.iter_mut() {
            member.assignment = Bytes::new();
        }
        for id in self.members.ids() {
            self.answer_sync(turn, &id, SyncReply::error(error));
        }
    }
}
