//! What a call asks of whoever runs the coordinator: answers to send, records to append, lines to log.

use std::sync::Arc;

use bytes::Bytes;
use kernel::{ErrorCode, ProducerEpoch, ProducerId};

use crate::record::Change;
use crate::reply::Reply;

/// Names a request that waits for its answer. The runner chooses it; every token given to the coordinator comes back
/// exactly once, in [`Effects::replies`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// Names an append until its outcome is reported to [`crate::GroupShard::on_appended`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppendId(pub u64);

/// One record for the offsets topic; without a value it is a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub key: Bytes,
    pub value: Option<Bytes>,
}

/// Records that must be appended as one batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Append {
    pub id: AppendId,
    pub changes: Vec<Change>,
    /// The producer whose open transaction the batch belongs to.
    pub transaction: Option<(ProducerId, ProducerEpoch)>,
}

impl Append {
    /// The records in their form on disk. On an error nothing may be appended, and the error is the append's outcome.
    pub fn encode(&self) -> Result<Vec<Record>, ErrorCode> {
        self.changes.iter().map(|change| change.encode().map_err(|_| ErrorCode::InvalidRecord)).collect()
    }
}

/// What is worth a line in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Rebalancing { group: Arc<str>, generation: i32, reason: String },
    Completed { group: Arc<str>, generation: i32, members: usize },
    Stable { group: Arc<str>, generation: i32 },
    Emptied { group: Arc<str>, generation: i32 },
    MemberExpired { group: Arc<str>, member: Arc<str> },
    Removed { group: Arc<str> },
    StoreFailed { group: Arc<str>, error: ErrorCode },
}

/// Everything a call asks for. Replies may leave at once. Appends are to be made in order, all of them before those that the
/// outcome of the first leads to.
#[must_use = "answers and records are lost unless they are acted on"]
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Effects {
    pub replies: Vec<(Token, Reply)>,
    pub appends: Vec<Append>,
    pub events: Vec<Event>,
}

impl Effects {
    /// Adds what another call asks for, to be done after this.
    pub(crate) fn extend(&mut self, later: Effects) {
        self.replies.extend(later.replies);
        self.appends.extend(later.appends);
        self.events.extend(later.events);
    }
}
