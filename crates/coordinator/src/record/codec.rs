//! How the facts look in `__consumer_offsets`: as Kafka writes them.
//!
//! A key is its type as a 16-bit number, and the key in its only version. A value is its version as a 16-bit number, and the
//! value. An offset is written in version 4, or in version 1 if the client chose when it expires; a group in version 3.

use std::sync::Arc;

use bytes::Bytes;
use kernel::Timestamp;
use wire::records::{
    self,
    consumer_group_member_metadata_key::ConsumerGroupMemberMetadataKeyView,
    group_metadata_key::{GroupMetadataKey, GroupMetadataKeyView},
    group_metadata_value::{GroupMetadataValue, GroupMetadataValueView, MemberMetadata, MemberMetadataView},
    legacy_offset_commit_key::LegacyOffsetCommitKey,
    legacy_offset_commit_value::LegacyOffsetCommitValueView,
    offset_commit_key::{OffsetCommitKey, OffsetCommitKeyView},
    offset_commit_value::{OffsetCommitValue, OffsetCommitValueView},
};
use wire::{DecodeError, EncodeError, Reader};

use super::{Change, CommittedOffset, ForeignKind, StoredGroup, StoredMember};
use crate::effects::Record;

/// A record that is of a known type and cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a record of the offsets topic cannot be read: {0}")]
pub struct RecordError(#[from] DecodeError);

const OFFSET_VERSION: i16 = 4;
/// The only version that says when an offset expires.
const OFFSET_VERSION_WITH_EXPIRY: i16 = 1;
const GROUP_VERSION: i16 = 3;
const KEY_VERSION: i16 = 0;
/// What stands for a timestamp or an epoch that is not known.
const UNKNOWN: i64 = -1;

impl Change {
    /// Whether a record of a type that is not served here is about one member.
    pub(crate) fn is_of_member(&self) -> bool {
        match self {
            Change::ForeignStored { key, .. } | Change::ForeignRemoved { key, .. } => {
                records::split_prefix(key).is_ok_and(|(record_type, _)| is_about_member(record_type))
            }
            _ => false,
        }
    }

    /// The change in its form on disk.
    pub fn encode(&self) -> Result<Record, EncodeError> {
        match self {
            Change::OffsetStored { group, topic, partition, offset } => {
                let key = offset_key(group, topic, *partition)?;
                Ok(Record { key, value: Some(encode_offset(offset)?) })
            }
            Change::OffsetRemoved { group, topic, partition } => {
                Ok(Record { key: offset_key(group, topic, *partition)?, value: None })
            }
            Change::GroupStored { group, stored } => {
                Ok(Record { key: group_key(group)?, value: Some(encode_group(stored)?) })
            }
            Change::GroupRemoved { group } => Ok(Record { key: group_key(group)?, value: None }),
            Change::ForeignRemoved { key, .. } => Ok(Record { key: key.clone(), value: None }),
            // Only ever read; whoever wrote it had the value.
            Change::ForeignStored { key, .. } => Ok(Record { key: key.clone(), value: Some(Bytes::new()) }),
        }
    }

    /// The change that a record stands for; nothing if its type is not known.
    pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<Change>, RecordError> {
        let (record_type, rest) = records::split_prefix(key)?;
        let change = match record_type {
            LegacyOffsetCommitKey::TYPE | OffsetCommitKey::TYPE => decode_offset(record_type, rest, value)?,
            GroupMetadataKey::TYPE => {
                let group = Arc::from(GroupMetadataKeyView::decode(rest, KEY_VERSION)?.group);
                match value {
                    Some(value) => Change::GroupStored { group, stored: decode_group(value)? },
                    None => Change::GroupRemoved { group },
                }
            }
            other => match foreign_kind(other) {
                Some(kind) => decode_foreign(kind, other, key, rest, value)?,
                None => return Ok(None),
            },
        };
        Ok(Some(change))
    }
}

fn offset_key(group: &str, topic: &str, partition: i32) -> Result<Bytes, EncodeError> {
    let key = OffsetCommitKey { group: group.to_owned(), topic: topic.to_owned(), partition };
    records::encode_key(OffsetCommitKey::TYPE, &key)
}

fn group_key(group: &str) -> Result<Bytes, EncodeError> {
    records::encode_key(GroupMetadataKey::TYPE, &GroupMetadataKey { group: group.to_owned() })
}

fn encode_offset(offset: &CommittedOffset) -> Result<Bytes, EncodeError> {
    let version = if offset.expire_timestamp.is_some() { OFFSET_VERSION_WITH_EXPIRY } else { OFFSET_VERSION };
    let value = OffsetCommitValue {
        offset: offset.offset,
        leader_epoch: offset.leader_epoch.unwrap_or(UNKNOWN as i32),
        metadata: offset.metadata.to_string(),
        commit_timestamp: offset.commit_timestamp.millis(),
        expire_timestamp: offset.expire_timestamp.map_or(UNKNOWN, Timestamp::millis),
        topic_id: offset.topic_id,
    };
    records::encode_versioned(&value, version)
}

fn decode_offset(record_type: i16, key: &[u8], value: Option<&[u8]>) -> Result<Change, RecordError> {
    // The key of old is the key of now with another number before it.
    let key = OffsetCommitKeyView::decode(key, KEY_VERSION)?;
    let (group, topic, partition) = (Arc::from(key.group), Arc::from(key.topic), key.partition);
    let Some(value) = value else {
        return Ok(Change::OffsetRemoved { group, topic, partition });
    };
    let (version, value) = records::split_prefix(value)?;
    let offset = if record_type == LegacyOffsetCommitKey::TYPE {
        let value = LegacyOffsetCommitValueView::decode(value, version)?;
        OffsetCommitValueView {
            offset: value.offset,
            leader_epoch: UNKNOWN as i32,
            metadata: value.metadata,
            commit_timestamp: value.commit_timestamp,
            expire_timestamp: UNKNOWN,
            topic_id: kernel::Uuid::ZERO,
        }
    } else {
        OffsetCommitValueView::decode(value, version)?
    };
    let offset = CommittedOffset {
        offset: offset.offset,
        leader_epoch: Some(offset.leader_epoch).filter(|epoch| *epoch >= 0),
        metadata: Arc::from(offset.metadata),
        commit_timestamp: Timestamp(offset.commit_timestamp),
        expire_timestamp: known_time(offset.expire_timestamp),
        topic_id: offset.topic_id,
    };
    Ok(Change::OffsetStored { group, topic, partition, offset })
}

fn encode_group(stored: &StoredGroup) -> Result<Bytes, EncodeError> {
    let members = stored.members.iter().map(|member| MemberMetadata {
        member_id: member.member_id.to_string(),
        group_instance_id: member.instance_id.as_deref().map(str::to_owned),
        client_id: member.client_id.to_string(),
        client_host: member.client_host.to_string(),
        rebalance_timeout: member.rebalance_timeout_ms,
        session_timeout: member.session_timeout_ms,
        subscription: member.subscription.clone(),
        assignment: member.assignment.clone(),
    });
    let value = GroupMetadataValue {
        protocol_type: stored.protocol_type.to_string(),
        generation: stored.generation,
        protocol: stored.protocol.as_deref().map(str::to_owned),
        leader: stored.leader.as_deref().map(str::to_owned),
        current_state_timestamp: stored.state_timestamp.map_or(UNKNOWN, Timestamp::millis),
        members: members.collect(),
    };
    records::encode_versioned(&value, GROUP_VERSION)
}

fn decode_group(value: &[u8]) -> Result<StoredGroup, RecordError> {
    let (version, value) = records::split_prefix(value)?;
    let value = GroupMetadataValueView::decode(value, version)?;
    Ok(StoredGroup {
        protocol_type: Arc::from(value.protocol_type),
        generation: value.generation,
        protocol: value.protocol.map(Arc::from),
        leader: value.leader.map(Arc::from),
        state_timestamp: known_time(value.current_state_timestamp),
        members: value.members.iter().map(decode_member).collect(),
    })
}

fn decode_member(member: MemberMetadataView<'_>) -> StoredMember {
    StoredMember {
        member_id: Arc::from(member.member_id),
        instance_id: member.group_instance_id.map(Arc::from),
        client_id: Arc::from(member.client_id),
        client_host: Arc::from(member.client_host),
        rebalance_timeout_ms: member.rebalance_timeout,
        session_timeout_ms: member.session_timeout,
        subscription: Bytes::copy_from_slice(member.subscription),
        assignment: Bytes::copy_from_slice(member.assignment),
    }
}

/// Every key of these types begins with the group.
fn decode_foreign(
    kind: ForeignKind,
    record_type: i16,
    key: &[u8],
    rest: &[u8],
    value: Option<&[u8]>,
) -> Result<Change, RecordError> {
    let (group, member) = if is_member_record(record_type) {
        let key = ConsumerGroupMemberMetadataKeyView::decode(rest, KEY_VERSION)?;
        (Arc::from(key.group_id), Some(Arc::from(key.member_id)))
    } else {
        let mut reader = Reader::new(rest, KEY_VERSION, false);
        let group = reader.string();
        (Arc::from(reader.finish("group record key", group)?), None)
    };
    let key = Bytes::copy_from_slice(key);
    Ok(match value {
        Some(_) => Change::ForeignStored { kind, group, member, key },
        None => Change::ForeignRemoved { kind, group, member, key },
    })
}

fn foreign_kind(record_type: i16) -> Option<ForeignKind> {
    match record_type {
        3..=8 | 16 => Some(ForeignKind::Consumer),
        10..=15 => Some(ForeignKind::Share),
        17 | 19..=23 => Some(ForeignKind::Streams),
        _ => None,
    }
}

/// The records that make a member known: of all three types they have the same key.
fn is_member_record(record_type: i16) -> bool {
    matches!(record_type, 5 | 10 | 19)
}

/// Those records and a member's target and current assignment.
fn is_about_member(record_type: i16) -> bool {
    is_member_record(record_type) || matches!(record_type, 7 | 8 | 13 | 14 | 21 | 22)
}

fn known_time(millis: i64) -> Option<Timestamp> {
    (millis != UNKNOWN).then_some(Timestamp(millis))
}
