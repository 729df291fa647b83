//! The types of groups.

pub(crate) mod classic;
mod foreign;

use std::collections::BTreeSet;
use std::sync::Arc;

use kernel::{ErrorCode, Timestamp};

pub(crate) use classic::{ClassicGroup, Phase};
pub(crate) use foreign::ForeignGroup;

use crate::record::{Change, CommittedOffset};

/// A group, of whichever type.
#[derive(Debug)]
pub(crate) enum Group {
    Classic(Box<ClassicGroup>),
    /// A group of a type that is not served here, known from the log only.
    Foreign(ForeignGroup),
}

impl Group {
    pub fn classic(group: ClassicGroup) -> Self {
        Group::Classic(Box::new(group))
    }

    /// The name of the state, as it is listed.
    pub fn state_name(&self) -> &'static str {
        match self {
            Group::Classic(group) => group.phase.name(),
            Group::Foreign(group) => group.state_name(),
        }
    }

    pub fn type_name(&self) -> &'static str {
        match self {
            Group::Classic(_) => "classic",
            Group::Foreign(group) => group.kind.name(),
        }
    }

    pub fn protocol_type(&self) -> &str {
        match self {
            Group::Classic(group) => group.protocol_type.as_deref().unwrap_or(""),
            Group::Foreign(group) => group.kind.name(),
        }
    }

    /// Whether the group may be removed with all it has stored.
    pub fn check_delete(&self) -> Result<(), ErrorCode> {
        match self {
            Group::Classic(group) => group.check_delete(),
            Group::Foreign(group) => group.check_empty(),
        }
    }

    /// Whether any of the group's offsets may be removed.
    pub fn check_offset_delete(&self) -> Result<(), ErrorCode> {
        match self {
            Group::Classic(group) => group.check_offset_delete(),
            Group::Foreign(group) => group.check_empty(),
        }
    }

    /// Whether the group still needs its offsets for `topic`.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        match self {
            Group::Classic(group) => group.is_subscribed_to(topic),
            Group::Foreign(group) => group.check_empty().is_err(),
        }
    }

    /// When the retention of the group's offsets begins to run; nothing if they may not expire now.
    pub fn offset_expiry(&self) -> Option<OffsetExpiry> {
        match self {
            Group::Classic(group) => group.offset_expiry(),
            Group::Foreign(group) => group.check_empty().is_ok().then_some(OffsetExpiry::SinceCommit),
        }
    }

    /// Whether nobody is in the group, nor about to be.
    pub fn is_unused(&self) -> bool {
        match self {
            Group::Classic(group) => group.phase.is_empty() && group.members.pending.is_empty(),
            Group::Foreign(group) => group.check_empty().is_ok(),
        }
    }

    /// Tombstones for the group. Until they are stored, nobody may join it.
    pub fn remove(&mut self) -> Vec<Change> {
        match self {
            Group::Classic(group) => {
                group.phase = Phase::Dead;
                vec![Change::GroupRemoved { group: Arc::clone(&group.id) }]
            }
            Group::Foreign(group) => group.tombstones().collect(),
        }
    }
}

/// From when on an offset's retention counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OffsetExpiry {
    /// The group has been without members since then.
    Since(Timestamp),
    SinceCommit,
}

impl OffsetExpiry {
    pub fn has_expired(self, offset: &CommittedOffset, now: Timestamp, retention_ms: i64) -> bool {
        // A commit of old times carries its own end, which counts instead.
        if let Some(expires) = offset.expire_timestamp {
            return now >= expires;
        }
        let base = match self {
            OffsetExpiry::Since(since) => since,
            OffsetExpiry::SinceCommit => offset.commit_timestamp,
        };
        now.millis().saturating_sub(base.millis()) >= retention_ms
    }
}

/// The topics a group's members read, where the coordinator can tell.
pub(crate) type Subscription = Option<BTreeSet<String>>;
