//! What clients asked and what they were told, in the order in which it happened.
//!
//! Every call is an event when it begins and another when it ends. The end says what the client knows: [`Phase::Ok`],
//! it was done; [`Phase::Fail`], it was certainly not done; [`Phase::Info`], nobody can tell.

mod judge;
mod recorder;
mod report;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kernel::TopicPartition;

pub use judge::{Violation, judge};
pub use recorder::Recorder;
pub use report::report;

/// One client of the workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientId(pub u32);

/// One call of one client, from its invocation to its outcome. Unique within a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Invoke,
    /// Done, and the client was told so.
    Ok,
    /// Refused: it has no effect.
    Fail,
    /// The outcome is unknown: it may have an effect, now, later or never.
    Info,
}

/// What was written: a number that no other record of the run has, and the sum of the bytes that carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Value {
    pub id: u64,
    /// Of key, value and headers, as they were sent or as they were read.
    pub sum: u64,
}

/// A record as a consumer got it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub offset: i64,
    /// None if the bytes do not even hold a number.
    pub value: Option<Value>,
}

/// Offsets by partition, as a group commits or is told them.
pub type Offsets = BTreeMap<TopicPartition, i64>;

/// What is called, with what is known of its result in this phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// One record to one partition. A producer's sends to a partition are invoked in the order of its calls.
    Send {
        to: TopicPartition,
        value: Value,
        offset: Option<i64>,
    },
    /// A read from `position` on; the position of the next read follows the last record. It fails if a broker says that
    /// there is no such position.
    Read {
        from: TopicPartition,
        position: i64,
        records: Vec<Seen>,
        /// As the answer has it, where the client shows it.
        high_watermark: Option<i64>,
    },
    /// The client goes on reading elsewhere: because it wants to, or because the partition was assigned to it.
    Seek {
        of: TopicPartition,
        to: i64,
    },
    /// After everything was healed: the records of a partition, from its start to its end, in one event or several.
    Drain {
        of: TopicPartition,
        records: Vec<Seen>,
    },
    /// The end of a partition, for whoever may read everything.
    End {
        of: TopicPartition,
        offset: Option<i64>,
    },
    /// The member has its part in a generation of the group.
    Join {
        group: Arc<str>,
        generation: i32,
    },
    /// The generation is -1 for somebody who is no member.
    Commit {
        group: Arc<str>,
        generation: i32,
        offsets: Offsets,
    },
    /// What the group is told it has committed; -1 where that is nothing.
    Committed {
        group: Arc<str>,
        offsets: Offsets,
    },
    CreateTopic {
        name: Arc<str>,
        partitions: i32,
    },
    DeleteTopic {
        name: Arc<str>,
    },
    /// A replica is to be moved into another log directory; it may take long after it was begun.
    Move {
        of: TopicPartition,
        to: Arc<str>,
    },
}

/// Something that happened between a client and the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Simulated time since the run began.
    pub at: Duration,
    pub client: ClientId,
    pub call: CallId,
    pub phase: Phase,
    pub op: Op,
    /// Why a call failed, or why its outcome is unknown.
    pub reason: Option<String>,
}

/// What is in a history, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    Client(Event),
    /// Something was done to the world: a fault, its healing, a phase of the run.
    World {
        at: Duration,
        what: String,
    },
    /// Something had to come after everything was healed, and did not in time.
    Stuck {
        at: Duration,
        what: String,
    },
}

/// All that happened in a run.
#[derive(Debug, Clone, Default)]
pub struct History {
    pub entries: Vec<Entry>,
}

impl History {
    /// What clients did, in order.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Client(event) => Some(event),
            Entry::World { .. } | Entry::Stuck { .. } => None,
        })
    }

    /// How many records were acknowledged.
    pub fn acknowledged(&self) -> usize {
        let acked = |event: &&Event| event.phase == Phase::Ok && matches!(event.op, Op::Send { .. });
        self.events().filter(acked).count()
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Entry::World { at, what } => write!(f, "{:>10.3} world {what}", at.as_secs_f64()),
            Entry::Stuck { at, what } => write!(f, "{:>10.3} stuck {what}", at.as_secs_f64()),
            Entry::Client(event) => write!(f, "{event}"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = match self.phase {
            Phase::Invoke => "invoke",
            Phase::Ok => "ok",
            Phase::Fail => "fail",
            Phase::Info => "info",
        };
        let (at, client, call) = (self.at.as_secs_f64(), self.client.0, self.call.0);
        write!(f, "{at:>10.3} client {client} call {call} {phase:<6} {}", self.op)?;
        match &self.reason {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value {
            Some(value) => write!(f, "{}@{}", value.id, self.offset),
            None => write!(f, "?@{}", self.offset),
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::Send { to, value, offset: None } => write!(f, "send {} to {to}", value.id),
            Op::Send { to, value, offset: Some(offset) } => write!(f, "send {} to {to} @{offset}", value.id),
            Op::Read { from, position, records, high_watermark } => {
                write!(f, "read {from} from @{position}")?;
                high_watermark.iter().try_for_each(|offset| write!(f, " below @{offset}"))?;
                records.iter().try_for_each(|seen| write!(f, " {seen}"))
            }
            Op::Seek { of, to } => write!(f, "seek {of} to @{to}"),
            Op::Drain { of, records } => {
                write!(f, "drain {of}")?;
                records.iter().try_for_each(|seen| write!(f, " {seen}"))
            }
            Op::End { of, offset: None } => write!(f, "end of {of}"),
            Op::End { of, offset: Some(offset) } => write!(f, "end of {of} @{offset}"),
            Op::Join { group, generation } => write!(f, "join {group} in generation {generation}"),
            Op::Commit { group, generation, offsets } => {
                write!(f, "commit {group} in generation {generation}{}", Listed(offsets))
            }
            Op::Committed { group, offsets } => write!(f, "committed {group}{}", Listed(offsets)),
            Op::CreateTopic { name, partitions } => write!(f, "create {name} with {partitions} partitions"),
            Op::DeleteTopic { name } => write!(f, "delete {name}"),
            Op::Move { of, to } => write!(f, "move {of} to {to}"),
        }
    }
}

struct Listed<'a>(&'a Offsets);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(partition, offset)| write!(f, " {partition}@{offset}"))
    }
}
