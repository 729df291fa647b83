//! Control records: what the log says about itself, between the records of producers.
//!
//! Key: `version: i16, type: i16`. The value belongs to the type. A reader takes a version above those it knows for the
//! highest it knows, since later versions may only add.

use super::{BatchBuilder, BuildError};
use bytes::Bytes;
use kernel::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};

/// What a control record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ControlRecordType {
    Abort,
    Commit,
    LeaderChange,
    SnapshotHeader,
    SnapshotFooter,
    KRaftVersion,
    KRaftVoters,
    /// One that was invented later; to be passed over.
    Unknown(i16),
}

impl ControlRecordType {
    pub fn from_id(id: i16) -> Self {
        match id {
            0 => Self::Abort,
            1 => Self::Commit,
            2 => Self::LeaderChange,
            3 => Self::SnapshotHeader,
            4 => Self::SnapshotFooter,
            5 => Self::KRaftVersion,
            6 => Self::KRaftVoters,
            other => Self::Unknown(other),
        }
    }

    pub fn id(self) -> i16 {
        match self {
            Self::Abort => 0,
            Self::Commit => 1,
            Self::LeaderChange => 2,
            Self::SnapshotHeader => 3,
            Self::SnapshotFooter => 4,
            Self::KRaftVersion => 5,
            Self::KRaftVoters => 6,
            Self::Unknown(id) => id,
        }
    }

    /// Reads the key of a control record; nothing if it is not one.
    pub fn parse(key: &[u8]) -> Option<Self> {
        let (version, rest) = split_i16(key)?;
        let (id, _) = split_i16(rest)?;
        (version >= 0).then_some(Self::from_id(id))
    }

    /// The key of such a record.
    pub fn key(self) -> [u8; 4] {
        let [a, b] = self.id().to_be_bytes();
        [0, 0, a, b]
    }
}

/// The end of a transaction in one partition: how it ended, and which reign of its coordinator says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndTxnMarker {
    pub committed: bool,
    pub coordinator_epoch: i32,
}

impl EndTxnMarker {
    /// Reads key and value of a control record; nothing if it is not an end of a transaction.
    pub fn parse(key: &[u8], value: &[u8]) -> Option<Self> {
        let committed = match ControlRecordType::parse(key)? {
            ControlRecordType::Commit => true,
            ControlRecordType::Abort => false,
            _ => return None,
        };
        let (version, rest) = split_i16(value)?;
        let epoch = rest.first_chunk::<4>()?;
        (version >= 0).then_some(Self { committed, coordinator_epoch: i32::from_be_bytes(*epoch) })
    }

    /// The batch that carries this marker for a producer.
    pub fn batch(
        self,
        producer: (ProducerId, ProducerEpoch),
        base_offset: Offset,
        leader_epoch: LeaderEpoch,
        timestamp: Timestamp,
    ) -> Result<Bytes, BuildError> {
        let kind = if self.committed { ControlRecordType::Commit } else { ControlRecordType::Abort };
        let [a, b, c, d] = self.coordinator_epoch.to_be_bytes();
        let mut builder = BatchBuilder::new()
            .base_offset(base_offset)
            .leader_epoch(leader_epoch)
            .producer(producer.0, producer.1, super::NO_SEQUENCE)
            .transactional()
            .control();
        builder.append(timestamp, Some(&kind.key()), Some(&[0, 0, a, b, c, d]));
        builder.build()
    }
}

fn split_i16(bytes: &[u8]) -> Option<(i16, &[u8])> {
    bytes.split_first_chunk::<2>().map(|(number, rest)| (i16::from_be_bytes(*number), rest))
}
