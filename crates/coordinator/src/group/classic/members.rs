//! The members of a classic group, and what is counted over them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::effects::Token;
use crate::record::StoredMember;
use crate::request::JoinProtocol;

/// One who reads, or is about to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Member {
    pub id: Arc<str>,
    pub instance_id: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    protocols: Vec<Protocol>,
    pub assignment: Bytes,
    awaiting_join: Option<Token>,
    pub awaiting_sync: Option<Token>,
    /// It has not been through a rebalance yet, and does not know its id: it cannot send heartbeats.
    pub is_new: bool,
}

/// A protocol that a member offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Protocol {
    pub name: Arc<str>,
    pub metadata: Bytes,
}

impl Protocol {
    pub fn all_of(protocols: &[JoinProtocol<'_>]) -> Vec<Protocol> {
        let own = |protocol: &JoinProtocol<'_>| Protocol {
            name: Arc::from(protocol.name),
            metadata: Bytes::copy_from_slice(protocol.metadata),
        };
        protocols.iter().map(own).collect()
    }
}

impl Member {
    pub fn new(id: Arc<str>, instance_id: Option<Arc<str>>, protocols: Vec<Protocol>) -> Self {
        Self {
            id,
            instance_id,
            client_id: Arc::from(""),
            client_host: Arc::from(""),
            rebalance_timeout_ms: 0,
            session_timeout_ms: 0,
            protocols,
            assignment: Bytes::new(),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: false,
        }
    }

    pub fn is_static(&self) -> bool {
        self.instance_id.is_some()
    }

    pub fn is_awaiting_join(&self) -> bool {
        self.awaiting_join.is_some()
    }

    pub fn session_timeout(&self) -> Duration {
        millis(self.session_timeout_ms)
    }

    /// Whether the member may be silent: it waits for an answer. A new one has to come back in time nevertheless.
    pub fn may_be_silent(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }

    /// Whether the member offers exactly this, in this order.
    pub fn offers(&self, protocols: &[JoinProtocol<'_>]) -> bool {
        self.protocols.len() == protocols.len()
            && self
                .protocols
                .iter()
                .zip(protocols)
                .all(|(own, other)| *own.name == *other.name && *own.metadata == *other.metadata)
    }

    pub fn protocols(&self) -> &[Protocol] {
        &self.protocols
    }

    pub fn protocol_bytes(&self) -> usize {
        bytes_of(&self.protocols)
    }

    /// What the member says about itself under a protocol; nothing if it does not offer it.
    pub fn metadata(&self, protocol: Option<&str>) -> Bytes {
        let offered = self.protocols.iter().find(|own| Some(&*own.name) == protocol);
        offered.map(|own| own.metadata.clone()).unwrap_or_default()
    }

    pub fn stored(&self, protocol: Option<&str>, assignment: Bytes) -> StoredMember {
        StoredMember {
            member_id: Arc::clone(&self.id),
            instance_id: self.instance_id.clone(),
            client_id: Arc::clone(&self.client_id),
            client_host: Arc::clone(&self.client_host),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            session_timeout_ms: self.session_timeout_ms,
            subscription: self.metadata(protocol),
            assignment,
        }
    }
}

/// A time from the wire; one below zero has passed already.
pub(crate) fn millis(ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// All members of a group.
///
/// *Invariant:* the counts and the map of instance ids agree with the members at all times; that is why the fields they are
/// made from change here only.
#[derive(Debug, Default)]
pub(crate) struct Members {
    by_id: BTreeMap<Arc<str>, Member>,
    by_instance: BTreeMap<Arc<str>, Arc<str>>,
    awaiting_join: usize,
    /// How many members offer each protocol.
    offered: BTreeMap<Arc<str>, usize>,
    protocol_bytes: usize,
    /// Ids that were handed out and whose owners have not joined with them yet.
    pub pending: BTreeSet<Arc<str>>,
}

impl Members {
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub fn get(&self, id: &str) -> Option<&Member> {
        self.by_id.get(id)
    }

    pub fn get_mut(&mut self, id: &str) -> Option<&mut Member> {
        self.by_id.get_mut(id)
    }

    pub fn contains(&self, id: &str) -> bool {
        self.by_id.contains_key(id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.by_id.values()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.by_id.values_mut()
    }

    pub fn ids(&self) -> Vec<Arc<str>> {
        self.by_id.keys().cloned().collect()
    }

    /// The member that has the instance id.
    pub fn static_id(&self, instance_id: &str) -> Option<&Arc<str>> {
        self.by_instance.get(instance_id)
    }

    pub fn awaiting_join(&self) -> usize {
        self.awaiting_join
    }

    pub fn protocol_bytes(&self) -> usize {
        self.protocol_bytes
    }

    pub fn have_all_joined(&self) -> bool {
        self.by_id.len() == self.awaiting_join && self.pending.is_empty()
    }

    /// The longest any member may take to come back.
    pub fn rebalance_timeout(&self) -> Duration {
        self.by_id.values().map(|member| millis(member.rebalance_timeout_ms)).max().unwrap_or_default()
    }

    /// Whether all members offer the protocol. Nobody objects in a group without members.
    pub fn all_offer(&self, protocol: &str) -> bool {
        self.offered.get(protocol).copied().unwrap_or(0) == self.by_id.len()
    }

    pub fn add(&mut self, member: Member) {
        self.pending.remove(&member.id);
        if let Some(instance_id) = &member.instance_id {
            self.by_instance.insert(Arc::clone(instance_id), Arc::clone(&member.id));
        }
        self.awaiting_join += usize::from(member.is_awaiting_join());
        self.count_protocols(&member.protocols);
        self.by_id.insert(Arc::clone(&member.id), member);
    }

    pub fn remove(&mut self, id: &str) -> Option<Member> {
        let member = self.by_id.remove(id)?;
        if let Some(instance_id) = &member.instance_id {
            self.by_instance.remove(instance_id);
        }
        self.awaiting_join -= usize::from(member.is_awaiting_join());
        self.uncount_protocols(&member.protocols);
        Some(member)
    }

    /// Parks a join at its member. The token that was parked there before comes back.
    pub fn park_join(&mut self, id: &str, token: Token) -> Option<Token> {
        let member = self.by_id.get_mut(id)?;
        let earlier = member.awaiting_join.replace(token);
        self.awaiting_join += usize::from(earlier.is_none());
        earlier
    }

    pub fn take_join(&mut self, id: &str) -> Option<Token> {
        let token = self.by_id.get_mut(id)?.awaiting_join.take();
        self.awaiting_join -= usize::from(token.is_some());
        token
    }

    pub fn update(
        &mut self,
        id: &str,
        protocols: Vec<Protocol>,
        rebalance_timeout_ms: i32,
        session_timeout_ms: i32,
    ) {
        let Some(mut member) = self.by_id.remove(id) else {
            return;
        };
        self.uncount_protocols(&member.protocols);
        self.count_protocols(&protocols);
        member.protocols = protocols;
        member.rebalance_timeout_ms = rebalance_timeout_ms;
        member.session_timeout_ms = session_timeout_ms;
        self.by_id.insert(Arc::clone(&member.id), member);
    }

    /// The protocol most members prefer among those that all offer. Where two are as much preferred, the leader's order
    /// decides, so that the outcome is the same whenever it is computed.
    pub fn vote(&self, leader: Option<&str>) -> Option<Arc<str>> {
        let mut votes: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
        for member in self.by_id.values() {
            let preferred = member.protocols.iter().find(|protocol| self.all_offer(&protocol.name));
            if let Some(protocol) = preferred {
                *votes.entry(&protocol.name).or_default() += 1;
            }
        }
        let most = votes.values().copied().max()?;
        let judge =
            leader.and_then(|leader| self.by_id.get(leader)).or_else(|| self.by_id.values().next())?;
        let chosen = judge.protocols.iter().find(|protocol| votes.get(&protocol.name) == Some(&most));
        chosen.map(|protocol| Arc::clone(&protocol.name))
    }

    fn count_protocols(&mut self, protocols: &[Protocol]) {
        for name in distinct_names(protocols) {
            *self.offered.entry(Arc::clone(name)).or_default() += 1;
        }
        self.protocol_bytes += bytes_of(protocols);
    }

    fn uncount_protocols(&mut self, protocols: &[Protocol]) {
        for name in distinct_names(protocols) {
            if let Some(count) = self.offered.get_mut(name) {
                *count -= 1;
                if *count == 0 {
                    self.offered.remove(name);
                }
            }
        }
        self.protocol_bytes -= bytes_of(protocols);
    }
}

#[cfg(test)]
impl Members {
    pub fn check_invariants(&self) {
        let awaiting = self.by_id.values().filter(|member| member.is_awaiting_join()).count();
        assert_eq!(self.awaiting_join, awaiting);
        let bytes: usize = self.by_id.values().map(Member::protocol_bytes).sum();
        assert_eq!(self.protocol_bytes, bytes);
        let mut offered: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        for name in self.by_id.values().flat_map(|member| distinct_names(&member.protocols)) {
            *offered.entry(Arc::clone(name)).or_default() += 1;
        }
        assert_eq!(self.offered, offered);
        let instances =
            self.by_id.values().filter_map(|member| member.instance_id.clone().zip(Some(member.id.clone())));
        assert_eq!(self.by_instance, instances.collect());
        assert!(self.pending.iter().all(|id| !self.by_id.contains_key(id)));
    }
}

/// A client may offer a protocol twice; it has one voice for it.
fn distinct_names(protocols: &[Protocol]) -> BTreeSet<&Arc<str>> {
    protocols.iter().map(|protocol| &protocol.name).collect()
}

fn bytes_of(protocols: &[Protocol]) -> usize {
    protocols.iter().map(|protocol| protocol.name.len() + protocol.metadata.len()).sum()
}
