//! What a coordinator answers, before it is put into a version of the protocol.

use std::sync::Arc;

use bytes::Bytes;
use kernel::{ErrorCode, Uuid};

use crate::request::LeavingMember;

/// An answer to a request that was given with a token.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    Join(JoinReply),
    Sync(SyncReply),
    Leave(LeaveReply),
    OffsetCommit(OffsetCommitReply),
    TxnOffsetCommit(OffsetCommitReply),
    OffsetDelete(OffsetDeleteReply),
    /// One code for each group asked for, in the order of the request.
    DeleteGroups(Vec<(Arc<str>, ErrorCode)>),
}

impl Reply {
    /// The same answer after its records could not be stored: nothing in it happened.
    pub(crate) fn failed(self, error: ErrorCode) -> Reply {
        match self {
            Reply::Join(_) => Reply::Join(JoinReply::error(error, "")),
            Reply::Sync(_) => Reply::Sync(SyncReply::error(error)),
            Reply::Leave(_) => Reply::Leave(LeaveReply { error, members: Vec::new() }),
            Reply::OffsetCommit(reply) => Reply::OffsetCommit(reply.failed(error)),
            Reply::TxnOffsetCommit(reply) => Reply::TxnOffsetCommit(reply.failed(error)),
            Reply::OffsetDelete(_) => Reply::OffsetDelete(OffsetDeleteReply { error, topics: Vec::new() }),
            Reply::DeleteGroups(groups) => {
                Reply::DeleteGroups(groups.into_iter().map(|(group, _)| (group, error)).collect())
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinReply {
    pub error: ErrorCode,
    /// -1 unless the member is in a generation.
    pub generation: i32,
    pub protocol_type: Option<Arc<str>>,
    pub protocol: Option<Arc<str>>,
    /// Empty for none.
    pub leader: Arc<str>,
    /// The leader is to leave the assignment as it is.
    pub skip_assignment: bool,
    pub member_id: Arc<str>,
    /// Everybody, for the leader; empty for the others.
    pub members: Vec<JoinedMember>,
}

impl JoinReply {
    pub(crate) fn error(error: ErrorCode, member_id: &str) -> Self {
        Self {
            error,
            generation: -1,
            protocol_type: None,
            protocol: None,
            leader: Arc::from(""),
            skip_assignment: false,
            member_id: Arc::from(member_id),
            members: Vec::new(),
        }
    }
}

/// A member as its leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinedMember {
    pub member_id: Arc<str>,
    pub instance_id: Option<Arc<str>>,
    pub metadata: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncReply {
    pub error: ErrorCode,
    pub protocol_type: Option<Arc<str>>,
    pub protocol: Option<Arc<str>>,
    pub assignment: Bytes,
}

impl SyncReply {
    pub(crate) fn error(error: ErrorCode) -> Self {
        Self { error, protocol_type: None, protocol: None, assignment: Bytes::new() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaveReply {
    pub error: ErrorCode,
    pub members: Vec<LeftMember>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftMember {
    pub member_id: Arc<str>,
    pub instance_id: Option<Arc<str>>,
    pub error: ErrorCode,
}

impl LeftMember {
    pub(crate) fn new(leaving: &LeavingMember<'_>, error: ErrorCode) -> Self {
        let instance_id = leaving.instance_id.map(Arc::from);
        Self { member_id: Arc::from(leaving.member_id), instance_id, error }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetCommitReply {
    pub topics: Vec<CommittedTopic>,
}

impl OffsetCommitReply {
    fn failed(mut self, error: ErrorCode) -> Self {
        let partitions = self.topics.iter_mut().flat_map(|topic| topic.partitions.iter_mut());
        partitions.for_each(|(_, code)| *code = error);
        self
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedTopic {
    pub name: Arc<str>,
    pub topic_id: Uuid,
    pub partitions: Vec<(i32, ErrorCode)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetFetchReply {
    pub error: ErrorCode,
    pub topics: Vec<FetchedTopic>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedTopic {
    pub name: Arc<str>,
    pub topic_id: Uuid,
    pub partitions: Vec<FetchedPartition>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedPartition {
    pub partition: i32,
    pub error: ErrorCode,
    /// -1 where nothing is committed.
    pub offset: i64,
    pub leader_epoch: i32,
    pub metadata: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetDeleteReply {
    pub error: ErrorCode,
    pub topics: Vec<DeletedTopic>,
}

/// What became of a group's offsets in a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedTopic {
    pub name: Arc<str>,
    pub partitions: Vec<(i32, ErrorCode)>,
}

/// A group in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedGroup {
    pub group_id: Arc<str>,
    /// Empty for a group that only stores offsets.
    pub protocol_type: Arc<str>,
    pub state: &'static str,
    pub group_type: &'static str,
}

/// A classic group in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedGroup {
    pub error: ErrorCode,
    pub error_message: Option<String>,
    pub group_id: Arc<str>,
    pub state: &'static str,
    pub protocol_type: Arc<str>,
    /// The protocol, which only a stable group shows.
    pub protocol: Arc<str>,
    pub members: Vec<DescribedMember>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedMember {
    pub member_id: Arc<str>,
    pub instance_id: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    /// Only in a stable group.
    pub metadata: Bytes,
    pub assignment: Bytes,
}
