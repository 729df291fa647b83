//! The machine, told as a specification: bring a shard into a state, call it once, and compare everything it asks for.

mod admin;
mod failures;
mod foreign;
mod join;
mod leave;
mod offset_commit;
mod offset_delete;
mod offset_expiry;
mod offset_fetch;
mod random;
mod rebalance;
mod replay;
mod sessions;
mod static_members;
mod sync;
mod transactions;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kernel::{ErrorCode, Instant, Now, Offset, ProducerId, Timestamp, Uuid};

use crate::group::Group;
use crate::record::{Change, CommittedOffset, StoredGroup, StoredMember};
use crate::reply::{FetchedPartition, Reply};
use crate::request::*;
use crate::{Append, Effects, GroupConfig, GroupShard, Token};

pub const START_MS: i64 = 1_000_000;

/// A shard, a clock and a log that always succeeds unless told otherwise.
pub struct World {
    pub shard: GroupShard,
    elapsed: Duration,
    tokens: u64,
    end: i64,
}

impl World {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(configure: impl FnOnce(&mut GroupConfig)) -> Self {
        let mut config = GroupConfig::default();
        configure(&mut config);
        Self { shard: GroupShard::new(config), elapsed: Duration::ZERO, tokens: 0, end: 0 }
    }

    pub fn now(&self) -> Now {
        let wall = START_MS + i64::try_from(self.elapsed.as_millis()).expect("a test is short");
        Now { wall: Timestamp(wall), mono: Instant::from_start(self.elapsed) }
    }

    pub fn token(&mut self) -> Token {
        self.tokens += 1;
        Token(self.tokens)
    }

    /// Puts a record into the log before the shard is loaded.
    pub fn replay(&mut self, change: &Change) {
        let record = change.encode().expect("the tests' records are small");
        let at = Offset(self.end);
        self.end += 1;
        let replayed = self.shard.replay(at, ProducerId::NONE, &record.key, record.value.as_deref());
        assert_eq!(replayed, Ok(()));
    }

    pub fn loaded(mut self) -> Self {
        let now = self.now();
        let effects = self.shard.loaded(now);
        assert_eq!(show(&effects), [] as [&str; 0]);
        self
    }

    /// Lets all appends of a call succeed, and everything that follows from it; shows what was asked for.
    pub fn commit(&mut self, effects: Effects) -> Vec<String> {
        let mut shown = Vec::new();
        let mut todo = VecDeque::from([effects]);
        while let Some(effects) = todo.pop_front() {
            shown.extend(show(&effects));
            todo.extend(effects.appends.iter().map(|append| self.store(append)));
        }
        shown
    }

    pub fn store(&mut self, append: &Append) -> Effects {
        let base = Offset(self.end);
        self.end += i64::try_from(append.changes.len()).expect("a test is short");
        append.encode().expect("the tests' records are small");
        let now = self.now();
        self.shard.on_appended(now, append.id, Ok(base))
    }

    pub fn fail(&mut self, append: &Append, error: ErrorCode) -> Vec<String> {
        let now = self.now();
        let effects = self.shard.on_appended(now, append.id, Err(error));
        show(&effects)
    }

    pub fn join(&mut self, request: JoinRequest<'_>) -> Vec<String> {
        let effects = self.join_only(request);
        self.commit(effects)
    }

    /// Joins and leaves the appends to the test.
    pub fn join_only(&mut self, request: JoinRequest<'_>) -> Effects {
        let token = self.token();
        let mut request = request;
        request.entropy[15] = u8::try_from(token.0).expect("a test is short");
        self.shard.on_join(self.now(), &request, token)
    }

    pub fn sync(&mut self, request: SyncRequest<'_>) -> Vec<String> {
        let effects = self.sync_only(request);
        self.commit(effects)
    }

    pub fn sync_only(&mut self, request: SyncRequest<'_>) -> Effects {
        let token = self.token();
        self.shard.on_sync(self.now(), &request, token)
    }

    pub fn heartbeat(&mut self, member_id: &str, generation: i32) -> ErrorCode {
        let request = HeartbeatRequest { group_id: "g", generation, member_id, instance_id: None };
        self.shard.on_heartbeat(self.now(), &request)
    }

    /// Members leave by their ids, or by their instance ids where the member id is empty.
    pub fn leave(&mut self, members: &[(&str, Option<&str>)]) -> Vec<String> {
        let members = members
            .iter()
            .map(|(member_id, instance_id)| LeavingMember { member_id, instance_id: *instance_id });
        let request = LeaveRequest { group_id: "g", members: members.collect() };
        let token = self.token();
        let effects = self.shard.on_leave(self.now(), &request, token);
        self.commit(effects)
    }

    pub fn commit_offset(&mut self, request: OffsetCommitRequest<'_>) -> Vec<String> {
        let token = self.token();
        let effects = self.shard.on_offset_commit(self.now(), &request, token);
        self.commit(effects)
    }

    pub fn state(&self) -> String {
        let group = self.shard.describe(0, "g");
        let members: Vec<&str> = group.members.iter().map(|member| &*member.member_id).collect();
        format!("{} [{}]", group.state, members.join(" "))
    }

    /// Time passes in steps, so that each timer fires when it is due.
    pub fn pass(&mut self, seconds: u64) -> Vec<String> {
        let end = self.elapsed + Duration::from_secs(seconds);
        let mut shown = Vec::new();
        while let Some(due) = self.shard.next_deadline().map(Instant::since_start).filter(|due| *due <= end) {
            self.elapsed = self.elapsed.max(due);
            let effects = self.shard.on_timer(self.now());
            shown.extend(self.commit(effects));
        }
        self.elapsed = end;
        shown
    }
}

impl GroupShard {
    pub fn generation(&self, group_id: &str) -> i32 {
        match self.groups.get(group_id) {
            Some(Group::Classic(group)) => group.generation,
            _ => -1,
        }
    }

    pub fn check_invariants(&self) {
        for group in self.groups.values() {
            if let Group::Classic(group) = group {
                group.check_invariants();
            }
        }
    }
}

/// A stable group "g" in generation 5, led by the first of its members, all of which read topic "t". A member with a slash is
/// static: its id, a slash, its instance id.
pub fn stable(members: &[&str]) -> World {
    stable_with(members, |_| {})
}

pub fn stable_with(members: &[&str], configure: impl FnOnce(&mut GroupConfig)) -> World {
    let mut world = World::with(configure);
    world.replay(&Change::GroupStored { group: "g".into(), stored: stored_group(members) });
    world.loaded()
}

pub fn stored_group(members: &[&str]) -> StoredGroup {
    let stored = members.iter().map(|name| {
        let (id, instance_id) =
            name.split_once('/').map_or((*name, None), |(id, instance)| (id, Some(instance)));
        StoredMember {
            member_id: id.into(),
            instance_id: instance_id.map(Arc::from),
            client_id: "client".into(),
            client_host: "/127.0.0.1".into(),
            rebalance_timeout_ms: 60_000,
            session_timeout_ms: 10_000,
            subscription: Bytes::from_static(READS_T),
            assignment: Bytes::from(format!("{id}'s")),
        }
    });
    let members: Vec<StoredMember> = stored.collect();
    StoredGroup {
        protocol_type: "consumer".into(),
        generation: 5,
        protocol: Some("range".into()),
        leader: members.first().map(|member| Arc::clone(&member.member_id)),
        state_timestamp: Some(Timestamp(START_MS)),
        members,
    }
}

/// A subscription to the topic "t".
pub const READS_T: &[u8] = b"\x00\x00\x00\x00\x00\x01\x00\x01t\xff\xff\xff\xff";
pub const RANGE: JoinProtocol<'static> = JoinProtocol { name: "range", metadata: READS_T };
pub const STICKY: JoinProtocol<'static> = JoinProtocol { name: "sticky", metadata: READS_T };

/// A join as a member sends it that offers what the members of [`stable`] offer.
pub fn joining(member_id: &str) -> JoinRequest<'_> {
    JoinRequest {
        version: 9,
        group_id: "g",
        member_id,
        instance_id: None,
        client_id: "client",
        client_host: "/127.0.0.1",
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        protocol_type: "consumer",
        protocols: vec![RANGE],
        reason: None,
        entropy: [0; 16],
    }
}

/// The first join of a member so old that it gets its id and its place in one.
pub fn new_member() -> JoinRequest<'static> {
    JoinRequest { version: 3, ..joining("") }
}

/// The id of the member whose first join had the token.
pub fn id(token: u8) -> String {
    format!("client-00000000-0000-4000-8000-0000000000{token:02x}")
}

pub fn syncing(member_id: &str, generation: i32) -> SyncRequest<'_> {
    SyncRequest {
        group_id: "g",
        generation,
        member_id,
        instance_id: None,
        protocol_type: None,
        protocol: None,
        assignments: Vec::new(),
    }
}

/// A commit of offset 7 of partition 0 of "t", by nobody in particular.
pub fn committing() -> OffsetCommitRequest<'static> {
    OffsetCommitRequest {
        version: 9,
        group_id: "g",
        generation: -1,
        member_id: "",
        instance_id: None,
        retention_time_ms: -1,
        topics: vec![commit_topic("t", 0, 7)],
    }
}

pub fn commit_topic(name: &str, partition: i32, offset: i64) -> CommitTopic<'_> {
    let commit = CommitPartition { partition, offset, leader_epoch: -1, metadata: None };
    CommitTopic { name, topic_id: Uuid::ZERO, partitions: vec![commit] }
}

pub fn offset_stored(topic: &str, partition: i32, offset: i64, commit_ms: i64) -> Change {
    let offset = CommittedOffset {
        offset,
        leader_epoch: None,
        metadata: "".into(),
        commit_timestamp: Timestamp(commit_ms),
        expire_timestamp: None,
        topic_id: Uuid::ZERO,
    };
    Change::OffsetStored { group: "g".into(), topic: topic.into(), partition, offset }
}

/// What is committed in "g" for a partition: the offset or the error.
pub fn fetched(world: &World, topic: &str, partition: i32) -> String {
    let topics = Some(vec![FetchTopic { name: topic, topic_id: Uuid::ZERO, partitions: vec![partition] }]);
    let request = OffsetFetchRequest {
        group_id: "g",
        member_id: None,
        member_epoch: -1,
        topics,
        require_stable: false,
    };
    let reply = world.shard.fetch_offsets(&request);
    show_fetched(&reply.topics[0].partitions[0])
}

pub fn show_fetched(partition: &FetchedPartition) -> String {
    match partition.error {
        ErrorCode::None => partition.offset.to_string(),
        error => error.name().to_owned(),
    }
}

/// Everything a call asks for, one line each: answers first, then records.
pub fn show(effects: &Effects) -> Vec<String> {
    let replies = effects.replies.iter().map(|(token, reply)| format!("#{} {}", token.0, show_reply(reply)));
    let changes = effects.appends.iter().flat_map(|append| &append.changes).map(show_change);
    replies.chain(changes).collect()
}

fn show_reply(reply: &Reply) -> String {
    match reply {
        Reply::Join(join) if !join.error.is_none() => {
            format!("join {} {}", join.error.name(), join.member_id).trim().to_owned()
        }
        Reply::Join(join) => {
            let members: Vec<&str> = join.members.iter().map(|member| &*member.member_id).collect();
            let protocol = join.protocol.as_deref().unwrap_or("-");
            let skip = if join.skip_assignment { " skip" } else { "" };
            format!(
                "join {}: generation {} {protocol} leader {} [{}]{skip}",
                join.member_id,
                join.generation,
                join.leader,
                members.join(" ")
            )
        }
        Reply::Sync(sync) if !sync.error.is_none() => format!("sync {}", sync.error.name()),
        Reply::Sync(sync) => format!(
            "sync {} {} {:?}",
            sync.protocol_type.as_deref().unwrap_or("-"),
            sync.protocol.as_deref().unwrap_or("-"),
            String::from_utf8_lossy(&sync.assignment)
        ),
        Reply::Leave(leave) => {
            let members = leave.members.iter().map(|member| {
                let instance_id =
                    member.instance_id.as_deref().map(|id| format!("/{id}")).unwrap_or_default();
                format!(" {}{instance_id}={}", member.member_id, member.error.name())
            });
            format!("leave {}:{}", leave.error.name(), members.collect::<String>())
        }
        Reply::OffsetCommit(commit) | Reply::TxnOffsetCommit(commit) => {
            let partitions = commit.topics.iter().flat_map(|topic| {
                topic
                    .partitions
                    .iter()
                    .map(|(index, error)| format!(" {}-{index}={}", topic.name, error.name()))
            });
            format!("commit{}", partitions.collect::<String>())
        }
        Reply::OffsetDelete(delete) => {
            let partitions = delete.topics.iter().flat_map(|topic| {
                topic
                    .partitions
                    .iter()
                    .map(|(index, error)| format!(" {}-{index}={}", topic.name, error.name()))
            });
            format!("delete {}:{}", delete.error.name(), partitions.collect::<String>())
        }
        Reply::DeleteGroups(groups) => {
            let groups = groups.iter().map(|(group, error)| format!(" {group}={}", error.name()));
            format!("delete groups{}", groups.collect::<String>())
        }
    }
}

fn show_change(change: &Change) -> String {
    match change {
        Change::OffsetStored { group, topic, partition, offset } => {
            format!("log: {group} {topic}-{partition} at {}", offset.offset)
        }
        Change::OffsetRemoved { group, topic, partition } => {
            format!("log: {group} {topic}-{partition} removed")
        }
        Change::GroupStored { group, stored } => {
            let members = stored.members.iter().map(|member| {
                format!("{}={:?}", member.member_id, String::from_utf8_lossy(&member.assignment))
            });
            let members: Vec<String> = members.collect();
            let protocol = stored.protocol.as_deref().unwrap_or("-");
            let leader = stored.leader.as_deref().unwrap_or("-");
            format!(
                "log: {group} generation {} {protocol} leader {leader} [{}]",
                stored.generation,
                members.join(" ")
            )
        }
        Change::GroupRemoved { group } => format!("log: {group} removed"),
        Change::ForeignStored { group, .. } => format!("log: {group} foreign"),
        Change::ForeignRemoved { group, key, .. } => {
            format!("log: {group} record of type {} removed", key[1])
        }
    }
}
