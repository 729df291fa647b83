//! What clients ask of a coordinator, borrowed from their requests.
//!
//! Topic ids are resolved to names before they get here, and whether a partition exists and may be used by the client is
//! checked before as well: this crate knows neither the cluster's topics nor its permissions.

use kernel::Uuid;

/// A request to join a group.
#[derive(Debug, Clone)]
pub struct JoinRequest<'a> {
    /// The version of the API: it decides whether a member must come back with its id, and more.
    pub version: i16,
    pub group_id: &'a str,
    /// Empty for a member that has no id yet.
    pub member_id: &'a str,
    pub instance_id: Option<&'a str>,
    /// From the request's header; a member id begins with it.
    pub client_id: &'a str,
    /// As Kafka shows it: a slash and the address.
    pub client_host: &'a str,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
    pub protocol_type: &'a str,
    /// In the order of the member's preference.
    pub protocols: Vec<JoinProtocol<'a>>,
    pub reason: Option<&'a str>,
    /// Sixteen random bytes, for the id of a new member.
    pub entropy: [u8; 16],
}

/// A way to assign partitions that a member offers, and what it says about itself for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinProtocol<'a> {
    pub name: &'a str,
    pub metadata: &'a [u8],
}

/// A request for the assignment, which the leader brings.
#[derive(Debug, Clone)]
pub struct SyncRequest<'a> {
    pub group_id: &'a str,
    pub generation: i32,
    pub member_id: &'a str,
    pub instance_id: Option<&'a str>,
    pub protocol_type: Option<&'a str>,
    pub protocol: Option<&'a str>,
    /// Member id and assignment; empty from everyone but the leader.
    pub assignments: Vec<(&'a str, &'a [u8])>,
}

/// A sign of life.
#[derive(Debug, Clone, Copy)]
pub struct HeartbeatRequest<'a> {
    pub group_id: &'a str,
    pub generation: i32,
    pub member_id: &'a str,
    pub instance_id: Option<&'a str>,
}

/// A request to take members out of a group.
#[derive(Debug, Clone)]
pub struct LeaveRequest<'a> {
    pub group_id: &'a str,
    pub members: Vec<LeavingMember<'a>>,
}

/// One who leaves, or whom an operator removes by its instance id alone.
#[derive(Debug, Clone, Copy)]
pub struct LeavingMember<'a> {
    pub member_id: &'a str,
    pub instance_id: Option<&'a str>,
}

/// A request to store how far a group has read.
#[derive(Debug, Clone)]
pub struct OffsetCommitRequest<'a> {
    pub version: i16,
    pub group_id: &'a str,
    /// Below zero from a client that is not a member of a group.
    pub generation: i32,
    pub member_id: &'a str,
    pub instance_id: Option<&'a str>,
    /// -1 except in the old versions in which a client chose its retention.
    pub retention_time_ms: i64,
    pub topics: Vec<CommitTopic<'a>>,
}

/// A transactional commit: visible when the transaction commits.
#[derive(Debug, Clone)]
pub struct TxnOffsetCommitRequest<'a> {
    pub version: i16,
    pub group_id: &'a str,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub generation: i32,
    pub member_id: &'a str,
    pub instance_id: Option<&'a str>,
    pub topics: Vec<CommitTopic<'a>>,
}

#[derive(Debug, Clone)]
pub struct CommitTopic<'a> {
    pub name: &'a str,
    /// Zero where it is not known.
    pub topic_id: Uuid,
    pub partitions: Vec<CommitPartition<'a>>,
}

#[derive(Debug, Clone, Copy)]
pub struct CommitPartition<'a> {
    pub partition: i32,
    pub offset: i64,
    /// -1 for none.
    pub leader_epoch: i32,
    pub metadata: Option<&'a str>,
}

/// A question for the committed offsets of one group.
#[derive(Debug, Clone)]
pub struct OffsetFetchRequest<'a> {
    pub group_id: &'a str,
    /// Of the new protocol; absent for everybody else.
    pub member_id: Option<&'a str>,
    pub member_epoch: i32,
    /// Nothing for all topics the group has offsets for.
    pub topics: Option<Vec<FetchTopic<'a>>>,
    /// Do not answer with an offset while a newer one is about to be committed.
    pub require_stable: bool,
}

#[derive(Debug, Clone)]
pub struct FetchTopic<'a> {
    pub name: &'a str,
    /// Zero where the client did not say which incarnation of the topic it means.
    pub topic_id: Uuid,
    pub partitions: Vec<i32>,
}

/// A request to forget committed offsets.
#[derive(Debug, Clone)]
pub struct OffsetDeleteRequest<'a> {
    pub group_id: &'a str,
    pub topics: Vec<(&'a str, Vec<i32>)>,
}
