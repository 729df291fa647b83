//! The facts that the offsets topic keeps, as values. How they look on disk is in [`codec`].

mod codec;

use std::sync::Arc;

use bytes::Bytes;
use kernel::{Timestamp, Uuid};

pub use codec::RecordError;

/// One change of what a shard remembers: one record of the offsets topic.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    OffsetStored {
        group: Arc<str>,
        topic: Arc<str>,
        partition: i32,
        offset: CommittedOffset,
    },
    OffsetRemoved {
        group: Arc<str>,
        topic: Arc<str>,
        partition: i32,
    },
    GroupStored {
        group: Arc<str>,
        stored: StoredGroup,
    },
    GroupRemoved {
        group: Arc<str>,
    },
    /// A record of a group of a type that is not served here. It is kept by its key, so that it can be removed.
    ForeignStored {
        kind: ForeignKind,
        group: Arc<str>,
        member: Option<Arc<str>>,
        key: Bytes,
    },
    ForeignRemoved {
        kind: ForeignKind,
        group: Arc<str>,
        member: Option<Arc<str>>,
        key: Bytes,
    },
}

/// The types of groups that are not served here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ForeignKind {
    Consumer,
    Share,
    Streams,
}

impl ForeignKind {
    /// The type as it is listed; it is the name of its protocol as well.
    pub fn name(self) -> &'static str {
        match self {
            ForeignKind::Consumer => "consumer",
            ForeignKind::Share => "share",
            ForeignKind::Streams => "streams",
        }
    }
}

/// How far a group has read a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    pub offset: i64,
    /// Of the last record that was read; absent where the client did not say.
    pub leader_epoch: Option<i32>,
    pub metadata: Arc<str>,
    pub commit_timestamp: Timestamp,
    /// Set by clients of old, who chose their retention themselves.
    pub expire_timestamp: Option<Timestamp>,
    /// Zero where it is not known.
    pub topic_id: Uuid,
}

/// A classic group as its log remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoredGroup {
    /// Empty for a group that has never had a member.
    pub protocol_type: Arc<str>,
    pub generation: i32,
    pub protocol: Option<Arc<str>>,
    pub leader: Option<Arc<str>>,
    /// When the group came into its state; absent in old records.
    pub state_timestamp: Option<Timestamp>,
    pub members: Vec<StoredMember>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMember {
    pub member_id: Arc<str>,
    pub instance_id: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    pub subscription: Bytes,
    pub assignment: Bytes,
}
