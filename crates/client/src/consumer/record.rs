//! A record as a consumer gets it.

use std::sync::Arc;

use bytes::Bytes;
use kernel::{LeaderEpoch, Offset, Timestamp};

/// A record that was read. Key and value share the memory of the answer that they came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerRecord {
    /// Where it was read.
    pub topic: Arc<str>,
    /// Its number, counted from 0.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: Offset,
    /// When it happened, or was written where the topic says so; milliseconds since 1970 (UTC).
    pub timestamp: Timestamp,
    /// In whose reign it was written; nothing if the server does not tell.
    pub leader_epoch: Option<LeaderEpoch>,
    /// Nothing where it was written without one.
    pub key: Option<Bytes>,
    /// Nothing for a tombstone.
    pub value: Option<Bytes>,
    /// Names that are not UTF-8 have a mark in place of what is not.
    pub headers: Vec<(String, Option<Bytes>)>,
}
