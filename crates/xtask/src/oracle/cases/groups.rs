//! A group from its first member to its end: joins, syncs, heartbeats, commits, a second member, departures; each step also
//! with wrong generations and wrong names.

use crate::oracle::duel::Duel;
use crate::oracle::random::Random;
use crate::oracle::value::{Value, int, list, record, slot, text};

pub const APIS: &[&str] = &[
    "JoinGroup",
    "SyncGroup",
    "Heartbeat",
    "LeaveGroup",
    "OffsetCommit",
    "OffsetFetch",
    "DescribeGroups",
    "DeleteGroups",
];

/// Nobody is removed for silence during a run.
const TIMEOUT_MS: i64 = 1_800_000;

/// From here on a member has to come back with the id that it was given.
const MEMBER_ID_REQUIRED_FROM: i16 = 4;
const STATIC_FROM: i16 = 5;

struct Walk<'a> {
    duel: &'a mut Duel,
    random: &'a mut Random,
    group: String,
    generation: i64,
}

/// The connections of the members; a join waits on its own.
const FIRST: usize = 1;
const SECOND: usize = 2;

pub fn run(duel: &mut Duel, random: &mut Random, case: u64) -> Result<(), String> {
    let mut walk = Walk { duel, random, group: format!("walk-{case}"), generation: 0 };
    walk.join(FIRST)?;
    walk.sync(FIRST, &[FIRST])?;
    walk.some_steps(FIRST)?;
    if walk.random.percent(60) {
        walk.second_joins()?;
        walk.some_steps(SECOND)?;
        walk.some_steps(FIRST)?;
        walk.leave(SECOND)?;
    }
    walk.leave(FIRST)?;
    walk.describe()?;
    walk.offsets()?;
    let tree = record([("GroupsNames", list([text(walk.group.clone())]))]);
    let version = walk.version("DeleteGroups", 0);
    walk.duel.call(FIRST, "DeleteGroups", version, &tree)?;
    walk.describe()
}

impl Walk<'_> {
    /// A served version of an API, not below `from`.
    fn version(&mut self, api: &str, from: i16) -> i16 {
        let (first, last) = self.duel.apis.get(api).map_or((0, 0), |api| (api.first.max(from), api.last));
        first + i16::try_from(self.random.below(usize::try_from(last - first).unwrap_or(0) + 1)).unwrap_or(0)
    }

    fn member(&self, connection: usize) -> String {
        format!("member:{}:{connection}", self.group)
    }

    fn join_tree(&self, member: Value, metadata: u8) -> Value {
        let protocol =
            |name: &str| record([("Name", text(name)), ("Metadata", Value::Bytes(vec![metadata]))]);
        record([
            ("GroupId", text(self.group.clone())),
            ("SessionTimeoutMs", int(TIMEOUT_MS)),
            ("RebalanceTimeoutMs", int(TIMEOUT_MS)),
            ("MemberId", member),
            ("ProtocolType", text("consumer")),
            ("Protocols", list([protocol("range"), protocol("roundrobin")])),
        ])
    }

    /// A member joins a group in which nobody has to be waited for.
    fn join(&mut self, connection: usize) -> Result<(), String> {
        let version = self.version("JoinGroup", 0);
        let key = self.member(connection);
        let tree = self.join_tree(text(""), 1);
        let mut pair = self.duel.call(connection, "JoinGroup", version, &tree)?;
        self.duel.keep(&key, &pair, "MemberId");
        if version >= MEMBER_ID_REQUIRED_FROM {
            let tree = self.join_tree(slot(key), 1);
            pair = self.duel.call(connection, "JoinGroup", version, &tree)?;
        }
        self.generation = pair.int("GenerationId").unwrap_or(self.generation);
        Ok(())
    }

    /// A second member's join waits until the first joins again.
    fn second_joins(&mut self) -> Result<(), String> {
        let version = self.version("JoinGroup", MEMBER_ID_REQUIRED_FROM);
        let key = self.member(SECOND);
        let tree = self.join_tree(text(""), 2);
        let given = self.duel.call(SECOND, "JoinGroup", version, &tree)?;
        self.duel.keep(&key, &given, "MemberId");
        let tree = self.join_tree(slot(key), 2);
        let parked = self.duel.send(SECOND, "JoinGroup", version, &tree)?;
        let groups = record([("Groups", list([text(self.group.clone())]))]);
        let preparing = |tree: &Value| tree.text("Groups.0.GroupState") == Some("PreparingRebalance");
        self.duel.until("the rebalance", "DescribeGroups", 5, &groups, &preparing)?;
        self.heartbeat(FIRST)?;
        self.describe()?;
        let tree = self.join_tree(slot(self.member(FIRST)), 1);
        let again = self.version("JoinGroup", 1);
        let first = self.duel.call(FIRST, "JoinGroup", again, &tree)?;
        self.duel.finish(&parked)?;
        self.generation = first.int("GenerationId").unwrap_or(self.generation);
        self.describe()?;
        self.sync(FIRST, &[FIRST, SECOND])?;
        self.sync(SECOND, &[])
    }

    fn sync(&mut self, connection: usize, assigned: &[usize]) -> Result<(), String> {
        let version = self.version("SyncGroup", 0);
        let assignments = assigned.iter().map(|member| {
            let bytes = vec![u8::try_from(*member).unwrap_or(0); 3];
            record([("MemberId", slot(self.member(*member))), ("Assignment", Value::Bytes(bytes))])
        });
        let mut tree = record([
            ("GroupId", text(self.group.clone())),
            ("GenerationId", int(self.generation)),
            ("MemberId", slot(self.member(connection))),
            ("ProtocolType", text("consumer")),
            ("ProtocolName", text("range")),
            ("Assignments", Value::Array(assignments.collect())),
        ]);
        if self.random.percent(15) {
            let mut wrong = tree.clone();
            match self.random.below(3) {
                0 => wrong.set("GenerationId", int(self.generation + 1)),
                1 => wrong.set("MemberId", text("unknown-member")),
                _ => wrong.set("ProtocolName", text("sticky")),
            }
            // A version that does not carry the protocol would let the last one pass, and the group go on.
            self.duel.call(connection, "SyncGroup", 5, &wrong)?;
        }
        if self.random.percent(10) {
            tree.set("ProtocolType", Value::Null);
            tree.set("ProtocolName", Value::Null);
        }
        self.duel.call(
            connection,
            "SyncGroup",
            if version == 5 && self.random.percent(10) { 4 } else { version },
            &tree,
        )?;
        Ok(())
    }

    fn some_steps(&mut self, connection: usize) -> Result<(), String> {
        for _ in 0..2 + self.random.below(5) {
            match self.random.below(5) {
                0 => self.heartbeat(connection)?,
                1 | 2 => self.commit(connection)?,
                3 => self.offsets()?,
                _ => self.describe()?,
            }
        }
        Ok(())
    }

    /// The right generation most times, else one beside it.
    fn some_generation(&mut self) -> Value {
        let beside = self.random.int(&[0, 0, 0, 0, 1, -1]);
        int(self.generation + beside)
    }

    fn some_member(&mut self, connection: usize) -> Value {
        if self.random.percent(10) { text("unknown-member") } else { slot(self.member(connection)) }
    }

    fn heartbeat(&mut self, connection: usize) -> Result<(), String> {
        let version = self.version("Heartbeat", 0);
        let tree = record([
            ("GroupId", text(self.group.clone())),
            ("GenerationId", self.some_generation()),
            ("MemberId", self.some_member(connection)),
        ]);
        self.duel.call(connection, "Heartbeat", version, &tree)?;
        Ok(())
    }

    fn commit(&mut self, connection: usize) -> Result<(), String> {
        let version = self.version("OffsetCommit", 0);
        let partition = record([
            ("PartitionIndex", int(self.random.int(&[0, 1, 2, 3]))),
            ("CommittedOffset", int(self.random.int(&[0, 1, 5, 100, i64::MAX]))),
            ("CommittedLeaderEpoch", int(self.random.int(&[-1, 0]))),
            ("CommittedMetadata", if self.random.percent(30) { Value::Null } else { text("mark") }),
        ]);
        let name = self.random.pick(&["codecs", "stamped", "absent"]);
        let topic = record([
            ("Name", text(name)),
            ("TopicId", slot(format!("topic:{name}"))),
            ("Partitions", list([partition])),
        ]);
        let tree = record([
            ("GroupId", text(self.group.clone())),
            ("GenerationIdOrMemberEpoch", self.some_generation()),
            ("MemberId", self.some_member(connection)),
            ("Topics", list([topic])),
        ]);
        self.duel.call(connection, "OffsetCommit", version, &tree)?;
        Ok(())
    }

    fn offsets(&mut self) -> Result<(), String> {
        let version = self.version("OffsetFetch", 2);
        let group = record([("GroupId", text(self.group.clone())), ("Topics", Value::Null)]);
        let tree = record([
            ("GroupId", text(self.group.clone())),
            ("Topics", Value::Null),
            ("Groups", list([group])),
            ("RequireStable", Value::Bool(self.random.percent(30))),
        ]);
        self.duel.call(FIRST, "OffsetFetch", version, &tree)?;
        Ok(())
    }

    fn describe(&mut self) -> Result<(), String> {
        let version = self.version("DescribeGroups", 0);
        let tree = record([("Groups", list([text(self.group.clone())]))]);
        self.duel.call(FIRST, "DescribeGroups", version, &tree)?;
        Ok(())
    }

    fn leave(&mut self, connection: usize) -> Result<(), String> {
        let version = self.version("LeaveGroup", 0);
        let member = slot(self.member(connection));
        let mut members = vec![record([("MemberId", member.clone())])];
        if version >= STATIC_FROM && self.random.percent(30) {
            members.push(record([("MemberId", text("")), ("GroupInstanceId", text("nobody"))]));
        }
        let tree = record([
            ("GroupId", text(self.group.clone())),
            ("MemberId", member),
            ("Members", Value::Array(members)),
        ]);
        self.duel.call(connection, "LeaveGroup", version, &tree)?;
        Ok(())
    }
}
